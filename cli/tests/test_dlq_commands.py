"""The output, questions and exit codes of `pipeline dlq` and `pipeline redrive`, on moto's queues."""

import json
from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest

from cli.tests.support import call
from operations.stop import Stop
from operations.tests.dead_letters import STOPPED, StepFunctions, count, park, url
from operations.tests.world import client, finish
from shared.contracts.record import iso
from shared.records import Records

pytestmark = pytest.mark.usefixtures("local_engine")


def test_an_empty_dlq_is_no_error():
    """With nothing parked the exit code is 0, with a sentence and an empty plan in JSON."""
    assert "No message is parked in any" in call("dlq", "list").output
    assert "No message is parked." in call("dlq", "replay", "--yes").stderr
    assert json.loads(call("dlq", "replay", "--dry-run", "--json").stdout) == []


@pytest.mark.parametrize("option", ["--id", "--error", "--pipeline"])
@pytest.mark.parametrize(
    "command", [("replay", "--yes"), ("archive", "--yes", "--reason", "x"), ("export", "--archived")]
)
def test_an_empty_selection_is_refused(machine: StepFunctions, command, option):
    """An option that is empty, as with an unset variable, never selects every message."""
    park("p-1")
    result = call("dlq", *command, option, "")
    assert (result.exit_code, count(url("chatbot"))) == (2, 1)
    assert f"Invalid value for '{option}': it is empty" in result.stderr


@pytest.mark.parametrize(
    "command",
    [("replay", "--yes"), ("archive", "--yes", "--reason", "x"), ("export",), ("replay", "--dry-run")],
)
def test_an_unknown_service_is_refused_with_those_that_are_deployed(machine: StepFunctions, command):
    """`--service` takes what is deployed, which may be more or less than the code has, and names it."""
    park("p-1")
    result = call("dlq", *command, "--service", "chatbto")
    assert (result.exit_code, count(url("chatbot"))) == (2, 1)
    assert "There is no service 'chatbto' in environment 'local'. Choose one of: " in result.stderr
    assert "chatbot" in result.stderr


@pytest.mark.parametrize("reason", ["", " ", "x" * 1_001])
def test_a_reason_that_says_nothing_or_does_not_fit_is_refused(machine: StepFunctions, reason):
    """A reason is stored with every message, so it has a text and a bound."""
    park("p-1")
    assert call("dlq", "archive", "--yes", "--reason", reason).exit_code == 2
    assert count(url("chatbot")) == 1


def test_archiving_nothing_is_an_empty_document():
    """With --json a command that finds nothing prints an empty list."""
    result = call("dlq", "archive", "--yes", "--reason", "x", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


def test_an_error_of_several_lines_is_one_line(machine: StepFunctions):
    """A line break in a parked message's error can't forge a line of a list, a plan or an outcome."""
    client("sqs").send_message(
        QueueUrl=url("chatbot"),
        MessageBody="{",
        MessageAttributes={
            "error": {"DataType": "String", "StringValue": "no\n✓ forged  archive: done\u2028✓ forged"}
        },
    )
    (line,) = json.loads(call("dlq", "replay", "--dry-run", "--json").stdout)
    reason = ("--reason", "a\n✓ forged", "--yes")
    for words in (("list",), ("replay", "--yes"), ("show", line["id"]), ("archive", *reason)):
        result = call("dlq", *words)
        assert "forged" in result.output or words[0] == "replay"
        assert not [line for line in result.output.splitlines() if line.startswith("✓ forged")]


def test_list_fits_80_columns(machine: StepFunctions):
    """`dlq list` shows counts, age, time left and grouped errors in 80 columns."""
    for number in range(3):
        park(f"p-{number}")
    result = call("dlq", "list")
    assert result.exit_code == 0
    assert "chatbot" in result.stdout
    assert "3  Pipeline.Transient" in result.stdout
    assert "13 days" in result.stdout or "14 days" in result.stdout or "in 3 days" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_show_names_run_and_decision_and_hides_the_token(machine: StepFunctions):
    """`dlq show` prints error, run and decision of one message, but never its task token."""
    machine.fail("p-1")
    park("p-1", token="SECRET-TOKEN")
    (line,) = json.loads(call("dlq", "replay", "--dry-run", "--json").stdout)
    for words in (("dlq", "show", line["id"][:6]), ("dlq", "show", line["id"], "--json"), ("dlq", "export")):
        result = call(*words)
        assert result.exit_code == 0, result.output
        assert "p-1" in result.stdout
        assert "SECRET-TOKEN" not in result.output
    assert "restart" in call("dlq", "show", line["id"]).stdout


def test_show_tells_what_was_done_about_a_pipeline(machine: StepFunctions, records: Records):
    """`show` lists the operators' actions on a run, as text and as JSON."""
    machine.fail("p-1")
    finish(records, "p-1", status="FAILED")
    park("p-1")
    assert call("dlq", "replay", "--yes").exit_code == 0
    finish(records, "p-1")
    result = call("show", "p-1")
    assert result.exit_code == 0, result.output
    assert "restart by" in result.stdout
    (entry,) = json.loads(call("show", "p-1", "--json").stdout)["operations"]
    assert (entry["what"], entry["outcome"]) == ("restart", "done")
    assert entry["who"].startswith("arn:")
    assert entry["started_arn"].endswith(":p-1-restart-1")


def test_a_message_parked_for_lack_of_a_right_leads_to_the_doctor(machine: StepFunctions):
    """`dlq list` and `dlq show` name the command that finds the missing right, but not for other errors."""
    machine.fail("p-1")
    park("p-1", error="The model did not answer")
    assert "doctor" not in call("dlq", "list").output
    park("p-2", error="Converse answered AccessDeniedException (HTTP 403)")
    lines = {
        line["pipeline_id"]: line["id"]
        for line in json.loads(call("dlq", "replay", "--dry-run", "--json").stdout)
    }
    for words in (("list",), ("show", lines["p-2"])):
        text = " ".join(call("dlq", *words).stderr.split())
        assert "`pipeline doctor --live` reads the policies of the deployed roles" in text
    assert "doctor" not in call("dlq", "show", lines["p-1"]).output


def test_unknown_message_is_not_found():
    """An id that is not parked gives exit code 3 and the command that lists parked messages."""
    result = call("dlq", "show", "nobody")
    assert result.exit_code == 3
    assert "dlq list" in result.output


def test_without_a_terminal_yes_is_needed(machine: StepFunctions):
    """Without a terminal and without --yes nothing is done, and the error names --yes."""
    machine.fail("p-1")
    park("p-1")
    for words in (("dlq", "replay"), ("dlq", "archive", "--reason", "x")):
        result = call(*words)
        assert result.exit_code == 2
        assert "--yes" in result.output
    assert (count(url("chatbot")), machine.calls) == (1, [])


def test_a_dry_run_does_nothing(machine: StepFunctions):
    """A dry run prints action and reason for each message and changes neither queues nor runs."""
    machine.fail("p-1")
    park("p-1")
    result = call("dlq", "replay", "--dry-run")
    assert result.exit_code == 0
    assert "restart" in result.stdout
    assert "can't be redriven" in result.stdout
    assert "Dry run: nothing was changed." in result.output
    assert (count(url("chatbot")), machine.calls) == (1, [])


def test_a_message_that_is_left_fails_the_command(machine: StepFunctions):
    """A message that is left gives exit code 1."""
    machine.alive.add("alive")
    park("good", token="alive")
    park("bad", token="alive", user_message=5)
    result = call("dlq", "replay", "--yes")
    assert result.exit_code == 1
    assert "1 of 2 reached their outcome, 1 left" in result.output
    assert "user_message" in result.output
    assert "dlq replay --id ID --edit" in result.stderr
    assert json.loads(call("dlq", "replay", "--yes", "--json").stdout)["results"][0]["outcome"] == "left"


def test_a_correction_takes_one_valid_message(machine: StepFunctions, tmp_path):
    """A correction of several messages, invalid JSON or data that breaks the contract is refused."""
    machine.alive.add("alive")
    for name in ("a", "b"):
        park(name, token="alive", user_message=5)
    first, _ = json.loads(call("dlq", "replay", "--dry-run", "--json").stdout)
    file = tmp_path / "data.json"
    file.write_text('{"user_message": "fine"}')
    assert (
        "2 messages selected, but a correction needs exactly one."
        in call("dlq", "replay", "--data", str(file), "--yes").output
    )
    chosen = ("dlq", "replay", "--id", first["id"], "--data", str(file), "--yes")
    for broken in ("{", "[]", '{"user_message": 6}', '{"user_message": "x", "more": 1}'):
        file.write_text(broken)
        assert call(*chosen).exit_code == 2
    assert (count(url("chatbot")), count(url("chatbot", ""))) == (2, 0)
    file.write_text('{"user_message": "fine"}')
    assert call(*chosen).exit_code == 0
    assert (count(url("chatbot")), count(url("chatbot", ""))) == (1, 1)
    (sent,) = client("sqs").receive_message(QueueUrl=url("chatbot", ""))["Messages"]
    assert json.loads(sent["Body"])["detail"] | {"metadata": 0} == {
        "metadata": 0, "data": {"user_message": "fine"}, "task_token": "alive"
    }  # fmt: skip


def test_ctrl_c_stops_cleanly_and_the_same_command_goes_on(machine: StepFunctions, monkeypatch):
    """Ctrl-C finishes the current message and gives exit code 130; the same command does the rest."""
    machine.alive.add("alive")
    for number in range(4):
        park(f"p-{number}", token="alive")
    stop = Stop()

    def ctrl_c(*_: object) -> None:
        stop.requested = True

    with monkeypatch.context() as patched:
        patched.setattr("cli.view.replaying.stoppable", lambda: nullcontext(stop))
        patched.setattr("operations.dlq.journal.Journal.note", ctrl_c)
        result = call("dlq", "replay", "--yes")
    assert result.exit_code == 130
    assert "Repeat the command to continue" in result.output
    assert (count(url("chatbot")), count(url("chatbot", ""))) == (3, 1)
    assert call("dlq", "replay", "--yes").exit_code == 0
    assert (count(url("chatbot")), count(url("chatbot", ""))) == (0, 4)


def test_ctrl_c_ends_the_waiting_for_runs(machine: StepFunctions, monkeypatch):
    """Ctrl-C while runs are awaited names those that go on; the exit code is 1, since nothing is left to repeat."""
    machine.alive.add("alive")
    park("p-1", token="alive")
    stop = Stop(pause=lambda _seconds: setattr(stop, "requested", True))
    monkeypatch.setattr("cli.view.replaying.stoppable", lambda: nullcontext(stop))
    result = call("dlq", "replay", "--yes", "--wait", "--json")
    answer = json.loads(result.stdout)
    assert [run["outcome"] for run in answer["results"]] == ["done"]
    assert [(run["pipeline_id"], run["status"]) for run in answer["failed_runs"]] == [("p-1", "UNKNOWN")]
    assert (result.exit_code, "1 run did not succeed" in result.stderr) == (1, True)


def ends_at_once(machine: StepFunctions, records: Records, status: str) -> None:
    """Let every run that is started from now on end at once."""
    start = type(machine).start_execution

    def started(**options: Any) -> dict[str, Any]:
        answer = start(machine, **options)
        pipeline_id = json.loads(options["input"])["metadata"]["pipeline_id"]
        finish(records, pipeline_id, status=status, finished_at=iso(STOPPED + timedelta(minutes=1)))
        return answer

    machine.start_execution = started  # type: ignore[method-assign]


def test_a_failed_canary_leaves_the_other_runs(machine: StepFunctions, records: Records):
    """A redrive's JSON tells of runs and not of messages; if the canary fails, the other runs are left."""
    for name in ("a", "b"):
        machine.fail(name)
        finish(records, name, status="FAILED", stage="chat")
    ends_at_once(machine, records, "FAILED")
    result = call("redrive", "--since", "1h", "--yes", "--canary", "1", "--json")
    answer = json.loads(result.stdout)
    ((canary,), (failed,)) = answer["results"], answer["failed_runs"]
    assert (canary["outcome"], failed["pipeline_id"]) == ("done", canary["pipeline_id"])
    assert list(canary) == ["pipeline_id", "action", "reason", "outcome", "problem", "execution_arn"]
    assert (result.exit_code, len(machine.calls)) == (1, 1)
    assert "the other 1 were left unchanged" in result.stderr


def test_a_failed_canary_leaves_the_others(machine: StepFunctions, records: Records):
    """If the canary's run fails, the other messages stay parked (exit code 1); if it succeeds, they follow."""
    for name in ("a", "b", "c"):
        machine.fail(name)
        finish(records, name, status="FAILED")
        park(name)
    ends_at_once(machine, records, "FAILED")
    result = call("dlq", "replay", "--yes", "--canary", "1")
    assert result.exit_code == 1
    assert "the other 2 were left unchanged" in result.output
    assert (len(machine.calls), count(url("chatbot"))) == (1, 2)
    ends_at_once(machine, records, "SUCCEEDED")
    assert call("dlq", "replay", "--yes", "--canary", "1", "--wait").exit_code == 0
    assert (len(machine.calls), count(url("chatbot"))) == (3, 0)


def test_who_waits_for_runs_learns_that_a_person_decides(machine: StepFunctions, records: Records):
    """Where people approve answers, a command that waits for runs says so; one that does not wait is silent."""
    client("ssm").put_parameter(Name="/ai-pipeline/local/approvals/table", Value="approvals", Type="String")
    for name in ("a", "b"):
        machine.fail(name)
        finish(records, name, status="FAILED")
    ends_at_once(machine, records, "SUCCEEDED")
    park("a")
    assert "approvals list" not in call("dlq", "replay", "--yes").stderr
    park("b")
    told = "A run ends only when its answer is approved: pipeline approvals list"
    assert told in call("dlq", "replay", "--yes", "--wait").stderr


def test_archive_keeps_what_it_takes(machine: StepFunctions, tmp_path):
    """Archived messages leave the queue and can be exported with their reason."""
    park("p-1", user_message=5)
    park("p-2", user_message=5)
    result = call("dlq", "archive", "--pipeline", "p-1", "--reason", "a test", "--yes")
    assert (result.exit_code, count(url("chatbot"))) == (0, 1)
    out = tmp_path / "kept.jsonl"
    assert call("dlq", "export", "--archived", "--out", str(out)).exit_code == 0
    (kept,) = map(json.loads, out.read_text().splitlines())
    assert (kept["pipeline_id"], kept["reason"]) == ("p-1", "a test")
    assert kept["event"]["detail"]["data"] == {"user_message": 5}


@pytest.mark.parametrize("age", ["soon", "2", "-1h", "2w"])
def test_an_age_is_written_with_its_unit(age):
    """An invalid age is refused with examples."""
    result = call("dlq", "replay", "--older-than", age, "--dry-run")
    assert result.exit_code == 2
    assert "2h" in result.output
