import json
from datetime import UTC, datetime, timedelta

import pytest

from operations.errors import DeniedError, NotFoundError
from operations.runs import advice
from operations.runs import journey as journeys
from operations.runs.executions import with_defaults
from operations.runs.history import read_history
from operations.runs.journey import assemble, follow, read_journey, told
from operations.runs.runs import list_runs, timed
from operations.runs.timeline import bars
from operations.stop import Stop
from operations.tests.histories import Story
from operations.tests.world import client, finish
from shared.contracts.stages import EVERY, RECORDED, STAGES

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def start(target, name: str) -> str:
    answer = client("stepfunctions").start_execution(
        stateMachineArn=target.addresses.state_machine_arn, name=name, input="{}"
    )
    return str(answer["executionArn"])


class Script(Stop):
    """A Stop whose every wait performs the next action; it requests a stop when no action is left."""

    def __init__(self, *events) -> None:
        super().__init__()
        self.events = list(events)

    def wait(self, seconds: float) -> None:
        if self.events:
            self.events.pop(0)()
        else:
            self.requested = True


def test_an_unknown_pipeline_is_not_found(target):
    """The error for an unknown run names the command that lists runs."""
    with pytest.raises(NotFoundError, match="pipeline list"):
        read_journey(target, "nobody")


def test_an_accepted_pipeline_waits(target, records):
    """An accepted run that has not started has a record and no execution."""
    records.accept("p", user_message="Hm?", accepted_at="2026-11-22T10:00:00Z")
    journey = read_journey(target, "p")
    assert (journey.status, journey.finished, journey.user_message) == ("ACCEPTED", False, "Hm?")
    assert {stage.status for stage in journey.stages} == {"waiting"}


def test_a_finished_pipeline_has_its_answer(target, records):
    """The journey of a finished run has the record's answer, analysis, tokens and times."""
    finish(records, "p")
    journey = read_journey(target, "p")
    assert (journey.status, journey.finished, journey.execution_time_ms) == ("SUCCEEDED", True, 212)
    assert journey.final_response == "An answer for p."
    assert {stage.key: stage.output_tokens for stage in journey.stages if stage.output_tokens} == {"chat": 34}


def test_following_tells_each_change_once_and_ends(target, records):
    """Following a run yields each change once, and ends with the answer."""
    records.accept("p", user_message="Hm?", accepted_at="2026-11-22T10:00:00Z")
    script = Script(
        lambda: None,
        lambda: records.advance("p", "RUNNING", {}),
        lambda: None,
        lambda: finish(records, "p"),
    )
    statuses = [journey.status for journey in follow(target, "p", stop=script)]
    assert statuses == ["ACCEPTED", "RUNNING", "SUCCEEDED"]


def test_a_pipeline_that_was_just_published_may_have_no_record(target, records):
    """A run that was just published may be unknown for a while without an error."""
    yielded = list(follow(target, "p", appears_within=60, stop=Script(lambda: finish(records, "p"))))
    assert [journey.status for journey in yielded] == ["ACCEPTED", "SUCCEEDED"]


@pytest.mark.parametrize("pipeline_id", ["", "a b", "../p", "p\n", "p" * 65])
def test_what_can_be_no_id_is_not_found(target, pipeline_id):
    """A text that can't be a pipeline id is reported as an unknown run, without a call to AWS."""
    with pytest.raises(NotFoundError):
        read_journey(target, pipeline_id)


def test_the_last_stage_has_its_time(target, records, monkeypatch):
    """Following waits until the execution has left its last state, because the record is final a moment earlier."""
    entered = [
        {"type": "ExecutionStarted", "timestamp": NOW},
        {"type": "TaskStateEntered", "timestamp": NOW, "stateEnteredEventDetails": {"name": "LogResults"}},
    ]
    left = [
        {"type": "TaskSucceeded", "timestamp": NOW},
        {"type": "TaskStateExited", "timestamp": NOW + timedelta(milliseconds=40)},
    ]
    events = entered.copy()
    monkeypatch.setattr(journeys, "execution_history", lambda *_: read_history(events))
    finish(records, "p")
    first, last = follow(target, "p", stop=Script(lambda: events.extend(left)))
    assert (first.finished, first.stages[-1].took_ms) == (False, None)
    assert (last.finished, last.stages[-1].took_ms) == (True, 40)


def test_a_stopped_execution_says_so_at_its_stage(target, records):
    """The stage of an aborted execution has the error from the record, because the execution names none."""
    execution = read_history(
        [
            {"type": "ExecutionStarted", "timestamp": NOW},
            {
                "type": "TaskStateEntered",
                "timestamp": NOW,
                "stateEnteredEventDetails": {"name": STAGES[1].state},
            },
            {"type": "ExecutionAborted", "timestamp": NOW, "executionAbortedEventDetails": {}},
        ]
    )
    journey = assemble("p", {"status": "FAILED", "error": "Execution.Aborted"}, execution)
    assert (journey.stages[1].status, journey.stages[1].error) == ("failed", "Execution.Aborted")


def test_following_an_unknown_pipeline_is_an_error(target):
    """Following an unknown id ends with an error instead of waiting."""
    with pytest.raises(NotFoundError):
        next(follow(target, "nobody"))


def test_following_can_be_stopped(target, records):
    """When a stop is requested, following ends although the run continues."""
    records.accept("p", user_message="Hm?", accepted_at="2026-11-22T10:00:00Z")
    (journey,) = follow(target, "p", stop=Script())
    assert not journey.finished


def test_following_gives_up_without_news(target, records):
    """Following ends when the run has not changed for `patience_seconds`."""
    records.accept("p", user_message="Hm?", accepted_at="2026-11-22T10:00:00Z")
    (journey,) = follow(target, "p", patience_seconds=-1)
    assert journey.status == "ACCEPTED"


def test_an_execution_that_ended_without_a_record_ends_the_journey(target, records, monkeypatch):
    """If the record never becomes final, following ends with the execution's status."""
    monkeypatch.setattr(journeys, "GRACE_SECONDS", 0)
    arn = start(target, "p")
    records.accept("p", user_message="Hm?", accepted_at="2026-11-22T10:00:00Z")
    client("stepfunctions").stop_execution(executionArn=arn, error="E", cause="c")
    last = list(follow(target, "p", stop=Script(lambda: None)))[-1]
    assert last.finished


def test_runs_are_listed_with_status_and_limit(target):
    """Runs are listed newest first, with an optional status and up to the limit."""
    for number in range(5):
        start(target, f"p-{number}")
    sfn = client("stepfunctions")
    sfn.stop_execution(executionArn=target.addresses.execution_arn("p-3"))
    assert len(list_runs(target, limit=2)) == 2
    everything = list_runs(target, limit=50)
    assert [run.started_at for run in everything] == sorted(
        (run.started_at for run in everything), reverse=True
    )
    assert {run.pipeline_id for run in everything} == {f"p-{number}" for number in range(5)}
    (aborted,) = list_runs(target, status="ABORTED")
    assert aborted.pipeline_id == "p-3"
    assert aborted.took_ms is not None


def test_a_run_has_one_duration(target, records, monkeypatch):
    """The list says what the record, the API and the journey say; else, what the execution took."""
    for name in ("p", "other", "unknown"):
        client("stepfunctions").stop_execution(executionArn=start(target, name))
    finish(records, "p")
    finish(records, "other", execution_arn="arn:aws:states:::execution:m:other-restart-1")
    runs = {run.pipeline_id: run for run in timed(target, list_runs(target))}
    assert runs["p"].took_ms == read_journey(target, "p").execution_time_ms == 212
    for name in ("other", "unknown"):
        assert (runs[name].execution_time_ms, runs[name].took_ms != 212) == (None, True)
    monkeypatch.setattr("operations.runs.runs.read_records", denied)
    assert timed(target, list_runs(target))[0].execution_time_ms is None


def denied(*_args: object, **_options: object) -> None:
    raise DeniedError("You may not read records.")


def test_a_journey_is_json(target, records):
    """A journey can be told in JSON, with each stage's result as a field of its own."""
    import msgspec  # noqa: PLC0415 -- the encoder under test

    finish(records, "p")
    value = json.loads(msgspec.json.encode(told(read_journey(target, "p"))))
    assert {stage["key"]: stage["model_id"] for stage in value["stages"]}["chat"] == "a-model"
    assert {stage.key for stage in RECORDED} < value.keys()
    assert value["finished_at"] == "2026-11-22T10:00:00.312000Z"


def test_a_run_that_a_stage_ended_says_so(target, records):
    """The stages that were skipped are told from those that ran, and the journey says who ended the run."""
    meter = {"queue_wait_ms": 5, "work_ms": 7, "attempt": 0, "receives": 1}
    finish(records, "p", chat=None, stages={"analysis": meter}, ended_by="analysis", end_reason="a secret")
    journey = read_journey(target, "p")
    skipped = ["skipped"] * len(STAGES[1:-1])
    assert [stage.status for stage in journey.stages] == ["done", *skipped, "done"]
    assert journey.early_end == "ended by analysis; the model was not asked"
    assert advice.state(journey, NOW).endswith(", ended by analysis; the model was not asked.")
    finish(records, "q", ended_by="enhancement")
    assert read_journey(target, "q").early_end == "ended by enhancement"
    gone = {"analysis": meter, "vetting": meter}
    finish(records, "r", chat=None, stages=gone, ended_by="vetting")
    told_of = {stage.key: stage.status for stage in read_journey(target, "r").stages}
    assert [told_of[stage.key] for stage in STAGES] == ["done", *skipped, "done"]
    assert told_of["vetting"] == "done"


GONE = (
    " That stage is no longer part of the pipeline, so the run can't continue there: run again, it begins anew, "
    "by the present workflow."
)


@pytest.mark.parametrize(
    ("stage", "deployed", "says"),
    [
        ("vetting", False, GONE),
        ("approval", False, GONE),
        (
            "vetting",
            True,
            " That stage was removed. As long as its stack is kept, the run can continue there.",
        ),
        ("approval", True, ""),
        ("chat", True, ""),
    ],
)
def test_a_failure_in_a_removed_stage_says_what_can_be_done(target, records, stage, deployed, says):
    """A run that failed in a stage which was removed, or switched off, says so, and whether it can continue there."""
    if deployed:
        name = f"/ai-pipeline/local/services/{stage}/queue-url"
        client("ssm").put_parameter(Name=name, Value="https://queue", Type="String", Overwrite=True)
    finish(records, "p", status="FAILED", stage=stage)
    journey = read_journey(target, "p")
    state = advice.state(journey, NOW)
    assert state == f"has failed at stage {stage}: Pipeline.Permanent: the model said no.{says}"
    assert told(journey).get("stage_is_gone", False) is (says == GONE)
    assert "--stage" in advice.retry_command(journey, parked=False)


def test_a_restart_knows_the_stages_that_were_added_since():
    """The input of a run whose starter knew fewer stages gets an empty result for each of the others."""
    old = {"results": {"analysis": {"data": None, "meter": None}}, "request": {"user_message": "é \ud800"}}
    state = json.loads(with_defaults(json.dumps(old)))
    assert state["results"].keys() == {stage.key for stage in EVERY[:-1]}
    assert state["results"]["chat"] == {"data": None, "meter": None}
    assert state["request"] == old["request"]
    assert with_defaults(json.dumps(state)) == json.dumps(state)
    assert [with_defaults(text) for text in ("", "[1]", '{"results": 3}')] == ["", "[1]", '{"results": 3}']


def test_a_run_that_waits_for_a_person_says_so():
    """A run at its approval waits by intent: its state and its timeline say so, and no other run has that stage."""
    story = Story().done("AnalyzeInput").done("CallExistingChatbot").done("EnhanceResponse")
    story.enter("AwaitApproval").ask()
    journey = assemble("p", {"status": "RUNNING"}, read_history(story.events))
    assert [stage.key for stage in journey.stages] == [stage.key for stage in EVERY]
    now = datetime.now(UTC)
    assert "waits for approval by a person" in advice.state(journey, now)
    last = bars(journey, now)[-1]
    assert (last.name, last.other_ms, last.is_open) == ("approval", 0, True)
    assert "approval" not in {stage.key for stage in assemble("p", {"status": "RUNNING"}, None).stages}


def test_a_model_does_not_stand_in_for_itself(target, records):
    """A model that the record names has answered; anything else has answered in its place."""
    finish(records, "p")
    model = read_journey(target, "p").answered_by
    for stand_in, says in ((model, model), ("canned answer", f"canned answer in the place of {model}")):
        target.stand_in = stand_in
        assert read_journey(target, "p").answered_by == says
