"""Cold start and warm cost of each stage's bundle beside a bare boto3 Step Functions client, in one run.

`make bench` runs it. Repetitions are interleaved, medians are printed; what counts is the ratio, because
machines are noisy.
"""

import compileall
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.bundling import bundles
from infra.environments import host
from shared.contracts.stages import STAGES
from shared.tests.fakes import sqs_record, stage_event

ANALYSED = {
    "character_count": 20,
    "word_count": 4,
    "sentence_count": 1,
    "has_code": False,
    "code": [],
    "languages": [],
    "is_question": True,
    "question_count": 1,
    "questions": ["What is a queue?"],
    "complexity": "simple",
    "reasons": [],
}
ANSWERED = {"text": "A queue is a line.", "backend": "bedrock", "model_id": "m", "stop_reason": "end_turn"}
NOW = "2026-11-22T10:00:00Z"
DATA: dict[str, dict[str, Any]] = {
    "analyzer": {"user_message": "What is a queue?"},
    "chatbot": {"user_message": "What is a queue?", "analysis": ANALYSED},
    "enhancer": {"chat": ANSWERED, "analysis": ANALYSED},
    "logger": {
        "user_message": "What is a queue?",
        "accepted_at": NOW,
        "started_at": NOW,
        "results": {"chat": {"data": ANSWERED, "meter": None}},
        "errors": {},
    },
}
CONVERSE: dict[str, object] = {
    "output": {"message": {"role": "assistant", "content": [{"text": "A queue is a line."}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 9, "outputTokens": 6, "totalTokens": 15},
    "metrics": {"latencyMs": 1},
}


class Answers(BaseHTTPRequestHandler):
    """AWS's side of every call a stage makes, as fast as it can be."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: two would wait for a delayed acknowledgement
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body: dict[str, object] = CONVERSE if self.path.startswith("/model/") else {}
        if "PutEvents" in self.headers.get("X-Amz-Target", ""):
            body = {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}
        raw = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def probe(name: str, endpoint: str, messages: int, bundles: Mapping[str, Path]) -> dict[str, float]:
    stage = next((stage for stage in STAGES if stage.service == name), STAGES[0])
    event = stage_event(stage.request.detail_type(), DATA[stage.service])
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "DLQ_URL": f"{endpoint}/dlq",
        "BUS_NAME": "bus",
        "TABLE_NAME": "table",
        "ANSWERS_TABLE": "answers",
        "POWERTOOLS_SERVICE_NAME": name,
        "POWERTOOLS_METRICS_NAMESPACE": "AIPipeline",
    }
    probe_file = Path(__file__).with_name("probe.py")
    isolated = [] if name == "bare" else ["-I", "-S"]
    bundle = [] if name == "bare" else [str(bundles[name])]
    done = subprocess.run(
        [sys.executable, *isolated, str(probe_file), name, str(messages), *bundle],
        input=json.dumps({"Records": [sqs_record(event, sent_ms=int(time.time() * 1000))]}),
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stderr.splitlines()[-1])
    return result


def unpacked(folder: Path) -> dict[str, Path]:
    """Each stage's bundle as Lambda has it after its first start: in a folder of its own, compiled."""
    folders = {}
    for name, bundle in bundles(host()).items():
        folders[name] = Path(shutil.copytree(bundle, folder / name))
        compileall.compile_dir(folders[name], quiet=2)
    return folders


def main(rounds: int = 9, messages: int = 200) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    names = ["bare", *DATA]
    console = Console()
    with tempfile.TemporaryDirectory() as scratch, console.status("measuring…"):
        packed = unpacked(Path(scratch))
        runs = [{name: probe(name, endpoint, messages, packed) for name in names} for _ in range(rounds)]
    server.shutdown()
    table = Table(title=f"Import, client and first message; then {messages} warm ones (medians of {rounds})")
    for column in ("function", "first ms", "first CPU ms", "x bare", "warm CPU ms", "RSS MB", "modules"):
        table.add_column(column, justify="left" if column == "function" else "right")
    for name in names:
        median = {key: statistics.median(run[name][key] for run in runs) for key in runs[0][name]}
        ratio = statistics.median(run[name]["first_cpu_ms"] / run["bare"]["first_cpu_ms"] for run in runs)
        table.add_row(
            name,
            f"{median['first_wall_ms']:.0f}",
            f"{median['first_cpu_ms']:.0f}",
            f"{ratio:.2f}",
            f"{median['warm_cpu_ms']:.2f}",
            f"{median['rss_mb']:.0f}",
            f"{median['modules']:.0f}",
        )
    console.print(table)


if __name__ == "__main__":
    main()
