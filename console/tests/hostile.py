"""Runs and findings whose every text is hostile, and what a page of theirs is made of."""

import json
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

from console.text import shown
from infra.doctor.findings import Finding, Outcome, Passed
from operations.dlq.messages import Parked, parked
from operations.inflight.reading import Check, Look
from operations.inflight.reading import Finding as Unreadable
from operations.runs.logs import Line, Read
from operations.tests.dead_letters import url
from operations.tests.histories import METER, Story
from operations.tests.world import client
from shared.tests.fakes import stage_event

TOKEN = "AQCEAAAAKgAAAAMAAAAAAAAAAVUAhLmZm5Q3ocx7"
STRINGS = (
    "<script>window.pwned=1</script>",
    '"><img src=x onerror=window.pwned=1>',
    "'onmouseover='window.pwned=1' x='",
    "</pre></textarea></title><svg onload=window.pwned=1>",
    "javascript:window.pwned=1//",
    "![x](http://127.0.0.1:9/stolen) [y](javascript:window.pwned=1) <b hx-get=/x>z</b> <http://a.example>",
    "<a hx-on:click=window.pwned=1 style=color:red>{{ 7+7 }} {% raw %} ${7+7}</a>",
    "<!-- ]]> &lt;i&gt; \u202e\u200b\x1b[31m",
)
BENIGN = "plain"


def record(text: str) -> dict[str, Any]:
    """Return the fields of a finished run's record in which every text is `text`."""
    return {
        "user_message": text,
        "excerpt": text,
        "final_response": text,
        "analysis": {text: text, "complexity": text, "languages": [text]},
        "chat": {"model_id": text, "backend": text, "stop_reason": text},
        "enhancement": {"format": text, "nested": {"deep": [text]}},
        "stages": {"chat": {**METER, "model_id": text, "revision": text, "output_tokens": 3}},
        "errors": {"analysis": {"Error": text, "Cause": f'{text} "task_token": "{TOKEN}"'}},
        "degraded": ["analysis"],
        "instead": {"analysis": text},
        "trace_id": text,
        "correlation_id": text,
        "owner": text,
        "execution_time_ms": 212,
        "started_at": "2026-11-22T10:00:00.100Z",
        "finished_at": "2026-11-22T10:00:00.312Z",
        "cost": {
            "nano_usd": 5,
            "waste_nano_usd": 1,
            "stages": {text: 5},
            "services": {text: 5},
            "unknown": [text],
        },
    }


def failure(text: str) -> dict[str, Any]:
    return {**record(text), "error": text, "cause": text, "stage": text, "final_response": None}


def story(text: str) -> Story:
    """Return a history in which every text is `text`, with task tokens where AWS puts them."""
    told = Story().enter("AnalyzeInput")
    told.events[-1]["stateEnteredEventDetails"]["input"] = f'{{"x": "{text}", "task_token": "{TOKEN}"}}'
    told.add(
        "TaskScheduled", taskScheduledEventDetails={"parameters": f'{{"task_token":"{TOKEN}","y":"{text}"}}'}
    )
    told.fail(text, f"{text} {TOKEN}").ask().succeed({"data": {text: text}, "meter": METER}).leave()
    return told.enter(text).add("ExecutionSucceeded", executionSucceededEventDetails={"output": text})


def _finding(text: str, severity: Any = "error") -> Finding:
    return Finding(check=text, severity=severity, where=text, what=text, why=text, fix=text)


def outcomes(text: str) -> list[Outcome]:
    """Return what the doctor finds, one of each kind, in which every text is `text`."""
    return [
        Outcome(check="visibility", passed=(Passed(text, text),), findings=()),
        Outcome(check="quotas", passed=(), findings=(), skipped=text),
        Outcome(check=text, passed=(), findings=(_finding(text, "warning"),)),
        Outcome(check="drift", passed=(), findings=(_finding(text),)),
    ]


def in_flight(text: str) -> list[Check]:
    """Return a queue with a message that can't be read and one that none could, in which every text is `text`."""
    wrong = Unreadable(place="dlq", name=text, detail_type=text, reason=text, pipeline_id=text)
    old = Unreadable(place="dlq", name=text, detail_type=text, reason=text, blocks=False)
    look = Look(service="analyzer", place="dlq", looked=2, there=9, findings=(wrong, old), note=text)
    return [Check(service="analyzer", looks=(look,))]


def refusals(text: str) -> Read:
    """Return the lines of refused messages in which every text is `text`, one more than a page shows."""
    fields = {"detail_type": text, "pipeline_id": text, "message": text}
    one = Line(at=datetime.now(UTC), function=text, fields=fields)
    return Read(lines=[one] * 101, missing=[text], cut=[text])


class Shape(HTMLParser):
    """Collects what a page is made of: its tags with the names of their attributes, without any text."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts.append((tag, tuple(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.parts.append((f"/{tag}", ()))

    def handle_comment(self, data: str) -> None:
        self.parts.append(("comment", (data,)))


def shape(page: str) -> list[tuple[str, tuple[str, ...]]]:
    parser = Shape()
    parser.feed(page)
    parser.close()
    return parser.parts


def park_hostile(text: str) -> None:
    """Park a message of each kind: a whole event, and one that can't be read."""
    event = stage_event(
        "chat.requested.v1",
        {"user_message": text, text: [text], "quoted": f"{text} {TOKEN}"},
        token=TOKEN,
        pipeline_id="p-1",
    )
    event["source"], event["detail"]["metadata"][text] = text, text
    bodies = {"chatbot": (json.dumps(event), f"{text} {TOKEN}"), "analyzer": (f"{text} not JSON", text)}
    for service, (body, error) in bodies.items():
        attributes = {
            name: {"DataType": "String", "StringValue": shown(error)}
            for name in ("error_type", "error", "detail_type")
        }
        client("sqs").send_message(
            QueueUrl=url(service), MessageBody=shown(body), MessageAttributes=attributes
        )


def parked_message(text: str) -> Parked:
    """Return a parked message in which every text is `text`."""
    event = stage_event("chat.requested.v1", {"user_message": text}, pipeline_id="p-1", token=TOKEN)
    told = {
        name: {"StringValue": text, "DataType": "String"} for name in ("error_type", "error", "detail_type")
    }
    sent = {"MessageId": "m-archived", "Attributes": {"SentTimestamp": "1764000000000"}}
    body = json.dumps(event)
    return parked({**sent, "Body": body, "MessageAttributes": told}, "chatbot", "dlq")
