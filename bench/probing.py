"""A loopback AWS that answers a stage at once, and the data of a request to each stage."""

import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from contracts.examples import request_data
from shared.contracts.stages import EVERY

DATA: Mapping[str, Mapping[str, Any]] = {stage.service: request_data(stage) for stage in EVERY}
"""The data of a request to each stage, by service."""
CONVERSE: dict[str, object] = {
    "output": {"message": {"role": "assistant", "content": [{"text": "A queue is a line."}]}},
    "stopReason": "end_turn",
    "usage": {"inputTokens": 9, "outputTokens": 6, "totalTokens": 15},
    "metrics": {"latencyMs": 1},
}
ANSWERS: dict[str, dict[str, object]] = {
    "Converse": CONVERSE,
    "PutEvents": {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]},
    "StartExecution": {
        "executionArn": "arn:aws:states:us-east-1:000000000000:execution:machine:p",
        "startDate": 1.7e9,
    },
}
"""What AWS answers by operation; all others have an empty answer."""


class Answers(BaseHTTPRequestHandler):
    """Answers every AWS call of a stage at once."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet an answer: two would wait for a delayed acknowledgement
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        body = ANSWERS.get("Converse" if self.path.startswith("/model/") else target, {})
        raw = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Print no line per request."""


class AnyAws(ThreadingHTTPServer):
    """The loopback AWS, on a free port."""

    daemon_threads = True

    def __init__(self, handler: type[Answers] = Answers) -> None:
        super().__init__(("127.0.0.1", 0), handler)
