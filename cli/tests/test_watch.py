"""`pipeline watch` agrees with queues and executions, and fits 80 columns and 24 lines."""

import json
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from rich.console import Console

from cli.commands import watch as command
from cli.tests.support import call
from operations.approvals import Inbox
from operations.errors import RefusedError
from operations.health import watch as watching
from operations.health.failures import Failure
from operations.health.watch import Pages, Rates, Snapshot, last_minutes, look, rates, watch
from operations.stop import Stop
from operations.target import Target
from operations.tests.dead_letters import park, url
from operations.tests.world import client, finish, shared_session
from shared.contracts.record import iso
from shared.contracts.stages import SERVICES, STAGES
from shared.errors import PipelineError
from shared.tests.fakes import create_approvals_table

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ALL = ("started", "finished", "failed", "stopped")


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def execution(status: str, began: float, ended: float | None = None, name: str = "p") -> dict[str, Any]:
    times = {"startDate": ago(began), **({"stopDate": ago(ended)} if ended is not None else {})}
    return {"name": name, "status": status, **times}


def page(*executions: dict[str, Any], more: bool = False) -> dict[str, Any]:
    return {"executions": list(executions), **({"nextToken": "more"} if more else {})}


def pages(*latest: dict[str, Any], failed: Any = None, more: bool = False) -> Pages:
    return Pages(latest=page(*latest, more=more), running=page(), failed=failed or page())


def test_rates_are_those_of_the_last_minute():
    """The rates count each execution once, by the time it was started or ended."""
    known = (
        execution("RUNNING", 1, name="a"),
        execution("SUCCEEDED", 50, 40, "b"),
        execution("FAILED", 70, 10, "c"),
        execution("TIMED_OUT", 900, 59, "d"),
        execution("ABORTED", 100, 5, "e"),
        execution("SUCCEEDED", 100, 61, "f"),
        execution("FAILED", 100, 61, "g"),
    )
    older = execution("FAILED", 2_000, 1, "h")
    counts = rates(pages(*known, failed=page(known[2], known[6], older)), NOW)
    assert counts == Rates(started=2, finished=5, failed=3, stopped=1)


@pytest.mark.parametrize(
    ("oldest", "more", "at_least"),
    [
        (30, True, ("started", "finished", "stopped")),
        (90, True, ("finished", "stopped")),
        (10_000, True, ()),
        (30, False, ()),
    ],
)
def test_more_than_one_answer_holds_is_said(oldest, more, at_least):
    """A rate is marked as a lower bound if the pages read do not cover the whole minute."""
    assert rates(pages(execution("RUNNING", oldest), more=more), NOW).at_least == at_least
    failures = page(execution("FAILED", oldest, 0), more=more)
    assert ("failed" in rates(pages(failed=failures), NOW).at_least) is bool(at_least)


def test_each_minute_has_its_ends():
    """The last 30 minutes have each ended run in its minute, and say if older runs were left out of the list."""
    known = (
        execution("SUCCEEDED", 70, 1, "a"),
        execution("FAILED", 70, 61, "b"),
        execution("ABORTED", 2_000, 1_799, "c"),
        execution("FAILED", 2_000, 1_801, "d"),
        execution("RUNNING", 5, name="e"),
    )
    seen = last_minutes(pages(*known), NOW)
    assert (seen.finished[-2:], seen.finished[0], sum(seen.finished)) == ((1, 1), 1, 3)
    assert (seen.failed[-2:], sum(seen.failed), seen.at_least) == ((1, 0), 1, False)
    assert last_minutes(pages(*known, more=True), NOW).at_least


def send(service: str, number: int) -> None:
    for _ in range(number):
        client("sqs").send_message(QueueUrl=url(service, ""), MessageBody="{}")


def test_a_look_agrees_with_queues_and_executions(target, records):
    """A snapshot counts messages by stage, including rule DLQs, and open executions."""
    send("trigger", 2)
    send("chatbot", 3)
    client("sqs").receive_message(QueueUrl=url("chatbot", ""), MaxNumberOfMessages=1)
    park("p-1")
    client("sqs").send_message(QueueUrl=url("chatbot", "-rule-dlq"), MessageBody="{}")
    machine = target.addresses.state_machine_arn
    for name in ("p-1", "p-2", "p-3"):
        client("stepfunctions").start_execution(stateMachineArn=machine, name=name, input="{}")
    client("stepfunctions").stop_execution(executionArn=target.addresses.execution_arn("p-3"))
    seen = look(target)
    by_stage = {stage.stage: (stage.waiting, stage.working, stage.parked) for stage in seen.stages}
    quiet = dict.fromkeys((stage.key for stage in STAGES), (0, 0, 0))
    assert by_stage == {**quiet, "start": (2, 0, 0), "chat": (2, 1, 2)}
    assert (seen.waiting, seen.working, seen.parked) == (4, 1, 2)
    assert (seen.running, seen.more_running) == (2, False)
    assert (seen.per_minute.started, seen.per_minute.finished, seen.per_minute.stopped) == (3, 1, 1)
    assert client("sqs").receive_message(QueueUrl=url("trigger", ""))["Messages"]


def test_a_look_is_a_fixed_number_of_calls(target, records, monkeypatch):
    """A snapshot makes three calls for each service and three lists, however much there is."""
    calls: list[str] = []
    client("sqs").meta.events.register(
        "before-call.sqs", lambda **_: calls.append("sqs"), unique_id="counted"
    )
    client("stepfunctions").meta.events.register(
        "before-call.stepfunctions", lambda **_: calls.append("states"), unique_id="counted"
    )
    try:
        look(target)
        send("chatbot", 12)
        calls.clear()
        look(target)
    finally:
        for service in ("sqs", "stepfunctions"):
            client(service).meta.events.unregister(f"before-call.{service}", unique_id="counted")
    assert (calls.count("sqs"), calls.count("states")) == (3 * len(SERVICES), 3)


def test_runs_that_wait_for_a_person_are_counted_apart(target, records):
    """A snapshot tells how many open runs wait for approval, and since when, but not those that are decided."""
    assert look(target).inbox is None
    create_approvals_table(client("dynamodb"))
    client("ssm").put_parameter(Name="/ai-pipeline/local/approvals/table", Value="approvals", Type="String")
    target = Target(env="local", session=shared_session(), endpoint="http://127.0.0.1:4566")
    asked = {"p-1": NOW, "p-2": ago(7_200), "p-3": ago(9_000)}
    for name, moment in asked.items():
        state = "decided" if name == "p-3" else "waiting"
        item = {"pipeline_id": name, "state": state, "open": "yes", "asked_at": iso(moment)}
        client("dynamodb").put_item(
            TableName="approvals", Item={key: {"S": value} for key, value in item.items()}
        )
    inbox = look(target).inbox
    assert inbox == Inbox(waiting=2, oldest_at=ago(7_200))
    snapshot = msgspec.structs.replace(many(), inbox=inbox)
    console = Console(width=80, record=True, color_system=None)
    with console.capture() as captured:
        console.print(command.screen("local", snapshot))
    assert "2 of the open runs wait for approval, the oldest for 2 h" in captured.get()
    assert " approval=2 " in command.line(snapshot)


def test_a_look_that_fails_ends_nothing(target, monkeypatch):
    """A failed snapshot is reported and repeated; a failed first one, or five in a row, end the watch."""
    answers: list[Any] = [RefusedError("no")]
    monkeypatch.setattr(watching, "look", lambda _: answers.pop(0) if isinstance(answers[0], str) else fail())

    def fail() -> None:
        raise answers.pop(0)

    with pytest.raises(RefusedError):
        next(watch(target, interval=0, stop=Stop()))
    answers += ["one", *[RefusedError("no")] * 4, "two", *[RefusedError("no")] * 5]
    yielded: list[Any] = []
    with pytest.raises(RefusedError):
        yielded.extend(watch(target, interval=0, stop=Stop()))
    assert [entry if isinstance(entry, str) else "-" for entry in yielded] == ["one", *"----", "two", *"----"]


# --- as it is typed ----------------------------------------------------------------------------------------


def many() -> Snapshot:
    """Return the largest possible snapshot."""
    stage = watching.StageNow(stage="enhancement", service="s", waiting=123_456, working=12_345, parked=9_999)
    failure = Failure(
        pipeline_id="x" * 64, status="FAILED", ended_at=ago(9), stage="chat", error="E\x1b", cause="c" * 900
    )
    return Snapshot(
        at=NOW,
        stages=(stage,) * 5,
        running=1_000,
        more_running=True,
        per_minute=Rates(
            started=1_000,
            finished=1_000,
            failed=1_000,
            stopped=1_000,
            at_least=("started", "finished", "failed", "stopped"),
        ),
        failures=(failure,) * 5,
        inbox=Inbox(waiting=2_500, more=True, oldest_at=NOW - timedelta(days=13, hours=20)),
    )


def test_the_screen_fits_a_small_terminal():
    """The screen fits 80 columns and 24 lines for any numbers and texts, without control characters."""
    console = Console(width=80, record=True, color_system=None, emoji=False, markup=False)
    with console.capture() as captured:
        console.print(command.screen("local", many(), many(), every="every 2 s, Ctrl-C ends it"))
    lines = captured.get().splitlines()
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in captured.get()
    assert "1,000+" in captured.get()


@pytest.mark.usefixtures("local_engine")
class TestCommand:
    def test_once_is_for_scripts(self, records):
        """--once prints one snapshot without escape codes (exit code 0), in JSON with totals."""
        park("p-1")
        result = call("watch", "--once")
        assert result.exit_code == 0, result.output
        assert "parked 1" in result.stdout
        assert "\x1b" not in result.stdout
        seen = json.loads(call("watch", "--once", "--json").stdout)
        assert (seen["parked"], seen["running"], len(seen["stages"])) == (1, 0, len(SERVICES))

    @pytest.mark.parametrize("words", [(), ("--json",)])
    def test_ctrl_c_ends_it_after_whole_lines(self, monkeypatch, words):
        """Without a terminal each snapshot is a whole line; Ctrl-C gives exit code 130."""
        looks: list[Snapshot] = []

        def one(_: object) -> Snapshot:
            looks.append(many())
            if len(looks) == 3:
                signal.raise_signal(signal.SIGINT)
            return looks[-1]

        monkeypatch.setattr(watching, "look", one)
        monkeypatch.setattr(Stop, "wait", lambda *_: None)
        result = call("watch", *words)
        assert result.exit_code == 130
        lines = result.stdout.splitlines()
        assert len(lines) == 3
        assert all(
            json.loads(text)["running"] == 1_000 if words else "running=1,000+" in text for text in lines
        )

    def test_a_failure_is_told_with_its_reason(self, target, records, monkeypatch):
        """The latest failures name run, stage and error."""
        finish(records, "p-1", status="FAILED", stage="chat", error=PipelineError.NAME)
        failed = page(execution("FAILED", 9, 1, "p-1"))
        monkeypatch.setattr(watching, "_executions", lambda *_: failed)
        text = call("watch", "--once").stdout
        assert "latest failures" in text
        assert f"chat {PipelineError.NAME}: the model said no" in text
