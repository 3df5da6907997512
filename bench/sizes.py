"""`make bench PART=sizes`: what each function's bundle weighs, of what, and how much of it a first message loads."""

import compileall
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.end_to_end.machine import machine
from infra.bundling import bundles
from infra.environments import host
from infra.functions import FUNCTIONS, FunctionSpec

RESULTS = Path(__file__).parent / "results" / "sizes.json"
LARGEST = 5
_LOADED = """
import importlib, json, sys
sys.path[:0] = [sys.argv[1]]
importlib.import_module(sys.argv[2])
print(json.dumps(sorted({getattr(module, "__file__", None) or "" for module in sys.modules.values()})))
"""


def size(function: FunctionSpec, folder: Path) -> dict[str, Any]:
    """Kilobytes, before anything is compiled. `folder` is a copy of the bundle: byte code is written into it."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    parts: Counter[str] = Counter()
    for file in files:
        parts[_part(file.relative_to(folder))] += file.stat().st_size
    code = {path for path in files if path.suffix in {".py", ".so", ".pyd"}}
    archive = Path(shutil.make_archive(str(folder.with_suffix(".archive")), "zip", folder))
    loaded = _loaded(function, folder)
    return {
        "unpacked_kb": round(sum(parts.values()) / 1024),
        "zipped_kb": round(archive.stat().st_size / 1024),
        "largest_kb": {name: round(size / 1024) for name, size in parts.most_common(LARGEST)},
        "modules": len(code),
        "unloaded": sorted(path.relative_to(folder).as_posix() for path in code - loaded),
    }


def _part(path: Path) -> str:
    """The package a file belongs to; of botocore code and data apart."""
    if path.parts[:2] == ("botocore", "data"):
        return "botocore's data"
    return path.parts[0].removesuffix(".py")


def _loaded(function: FunctionSpec, folder: Path) -> set[Path]:
    """The bundle's files that a cold start has loaded when its clients are made."""
    compileall.compile_dir(folder, quiet=2)
    told = dict.fromkeys(("TABLE_NAME", "BUS_NAME", "DLQ_URL", "STATE_MACHINE_ARN", "ANSWERS_TABLE"), "given")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _LOADED, str(folder), function.module],
        env={
            "PATH": os.environ["PATH"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "POWERTOOLS_SERVICE_NAME": function.name,
            "COUNTS_DAYS": "true",  # as with a budget per day: with all that can be switched on
            **told,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{function.module} can't be imported from its bundle:\n{done.stderr}")
    return {Path(name) for name in json.loads(done.stdout)}


def main() -> None:
    about, found = machine(), {}
    with tempfile.TemporaryDirectory() as scratch:
        for function in FUNCTIONS:
            bundle = bundles(host(), [function])[function.name]
            folder = Path(shutil.copytree(bundle, Path(scratch).resolve() / function.name))
            found[function.name] = size(function, folder)
    results = {"machine": about, "functions": found}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    for name, one in found.items():
        Console().print(
            f"{name}: {one['unpacked_kb']:,} KB, zipped {one['zipped_kb']:,} KB; {one['modules']} modules, "
            f"not loaded at first: {', '.join(one['unloaded']) or 'none'}"
        )


if __name__ == "__main__":
    main()
