"""Budgets for sizes and counts that no change may exceed unnoticed. Nothing is timed, so that CI can check them.

`python -m bench.budgets` compares the present counts with `bench/budgets.json`; `--write` makes them the new budget.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console
from rich.table import Table

from bench.probing import DATA, Answers
from bench.shipped import unpacked, zips
from infra.definition import definition
from infra.functions import FUNCTIONS, FunctionSpec
from shared.contracts.stages import BY_SERVICE, STAGES, TRANSITIONS, Stage
from shared.tests.fakes import sqs_record, stage_event

FILE = Path(__file__).with_name("budgets.json")
MESSAGES = 2
SLACK = {"unpacked_kb": 1.02, "zipped_kb": 1.03}
"""Allowed excess of sizes, which differ a little by platform and compressor. All other counts are exact."""

Counts = dict[str, dict[str, int]]

_COUNT = """
import importlib, json, sys
events = json.loads(sys.stdin.read())
sys.path[:0] = [sys.argv[1]]
handler = importlib.import_module(sys.argv[2]).handler
for event in events:
    handler(event, None)
print(len(sys.modules), file=sys.stderr)  # stdout has the function's log
"""


class _Counting(Answers):
    """AWS's side of the calls, which counts each by service and operation."""

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
    """Return the counts by function: its zip file's size, modules loaded by its first message, calls per message.

    `workflow` has the numbers of states and transitions.
    """
    counts: Counts = {"workflow": _workflow()}
    with tempfile.TemporaryDirectory() as scratch, _aws() as (endpoint, calls):
        archives = zips(Path(scratch))
        packed = {name: unpacked(archive, Path(scratch) / name) for name, archive in archives.items()}
        for function in FUNCTIONS:
            calls.clear()
            counts[function.name] = {
                **_sizes(archives[function.name]),
                "modules": _modules(packed[function.name], function, endpoint),
                **{f"calls {name}": made // MESSAGES for name, made in sorted(calls.items())},
            }
    return counts


def _workflow() -> dict[str, int]:
    queues = {stage.service: "queue" for stage in STAGES if stage.via == "queue"}
    states = definition(bus_name="bus", queue_urls=queues, table_name="table")["States"]
    return {"states": len(states), "transitions of a run": TRANSITIONS}


def _sizes(archive: Path) -> dict[str, int]:
    """Return the size of a zip file and of its content, in kilobytes."""
    with zipfile.ZipFile(archive) as opened:
        unpacked_bytes = sum(entry.file_size for entry in opened.infolist())
    return {
        "unpacked_kb": round(unpacked_bytes / 1024),
        "zipped_kb": round(archive.stat().st_size / 1024),
    }


def _modules(folder: Path, function: FunctionSpec, endpoint: str) -> int:
    """Return the number of modules after messages to a stage, or after the import of another function's handler."""
    events = [_event(BY_SERVICE[function.name])] * MESSAGES if function.name in BY_SERVICE else []
    process = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", _COUNT, str(folder), function.module],
        input=json.dumps(events),
        env={
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "DLQ_URL": f"{endpoint}/dlq",
            "BUS_NAME": "bus",
            "STATE_TABLE": "state",
            "TABLE_NAME": "table",
            "ANSWERS_TABLE": "answers",
            "POWERTOOLS_SERVICE_NAME": function.name,
            "POWERTOOLS_METRICS_NAMESPACE": "AIPipeline",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if process.returncode:
        raise SystemExit(f"{function.module} failed in its bundle:\n{process.stderr}")
    return int(process.stderr.splitlines()[-1])


def _event(stage: Stage) -> dict[str, Any]:
    event = stage_event(stage.request.detail_type(), dict(DATA[stage.service]))
    return {"Records": [sqs_record(event, sent_ms=int(time.time() * 1000))]}


def overruns(counted: Mapping[str, Mapping[str, int]], budget: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return a sentence for each count that exceeds its budget (0 without one) or is no longer counted."""
    problems = []
    for name in sorted({*counted, *budget}):
        now, allowed = counted.get(name, {}), budget.get(name, {})
        for measure in sorted({*now, *allowed}):
            limit = round(allowed.get(measure, 0) * SLACK.get(measure, 1))
            if measure not in now:
                problems.append(f"{name}: {measure} has a budget but is no longer counted")
            elif now[measure] > limit:
                problems.append(
                    f"{name}: {measure} is {now[measure]:,}, its budget is {allowed.get(measure, 0):,}"
                )
    return problems


def read() -> Counts:
    counts: Counts = json.loads(FILE.read_text("utf-8"))
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="make the present counts the new budget")
    write = parser.parse_args().write
    counted: Any = count()
    budget = read() if FILE.exists() else {}
    table = Table("function", "count", "now", "budget")
    for name, own_counts in counted.items():
        for measure, value in own_counts.items():
            table.add_row(name, measure, f"{value:,}", f"{budget.get(name, {}).get(measure, 0):,}")
    Console().print(table)
    if write:
        FILE.write_text(json.dumps(counted, indent=2) + "\n", "utf-8")
        return
    problems = overruns(counted, budget)
    if problems:
        raise SystemExit(
            "\n".join([*problems, "Undo the increase, or accept it with: python -m bench.budgets --write"])
        )


if __name__ == "__main__":
    main()
