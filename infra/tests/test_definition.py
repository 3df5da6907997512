"""The workflow's definition is as the stage table says."""

import json

import msgspec
import pytest

from infra.definition import ALREADY_STORED, STORE_ANSWER, WHICH_ANSWER, definition, longest_seconds
from infra.doctor.largest_run import HEAVIEST_MESSAGES, heaviest_analysis
from shared.contracts.limits import STATE_BYTES
from shared.contracts.stages import BY_CHOICE, LEAST_TASK_SECONDS, RETRY, STAGES
from shared.errors import NEVER_RETRIED
from shared.tests import vetting

QUEUES = {stage.service: f"https://{stage.service}" for stage in STAGES if stage.via == "queue"}
ASL = definition(bus_name="bus", queue_urls=QUEUES, table_name="table")
STATES = ASL["States"]
each_stage = pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.state)


def detail(stage):
    parameters = STATES[stage.state]["Parameters"]
    return parameters["Entries"][0]["Detail"] if stage.via == "bus" else parameters["MessageBody"]["detail"]


def test_the_happy_path_is_the_table():
    """A run enters one state per stage, in the table's order, and no other, because each transition costs money."""
    path, name = [], ASL["StartAt"]
    while name:
        path.append(name)
        name = STATES[name].get("Next") or STATES[name].get("Default")
    assert [name for name in path if name not in BY_CHOICE] == [stage.state for stage in STAGES]
    enders = [f"{STORE_ANSWER}Of{stage.state}" for stage in STAGES if stage.may_end]
    of_early_answers = {WHICH_ANSWER, *enders} if enders else set()
    assert set(STATES) - set(path) == {STORE_ANSWER, ALREADY_STORED} | of_early_answers


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov"])
def test_tasks_belong_to_the_regions_partition(partition):
    """Every task names its API by an ARN of the partition, as Step Functions starts no execution otherwise."""
    asl = definition(bus_name="bus", queue_urls=QUEUES, table_name="table", partition=partition)
    resources = [state["Resource"] for state in asl["States"].values() if state["Type"] == "Task"]
    assert len(resources) > len(STAGES)
    assert all(resource.startswith(f"arn:{partition}:states:::") for resource in resources)


@each_stage
def test_a_stage_is_reached_as_its_row_says(stage):
    """A stage is requested by an event on the bus, or by a message of the same form in the service's queue."""
    state = STATES[stage.state]
    if stage.via == "bus":
        (entry,) = state["Parameters"]["Entries"]
        assert state["Resource"].endswith("events:putEvents.waitForTaskToken")
        assert (entry["EventBusName"], entry["Source"]) == ("bus", "ai.pipeline")
        assert entry["DetailType"] == stage.request.detail_type()
    else:
        body = state["Parameters"]["MessageBody"]
        assert state["Resource"].endswith("sqs:sendMessage.waitForTaskToken")
        assert state["Parameters"]["QueueUrl"] == f"https://{stage.service}"
        assert (body["source"], body["detail-type"]) == ("ai.pipeline", stage.request.detail_type())


@each_stage
def test_a_request_holds_what_its_type_asks_for(stage):
    """A request has exactly the fields of its type as data, and the task token only outside data and metadata."""
    sent = {name.removesuffix(".$") for name in detail(stage)["data"]}
    assert sent == {field.encode_name for field in msgspec.structs.fields(stage.request)}
    assert detail(stage)["task_token.$"] == "$$.Task.Token"
    assert "Token" not in json.dumps(detail(stage)["metadata"])


@each_stage
def test_every_state_ends(stage):
    """Each state has its stage's timeout, so that a lost message does not keep an execution waiting."""
    assert STATES[stage.state]["TimeoutSeconds"] == LEAST_TASK_SECONDS


@each_stage
def test_what_is_retried(stage):
    """Transient errors are retried three times, after 2 s and doubling; permanent errors and timeouts never."""
    never, transient = STATES[stage.state]["Retry"]
    assert never["MaxAttempts"] == 0
    assert {*NEVER_RETRIED, "States.Timeout"} <= set(never["ErrorEquals"])
    assert transient["ErrorEquals"] == ["States.TaskFailed"]
    assert (transient["IntervalSeconds"], transient["BackoffRate"], transient["MaxAttempts"]) == (2, 2, 3)


@each_stage
def test_only_what_is_critical_stops_the_run(stage):
    """A critical stage has no Catch; any other stage stores its error under its key and the run goes on."""
    state = STATES[stage.state]
    if stage.critical:
        assert "Catch" not in state
        return
    assert [catch["ErrorEquals"] for catch in state["Catch"]] == [
        ["States.DataLimitExceeded"],
        ["States.ALL"],
    ]
    assert {catch["ResultPath"] for catch in state["Catch"]} == {f"$.errors.{stage.key}"}
    stores = WHICH_ANSWER if any(stage.may_end for stage in STAGES) else STORE_ANSWER
    states = [stage.state for stage in STAGES]
    following = dict(zip(states, [*states[1:], stores], strict=True))
    assert {catch["Next"] for catch in state["Catch"]} == {following[stage.state]}


def test_the_machine_outlives_its_slowest_run():
    """The execution's own timeout is longer than all attempts of all stages together."""
    assert ASL["TimeoutSeconds"] == longest_seconds()
    assert longest_seconds() > len(STAGES) * LEAST_TASK_SECONDS * (1 + RETRY.max_attempts)


@pytest.mark.parametrize("message", HEAVIEST_MESSAGES.values(), ids=HEAVIEST_MESSAGES)
def test_the_stored_answer_fits_the_state(message):
    """The call that stores the largest answer without the logger is smaller than 256 KiB."""
    analysis = msgspec.json.encode({"data": heaviest_analysis(), "meter": {"model_id": "m" * 512}}).decode()
    errors = json.dumps({stage.key: {"Error": "e" * 256, "Cause": '"' * 1024} for stage in STAGES})
    call = STATES[STORE_ANSWER]["Parameters"] | {
        "message": message,
        "answer": '"' * 16_384,
        "analysis": analysis,
        "errors": errors,
    }
    assert len(msgspec.json.encode(call)) < STATE_BYTES


def test_a_choice_follows_only_a_stage_that_may_skip_others():
    """A stage that may end the run has a Choice state, unless only the last stage follows it anyway."""
    states = definition(bus_name="bus", queue_urls=QUEUES, table_name="table", stages=vetting.TABLE)["States"]
    assert states["VetMessage"]["Next"] == "AfterVetMessage"
    after = vetting.TABLE[vetting.TABLE.index(vetting.VETTING) + 1].state
    assert states["AfterVetMessage"]["Default"] == after
    assert [choice["Next"] for choice in states["AfterVetMessage"]["Choices"]] == ["LogResults"]
    assert {catch["Next"] for catch in states["VetMessage"]["Catch"]} == {after}
    at_the_end = (*STAGES[:-1], vetting.VETTING, STAGES[-1])
    states = definition(bus_name="bus", queue_urls=QUEUES, table_name="table", stages=at_the_end)["States"]
    assert states["VetMessage"]["Next"] == "LogResults"
    assert "AfterVetMessage" not in states
    assert {catch["Next"] for catch in states["LogResults"]["Catch"]} == {"WhichAnswer"}
