"""`make bench PART=sizes`: the size of each function's bundle, its largest parts, and the modules not loaded."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console

from bench.end_to_end.machine import machine
from bench.shipped import unpacked, zips
from infra.functions import FUNCTIONS, FunctionSpec

RESULTS = Path(__file__).parent / "results" / "sizes.json"
LARGEST = 5
_LOADED = """
import importlib, json, sys
sys.path[:0] = [sys.argv[1]]
importlib.import_module(sys.argv[2])
print(json.dumps(sorted({getattr(module, "__file__", None) or "" for module in sys.modules.values()})))
"""


def size(function: FunctionSpec, archive: Path, folder: Path) -> dict[str, Any]:
    """Return sizes in kilobytes, and the modules. `archive` is the function's zip file, unpacked in `folder`."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    parts: Counter[str] = Counter()
    for file in files:
        parts[_part(file.relative_to(folder))] += file.stat().st_size
    code = {path for path in files if path.suffix in {".py", ".so", ".pyd"}}
    loaded = _loaded(function, folder)
    return {
        "unpacked_kb": round(sum(parts.values()) / 1024),
        "zipped_kb": round(archive.stat().st_size / 1024),
        "byte_code_kb": round(sum(path.stat().st_size for path in files if path.suffix == ".pyc") / 1024),
        "largest_kb": {name: round(size / 1024) for name, size in parts.most_common(LARGEST)},
        "modules": len(code),
        "unloaded": sorted(path.relative_to(folder).as_posix() for path in code - loaded),
    }


def _part(path: Path) -> str:
    """Return the package that a file belongs to; botocore's data counts as a package of its own."""
    if path.parts[:2] == ("botocore", "data"):
        return "botocore's data"
    own = path.parts[0] if path.parts[0] != "__pycache__" else path.name
    return own.partition(".")[0]


def _loaded(function: FunctionSpec, folder: Path) -> set[Path]:
    """Return the bundle's files that a cold start loads until its clients are made."""
    settings = dict.fromkeys(
        (
            "TABLE_NAME",
            "STATE_TABLE",
            "BUS_NAME",
            "DLQ_URL",
            "STATE_MACHINE_ARN",
            "ANSWERS_TABLE",
            "OPERATIONS_TABLE",
        ),
        "given",
    )
    process = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", _LOADED, str(folder), function.module],
        env={
            "PATH": os.environ["PATH"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "POWERTOOLS_SERVICE_NAME": function.name,
            "COUNTS_DAYS": "true",  # as with a daily budget: all optional code is loaded
            **settings,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if process.returncode:
        raise SystemExit(f"{function.module} can't be imported from its bundle:\n{process.stderr}")
    return {Path(name) for name in json.loads(process.stdout)}


def main() -> None:
    about, functions = machine(), {}
    with tempfile.TemporaryDirectory() as scratch:
        packed = zips(Path(scratch))
        for function in FUNCTIONS:
            archive = packed[function.name]
            folder = unpacked(archive, Path(scratch).resolve() / function.name)
            functions[function.name] = size(function, archive, folder)
    results = {"machine": about, "functions": functions}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    for name, bundle in functions.items():
        Console().print(
            f"{name}: {bundle['unpacked_kb']:,} KB, zipped {bundle['zipped_kb']:,} KB; {bundle['modules']} modules, "
            f"not loaded by a cold start: {', '.join(bundle['unloaded']) or 'none'}"
        )


if __name__ == "__main__":
    main()
