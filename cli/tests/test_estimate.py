"""What a replay will cost, estimated from the latest runs."""

import json

import pytest

from cli.tests.support import call
from operations.dlq.messages import parked
from operations.dlq.plan import Action, Decision, Planned
from operations.money.estimate import Rates, Work, estimate, rates, work_of_message
from operations.tests.dead_letters import StepFunctions, park
from operations.tests.world import client
from shared.dynamodb import to_item
from shared.tests.fakes import stage_event

STAGES = {"start": 10, "analysis": 20, "chat": 1_000, "enhancement": 30, "log": 40}
KNOWN = Rates(runs=2, stages=STAGES, model=900)


def record(**cost: object) -> dict[str, object]:
    cost_fields = {"nano_usd": 1_100, "stages": STAGES, "services": {"Model": 900}, "unknown": [], **cost}
    return {"status": "SUCCEEDED", "cost": cost_fields}


def work(service: str, action: Action, detail_type: str, *, token: str | None = "t") -> Work:
    body = stage_event("chat.requested.v1", {"user_message": "Hi"}, token=token or "", pipeline_id="p")
    body["detail-type"] = detail_type
    if token is None:
        del body["detail"]["task_token"]
    message = {
        "MessageId": "m",
        "Body": json.dumps(body),
        "Attributes": {"SentTimestamp": "1790000000000"},
    }
    decision = Decision(action=action, reason="")
    return work_of_message(Planned(message=parked(message, service, "dlq"), decision=decision))


@pytest.mark.parametrize(
    ("service", "action", "detail_type", "token", "nanos"),
    [
        ("trigger", Action.MOVE, "pipeline.requested.v1", None, 1_100),
        ("analyzer", Action.MOVE, "analysis.requested.v1", "t", 1_090),
        ("chatbot", Action.MOVE, "chat.requested.v1", "t", 1_070),
        ("chatbot", Action.RESTART, "chat.requested.v1", "t", 1_100),
        ("chatbot", Action.REDRIVE, "chat.requested.v1", "t", 1_070),
        ("enhancer", Action.RESTART, "enhancement.requested.v1", "t", 200),
        ("enhancer", Action.REDRIVE, "enhancement.requested.v1", "t", 70),
        ("logger", Action.MOVE, "Step Functions Execution Status Change", None, 40),
        ("chatbot", Action.ARCHIVE, "chat.requested.v1", "t", 0),
        ("chatbot", Action.LEAVE, "chat.requested.v1", "t", 0),
    ],
)
def test_what_is_still_to_run_is_what_is_counted(service, action, detail_type, token, nanos):
    """Only the stages that a replay starts are counted, and the model unless its answer is stored."""
    assert work(service, action, detail_type, token=token).cost(KNOWN) == nanos


def test_rates_are_averages_of_what_succeeded():
    """Rates ignore failed runs and runs without a price; one unknown price makes them incomplete."""
    runs = [record(), record(stages={**STAGES, "chat": 3_000}, services={"Model": 2_900})]
    averages = rates([*runs, {"status": "FAILED", **record()} | {"status": "FAILED"}, record(nano_usd=None)])
    assert (averages.runs, averages.stages["chat"], averages.model, averages.complete) == (
        2,
        2_000,
        1_900,
        True,
    )
    assert not rates([record(unknown=["tokens of x"])]).complete


def test_nothing_to_judge_by_is_said():
    """Without a successful run there is no estimate; a plan that starts nothing costs nothing."""
    restart = Work(stages=("start", "chat"))
    assert estimate([restart], Rates()).nano_usd is None
    assert estimate([Work(), Work()], Rates()).runs == 0
    costs = estimate([restart, Work(stages=("chat",), answered=True), Work()], KNOWN)
    assert (costs.nano_usd, costs.runs, costs.answered) == (1_110, 2, 1)


@pytest.mark.usefixtures("local_engine")
def test_a_dry_run_says_what_the_replay_will_cost(machine: StepFunctions):
    """A dry run ends with the total estimate; JSON has an estimate for each message."""
    machine.fail("p-1")
    park("p-1")
    plain = call("dlq", "replay", "--dry-run")
    assert "The cost cannot be estimated: no run has succeeded yet." in plain.output
    machine.runs["p-0"] = {"status": "SUCCEEDED", "input": "{}"}
    item = {"pipeline_id": "p-0", **record()}
    client("dynamodb").put_item(
        TableName="PipelineLogs", Item={name: to_item(value) for name, value in item.items()}
    )
    plain = call("dlq", "replay", "--dry-run")
    assert "It will cost about $0.0000011, estimated from 1 finished run." in " ".join(plain.output.split())
    (line,) = json.loads(call("dlq", "replay", "--dry-run", "--json").stdout)
    assert line["estimated_nano_usd"] == 1_100
