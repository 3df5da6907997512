"""How long it takes to get going: from a fresh clone to the first answer, and again; synth; checks and tests.

python -m bench.setup_times                    about a minute; writes bench/results/setup.json
python -m bench.setup_times --tests            also `make check` and `make test`: several minutes more
"""

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.end_to_end.machine import machine
from local.engine import free_port
from local.paths import ROOT

RESULTS = Path(__file__).parent / "results" / "setup.json"
SYNTH = ("python", "-m", "local.cdk", "synth", "--quiet", "-c", "env=local", "-c", "nag=off")


def measure(console: Console, *, tests: bool) -> dict[str, Any]:
    before = machine()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        try:
            seconds = dict(_steps(clone, console, tests=tests))
        finally:
            _run(clone, ("make", "stop"))
    return {"machine": before, "seconds": seconds}


def _steps(clone: Path, console: Console, *, tests: bool) -> Iterator[tuple[str, float]]:
    """Packages come from the tools' caches, if they are there: what the network takes is another matter."""
    port = f"PORT={free_port()}"
    steps: list[tuple[str, tuple[str, ...]]] = [
        ("make setup, fresh clone", ("make", "setup")),
        ("make run, the first time", ("make", "run", port)),
        ("make run, again", ("make", "run", port)),
        ("cdk synth, the CLI", SYNTH),
        ("cdk synth, again", SYNTH),
    ]
    steps += [("make check", ("make", "check")), ("make test", ("make", "test"))] if tests else []
    for name, command in steps:
        began = time.monotonic()
        _run(clone, command)
        took = time.monotonic() - began
        console.print(f"{name}: {took:.1f} s")
        yield name, round(took, 1)


def _run(clone: Path, command: tuple[str, ...]) -> None:
    """Raises SystemExit with the command's last words."""
    program = (
        str(clone / ".venv/bin/python") if command[0] == "python" else shutil.which(command[0]) or command[0]
    )
    # As a user's shell has it: byte code of the first start serves the second.
    shell = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [program, *command[1:]], cwd=clone, env=shell, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2_000:]}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tests", action="store_true", help="`make check` and `make test` as well")
    console = Console()
    results = measure(console, tests=parser.parse_args().tests)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    table = Table("what", "seconds", title="Getting going")
    for name, seconds in results["seconds"].items():
        table.add_row(name, f"{seconds:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
