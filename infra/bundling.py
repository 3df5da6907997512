"""Makes the functions' bundles without Docker: directories that hold only what a function imports.

A bundle holds what the handler's import statements reach in the shared code, in one service and in the third-party
packages (`reachable.py`), the byte code of that (`byte_code`), and botocore's data for the services that the function
calls. Third-party packages come from a site directory that uv fills once per platform from the pinned, hashed
requirements; none of their files is changed. The result depends on the content alone: the same sources give the same
bundle and the same asset hash.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Final

from infra import byte_code, reachable, trust
from infra.byte_code import ByteCodeError, compiled, identity, place
from infra.environments import Target
from infra.functions import FUNCTIONS, FunctionSpec
from infra.toolchain import uv
from infra.users_settings import ways_to_packages, without_users_choices

ROOT: Final = Path(__file__).resolve().parents[1]
WORK: Final = ROOT / ".pipeline"
REQUIREMENTS: Final = ROOT / "requirements.txt"

_SKIPPED_IN_PROJECT: Final = frozenset({"__pycache__", "tests", "evaluation"})
_SKIPPED_IN_PACKAGES: Final = frozenset({"__pycache__", "examples", "tests"})
_BOTOCORE_COMMON: Final = (
    "_retry.json",
    "partitions.json",
    "sdk-default-configuration.json",
)
ENDPOINTS: Final = "shared/endpoints.json"
"""A file that is made for a bundle: `shared/aws.py` reads it in place of botocore's map of all endpoints."""
_ENDPOINT_PREFIXES: Final = {"stepfunctions": "states", "bedrock-runtime": "bedrock-runtime"}
_BOTOCORE_READ: Final = ("endpoint-rule-set-1.json", "service-2.json")


class BundlingError(Exception):
    """A bundle could not be made. The text says what to do."""


def bundles(target: Target, functions: Iterable[FunctionSpec] = FUNCTIONS) -> dict[str, Path]:
    """Return the directory of each function's bundle, by the function's name. It is named by a hash of its sources.

    An existing bundle is kept, and changed ones are made again. Two processes may call this at the same time.
    Raises BundlingError.
    """
    site, chosen = site_directory(target), list(functions)
    folders = {function: _folder(function, target, site) for function in chosen}
    missing = [function for function in chosen if not folders[function].exists()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        contents = list(pool.map(lambda function: _content(function, site), missing))
        byte_code_of = _byte_code(contents, target)
        wholes = [content | byte_code_of(content) for content in contents]
        for _ in pool.map(
            lambda function, whole: _make(folders[function], function, whole, site), missing, wholes
        ):
            pass  # raises what a thread raised
    return {function.name: folders[function] for function in chosen}


def _byte_code(
    contents: Iterable[Mapping[str, Path]], target: Target
) -> Callable[[Mapping[str, Path]], dict[str, Path]]:
    """Compile all modules of `contents` at once; return the function that gives the byte code of one of them."""
    try:
        made = compiled(
            {module for content in contents for module in content.items() if module[1].suffix == ".py"},
            target,
        )
    except ByteCodeError as error:
        raise BundlingError(str(error)) from error
    return lambda content: {
        place(module[0], target): made[module] for module in content.items() if module in made
    }


# --- third-party packages --------------------------------------------------------------------------------


def site_directory(target: Target) -> Path:
    """Return a directory with every pinned package, built for `target`.

    The network is needed once per platform and requirements file. Raises BundlingError.
    """
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + target.name.encode()).hexdigest()[:16]
    site = WORK / "site" / f"{target.name}-{key}"
    if site.exists():
        return site
    partial = site.with_name(f"{site.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    platform = ["--python-platform", target.platform] if target.platform else []
    command = [
        uv(), "pip", "install", "--quiet", "--no-config", "--no-compile-bytecode", "--link-mode", "copy",
        "--only-binary", ":all:", "--require-hashes", "--python", sys.executable,
        "--python-version", target.python_version, *platform,
        "--target", str(partial), "--requirements", str(REQUIREMENTS),
    ]  # fmt: skip
    partial.parent.mkdir(parents=True, exist_ok=True)
    variables = without_users_choices(os.environ)
    process = subprocess.run(
        command,
        env={**variables, **ways_to_packages(Path(sys.executable), variables)},
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if process.returncode != 0:
        shutil.rmtree(partial, ignore_errors=True)
        raise BundlingError(
            f"The functions' packages for {target.name} could not be downloaded. Bundling needs the package index "
            "once and works offline afterwards: check the network and try again. uv reported:\n"
            f"{process.stderr.strip()}"
        )
    _move(partial, site)
    return site


# --- one bundle ------------------------------------------------------------------------------------------


def _folder(function: FunctionSpec, target: Target, site: Path) -> Path:
    return WORK / "bundles" / target.name / f"{function.name}-{_key(function, target, site)}"


def _content(function: FunctionSpec, site: Path) -> dict[str, Path]:
    """Return the bundle's files: the source of each by its path in the bundle. Raises BundlingError."""
    if not (ROOT / f"{function.module.replace('.', '/')}.py").exists():
        raise BundlingError(
            f"The handler's module {function.module} does not exist. Correct the function table (infra/functions.py)."
        )
    code = reachable.reachable(function.module, (ROOT, site))
    files = [*code, *_data(code, site, function)]
    return {file.relative_to(site if site in file.parents else ROOT).as_posix(): file for file in files}


def _make(folder: Path, function: FunctionSpec, content: Mapping[str, Path], site: Path) -> None:
    """Make the bundle of `function`, and remove its older ones."""
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name, source in content.items():
        _copy(source, partial / name)
    (partial / ENDPOINTS).write_bytes(_used_endpoints(site, function))
    try:
        trust.add_roots(partial)
    except trust.TrustError as error:
        raise BundlingError(str(error)) from error
    _move(partial, folder)
    for older in folder.parent.glob(f"{function.name}-*"):
        if older != folder and not older.name.endswith(".partial"):
            shutil.rmtree(older, ignore_errors=True)


def _move(partial: Path, folder: Path) -> None:
    """Rename `partial` to `folder`, unless another process has made `folder` meanwhile."""
    try:
        partial.rename(folder)
    except OSError:
        if not folder.exists():
            raise
        shutil.rmtree(partial, ignore_errors=True)


def _key(function: FunctionSpec, target: Target, site: Path) -> str:
    digest = hashlib.sha256(f"{function}{site.name}{identity(target)}".encode())
    makers = (Path(__file__), Path(reachable.__file__), Path(byte_code.__file__), Path(trust.__file__))
    for path in (*makers, *_sources(function)):
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _sources(function: FunctionSpec) -> list[Path]:
    """Return the project's files that a bundle can hold: Python of `shared` and of one service, without tests."""
    service = ROOT / "services" / function.service
    sources = [ROOT / "services" / "__init__.py"]
    for folder in (ROOT / "shared", service):
        sources += [path for path in _walk(folder, _SKIPPED_IN_PROJECT) if path.suffix == ".py"]
    return sorted(sources)


def _data(code: set[Path], site: Path, function: FunctionSpec) -> Iterator[Path]:
    """Yield the data files in the packages of `code`, e.g. certificates and botocore's service descriptions."""
    packages = {file.parent for file in code if file.name == "__init__.py"}
    described = site / "botocore" / "data"
    for file, package in _data_files(site):
        if package in packages and (
            described not in file.parents or _is_used_data(file, described, function)
        ):
            yield file


@cache
def _data_files(site: Path) -> tuple[tuple[Path, Path], ...]:
    """Return all files of the packages in a site directory that are no code, each with the package it belongs to."""
    files: list[tuple[Path, Path]] = []
    packages: dict[str, str] = {}
    for folder, inner, names in os.walk(site):
        inner[:] = sorted(set(inner) - _SKIPPED_IN_PACKAGES)
        package = folder if "__init__.py" in names else packages.get(str(Path(folder).parent))
        if package is None:
            continue
        packages[folder] = package
        if not reachable.is_left_out(".".join(Path(folder).relative_to(site).parts)):
            files += [(Path(folder, name), Path(package)) for name in sorted(names) if not _is_code(name)]
    return tuple(files)


def _is_code(name: str) -> bool:
    return name == "py.typed" or name.endswith((".py", ".pyi", ".pyc", ".so", ".pyd"))


def _is_used_data(file: Path, described: Path, function: FunctionSpec) -> bool:
    """Return whether botocore reads this file.

    It reads some files for all services, and the latest version's operations and endpoints of each service that the
    function calls.
    """
    if file.parent == described:
        return file.name in _BOTOCORE_COMMON
    service, version = file.parent.parent, file.parent
    if service.name not in function.aws or not file.name.startswith(_BOTOCORE_READ):
        return False
    return version.name == max(path.name for path in service.iterdir())


def _used_endpoints(site: Path, function: FunctionSpec) -> bytes:
    """Return the called services' part of botocore's 1.2 MB map of endpoints, which the first client reads."""
    endpoints = json.loads((site / "botocore" / "data" / "endpoints.json").read_text("utf-8"))
    used = {_ENDPOINT_PREFIXES.get(service, service) for service in function.aws}
    for partition in endpoints["partitions"]:
        partition["services"] = {name: value for name, value in partition["services"].items() if name in used}
    return json.dumps(endpoints, separators=(",", ":")).encode()


def _walk(folder: Path, skipped: frozenset[str]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if path.name not in skipped:
                yield from _walk(path, skipped)
        else:
            yield path


def _copy(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, destination)
    destination.chmod(0o644)
