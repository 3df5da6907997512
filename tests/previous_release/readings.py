"""Runs today's commands, API and functions once on what the previous release wrote, and keeps their answers.

python -m tests.previous_release.readings FOLDER  writes the answers into FOLDER
"""

import importlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
from click.testing import CliRunner

from cli.main import cli
from infra.functions import API, STAGE_FUNCTIONS, STARTER
from local import targets
from operations.money.budget import read_budget
from services.trigger.guard.handler import Guard, GuardSettings
from shared.dynamodb import from_item
from shared.settings import load
from shared.tests.fakes import sqs_record, stage_event
from tests.previous_release.still import (
    Clock,
    digest,
    from_json,
    opened,
    parts_of,
    without_added,
    without_measures,
    without_own_time,
    without_words,
)
from tests.previous_release.world import MACHINE, TABLES, WRITTEN, Played, client, queue_url, world, written

Parts = Sequence[str] | None

AGES = "36500d"
CALLER = "arn:aws:iam::000000000000:root"

WHOLE = ("told", "stored_by_workflow_degraded", "permanent", "restarted", "cancelled_while_running")
"""Runs whose answers are kept whole. Of the others, a few parts and a digest are kept."""


class Readings:
    """The answers of today's code by the name of the question: exit code and output, or status and body."""

    def __init__(self, played: Played) -> None:
        self.played = played
        self.runs: dict[str, str] = written("runs.json")
        self.answers: dict[str, Any] = {}
        (self.looked_at,) = (item["looked_at"]["S"] for item in written("budget.json") if "looked_at" in item)
        self._clock = Clock()

    def say(self, name: str, answer: Any, parts: Parts = None, *, words: bool = False) -> None:
        """Keep an answer, which is a code and a value. With `parts`, only these parts of the value and a digest are
        kept. `words`: the value's sentences were written by the previous release, so they are compared, too.
        """
        code, value = json.loads(self._clock.still(json.dumps(answer, default=datetime.isoformat)))
        value = without_added(value if words else without_words(value))
        if parts is not None and value is not None:
            value = [parts_of(value, parts), digest(value)]
        self.answers[name] = [code, value]

    def command(self, *arguments: str, name: str = "", parts: Parts = None, words: bool = False) -> None:
        result = CliRunner().invoke(cli, list(arguments))
        assert not isinstance(result.exception, Exception), (arguments, result.output, result.exception)
        lines = result.stdout.splitlines()
        output = from_json(result.stdout) if lines else None
        if output is None and lines:
            output = [from_json(line) or line for line in lines]
        answer = [result.exit_code, without_own_time(output)]
        self.say(name or " ".join(arguments), answer, parts, words=words)

    # --- commands that only read -------------------------------------------------------------------------

    def look(self) -> None:
        self.command("list", "--limit", "100", "--json", parts=("pipeline_id", "restart", "status"))
        self.command("list", "--status", "FAILED", "--json", parts=())
        for name, pipeline_id in self.runs.items():
            parts = None if name in WHOLE else ("status", "finished", "error", "failed_stage", "degraded")
            self.command("show", pipeline_id, "--json", name=f"show {name}", parts=parts)
            sums = ("nano_usd", "waste_nano_usd", "unknown", "unmetered")
            self.command("show", pipeline_id, "--cost", "--json", name=f"show --cost {name}", parts=sums)
        self.command("cost", "--json")
        self.command("cost", "--csv")
        self.command("logs", self.runs["told"], "--json", name="logs told")
        self.explain()
        self.parked()
        self.command("deploy-check", "--json", name="deploy-check, remembering")
        for service in ("trigger", *STAGE_FUNCTIONS):
            key = {"pipeline_id": {"S": f"deploy-check#{service}"}, "entry": {"S": "look"}}
            client("dynamodb").delete_item(TableName=TABLES["operations"], Key=key)
        self.command("deploy-check", "--json", name="deploy-check, looking", parts=())

    def explain(self) -> None:
        arn = MACHINE.replace("stateMachine", "execution")
        identifiers = {
            "a pipeline": self.runs["stored_by_workflow"],
            "an execution": f"{self.runs['restarted']}-restart-1",
            "an execution's ARN": f"{arn}:{self.runs['transient']}",
            "a stage's event": f"{self.runs['told']}-AnalyzeInput-0",
            "a trace": "4bf92f3577b34da6a3ce929d0e0e4736",
            "an event that started nothing": self.runs["contract"],
            "nothing": "nobody",
        }
        for label, identifier in identifiers.items():
            self.command("explain", identifier, "--json", name=f"explain {label}")
        for message in written("queues.json"):
            if message["kind"] == "dlq" and message["service"] in ("enhancer", "logger"):
                self.command("explain", message["MessageId"], "--json", parts=("kind", "found_in", "runs"))

    def parked(self) -> None:
        self.command("dlq", "list", "--json", parts=("service", "kind", "count"))
        for message in _one_of_each(written("queues.json")):
            self.command("dlq", "show", message["MessageId"], "--json")
        self.command("dlq", "replay", "--dry-run", "--json", parts=("id", "service", "action"))
        self.command("dlq", "replay", "--dry-run", "--restart", "--json", parts=())
        self.command("dlq", "export", "--service", "enhancer")
        self.command("dlq", "export", parts=())
        self.command("dlq", "export", "--archived", parts=("service", "reason"), words=True)
        archived = self.runs["archived"]
        self.command(
            "dlq", "export", "--archived", "--pipeline", archived, name="dlq export, one", words=True
        )
        self.command(
            "redrive", "--since", AGES, "--dry-run", "--json", parts=("pipeline_id", "stage", "action")
        )

    # --- functions ---------------------------------------------------------------------------------------

    def api(self) -> None:
        """Send the requests that callers make about old runs."""
        for name, pipeline_id in self.runs.items():
            parts = None if name in WHOLE else ("status", "final_response", "error", "stage", "degraded")
            self.request(f"GET {name}", "GET", pipeline_id, parts=parts)
        self.request("GET /pipelines", "GET")
        for query in ({"status": "FAILED"}, {"limit": "3"}, {"since": self.looked_at[:10]}):
            self.request(f"GET /pipelines {query}", "GET", query=query, parts=())
        for name in ("told", "cancelled_before", "permanent", "accepted_cancelled"):
            self.request(f"DELETE {name}", "DELETE", self.runs[name])
        self.request(
            "DELETE another's", "DELETE", self.runs["told"], who="arn:aws:iam::000000000000:user/bob"
        )
        turns = _turns(self.runs["conversation"])
        for body in ({"messages": turns}, {"user_message": "Another?"}):
            self.request(f"POST again, {', '.join(body)}", "POST", body=body)

    def request(
        self,
        name: str,
        method: str,
        pipeline_id: str | None = None,
        *,
        query: Any = None,
        body: Any = None,
        who: str = CALLER,
        parts: Parts = None,
    ) -> None:
        single = method != "POST" and pipeline_id is not None
        answer = importlib.import_module(API.module).handler(
            {
                "httpMethod": method,
                "resource": "/pipeline/{pipeline_id}" if single else "/pipeline" if body else "/pipelines",
                "pathParameters": {"pipeline_id": pipeline_id} if single else None,
                "queryStringParameters": query,
                "headers": {"Content-Type": "application/json", "Idempotency-Key": "a-key"},
                "body": json.dumps(body) if body else None,
                "requestContext": {"identity": {"userArn": who}, "path": "/v1/pipeline"},
            },
            None,
        )
        body_shown = (
            json.loads(answer["body"]) if answer["statusCode"] < 400 else None
        )  # a refusal's words may change
        self.say(name, [answer["statusCode"], body_shown], parts)

    def deliver(self, name: str, service: str, body: str, receives: int = 1) -> None:
        """Deliver a message to the deployed function, and keep the calls that the function made as the answer."""
        function = STARTER if service == "trigger" else STAGE_FUNCTIONS[service]
        with _environment(service):
            handler = importlib.import_module(function.module).handler
            before = len(self.played.calls)
            record = sqs_record(body, receives=receives, sent_ms=round(time.time() * 1000))
            failures = handler({"Records": [record]}, _Context())["batchItemFailures"]
        self.say(name, [len(failures), without_measures(opened(self.played.calls[before:]))])

    def work(self) -> None:
        """Deliver messages that were in flight or parked to today's functions."""
        before = self.records()
        for number, message in enumerate(written("queues.json")):
            name = f"{message['service']} gets message {number} of its {message['kind']}"
            self.deliver(name, message["service"], message["Body"])
        for name in ("without_enhancement", "by_bus_v2"):
            *history, question = _turns(self.runs[name])
            data = {"user_message": question["text"], **({"history": history} if history else {})}
            event = stage_event("chat.requested.v1", data, token="a-new-token", pipeline_id=self.runs[name])
            self.played.settled.discard("a-new-token")
            self.deliver(f"chatbot is asked again for {name}", "chatbot", json.dumps(event))
        changed = {name: record for name, record in self.records().items() if record != before.get(name)}
        self.say("records that the messages changed", [len(changed), without_measures(changed)])

    def records(self) -> dict[str, Any]:
        items = client("dynamodb").scan(TableName=TABLES["records"])["Items"]
        return {item["pipeline_id"]["S"]: from_item({"M": item}) for item in items}

    def budget(self) -> None:
        """Read the budget and run its guard on the day of the items, and on the next day."""
        functions, target = client("lambda"), targets.find_target("local")
        looked_at = datetime.fromisoformat(self.looked_at) + timedelta(minutes=10)
        for number in range(2):
            now = looked_at + timedelta(days=number)
            self.say(f"budget, day {number}", [0, msgspec.to_builtins(read_budget(target, now))])
            state = Guard(client("dynamodb"), functions, load(GuardSettings)).look(now)
            self.say(f"guard, day {number}", [0, msgspec.to_builtins(state)])

    # --- commands that act -------------------------------------------------------------------------------

    def act(self) -> None:
        before = len(self.played.calls)
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / name for name in ("messages.jsonl", "results.jsonl")]
            for file in files:
                file.write_text((WRITTEN / file.name).read_text())
            words = ("submit", "--file", str(files[0]), "--out", str(files[1]), "--resume", "--wait")
            self.command(*words, name="submit, resumed")
            self.say(
                "submit's results", [0, [json.loads(line) for line in files[1].read_text().splitlines()]]
            )
        self.command("dlq", "archive", "--service", "logger", "--reason", "Read.", "--yes", "--json")
        self.command("redrive", "--since", AGES, "--yes", "--rate", "100", "--json")
        self.command("dlq", "replay", "--yes", "--rate", "500", "--json")
        calls = self.played.calls[before:]
        self.say("calls of the replay", [len(calls), opened(calls)])
        for service in ("trigger", *STAGE_FUNCTIONS):
            bodies = _bodies(service)
            self.say(f"{service}'s queue afterwards", [len(bodies), {"bodies": sorted(bodies)}], ())
        for name in ("stopped", "permanent", "restarted", "contract_corrected"):
            parts = ("status", "earlier_nano_usd", "operations")
            self.command("show", self.runs[name], "--json", name=f"show {name} afterwards", parts=parts)


class _Context:
    function_name = "function"
    memory_limit_in_mb = 128
    invoked_function_arn = "arn"
    aws_request_id = "id"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 30_000


@contextmanager
def _environment(service: str) -> Iterator[None]:
    with mock.patch.dict("os.environ", {"DLQ_URL": queue_url(service, "dlq")}):
        yield


def _one_of_each(messages: Sequence[Any]) -> Iterator[Any]:
    """Yield one parked message of each combination of service, queue and reason."""
    seen = []
    for message in messages:
        noted = message.get("MessageAttributes", {})
        kind = [message["service"], message["kind"], noted.get("error_type", {}).get("StringValue"), *noted]
        if message["kind"] != "queue" and kind not in seen:
            seen.append(kind)
            yield message


def _turns(pipeline_id: str) -> Sequence[Any]:
    """Return the conversation of a run, from its execution's input."""
    (execution,) = [item for item in written("executions.json") if item["name"] == pipeline_id]
    request = json.loads(execution["input"])["request"]
    return [*request.get("history", []), {"role": "user", "text": request["user_message"]}]


def _bodies(service: str) -> list[str]:
    bodies = []
    while (
        messages := client("sqs")
        .receive_message(QueueUrl=queue_url(service, "queue"), MaxNumberOfMessages=10, VisibilityTimeout=600)
        .get("Messages")
    ):
        bodies += [message["Body"] for message in messages]
    return bodies


PARTS = (("look", "api", "budget"), ("work",), ("act",))
"""Groups of readings. Each group gets a fresh copy of the environment, because some readings change it."""


def main() -> None:
    """Write one file for each part, with one answer per line."""
    for parts in PARTS:
        with world() as played:
            for part in parts:
                readings = Readings(played)
                getattr(readings, part)()
                write(Path(sys.argv[1]) / f"{part}.json", readings.answers)


def write(file: Path, answers: Mapping[str, Any]) -> None:
    lines = [
        f"{json.dumps(name)}:{json.dumps(answer, ensure_ascii=False, separators=(',', ':'))}"
        for name, answer in answers.items()
    ]
    text = ",\n".join(lines)
    file.write_text(f"{{\n{text}\n}}\n", "utf-8")


if __name__ == "__main__":
    main()
