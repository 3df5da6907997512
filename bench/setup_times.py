"""How long these take on a new machine: empty clone to first answer, a second answer, `cdk synth`, checks and tests.

python -m bench.setup_times                    measure for about a minute and write bench/results/setup.json
python -m bench.setup_times --tests            measure `make check` and `make test` as well: several minutes more
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
from bench.goals import FRESH_RUN
from local.engine import free_port
from local.paths import ROOT

RESULTS = Path(__file__).parent / "results" / "setup.json"
SYNTH = (
    "python",
    "-m",
    "local.cdk",
    "synth",
    "--quiet",
    "--no-validation",
    "-c",
    "env=local",
    "-c",
    "nag=off",
)
"""A synth as a local deployment makes it."""


CACHES = ("XDG_CACHE_HOME", "UV_CACHE_DIR", "PIP_CACHE_DIR", "npm_config_cache")
"""Variables that would lead the package managers to a filled cache outside the home folder."""


def measure(console: Console, *, tests: bool) -> dict[str, Any]:
    before = machine()
    with tempfile.TemporaryDirectory() as folder:
        clone, home = Path(folder) / "clone", Path(folder) / "home"
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        try:
            seconds = dict(_steps(clone, home, console, tests=tests))
        finally:
            _run(clone, home, ("make", "stop"))
    return {"machine": before, "seconds": seconds}


def _steps(clone: Path, home: Path, console: Console, *, tests: bool) -> Iterator[tuple[str, float]]:
    """Yield the steps with their seconds. The first one downloads everything: packages, tools and the small model."""
    run = ("make", "run", f"PORT={free_port()}")
    steps: list[tuple[str, tuple[str, ...]]] = [
        (FRESH_RUN, run),
        ("make run, again", run),
        ("cdk synth, the CLI", SYNTH),
        ("cdk synth, again", SYNTH),
    ]
    steps += [("make check", ("make", "check")), ("make test", ("make", "test"))] if tests else []
    for name, command in steps:
        started_at = time.monotonic()
        _run(clone, home, command)
        seconds = time.monotonic() - started_at
        console.print(f"{name}: {seconds:.1f} s")
        yield name, round(seconds, 1)


def _run(clone: Path, home: Path, command: tuple[str, ...]) -> None:
    """Run a command in the clone. Raises SystemExit with the end of its output if it fails."""
    program = (
        str(clone / ".venv/bin/python") if command[0] == "python" else shutil.which(command[0]) or command[0]
    )
    # As in a user's shell, byte code is written, so that the second start can use it.
    dropped = {"PYTHONDONTWRITEBYTECODE", *CACHES}
    shell = {name: value for name, value in os.environ.items() if name not in dropped} | {"HOME": str(home)}
    process = subprocess.run(
        [program, *command[1:]], cwd=clone, env=shell, capture_output=True, text=True, check=False
    )
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(process.stdout + process.stderr)[-2_000:]}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tests", action="store_true", help="measure `make check` and `make test` as well")
    console = Console()
    results = measure(console, tests=parser.parse_args().tests)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    table = Table("step", "seconds", title="Set-up")
    for name, seconds in results["seconds"].items():
        table.add_row(name, f"{seconds:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
