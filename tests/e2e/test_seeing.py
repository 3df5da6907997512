"""`pipeline show`, `logs`, `explain` and `watch` agree with the table and the queues about real runs."""

import json
import uuid
from collections.abc import Collection
from typing import Any

import pytest

from local.targets import local_target
from shared.contracts.envelope import trace_id, traceparent_of
from shared.contracts.stages import SERVICES, STAGES
from tests.e2e.conftest import Deployment, eventually
from tests.e2e.support import Shell, complete, failed_runs, question, shell

__all__ = ["shell"]  # a fixture

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

FUNCTIONS = ["starter", *(stage.service for stage in STAGES)]


def traceparent() -> str:
    return f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01"


def lines(shell: Shell, pipeline_id: str, functions: Collection[str] = ("logger",)) -> list[dict[str, Any]]:
    """Return the lines of `pipeline logs --json` for a run, once each of `functions` has one.

    A stage writes its line after its callback, so on a busy machine the next stage's line may be earlier.
    """

    def probe() -> list[dict[str, Any]]:
        printed = [json.loads(text) for text in shell("logs", pipeline_id, "--json").stdout.splitlines()]
        return printed if {line["function"] for line in printed} >= set(functions) else []

    return list(eventually(probe))


def outcomes(shell: Shell, pipeline_id: str, function: str) -> list[str]:
    return [line["outcome"] for line in lines(shell, pipeline_id) if line["function"] == function]


def attributes(pipeline: Deployment, path: str) -> int:
    """Return the number of messages in a queue, in any state."""
    names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
    answer = pipeline.client("sqs").get_queue_attributes(
        QueueUrl=pipeline.addresses[path], AttributeNames=names
    )
    return sum(map(int, answer["Attributes"].values()))


def state_of(pipeline: Deployment, name: str) -> Any:
    """Return the input of an execution."""
    arn = pipeline.addresses["state-machine/arn"].replace(":stateMachine:", ":execution:")
    return json.loads(
        pipeline.client("stepfunctions").describe_execution(executionArn=f"{arn}:{name}")["input"]
    )


def test_a_callers_trace_is_on_every_hop(pipeline: Deployment, shell: Shell):
    """The trace id of the POST's header is in every log line of the run, and leads back to the run."""
    callers_trace = traceparent()
    accepted = pipeline.call(
        "POST", "/pipeline", {"user_message": question()}, {"traceparent": callers_trace}
    )
    pipeline_id = accepted.body["pipeline_id"]
    assert complete(pipeline.finished(pipeline_id))
    assert state_of(pipeline, pipeline_id)["metadata"]["traceparent"] == callers_trace
    logged = lines(shell, pipeline_id, FUNCTIONS)
    assert sorted(line["function"] for line in logged) == sorted(["api", *FUNCTIONS])
    assert {line["trace_id"] for line in logged} == {callers_trace[3:35]}
    assert {line["pipeline_id"] for line in logged} == {pipeline_id}
    assert [line["at"] for line in logged] == sorted(line["at"] for line in logged)
    assert not any("xray_trace_id" in line for line in logged)
    for asked in (callers_trace, callers_trace[3:35]):
        explanation = shell.json("explain", asked)
        assert [run["pipeline_id"] for run in explanation["runs"]] == [pipeline_id]


def test_a_run_without_a_trace_gets_its_own(pipeline: Deployment, shell: Shell):
    """A run whose event has no valid trace gets one that is derived from its id."""
    garbage = {"metadata": {"traceparent": ["garbage"]}, "data": {"user_message": question()}}
    ids = pipeline.publish({"data": {"user_message": question()}}, garbage)
    for event_id in ids:
        assert complete(pipeline.finished(event_id))
        logged = lines(shell, event_id, FUNCTIONS)
        assert sorted(line["function"] for line in logged) == sorted(FUNCTIONS)
        assert {line["trace_id"] for line in logged} == {trace_id(None, event_id)}
        explanation = shell.json("explain", traceparent_of(event_id))
        assert (explanation["found_in"], explanation["runs"][0]["pipeline_id"]) == ("the records", event_id)


def test_the_timeline_is_that_of_the_record(pipeline: Deployment, shell: Shell):
    """The timeline has each stage's metered waiting and working time, in order from start to end."""
    (event_id,) = pipeline.publish({"data": {"user_message": question()}})
    record = pipeline.finished(event_id)
    shown = shell.json("show", event_id)
    bars = {bar["name"]: bar for bar in shown["timeline"]}
    assert list(bars) == ["start", *(stage.key for stage in STAGES)]
    for key, meter in record["stages"].items():
        whole = sum(bars[key][part] for part in ("waited_ms", "other_ms", "worked_ms"))
        assert bars[key]["waited_ms"] == min(meter["queue_wait_ms"], whole)
        assert bars[key]["worked_ms"] == min(meter["work_ms"], whole - bars[key]["waited_ms"])
    starts = [bar["start_ms"] for bar in shown["timeline"]]
    assert starts == sorted(starts)
    assert shown["longest"]["name"] in bars
    assert max(map(len, shell("show", event_id).stdout.splitlines())) <= 80


def test_a_failed_run_is_explained_and_stays_in_its_trace(pipeline: Deployment, shell: Shell):
    """A failed run is explained by message, event and execution id, and its replay keeps the trace."""
    (event_id,) = failed_runs(pipeline, 1)
    (message,) = shell.json("dlq", "replay", "--dry-run")
    explanation = shell.json("explain", message["id"])
    assert (explanation["kind"], explanation["message"]["pipeline_id"]) == ("message id", event_id)
    assert (explanation["runs"][0]["status"], explanation["runs"][0]["stage"]) == ("FAILED", "chat")
    again = next(command for command in shell.json("explain", event_id)["next"] if "replay" in command)
    assert again == f"pipeline dlq replay --pipeline {event_id}"
    assert outcomes(shell, event_id, "chatbot") == ["Parked", "Failed"]

    shell(*again.split()[1:], "--yes")
    assert complete(pipeline.finished(event_id))
    name = f"{event_id}-restart-1"
    assert state_of(pipeline, name)["metadata"]["traceparent"] == traceparent_of(event_id)
    assert shell.json("explain", name)["kind"] == "execution name"
    assert shell.json("explain", f"{name}-AnalyzeInput-0")["runs"][0]["status"] == "SUCCEEDED"
    eventually(lambda: "Succeeded" in outcomes(shell, event_id, "chatbot"))
    eventually(lambda: outcomes(shell, event_id, "enhancer"))
    logged = lines(shell, event_id)
    assert {line["trace_id"] for line in logged} == {trace_id(None, event_id)}
    handled = next(line["message_id"] for line in logged if line["function"] == "enhancer")
    assert shell.json("explain", handled)["found_in"] == "the logs of enhancer"


def test_an_event_that_was_refused_is_explained(pipeline: Deployment, shell: Shell):
    """The id of a rejected event leads to the parked message and the reason."""
    (event_id,) = pipeline.publish({"data": {"user_message": ""}})
    eventually(lambda: attributes(pipeline, "services/trigger/dlq-url"))
    explanation = shell.json("explain", event_id)
    assert (explanation["runs"], explanation["message"]["error_type"]) == ([], "Pipeline.ContractViolation")
    assert shell("explain", uuid.uuid4().hex, code=3).stdout == ""
    shell("dlq", "archive", "--reason", "a test", "--yes")


def test_following_the_logs_ends_with_the_run(pipeline: Deployment, shell: Shell):
    """`--follow` prints each log line of an open run once, as it arrives, and ends with the run."""
    (event_id,) = pipeline.publish({"data": {"user_message": question()}})
    eventually(lambda: pipeline.record(event_id))
    logged = [json.loads(text) for text in shell("logs", event_id, "--follow", "--json").stdout.splitlines()]
    assert [line["function"] for line in sorted(logged, key=lambda line: str(line["at"]))] == FUNCTIONS


def test_watching_agrees_with_table_and_queues(pipeline: Deployment, shell: Shell):
    """`pipeline watch` shows open, waiting, finished, failed and parked as Step Functions, SQS and the records do."""
    failed_runs(pipeline, 2)
    with pipeline.stopped("chatbot"):
        ids = pipeline.publish(*({"data": {"user_message": question()}} for _ in range(4)))
        eventually(lambda: attributes(pipeline, "services/chatbot/queue-url") == len(ids))
        seen = shell.json("watch", "--once")
        stages = {stage["stage"]: stage for stage in seen["stages"]}
        assert stages["chat"]["waiting"] + stages["chat"]["working"] == len(ids)
        assert (seen["running"], stages["chat"]["parked"], seen["parked"]) == (len(ids), 2, 2)
        assert [stages[key]["waiting"] for key in ("start", "analysis", "enhancement", "log")] == [0] * 4
        explanation = shell.json("explain", ids[0])
        assert (explanation["runs"][0]["status"], explanation["runs"][0]["stage"]) == ("RUNNING", "chat")
    assert all(complete(pipeline.finished(event_id)) for event_id in ids)

    def over() -> Any:
        seen = shell.json("watch", "--once")
        return seen if seen["running"] == 0 else None

    seen = eventually(over)
    target = local_target(pipeline.connection)
    counted = sum(
        attributes(pipeline, f"services/{service}/{kind}-url")
        for service in SERVICES
        for kind in ("dlq", "rule-dlq")
    )
    assert seen["parked"] == counted == 2
    assert {failure["stage"] for failure in seen["failures"][:2]} == {"chat"}
    recent = target.client("stepfunctions").list_executions(
        stateMachineArn=target.addresses.state_machine_arn, statusFilter="FAILED"
    )["executions"]
    names = {execution["name"] for execution in recent}
    assert {failure["pipeline_id"] for failure in seen["failures"]} <= names
    text = shell("watch", "--once").stdout
    assert "\x1b" not in text
    assert (len(text.splitlines()) <= 24, max(map(len, text.splitlines())) <= 80) == (True, True)
    shell("dlq", "archive", "--reason", "a test", "--yes")
