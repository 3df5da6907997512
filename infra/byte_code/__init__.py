"""Compiles the modules of bundles to byte code, with the Python that will run them.

Lambda's files are read-only, so a function without byte code compiles all its modules at every cold start. This
machine has no Python of AWS's version, but npm's Pyodide is one, built for WebAssembly: byte code depends on Python's
version alone. The local engine runs functions with this machine's Python, which compiles for it.

Byte code is `unchecked-hash`: Python loads it without looking at the source or at times, which zip files change.
"""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from infra.environments import Target
from infra.toolchain import node

ROOT: Final = Path(__file__).resolve().parents[2]
CACHE: Final = ROOT / ".pipeline" / "byte-code"
PYODIDE: Final = ROOT / "node_modules" / "pyodide"
_COMPILER: Final = Path(__file__).with_name("compiler.py")
_STARTER: Final = Path(__file__).with_name("pyodide.mjs")


class ByteCodeError(Exception):
    """Modules could not be compiled. The text says what to do."""


def place(module: str, target: Target) -> str:
    """Return where the byte code of a bundle's file `module` is: beside it, in the folder that Python looks into."""
    path = PurePosixPath(module)
    tag = f"cpython-{target.python_version.replace('.', '')}"
    return str(path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc")


def compiled(modules: Collection[tuple[str, Path]], target: Target) -> Mapping[tuple[str, Path], Path]:
    """Return the byte code of each module, which is given as its path in a bundle and its source.

    What was compiled before, or is being compiled by another process, is not compiled again. Raises ByteCodeError.
    """
    folder = CACHE / identity(target)
    files = {module: folder / f"{_key(*module)}.pyc" for module in modules}
    if not all(file.exists() for file in files.values()):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be compiling the same modules
            _add(
                {module: file for module, file in sorted(files.items()) if not file.exists()}, folder, target
            )
    return files


def _add(missing: Mapping[tuple[str, Path], Path], folder: Path, target: Target) -> None:
    """Compile modules into the files of the cache, all or none."""
    if not missing:
        return
    with tempfile.TemporaryDirectory(dir=folder) as partial:
        jobs = {module: Path(partial) / f"{number}.pyc" for number, module in enumerate(missing)}
        _compile([[str(source), str(file), name] for (name, source), file in jobs.items()], target)
        for module, file in jobs.items():
            file.replace(missing[module])


def python(target: Target) -> list[str]:
    """Return the command that runs a program's file with the target's Python. Raises ByteCodeError if it is missing.

    In Pyodide this machine's files are below `/host`.
    """
    if target.platform is None:
        return [sys.executable, "-I", "-S", "-B"]
    if not (PYODIDE / "package.json").exists():
        raise ByteCodeError(
            f"Pyodide is missing, which compiles the functions for AWS's Python {target.python_version}. "
            "Run `make setup`, which installs it."
        )
    try:
        return [node(), str(_STARTER)]
    except FileNotFoundError as error:
        raise ByteCodeError(
            f"The functions can't be compiled for AWS's Python {target.python_version}: {error}"
        ) from error


def identity(target: Target) -> str:
    """Return a name that changes with anything that may change byte code, besides the source."""
    compiler = sys.version
    if target.platform is not None:
        lock = json.loads((ROOT / "package-lock.json").read_text("utf-8"))
        compiler = lock["packages"]["node_modules/pyodide"]["integrity"]
    digest = hashlib.sha256(f"{compiler}\0{target.python_version}\0".encode() + _COMPILER.read_bytes())
    return f"py{target.python_version}-{digest.hexdigest()[:16]}"


def _key(name: str, source: Path) -> str:
    return hashlib.sha256(name.encode() + b"\0" + source.read_bytes()).hexdigest()


def _compile(jobs: Sequence[Sequence[str]], target: Target) -> None:
    command = [*python(target), str(_COMPILER)]
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(jobs, file)
        file.flush()
        process = subprocess.run(
            [*command, target.python_version, file.name],
            env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONHASHSEED": "0"},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    if process.returncode:
        raise ByteCodeError(
            f"The functions' modules could not be compiled for Python {target.python_version}. Correct what the "
            f"compiler reported, or run `make setup` if its Python is another one:\n{process.stderr.strip()[-2000:]}"
        )
