"""Function bundles without Docker: plain directories, made before the synth, that hold only what is imported.

A bundle is the shared code, one service's code and the third-party packages that importing the handler
loads, with botocore's data cut down to the services the function calls. Third-party packages come from a site
directory that uv fills once per platform from the pinned, hashed requirements. Output depends on content
alone: same sources, same bundle, same asset hash.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from infra import slimming
from infra.environments import Target
from infra.functions import FUNCTIONS, FunctionSpec
from infra.toolchain import uv

ROOT: Final = Path(__file__).resolve().parents[1]
WORK: Final = ROOT / ".pipeline"
REQUIREMENTS: Final = ROOT / "requirements.txt"

_SKIPPED_IN_PROJECT: Final = frozenset({"__pycache__", "tests", "evaluation"})
_SKIPPED_IN_PACKAGES: Final = frozenset({"__pycache__", "tests", "swagger_ui"})
_SKIPPED_IN_BOTO3: Final = frozenset({"data", "examples"})
"""Its resources. Where boto3 is bundled at all, Powertools imports it and is given a client."""
_BOTOCORE_COMMON: Final = (
    "_retry.json",
    "endpoints.json",
    "partitions.json",
    "sdk-default-configuration.json",
)
_ENDPOINT_PREFIXES: Final = {"stepfunctions": "states", "bedrock-runtime": "bedrock-runtime"}
_BOTOCORE_UNUSED: Final = ("examples-1.json", "waiters-2.json")
# Imports the handler the way Lambda does and prints the names of every module that came with it.
_TRACE: Final = "import json, sys; __import__(sys.argv[1]); print(json.dumps(sorted(sys.modules)))"


class BundlingError(Exception):
    """A bundle could not be made; the text says what to do."""


def bundles(target: Target, functions: Iterable[FunctionSpec] = FUNCTIONS) -> dict[str, Path]:
    """The directory of each function's bundle, by its name; made anew where its sources changed."""
    site, chosen = site_directory(target), list(functions)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each new one is traced by a process that imports it
        made = pool.map(lambda function: bundle(function, target, site), chosen)
        return {function.name: folder for function, folder in zip(chosen, made, strict=True)}


# --- third-party packages --------------------------------------------------------------------------------


def site_directory(target: Target) -> Path:
    """Every pinned package, built for `target`. Needs the network once per platform and requirements file."""
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
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(partial, ignore_errors=True)
        raise BundlingError(
            f"The functions' packages for {target.name} are not here yet and could not be fetched. This "
            "needs the package index once; afterwards bundling works offline. uv said:\n"
            f"{done.stderr.strip()}"
        )
    _move(partial, site)
    return site


def _packages_of(function: FunctionSpec, site: Path) -> list[Path]:
    """The top-level packages and modules of `site` that importing the handler loads.

    Traced in the running environment, which has the very versions: an AWS bundle can't be imported here.
    """
    traced = subprocess.run(
        [sys.executable, "-c", _TRACE, function.module],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    if traced.returncode != 0:
        last = traced.stderr.strip().splitlines()[-1:] or ["no output"]
        raise BundlingError(f"{function.module} can't be imported: {last[0]}")
    tops = {name.partition(".")[0] for name in json.loads(traced.stdout)} | set(function.lazy)
    found = [site / name for name in tops] + [site / f"{name}.py" for name in tops]
    return sorted(path for path in found if path.exists())


# --- one bundle ------------------------------------------------------------------------------------------


def bundle(function: FunctionSpec, target: Target, site: Path) -> Path:
    """Makes the bundle, in a folder named by its sources, unless it is there. Safe to run twice at once."""
    folder = WORK / "bundles" / target.name / f"{function.name}-{_key(function, site)}"
    if folder.exists():
        return folder
    packages = _packages_of(function, site)
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for source in _sources(function):
        _copy(source, partial / source.relative_to(ROOT))
    for package in packages:
        for file in _files(package, function):
            _copy(file, partial / file.relative_to(site))
    _trim_endpoints(partial, function)
    slimming.slim(partial)
    _move(partial, folder)
    for older in folder.parent.glob(f"{function.name}-*"):
        if older != folder and not older.name.endswith(".partial"):
            shutil.rmtree(older, ignore_errors=True)
    return folder


def _move(partial: Path, folder: Path) -> None:
    """Into place at once, unless another process was faster."""
    try:
        partial.rename(folder)
    except OSError:
        if not folder.exists():
            raise
        shutil.rmtree(partial, ignore_errors=True)


def _key(function: FunctionSpec, site: Path) -> str:
    digest = hashlib.sha256(f"{function}{site.name}".encode())
    for path in (Path(__file__), Path(slimming.__file__), *_sources(function)):
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _sources(function: FunctionSpec) -> list[Path]:
    """The project's files in the bundle: Python of `shared` and of one service, without its tests."""
    service = ROOT / "services" / function.service
    found = [ROOT / "services" / "__init__.py"]
    for folder in (ROOT / "shared", service):
        found += [path for path in _walk(folder, _SKIPPED_IN_PROJECT) if path.suffix == ".py"]
    return sorted(found)


def _files(package: Path, function: FunctionSpec) -> Iterator[Path]:
    if package.is_file():
        yield package
        return
    data = package / "data" if package.name == "botocore" else None
    skipped = _SKIPPED_IN_PACKAGES | (_SKIPPED_IN_BOTO3 if package.name == "boto3" else frozenset())
    for path in _walk(package, skipped):
        if path.suffix in {".pyi", ".pyc"} or path.name == "py.typed":
            continue
        if data is None or data not in path.parents or _is_used_data(path.relative_to(data), function):
            yield path


def _is_used_data(path: Path, function: FunctionSpec) -> bool:
    """Whether botocore's data file describes a service the function calls, or all of them."""
    if len(path.parts) == 1:
        return path.name in _BOTOCORE_COMMON
    return path.parts[0] in function.aws and path.name not in _BOTOCORE_UNUSED


def _trim_endpoints(folder: Path, function: FunctionSpec) -> None:
    """The first client reads botocore's 1.2 MB map of all endpoints: only the called services stay in it."""
    file = folder / "botocore" / "data" / "endpoints.json"
    if not file.exists():
        return
    endpoints = json.loads(file.read_text("utf-8"))
    used = {_ENDPOINT_PREFIXES.get(service, service) for service in function.aws}
    for partition in endpoints["partitions"]:
        partition["services"] = {name: value for name, value in partition["services"].items() if name in used}
    file.write_text(json.dumps(endpoints, separators=(",", ":")), "utf-8")


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
