"""`pipeline explain` finds the run of every kind of id, and reports an unknown id as such."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from cli.tests.support import call
from operations.errors import InvalidInputError
from operations.runs.explain import UnknownIdError, explain, guesses
from operations.tests.dead_letters import MACHINE, count, park, url
from operations.tests.log_lines import NOW, line, write, written
from operations.tests.world import client, finish
from shared.contracts.envelope import traceparent_of
from shared.contracts.record import iso
from shared.contracts.stages import STAGES
from shared.tests.fakes import stage_event

pytestmark = pytest.mark.usefixtures("local_engine")
DAY = timedelta(days=1)
UUID = uuid.UUID("5f3c1de2-8a57-4d0c-9b1e-0c6a4f7d2e11")
EXECUTION = MACHINE.replace("stateMachine", "execution")
GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def explained(*words: str) -> dict[str, Any]:
    result = call("explain", *words, "--json")
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


@pytest.mark.parametrize(
    ("any_id", "kind"),
    [
        ("p-1", "pipeline id"),
        ("p-1-accepted", "event id"),
        ("p-1-completed", "event id"),
        ("p-1-restart-2-failed", "event id"),
        *((f"p-1-{stage.state}-0", "event id") for stage in STAGES),
        ("p-1-restart-1-AnalyzeInput-3", "event id"),
        ("p-1-restart-1", "execution name"),
        (f"{EXECUTION}:p-1", "execution ARN"),
        (f"{EXECUTION}:p-1-restart-7", "execution ARN"),
    ],
)
def test_an_ids_form_names_its_run(machine, records, any_id, kind):
    """An id that is derived from a pipeline id leads to its run without a search of the logs."""
    finish(records, "p-1")
    answer = explained(any_id)
    assert (answer["kind"], answer["found_in"]) == (kind, "the records")
    assert [run["pipeline_id"] for run in answer["runs"]] == ["p-1"]
    assert "pipeline show p-1" in answer["next"]


@pytest.mark.parametrize("look", ["p-1-restart-1", "p-1-failed", "p-1-AnalyzeInput-0", "a" * 32])
def test_an_id_is_first_of_all_what_it_says(machine, records, look):
    """A pipeline id that looks like another kind of id is taken for the pipeline id."""
    finish(records, "p-1")
    finish(records, look)
    assert (explained(look)["kind"], explained(look)["runs"][0]["pipeline_id"]) == ("pipeline id", look)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("pipeline_id", [UUID.hex, str(UUID)], ids=["the API's", "EventBridge's"])
def test_a_made_trace_leads_to_its_run_without_logs(machine, records, pipeline_id, whole):
    """A trace id that was derived from the pipeline id leads to its run without the logs."""
    finish(records, pipeline_id)
    traceparent = traceparent_of(pipeline_id)
    answer = explained(traceparent if whole else traceparent[3:35])
    same = pipeline_id == traceparent[3:35]
    assert answer["kind"] == ("traceparent" if whole else "pipeline id" if same else "trace id")
    assert (answer["found_in"], answer["runs"][0]["pipeline_id"]) == ("the records", pipeline_id)


def test_a_run_of_another_trace_is_not_meant(machine, records):
    """A run with a trace of its publisher does not belong to the trace derived from its id."""
    finish(records, UUID.hex, trace_id=GIVEN[3:35])
    with pytest.raises(UnknownIdError):
        explain_id(traceparent_of(UUID.hex))


def explain_id(any_id: str) -> Any:
    from local import targets  # noqa: PLC0415 -- as the fixture left it

    return explain(targets.find_target("local"), any_id, since=DAY)


@pytest.mark.parametrize("any_id", [GIVEN, GIVEN[3:35]])
def test_a_publishers_trace_is_found_in_the_logs(machine, records, any_id):
    """Each run of a publisher's trace is listed once."""
    for name in ("p-1", "p-2"):
        finish(records, name)
        lines = (line(name, number, trace_id=GIVEN[3:35], timestamp=written(NOW)) for number in range(2))
        write("starter", *lines, at=NOW)
        write("chatbot", line(name, 3, trace_id=GIVEN[3:35], timestamp=written(NOW)), at=NOW)
    answer = explained(any_id)
    assert sorted(run["pipeline_id"] for run in answer["runs"]) == ["p-1", "p-2"]
    assert answer["kind"] == ("traceparent" if any_id == GIVEN else "trace id")
    text = call("explain", any_id).stdout
    assert "2 runs belong to this trace:" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_trace_with_a_parked_run_has_its_other_runs_as_well(machine, records):
    """A parked message of one run of a trace does not hide the other runs."""
    for name, status in (("p-1", "FAILED"), ("p-2", "SUCCEEDED")):
        finish(records, name, status=status)
        write("starter", line(name, trace_id=GIVEN[3:35], timestamp=written(NOW)), at=NOW)
    body = stage_event("chat.requested.v1", {"user_message": "Hi"}, pipeline_id="p-1", traceparent=GIVEN)
    client("sqs").send_message(QueueUrl=url("chatbot"), MessageBody=json.dumps(body))
    runs = {run["pipeline_id"]: run for run in explained(GIVEN)["runs"]}
    assert {name: len(run["parked"]) for name, run in runs.items()} == {"p-1": 1, "p-2": 0}


@pytest.mark.parametrize(
    ("field", "kind"), [("message_id", "message id"), ("delivery_id", "event id"), ("event_id", "event id")]
)
def test_handled_messages_and_foreign_event_ids_are_found_in_the_logs(machine, records, field, kind):
    """Ids of handled messages and of publishers' events are found in the logs."""
    finish(records, "p-1")
    known = str(uuid.uuid4())
    write("chatbot", {**line("p-1", timestamp=written(NOW)), field: known}, at=NOW)
    answer = explained(known)
    assert (answer["kind"], answer["found_in"]) == (kind, "the logs of chatbot")
    assert answer["runs"][0]["pipeline_id"] == "p-1"


def test_logs_are_searched_as_far_back_as_said(machine, records):
    """Logs are searched for a day by default, or for --since; the error names the places searched."""
    finish(records, "p-1")
    before = NOW - timedelta(days=2)
    write("chatbot", line("p-1", message_id="m-1", timestamp=written(before)), at=before)
    result = call("explain", "m-1")
    assert result.exit_code == 3
    for place in ("records", "executions", "dead-letter queues", "logs of the last 24 hours", "--since 7d"):
        assert place in " ".join(result.stderr.split())
    assert explained("m-1", "--since", "3d")["kind"] == "message id"


def test_a_parked_message_leads_to_its_run_and_to_its_replay(machine, records):
    """A parked message is explained with its place, reason, run and next commands, and stays parked."""
    machine.fail("p-1")
    finish(records, "p-1", status="FAILED", stage="chat")
    park("p-0")
    park("p-1")
    ids = {
        message["pipeline_id"]: message["id"]
        for message in json.loads(call("dlq", "replay", "--dry-run", "--json").stdout)
    }
    answer = explained(ids["p-1"])
    assert (answer["kind"], answer["message"]["service"]) == ("message id", "chatbot")
    assert (answer["runs"][0]["status"], answer["runs"][0]["stage"]) == ("FAILED", "chat")
    assert f"pipeline dlq replay --id {ids['p-1']}" in answer["next"]
    assert count(url("chatbot")) == 2
    text = " ".join(call("explain", ids["p-1"]).stdout.split())
    assert "Pipeline.Transient" in text
    assert "has failed at stage chat: Pipeline.Permanent: the model said no." in text


def test_a_message_that_breaks_its_contract_leads_to_its_correction(machine):
    """A parked message that a replay would leave is explained with the command that corrects it."""
    park("p-1", user_message=5)
    (message,) = json.loads(call("dlq", "replay", "--dry-run", "--json").stdout)
    assert f"pipeline dlq replay --id {message['id']} --edit" in explained(message["id"])["next"]


def test_a_denied_run_leads_to_the_doctor(machine, records):
    """A run that failed for lack of a right is explained with the command that names it; `show` says the same."""
    denied = "Converse answered AccessDeniedException (HTTP 403)"
    finish(records, "p-1", status="FAILED", stage="chat", error="Pipeline.Permanent", cause=denied)
    finish(records, "p-2", status="FAILED", stage="chat")
    assert explained("p-1")["next"][0] == "pipeline doctor --live"
    assert "pipeline doctor --live" not in explained("p-2")["next"]
    for text in (call("explain", "p-1").stdout, call("show", "p-1").stderr):
        assert "`pipeline doctor --live` reads the policies of the deployed roles" in " ".join(text.split())
    assert "doctor" not in call("show", "p-2").stderr


def test_the_beginning_of_an_id_is_enough(machine, records):
    """`explain` and `show` take the beginning of a run's or message's id; of several none is chosen."""
    machine.list_executions = lambda **_: {
        "executions": [{"name": name, "startDate": NOW} for name in ("3b20f96061c0", "3b20f9-other")]
    }
    finish(records, "3b20f96061c0")
    park("p-1")
    assert explained("3b20f960…")["runs"][0]["pipeline_id"] == "3b20f96061c0"
    assert call("show", "3b20f960").stdout.startswith("3b20f96061c0")
    for words in (("explain", "3b20f9"), ("show", "3b20f9")):
        result = call(*words)
        assert (result.exit_code, "Give more characters" in result.stderr) == (2, True)
    assert call("show", "3b20").exit_code == 3
    (waiting,) = json.loads(call("dlq", "replay", "--dry-run", "--json").stdout)
    assert explained(waiting["id"][:8])["message"]["id"] == waiting["id"]


def test_an_archived_message_is_told_with_what_was_done(machine, records):
    """An archived message is explained with who archived it and why, and the command that prints it."""
    finish(records, "p-1")
    park("p-1")
    (waiting,) = json.loads(call("dlq", "replay", "--dry-run", "--json").stdout)
    call("dlq", "archive", "--yes", "--reason", "a test")
    answer = explained(waiting["id"])
    assert (answer["kind"], answer["found_in"]) == ("message id", "the archived messages")
    assert [act["why"] for act in answer["handled"]["acts"]] == ["a test"]
    text = " ".join(call("explain", waiting["id"][:8]).stdout.split())
    for part in ("is archived", "a test", f"dlq export --archived --id {waiting['id']}", "Run p-1"):
        assert part in text


@pytest.mark.parametrize("any_id", ["delivery-9", "mine", GIVEN])
def test_a_start_event_that_was_parked_has_no_run(machine, any_id):
    """A rejected start event is found by its ids and its trace, although it has no run."""
    event = stage_event("pipeline.requested.v1", {"user_message": 7}, token=None, traceparent=GIVEN)
    event["id"] = "delivery-9"
    event["detail"]["metadata"]["event_id"] = "mine"
    client("sqs").send_message(QueueUrl=url("trigger"), MessageBody=json.dumps(event))
    answer = explained(any_id)
    assert (answer["kind"], answer["runs"]) == ("traceparent" if any_id == GIVEN else "event id", [])
    assert answer["message"]["detail_type"] == "pipeline.requested.v1"
    assert "There is no run" in call("explain", any_id).stdout


def test_a_failed_run_is_told_with_what_is_parked_of_it(machine, records):
    """The next command is a replay if a message is parked, else a redrive."""
    machine.fail("p-1")
    finish(records, "p-1", status="FAILED", stage="chat")
    assert any(command.startswith("pipeline redrive --since") for command in explained("p-1")["next"])
    assert "It has no parked message." in " ".join(call("explain", "p-1").stdout.split())
    park("p-1")
    assert "pipeline dlq replay --pipeline p-1" in explained("p-1")["next"]
    assert "It has 1 parked message." in " ".join(call("explain", "p-1").stdout.split())


def test_a_cancelled_run_needs_nothing(machine, records):
    """For a cancelled run neither replay nor redrive is suggested."""
    finish(records, "p-1", status="FAILED", error="Pipeline.Cancelled")
    assert "cancelled by its caller" in call("explain", "p-1").stdout
    assert not any("replay" in command or "redrive" in command for command in explained("p-1")["next"])


@pytest.mark.parametrize(
    ("accepted_at", "lies", "said"),
    [
        (NOW, None, "is on its way to the trigger's queue, or was never published."),
        (NOW, "", "1 message in the trigger's queue, its own probably among them."),
        (NOW, "-dlq", "its event is parked."),
        (NOW - 2 * DAY, None, "never published, or was deleted. Send the request again"),
        (NOW - 2 * DAY, "", "1 message in the trigger's queue"),
        (NOW - 2 * DAY, "-dlq", "its event is parked."),
    ],
)
def test_an_accepted_run_is_told_where_its_event_is(machine, records, accepted_at, lies, said):
    """An accepted run waits in the trigger's queue, is parked, or, after a day, will not start by itself."""
    records.accept("p-1", user_message="Hi", accepted_at=iso(accepted_at))
    if lies is not None:
        event = stage_event("pipeline.requested.v1", {"user_message": "Hi"}, token=None, pipeline_id="p-1")
        client("sqs").send_message(QueueUrl=url("trigger", lies), MessageBody=json.dumps(event))
    assert said in " ".join(call("explain", "p-1").stdout.split())
    answer = explained("p-1")
    assert answer["waiting_to_start"] == (lies == "")
    assert ("pipeline dlq replay --pipeline p-1" in answer["next"]) == (lies == "-dlq")
    assert call("show", "p-1").stderr == "To find out where its event is: pipeline explain p-1\n"


def test_an_execution_that_is_gone_is_said(machine, records):
    """An unknown execution of a known run is reported as such; a replaced one with its status."""
    machine.fail("p-1")
    finish(records, "p-1", execution_arn=f"{EXECUTION}:p-1-restart-1")
    assert "does not know this execution (any more), but its run is known." in " ".join(
        call("explain", "p-1-restart-4").stdout.split()
    )
    text = " ".join(call("explain", f"{EXECUTION}:p-1").stdout.split())
    assert "It ended as FAILED; a later execution has replaced it." in text


def test_an_arn_of_elsewhere_is_told_at_once(machine):
    """An ARN of another account, region, machine or service gives exit code 3."""
    for arn in (
        EXECUTION.replace("us-east-1", "eu-west-1") + ":p-1",
        f"{MACHINE}",
        "arn:aws:sqs:us-east-1:1:q",
    ):
        result = call("explain", arn)
        assert result.exit_code == 3
        assert EXECUTION in result.stderr


def test_what_can_be_no_id_is_wrong_usage():
    """A text that can't be an id gives exit code 2 without a search."""
    for any_id in ("not an id", 'a"b', "x" * 300, ""):
        assert call("explain", any_id).exit_code == 2
        with pytest.raises(InvalidInputError):
            explain_id(any_id)


@examples(st.text(max_size=100))
def test_any_text_can_be_guessed_at(text):
    """Any text can be interpreted, and every interpretation has a pipeline id."""
    assert all(guess.pipeline_id for guess in guesses(text))
