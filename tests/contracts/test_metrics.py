"""The metrics that the real handlers write to stdout, compared with the metrics table."""

import json
import warnings
from typing import Any

import boto3
import pytest

from services.chatbot.failover import FAILURES
from services.chatbot.settings import Settings
from services.logger.core import DETAIL_TYPE
from shared import observability
from shared.contracts.stages import OPTIONAL, RECEIVES_BEFORE_LOST, RETRY, SERVICES, STAGES
from shared.errors import CANCELLED_ERROR
from shared.metrics import (
    ERROR_TYPES,
    EVERYWHERE,
    METRICS,
    NAMESPACE,
    OTHER,
    STAGE_FAILURES,
    error_type,
    failure,
)
from shared.tests.fakes import client_error, open_starts, sqs_record, stage_event
from tests.contracts.handlers import DATA, MACHINE, REQUESTS, Stand

MODEL, FALLBACK = Settings().model_id, "amazon.nova-pro-v1:0"


def ask(stand: Stand) -> None:
    """Cause each kind of API answer: accepted, shown, cancelled, refused and failed."""

    def call(method: str, resource: str, **more: Any) -> None:
        context = {"identity": {"userArn": "arn:aws:iam::000000000000:user/alice"}, "path": "/v1/pipeline"}
        headers = {"Content-Type": "application/json", "Idempotency-Key": "key"}
        stand.call(
            {
                "httpMethod": method,
                "resource": resource,
                "headers": headers,
                "requestContext": context,
                **more,
            },
            None,
        )

    call("POST", "/pipeline", body='{"user_message": "Hi"}')
    (entry,) = stand.bus.entries
    pipeline_id = json.loads(entry["Detail"])["metadata"]["pipeline_id"]
    call("GET", "/pipeline/{pipeline_id}", pathParameters={"pipeline_id": pipeline_id})
    call("DELETE", "/pipeline/{pipeline_id}", pathParameters={"pipeline_id": pipeline_id})
    call("POST", "/pipeline", body="{")
    with stand.broken(stand.bus):
        call("POST", "/pipeline", body='{"user_message": "Hi"}')


def start(stand: Stand) -> None:
    """Start a run, then send an unreadable event while the bus fails, and one while Step Functions fails."""

    def request(name: str) -> dict[str, Any]:
        data = {"data": {"user_message": "Hi"}}
        return sqs_record(
            {"source": "ai.pipeline", "detail-type": "pipeline.requested.v1", "id": name, "detail": data}
        )

    stand.messages(request("p-1"))
    with stand.broken(stand.bus):
        stand.messages(sqs_record("{"))
    with stand.broken(stand.step_functions):
        stand.messages(request("p-2"))


def work(stand: Stand, service: str) -> None:
    """Cause every way in which a stage's message can end."""

    def request(**changes: Any) -> dict[str, Any]:
        receives = changes.pop("receives", 1)
        event = stage_event(REQUESTS[service], DATA[service], **changes)
        return sqs_record(event, receives=receives)

    stand.messages(request(token="a"), request(token="b", pipeline_id="p-2"))
    killer = request(token="c", receives=RECEIVES_BEFORE_LOST, pipeline_id="lost")
    open_starts(boto3.client("dynamodb"), service, killer["messageId"])
    stand.messages(killer)
    with stand.broken(stand.step_functions, client_error("TaskTimedOut")):
        stand.messages(request(token="d"))
    with stand.broken(stand.step_functions):
        stand.messages(request(token="e"))
    with stand.broken(stand.bus):
        stand.messages(sqs_record("{"))


def chat(stand: Stand) -> None:
    """Let the chatbot answer for a guardrail, then fail because its table of answers is missing."""
    stand.clients["bedrock-runtime"].stop_reason = "guardrail_intervened"
    stand.messages(
        sqs_record(stage_event("chat.requested.v1", DATA["chatbot"], token="f", pipeline_id="p-8"))
    )
    boto3.client("dynamodb").delete_table(TableName="answers")
    event = stage_event("chat.requested.v1", DATA["chatbot"], attempt=RETRY.max_attempts, pipeline_id="p-9")
    stand.messages(sqs_record(event))


def fail_over(stand: Stand) -> None:
    """Let the chatbot's first model fail until its circuit opens."""
    stand.clients["bedrock-runtime"].unavailable = MODEL
    for number in range(FAILURES):
        event = stage_event("chat.requested.v1", DATA["chatbot"], pipeline_id=f"f-{number}")
        stand.messages(sqs_record(event))


def end(stand: Stand) -> None:
    """Report the end of a failed run and of a cancelled one."""
    failed = {
        "executionArn": f"{MACHINE.replace('stateMachine', 'execution')}:p-7",
        "name": "p-7",
        "status": "FAILED",
        "startDate": 1_795_341_600_000,
        "stopDate": 1_795_341_605_000,
        "error": "Pipeline.Permanent",
    }
    stopped = {**failed, "name": "p-8", "status": "ABORTED", "error": CANCELLED_ERROR}
    stopped["executionArn"] = f"{MACHINE.replace('stateMachine', 'execution')}:p-8"
    for detail in (failed, stopped):
        event = {"source": "aws.states", "detail-type": DETAIL_TYPE, "id": "e", "detail": detail}
        stand.messages(sqs_record(event))


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def emitted(text: str) -> list[dict[str, Any]]:
    """Return the EMF lines of a function's output."""
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [line for line in lines if "_aws" in line]


def everything(stand: Any, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return all EMF lines of all functions in all scenarios."""
    ask(stand("trigger", "services.trigger.api.handler"))
    start(stand("trigger", "services.trigger.starter.handler"))
    stand("trigger", "services.trigger.guard.handler").call({}, None)
    stand("logger", "services.logger.reconciler.handler").call({}, Context())
    stand("approval", "services.approval.sweep.handler").call({}, None)
    fail_over(stand("chatbot", "services.chatbot.handler", FALLBACK))
    for stage in STAGES:
        worker = stand(stage.service, f"services.{stage.service}.handler")
        work(worker, stage.service)
        if stage.service == "logger":
            end(worker)
        if stage.service == "chatbot":
            chat(worker)
    return emitted(capsys.readouterr().out)


def test_what_is_emitted_is_the_table(stand, capsys):
    """The real handlers emit exactly the table's metrics, with its units, dimensions and services."""
    emissions = set()
    for line in everything(stand, capsys):
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == NAMESPACE
        (dimensions,) = directive["Dimensions"]
        assert line["environment"] == "test"
        for metric in directive["Metrics"]:
            assert metric["Name"] in line
            emissions.add((metric["Name"], metric["Unit"], frozenset(dimensions), line["service"]))
    table = {
        (metric.name, metric.unit, frozenset(metric.dimensions), service)
        for metric in METRICS.values()
        for service in metric.by
    }
    assert emissions == table


def test_dimensions_have_few_values(stand, capsys):
    """Apart from environment and service, a dimension's values come from a closed list."""
    stages = (*(stage.key for stage in STAGES), "no stage")
    closed = {
        "error_type": {*ERROR_TYPES, OTHER},
        "failure": {f"{stage}: {name}" for stage in stages for name in (*ERROR_TYPES, OTHER)},
        "model": {MODEL, FALLBACK},
    }
    for line in everything(stand, capsys):
        for name in set(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]) - set(EVERYWHERE):
            assert line[name] in closed[name]


def test_values_are_those_of_the_run(stand, capsys):
    """A degraded run counts as succeeded and as degraded, with stage and error, and positive times and costs."""
    worker = stand("logger", "services.logger.handler")
    worker.messages(sqs_record(stage_event("log.requested.v1", DATA["logger"])))
    lines = emitted(capsys.readouterr().out)
    (run,) = [line for line in lines if "RunsSucceeded" in line]
    (lost,) = [line for line in lines if STAGE_FAILURES.name in line]
    assert (run["RunsSucceeded"], run["RunsDegraded"], run["UnknownPrices"]) == ([1.0], [1.0], [1.0])
    assert run["RunTime"][0] > 0
    assert run["CostMicroDollars"][0] > run["WasteMicroDollars"][0] > 0
    assert lost["failure"] == "enhancement: Pipeline.Transient"


def test_nothing_to_count_is_no_line(stand, capsys):
    """A call without anything to count, e.g. a read through the API, writes no metrics and no warning."""
    api = stand("trigger", "services.trigger.api.handler")
    context = {"identity": {"userArn": "arn:aws:iam::000000000000:user/alice"}, "path": "/v1/pipelines"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = api.call({"httpMethod": "GET", "resource": "/pipelines", "requestContext": context}, None)
    assert answer["statusCode"] == 200
    assert emitted(capsys.readouterr().out) == []


def test_made_up_errors_are_counted_together():
    """Unknown error names share one value, so that they create no further paid metrics."""
    assert error_type("Pipeline.Transient") == "Pipeline.Transient"
    assert error_type("x" * 300) == OTHER
    assert failure("made up", "x") == "no stage: Other"


def test_dimensions_are_held_to_the_table():
    """Emitting a metric with dimensions other than the table's raises an error."""
    with pytest.raises(ValueError, match="StageFailures"):
        observability.emit(STAGE_FAILURES)
    with pytest.raises(ValueError, match="RunsFailed"):
        observability.emit(METRICS["RunsFailed"], error_type="x")


def test_emitters_are_services():
    """Each metric has a meaning, and only existing services emit it."""
    for metric in METRICS.values():
        assert metric.meaning
        assert set(metric.by) <= {*SERVICES, *(stage.service for stage in OPTIONAL)}
