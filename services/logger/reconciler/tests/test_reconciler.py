"""The reconciler records failed ends that nobody announced: once, whatever interrupts it, and nothing else."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from services.logger.core import DETAIL_TYPE, SOURCE
from services.logger.reconciler import core
from services.logger.reconciler.core import Progress
from services.logger.reconciler.handler import PAGE, Reconciler, ReconcilerSettings, reconciler_handler
from services.logger.recording import Logger
from shared.bus import Bus
from shared.contracts.envelope import Delivery
from shared.contracts.reading import read
from shared.contracts.record import iso
from shared.errors import PermanentError, TransientError
from shared.tests.fakes import client_error, create_operations_table

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:machine"


class FakeExecutions:
    """Step Functions with executions by name, listed in pages, the latest end first. `calls` counts calls."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.errors: dict[str, Exception] = {}
        self.size = PAGE

    def end(self, name: str, at: datetime, *, status: str = "FAILED", pipeline_id: str | None = None) -> str:
        arn = f"{MACHINE.replace('stateMachine', 'execution')}:{name}"
        state = {
            "metadata": {"pipeline_id": pipeline_id or name, "accepted_at": iso(at)},
            "request": {"user_message": "Hi"},
        }
        self.runs[name] = {
            "executionArn": arn, "name": name, "status": status, "input": json.dumps(state),
            "error": "Pipeline.Permanent", "cause": "denied",
            "startDate": at - timedelta(seconds=5), "stopDate": at,
        }  # fmt: skip
        return arn

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.errors:
            raise self.errors[name]

    def list_executions(
        self, *, stateMachineArn: str, statusFilter: str, maxResults: int, nextToken: str = "0"
    ) -> dict[str, Any]:
        assert (stateMachineArn, maxResults) == (MACHINE, PAGE)
        self._called("list")
        if not nextToken.isdecimal():
            raise client_error("InvalidToken", "ListExecutions")
        listed = [run for run in self.runs.values() if run["status"] == statusFilter]
        listed.sort(key=lambda run: run["stopDate"], reverse=True)
        end = int(nextToken) + self.size
        more = {"nextToken": str(end)} if len(listed) > end else {}
        return {"executions": listed[int(nextToken) : end], **more}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        self._called("describe")
        name = executionArn.rpartition(":")[2]
        if name not in self.runs:
            raise client_error("ExecutionDoesNotExist", "DescribeExecution")
        return self.runs[name]

    def get_execution_history(self, **_: Any) -> dict[str, Any]:
        self._called("history")
        return {"events": []}


class World:
    """The reconciler of a deployment; `left` are the milliseconds that an invocation has at each question."""

    def __init__(self, records: Any, events: Any) -> None:
        self.records, self.events, self.executions = records, events, FakeExecutions()
        self.table = boto3.client("dynamodb", region_name="us-east-1")
        create_operations_table(self.table)
        self.logger = Logger(records, Bus(lambda: events, "bus"), lambda: self.executions)
        settings = ReconcilerSettings(
            table_name="PipelineLogs",
            bus_name="bus",
            state_machine_arn=MACHINE,
            operations_table="operations",
        )
        self.reconciler = Reconciler(self.logger, self.executions, self.table, settings)
        self.left = [60_000]

    def left_ms(self) -> int:
        return self.left.pop(0) if len(self.left) > 1 else self.left[0]

    def look(self, at: datetime = NOW) -> Any:
        return self.reconciler.run(at, self.left_ms)

    def running(self, name: str) -> None:
        self.records.advance(name, "RUNNING", {"execution_arn": f"x:{name}", "started_at": iso(NOW)[:10]})

    def status(self, name: str) -> str | None:
        return (self.records.get(name) or {}).get("status")

    def announced(self) -> list[str]:
        return [detail["metadata"]["event_id"] for detail in self.events.details("pipeline.failed.v1")]


@pytest.fixture
def world(records, events):
    return World(records, events)


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
@pytest.mark.parametrize("record", ["RUNNING", "ACCEPTED", None])
def test_a_lost_end_is_recorded_and_announced_once(world, status, record):
    """An end without an event is recorded and announced once, whatever the next look and the late event do."""
    at = NOW - timedelta(hours=1)
    arn = world.executions.end("p-1", at, status=status)
    if record == "RUNNING":
        world.running("p-1")
    elif record:
        world.records.accept("p-1", user_message="Hi", accepted_at=iso(at))
    assert world.look().mended == 1
    after = world.records.get("p-1")
    assert (after["status"], after["execution_status"], after["execution_arn"]) == ("FAILED", status, arn)
    assert world.look(NOW + timedelta(minutes=15)).mended == 0
    assert len(world.announced()) == 1
    moments = {"startDate": at - timedelta(seconds=5), "stopDate": at}
    millis = {name: round(moment.timestamp() * 1000) for name, moment in moments.items()}
    detail = {"executionArn": arn, "name": "p-1", "status": status, "error": "Pipeline.Permanent", **millis}
    event = {"source": SOURCE, "detail-type": DETAIL_TYPE, "detail": detail}
    world.logger.failed(read(json.dumps(event), Delivery))
    assert world.records.get("p-1") == after
    assert len(set(world.announced())) == 1


def test_nothing_to_do_is_cheap(world):
    """Ends that are recorded cost one list for each status and no call for each execution."""
    world.executions.end("p-1", NOW - timedelta(hours=1))
    world.look()
    world.executions.calls.clear()
    report = world.look(NOW + timedelta(minutes=15))
    assert (report.mended, report.finished) == (0, True)
    assert world.executions.calls == ["list"] * 3


def test_what_came_later_is_left_alone(world):
    """A success, a restart, a redrive that runs, and a fresh end whose event may be under way are not touched."""
    hour = NOW - timedelta(hours=1)
    world.executions.end("answered", hour)
    world.records.advance("answered", "SUCCEEDED", {"finished_at": iso(hour)})
    world.executions.end("again", hour)
    restart = world.executions.end("again-restart-1", hour, status="RUNNING", pipeline_id="again")
    world.records.reopen("again", execution_arn=restart, started_at="2", after=iso(hour))
    world.executions.end("redriven", hour)
    world.executions.runs["redriven"]["status"] = "RUNNING"
    world.running("redriven")
    world.executions.end("fresh", NOW + timedelta(minutes=1))
    world.running("fresh")
    assert world.look().mended == 0
    statuses = [world.status(name) for name in ("answered", "again", "redriven", "fresh")]
    assert statuses == ["SUCCEEDED", "RUNNING", "RUNNING", "RUNNING"]
    assert world.announced() == []


@pytest.mark.parametrize("arn", ["p-1", "p-1-restart-1"], ids=["redrive", "restart"])
@pytest.mark.parametrize("known", ["finished_at", "reopened_after"])
@pytest.mark.parametrize("died", [False, True])
def test_a_run_that_was_shown_as_started_again_but_was_not_is_failed(world, monkeypatch, arn, known, died):
    """A record that an earlier release reopened for an execution that never started gets its failure back, once."""
    hour = NOW - timedelta(hours=1)
    prefix = world.executions.end("p-1", hour).removesuffix("p-1")
    opened = {"execution_arn": f"{prefix}{arn}", "started_at": iso(hour), known: iso(hour)}
    world.records.advance("p-1", "RUNNING", opened)
    if died:
        with monkeypatch.context() as patch:
            patch.setattr(world.logger, "record", lambda *_: (_ for _ in ()).throw(Crash()))
            with pytest.raises(Crash):
                world.look()
        assert world.status("p-1") == "RUNNING"
    assert world.look(NOW + timedelta(minutes=15)).mended == 1
    record = world.records.get("p-1")
    assert (record["status"], record["error"]) == ("FAILED", "Pipeline.Permanent")
    assert (record["execution_arn"], record["finished_at"]) == (f"{prefix}p-1", iso(hour))
    assert world.look(NOW + timedelta(minutes=30)).mended == 0
    assert len(world.announced()) == 1


def test_a_run_that_is_being_started_again_is_left_alone(world):
    """A record that was reopened just now, before its restart is seen, is not taken for an interrupted one."""
    ended = datetime.now(UTC) - timedelta(minutes=20)
    arn = world.executions.end("p-1", ended)
    world.records.reopen("p-1", execution_arn=arn, started_at=iso(datetime.now(UTC)), after=iso(ended))
    assert world.look(datetime.now(UTC)).mended == 0
    assert world.status("p-1") == "RUNNING"


def test_an_execution_that_was_redriven_since_the_list_is_left_alone(world, monkeypatch):
    """If an execution runs again when it is described, its listed end is not recorded."""
    world.executions.end("p-1", NOW - timedelta(hours=1))
    world.running("p-1")
    describe = world.executions.describe_execution
    monkeypatch.setattr(
        world.executions, "describe_execution", lambda **call: {**describe(**call), "status": "RUNNING"}
    )
    assert world.look().mended == 0
    assert world.status("p-1") == "RUNNING"


def test_a_restarts_end_is_its_runs_and_a_likeness_its_own(world):
    """A restart's lost end fails its run; a run whose id looks like a restart's name has its own end."""
    at = NOW - timedelta(hours=1)
    arn = world.executions.end("p-1-restart-1", at, pipeline_id="p-1")
    world.records.reopen("p-1", execution_arn=arn, started_at="1", after=iso(at - timedelta(hours=1)))
    world.executions.end("nightly-restart-3", at)
    world.running("nightly-restart-3")
    assert world.look().mended == 2
    assert [world.status(name) for name in ("p-1", "nightly-restart-3")] == ["FAILED", "FAILED"]
    assert [world.status(name) for name in ("p-1-restart-1", "nightly")] == [None, None]


@pytest.mark.parametrize("step", ["list", "describe"])
@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
def test_a_refused_call_is_made_up_for(world, step, code):
    """If Step Functions throttles or denies a call, the next invocation records what is missing."""
    world.executions.end("p-1", NOW - timedelta(hours=1))
    world.running("p-1")
    world.executions.errors[step] = client_error(code)
    if step == "list":
        with pytest.raises((TransientError, PermanentError)):
            world.look()
    else:
        assert world.look().owed == 1
    assert world.status("p-1") == "RUNNING"
    world.executions.errors.clear()
    assert world.look(NOW + timedelta(minutes=15)).mended == 1
    assert len(world.announced()) == 1


class Crash(BaseException):
    """The end of the process, as a timeout of the function is."""


@pytest.mark.parametrize("error", [client_error("InternalException", "PutEvents", 500), Crash()])
def test_an_end_that_was_recorded_but_not_announced_is_announced(world, error):
    """If the invocation fails or dies between record and announcement, the next one announces the end."""
    world.executions.end("p-1", NOW - timedelta(hours=1))
    world.running("p-1")
    world.events.error = error
    with suppress(Crash):
        assert world.look().owed == 1
    assert (world.status("p-1"), world.announced()) == ("FAILED", [])
    world.events.error = None
    assert world.look(NOW + timedelta(minutes=15)).owed == 0
    assert len(world.announced()) == 1
    world.look(NOW + timedelta(minutes=30))
    assert len(world.announced()) == 1


def test_one_end_that_cannot_be_recorded_does_not_hold_up_the_others(world, monkeypatch):
    """An end that always fails is tried again for two weeks, while others are recorded."""
    world.executions.end("bad", NOW - timedelta(hours=1))
    world.executions.end("good", NOW - timedelta(hours=2))
    describe = world.executions.describe_execution

    def refuse(*, executionArn: str) -> Any:
        if executionArn.endswith(":bad"):
            raise client_error("AccessDeniedException", "DescribeExecution")
        return describe(executionArn=executionArn)

    monkeypatch.setattr(world.executions, "describe_execution", refuse)
    report = world.look()
    assert (report.mended, report.owed, report.finished) == (1, 1, True)
    assert world.look(NOW + timedelta(days=1)).owed == 1
    assert world.look(NOW + timedelta(days=15)).owed == 0


def test_an_invocation_stops_in_time_and_the_next_goes_on(world):
    """An invocation that runs out of time ends in order, and the following ones do the rest, each end once."""
    world.executions.size = 2
    for number in range(9):
        world.executions.end(f"p-{number}", NOW - timedelta(minutes=10 + number))
        world.running(f"p-{number}")
    invocations = 0
    mended = 0
    finished = False
    while not finished:
        world.left = [60_000, 60_000, 0]
        report = world.look(NOW + timedelta(minutes=invocations))
        mended, finished, invocations = mended + report.mended, report.finished, invocations + 1
    assert mended == len(world.announced()) == len(set(world.announced())) == 9
    assert 1 < invocations < 30


def test_a_pause_of_the_reconciler_loses_nothing(world):
    """Ends of a time in which the reconciler did not run are recorded by its first run after that."""
    world.look()
    world.executions.end("p-1", NOW + timedelta(hours=1))
    assert world.look(NOW + timedelta(days=6)).mended == 1


def test_an_expired_token_begins_the_list_again(world):
    """A scan that was interrupted for longer than a token is valid begins its list again."""
    world.executions.end("p-1", NOW - timedelta(hours=1))
    world.reconciler._stored(Progress(upto=iso(NOW - timedelta(days=2)), until=iso(NOW), token="expired"))
    report = world.look()
    assert (report.mended, report.finished) == (1, True)


def test_progress_that_cannot_be_read_is_begun_again(world):
    """Garbage in place of the progress costs a longer look, and no end."""
    world.executions.end("p-1", NOW - timedelta(days=10))
    item = {"pipeline_id": {"S": "reconciler#ends"}, "entry": {"S": "progress"}, "progress": {"S": "{"}}
    world.table.put_item(TableName="operations", Item=item)
    assert world.look().mended == 1


def test_half_an_answer_is_no_answer(world, monkeypatch):
    """If DynamoDB leaves keys unread, their ends are not taken for missing; the next invocation compares them."""
    world.executions.end("p-1", NOW - timedelta(hours=1))
    world.records.advance("p-1", "SUCCEEDED", {})
    half: dict[str, Any] = {"Responses": {}, "UnprocessedKeys": {"PipelineLogs": {}}}
    with monkeypatch.context() as patch:
        patch.setattr(world.table, "batch_get_item", lambda **_: half)
        with pytest.raises(TransientError):
            world.look()
    assert world.look().finished
    assert world.announced() == []


def test_old_pages_are_not_read(world):
    """A list is read only as far back as a run within the scan may have started."""
    world.executions.size = 1
    for number in range(5):
        world.executions.end(f"p-{number}", NOW - timedelta(days=3 * number))
    world.look()
    world.executions.calls.clear()
    world.look(NOW + timedelta(minutes=15))
    assert world.executions.calls.count("list") < 6
    assert world.look(NOW + core.FIRST_LOOK).finished


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return 30_000


@pytest.mark.parametrize(("event", "mended"), [({}, 0), ({"settled_seconds": 0}, 1)])
def test_an_operator_need_not_wait(world, event, mended):
    """The schedule leaves five minutes to an end's own event; who invokes the function by hand may leave none."""
    world.executions.end("p-1", datetime.now(UTC) - timedelta(seconds=1))
    world.running("p-1")
    assert reconciler_handler(lambda: world.reconciler)(event, Context())["mended"] == mended


def test_the_function_starts_with_its_own_settings_alone():
    """In Lambda, which builds everything while it initialises a function, the reconciler needs no queue."""
    own = ("TABLE_NAME", "BUS_NAME", "STATE_MACHINE_ARN", "OPERATIONS_TABLE")
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "POWERTOOLS_SERVICE_NAME": "logger",
        **dict.fromkeys(own, "value"),
    }
    command = [sys.executable, "-c", "import services.logger.reconciler.handler"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
