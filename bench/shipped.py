"""What is shipped: the zip files of the synthesised app's functions, unpacked as Lambda does, and yardsticks beside.

A benchmark runs functions from these folders alone. Nothing is compiled for the measurement: a function has the byte
code that its zip file has. Run them with `-B`, so that no process leaves byte code for the next one; in Python's
isolated mode (`-I`) the variable PYTHONDONTWRITEBYTECODE has no effect.
"""

import json
import py_compile
import re
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from infra import synthesis
from infra.bundling import bundles
from infra.environments import Environment
from infra.functions import FUNCTIONS
from infra.names import Names
from infra.options import load

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def zips(scratch: Path, environment: Environment | None = None) -> dict[str, Path]:
    """Synthesise the app and return each function's zip file by the function's name.

    By default it is the app for the local engine, whose functions this machine's Python can run.
    """
    chosen = environment or load("local")
    assembly = scratch / "cdk.out"
    packed = bundles(chosen.target)
    synthesis.synthesise(chosen, assembly, packed)
    folders = _assets(assembly)
    keys = {
        resource["Properties"]["FunctionName"]: resource["Properties"]["Code"]["S3Key"]
        for template in synthesis.templates(assembly).values()
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function"
    }
    names = Names(chosen.name)
    return {
        function.name: _zipped(folders[keys[names.function(function.name)]], scratch / f"{function.name}.zip")
        for function in FUNCTIONS
    }


def _assets(assembly: Path) -> dict[str, Path]:
    """Return the folder of each asset that the CDK uploads as a zip file, by the file's key."""
    folders = {}
    for manifest in assembly.glob("*.assets.json"):
        for asset in json.loads(manifest.read_text("utf-8"))["files"].values():
            if asset["source"]["packaging"] == "zip":
                for destination in asset["destinations"].values():
                    folders[destination["objectKey"]] = assembly / asset["source"]["path"]
    return folders


def _zipped(folder: Path, file: Path) -> Path:
    """Pack a folder as the CDK does: files in order, all with the same time."""
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            entry.external_attr = path.stat().st_mode << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return file


def unpacked(file: Path, folder: Path) -> Path:
    """Unpack a zip file into a new folder that, as on Lambda, nobody but root can write to."""
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder


def installed(folder: Path, packages: Iterable[str]) -> Path:
    """Copy installed packages and all that they require into a folder, without byte code."""
    for found in _required(packages):
        for file in found.files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), target)
    return folder


def _required(packages: Iterable[str]) -> Iterator[Distribution]:
    names, seen = list(packages), set[str]()
    while names:
        name = names.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:  # of another Python or system
            continue
        yield found
        wanted = [text for text in found.requires or () if "extra ==" not in text]
        names += [re.split(r"[^\w.-]", text.strip(), maxsplit=1)[0] for text in wanted]


def compiled(folder: Path) -> Path:
    """Add to each module of a folder the byte code that our bundles have."""
    for file in sorted(folder.rglob("*.py")):
        try:
            py_compile.compile(
                str(file), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
            )
        except py_compile.PyCompileError:  # a template, or for another Python: never imported
            continue
    return folder
