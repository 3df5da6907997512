"""How long these take on a new machine: empty clone to first answer, a second answer, `cdk synth`, checks and tests.

python -m bench.setup_times                    measure for about two minutes and write bench/results/setup.json
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


ROUNDS = 3
CACHES = ("XDG_CACHE_HOME", "UV_CACHE_DIR", "PIP_CACHE_DIR", "npm_config_cache")
"""Variables that would lead the package managers to a filled cache outside the home folder."""


def measure(console: Console, *, tests: bool) -> dict[str, Any]:
    """Measure the first `make run` several times, then the other steps in the last clone.

    All clones are kept until the end: on some disks, files are written slowly while deleted ones are given up.
    """
    before = machine()
    fresh: list[float] = []
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(ROUNDS):
            clone, home = (Path(folder) / f"{name}-{number}" for name in ("clone", "home"))
            home.mkdir()
            subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
            run = ("make", "run", f"PORT={free_port()}")
            try:
                fresh.append(_timed(clone, home, console, FRESH_RUN, run))
                if number == ROUNDS - 1:
                    for name, command in _steps(run, tests=tests):
                        seconds[name] = _timed(clone, home, console, name, command)
            finally:
                _run(clone, home, ("make", "stop"))
    return {"machine": before, "fresh": fresh, "seconds": seconds}


def _steps(run: tuple[str, ...], *, tests: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what is measured once, after a first `make run`, which has downloaded everything."""
    yield "make run, again", run
    yield "cdk synth, the CLI", SYNTH
    yield "cdk synth, again", SYNTH
    if tests:
        yield "make check", ("make", "check")
        yield "make test", ("make", "test")


def _timed(clone: Path, home: Path, console: Console, name: str, command: tuple[str, ...]) -> float:
    """Run a command in the clone and return its seconds."""
    started_at = time.monotonic()
    _run(clone, home, command)
    seconds = time.monotonic() - started_at
    console.print(f"{name}: {seconds:.1f} s")
    return round(seconds, 1)


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
    for seconds in results["fresh"]:
        table.add_row(FRESH_RUN, f"{seconds:.1f}")
    for name, seconds in results["seconds"].items():
        table.add_row(name, f"{seconds:.1f}")
    console.print(table)


if __name__ == "__main__":
    main()
