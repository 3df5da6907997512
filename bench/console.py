"""How long the console takes for a page of runs, with AWS as far away as it is, and how heavy the page is.

python -m bench.console                        measure for a quarter of a minute and write bench/results/console.json
python -m bench.console --show                 print the last results
python -m bench.console --serve                serve such a console, as each round does, until stdin ends

Step Functions and DynamoDB are doubles with 100,000 runs, each of whose answers takes 15 to 30 ms. Everything else is
what `pipeline console` runs: a process of its own, its warm-up, the gate, HTTP. Each round is a new process.
"""

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.session
import psutil
import uvicorn
from rich.console import Console

from bench import goals
from bench.end_to_end.machine import machine
from console import assets
from console.app import console_app
from console.desk import Desk
from console.environment import Chip, Environment
from console.security.access import Access
from console.security.lock import Lock
from console.serving import listen
from console.warm import warm_up
from local.paths import ROOT
from operations.addresses import Addresses
from operations.target import Target

RESULTS = Path(__file__).parent / "results" / "console.json"
RUNS, PAGE = 100_000, 50
LATENCY_MS = (15.0, 30.0)
"""The least and the longest time that a call to AWS takes."""
ROUNDS, PAGES = 3, 20
AT = datetime(2026, 11, 29, tzinfo=UTC)
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:ai-pipeline-dev"
QUESTION = "Why is the sky blue, and what would change if it were green? Answer in a table, please."


class FarAway:
    """Step Functions and DynamoDB with `RUNS` runs, of which each page is made when it is asked for."""

    def list_executions(self, **asked: Any) -> Mapping[str, Any]:
        _travel()
        start = int(asked.get("nextToken", "0"))
        end = min(start + asked["maxResults"], RUNS)
        more = {"nextToken": str(end)} if end < RUNS else {}
        return {"executions": [_execution(number) for number in range(start, end)], **more}

    def batch_get_item(self, **options: Any) -> Mapping[str, Any]:
        _travel()
        ((table, asked),) = options["RequestItems"].items()
        return {"Responses": {table: [_record(key["pipeline_id"]["S"]) for key in asked["Keys"]]}}


class FarTarget(Target):
    """An environment on AWS whose clients are made as always, and then not used."""

    def __init__(self) -> None:
        session = botocore.session.Session()
        session.set_credentials("test", "test")
        session.set_config_variable("region", "eu-west-1")
        super().__init__(env="dev", session=session)
        values = {"table/name": "PipelineLogs", "state-machine/arn": MACHINE}
        self.addresses = Addresses(env="dev", values=values, deployed_at=AT)

    def client(self, service: str) -> Any:
        super().client(service)
        return FarAway()


class FarEnvironment(Environment):
    def __init__(self) -> None:
        super().__init__("dev")
        self._far = FarTarget()

    def target(self) -> Target:
        return self._far

    def chip(self) -> Chip:
        return Chip(env="dev", is_local=False, where="123456789012 · eu-west-1")


def _travel() -> None:
    time.sleep(random.uniform(*LATENCY_MS) / 1_000)  # noqa: S311 -- a delay


def _execution(number: int) -> Mapping[str, Any]:
    at = AT - timedelta(seconds=number)
    status = "FAILED" if number % 7 == 0 else "SUCCEEDED"
    return {
        "name": f"{number:032x}",
        "status": status,
        "startDate": at,
        "stopDate": at + timedelta(seconds=3),
    }


def _record(pipeline_id: str) -> Mapping[str, Any]:
    number = int(pipeline_id, 16)
    meter = {"queue_wait_ms": {"N": str(number % 900)}, "work_ms": {"N": "1200"}, "attempt": {"N": "0"}}
    return {
        "pipeline_id": {"S": pipeline_id},
        "excerpt": {"S": f"{number} {QUESTION}"},
        "status": {"S": "SUCCEEDED"},
        "cost": {"M": {"nano_usd": {"N": str(162_384 + number)}}},
        "stages": {"M": {name: {"M": meter} for name in ("analysis", "chat", "enhancement", "log")}},
    }


def serve() -> None:
    """Serve the console until stdin ends, and say at once where."""
    listener = listen(0)
    port = int(listener.getsockname()[1])
    access = Access(port)
    lock = Lock("dev", is_local=False, read_only=True)
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(environment=FarEnvironment(), access=access, lock=lock, port=port, state=Path(folder))
        app = console_app(desk)
        warm_up(desk, app)
        config = uvicorn.Config(app, http="httptools", ws="none", lifespan="off", log_level="error")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        print(json.dumps({"port": port, "cookie": access.set_cookie().partition(";")[0]}), flush=True)
        sys.stdin.read()
        server.should_exit = True
        thread.join()


class Visitor:
    """A browser that keeps its connection."""

    def __init__(self, process: psutil.Process, port: int, cookie: str) -> None:
        self._process = process
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._headers = {
            "Cookie": cookie,
            "Accept-Encoding": "gzip",
            "Sec-Fetch-Site": "same-origin",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
        }

    def get(self, path: str) -> Mapping[str, float]:
        """Return how long a page took, what it cost the console in CPU time, and how many bytes it has."""
        cpu, began = self._cpu(), time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        took = time.perf_counter() - began
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}")
        return {
            "ms": round(took * 1_000, 1),
            "cpu_ms": round((self._cpu() - cpu) * 1_000, 1),
            "bytes": len(body),
        }

    def _cpu(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


def _round() -> Mapping[str, Any]:
    words = (sys.executable, "-m", "bench.console", "--serve")
    with subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 -- it is a pipe
        where = json.loads(process.stdout.readline())
        visitor = Visitor(psutil.Process(process.pid), where["port"], where["cookie"])
        first = visitor.get("/runs")
        pages = [visitor.get(f"/runs?cursor={number * RUNS // PAGES}") for number in range(PAGES)]
        deep = visitor.get(f"/runs?cursor={RUNS - PAGE}")
        process.communicate("")
    return {"first": first, "pages": [*pages, deep]}


def measure() -> Mapping[str, Any]:
    about = machine()
    rounds = [_round() for _ in range(ROUNDS)]
    return {
        "machine": about,
        "runs": RUNS,
        "latency_ms": LATENCY_MS,
        "files_bytes": sum(len(assets.asset(name).packed) for name in assets.FILES),
        "rounds": rounds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--show", action="store_true", help="Print the last results.")
    parser.add_argument("--serve", action="store_true", help="Serve the console that is measured.")
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    if not options.show:
        RESULTS.write_text(json.dumps(measure(), indent=1) + os.linesep, "utf-8")
    results = json.loads(RESULTS.read_text("utf-8"))
    console = Console()
    for line in goals.lines(results, "console"):
        console.print(line)


if __name__ == "__main__":
    main()
