"""What a change may not make bigger without a word: counted, never timed, so that CI can hold it.

`python -m bench.budgets` shows what is counted beside `bench/budgets.json`; `--write` makes that the new budget.
"""

import argparse
import compileall
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console
from rich.table import Table

from bench.probing import DATA, Answers, probe
from infra.bundling import bundles
from infra.definition import definition
from infra.environments import host
from infra.functions import FUNCTIONS
from shared.contracts.stages import STAGES

FILE = Path(__file__).with_name("budgets.json")
MESSAGES = 2
SLACK = {"unpacked_kb": 1.02, "zipped_kb": 1.03}
"""Sizes differ a little by platform and compressor; everything else is held exactly."""

Counts = dict[str, dict[str, int]]

_IMPORT = """
import importlib, sys
sys.path[:0] = [sys.argv[1]]
importlib.import_module(sys.argv[2])
print(len(sys.modules))
"""


class _Counting(Answers):
    """AWS's side, with each call counted by service and operation."""

    calls: ClassVar[Counter[str]]

    def do_POST(self) -> None:  # noqa: N802 -- http.server's name
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self.calls[target or ("Converse" if self.path.startswith("/model/") else self.path)] += 1
        super().do_POST()


@contextmanager
def _aws() -> Iterator[tuple[str, Counter[str]]]:
    calls: Counter[str] = Counter()
    handler = type("Handler", (_Counting,), {"calls": calls})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", calls
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def count() -> Counts:
    """By function, what its bundle weighs, how many modules its first message loads, what it calls for one message;
    and what the workflow is made of.
    """
    found: Counts = {"workflow": _workflow()}
    with tempfile.TemporaryDirectory() as scratch, _aws() as (endpoint, calls):
        packed = {
            name: Path(shutil.copytree(folder, Path(scratch) / name))
            for name, folder in bundles(host()).items()
        }
        sizes = {name: _sizes(folder, Path(scratch)) for name, folder in packed.items()}
        for function in FUNCTIONS:
            compileall.compile_dir(packed[function.name], quiet=2)
            own = dict(sizes[function.name])
            if function.name in DATA:
                calls.clear()
                own["modules"] = int(probe(function.name, endpoint, MESSAGES - 1, packed)["modules"])
                own |= {f"calls {name}": made // MESSAGES for name, made in sorted(calls.items())}
            else:
                own["modules"] = _imported(packed[function.name], function.module)
            found[function.name] = own
    return found


def _workflow() -> dict[str, int]:
    queues = {stage.service: "queue" for stage in STAGES if stage.via == "queue"}
    states = definition(bus_name="bus", queue_urls=queues, table_name="table")["States"]
    return {"states": len(states), "transitions of a run": 1 + len(STAGES)}


def _sizes(folder: Path, scratch: Path) -> dict[str, int]:
    """In kilobytes, before anything is compiled."""
    unpacked = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    archive = Path(shutil.make_archive(str(scratch / "zipped"), "zip", folder))
    zipped = archive.stat().st_size
    archive.unlink()
    return {"unpacked_kb": round(unpacked / 1024), "zipped_kb": round(zipped / 1024)}


def _imported(folder: Path, module: str) -> int:
    """Modules after the handler's import alone."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _IMPORT, str(folder), module],
        env={"PATH": os.environ["PATH"], "POWERTOOLS_SERVICE_NAME": module, "AWS_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{module} can't be imported from its bundle:\n{done.stderr}")
    return int(done.stdout)


def over(counted: Mapping[str, Mapping[str, int]], budget: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Sentences: what is more than its budget, and what has none or is counted no more."""
    problems = []
    for name in sorted({*counted, *budget}):
        now, allowed = counted.get(name, {}), budget.get(name, {})
        for what in sorted({*now, *allowed}):
            limit = round(allowed.get(what, 0) * SLACK.get(what, 1))
            if what not in now:
                problems.append(f"{name}: {what} is in the budget and counted no more")
            elif now[what] > limit:
                problems.append(f"{name}: {what} is {now[what]:,}, its budget is {allowed.get(what, 0):,}")
    return problems


def read() -> Counts:
    found: Counts = json.loads(FILE.read_text("utf-8"))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="make what is counted the new budget")
    write = parser.parse_args().write
    counted: Any = count()
    budget = read() if FILE.exists() else {}
    table = Table("of", "what", "now", "budget")
    for name, own in counted.items():
        for what, value in own.items():
            table.add_row(name, what, f"{value:,}", f"{budget.get(name, {}).get(what, 0):,}")
    Console().print(table)
    if write:
        FILE.write_text(json.dumps(counted, indent=2) + "\n", "utf-8")
        return
    problems = over(counted, budget)
    if problems:
        raise SystemExit("\n".join([*problems, "If that is worth it: python -m bench.budgets --write"]))


if __name__ == "__main__":
    main()
