"""`pipeline submit` with many messages: results file, summary, interruption, resumption."""

import json
import os
import signal

import pytest
from click.testing import CliRunner, Result

from cli.main import cli
from operations.tests.world import finish

pytestmark = pytest.mark.slow


def call(*arguments: str, given: str | None = None) -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(cli, arguments, input=given)


def results(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def answer_at_once(records):
    return lambda request: finish(records, f"p-{request['headers']['Idempotency-Key'][-12:]}")


@pytest.fixture
def messages(tmp_path):
    """A file of 40 messages, two of them bad."""
    lines = [json.dumps(f"message {number}") for number in range(1, 41)]
    lines[6], lines[12] = "not json", '{"user_massage": "typo"}'
    path = tmp_path / "messages.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_each_input_has_one_line_of_output(local_engine, api, records, messages, tmp_path):
    """Answers and bad lines alike are in the results file, and counted."""
    api.on_request = answer_at_once(records)
    out = tmp_path / "results.jsonl"
    result = call("submit", "--file", str(messages), "--wait", "--out", str(out))
    found = {line["line"]: line for line in results(out)}
    assert sorted(found) == list(range(1, 41))
    assert found[1]["final_response"] == f"An answer for {found[1]['pipeline_id']}."
    assert found[7]["status"] == found[13]["status"] == "INVALID"
    assert "no field `user_massage`" in found[13]["error"]
    assert "40 messages: 38 answered, 2 not valid." in result.stderr
    assert "line 7: not valid JSON" in result.stderr
    assert result.exit_code == 1


def test_good_lines_from_stdin_are_exit_code_0(local_engine, api):
    """`-` reads stdin; without --wait the ids are on stdout."""
    result = call("submit", "--file", "-", given='"a"\n"b"\n')
    assert result.exit_code == 0
    assert sorted(line.split("\t")[2] for line in result.stdout.splitlines()) == ["ACCEPTED", "ACCEPTED"]
    assert "2 messages: 2 accepted." in result.stderr


def test_json_for_many_is_one_object_a_line(local_engine, api):
    """JSONL on stdout, for `jq`."""
    result = call("submit", "--json", "--file", "-", given='"a"\nbad\n')
    assert {json.loads(line)["status"] for line in result.stdout.splitlines()} == {"ACCEPTED", "INVALID"}


def test_only_bad_lines_is_wrong_input(local_engine, api):
    """If nothing could be sent at all, the input was wrong."""
    assert call("submit", "--file", "-", given="bad\n").exit_code == 2
    assert call("submit", "--file", "-", given="\n\n").exit_code == 2
    assert api.requests == []


def test_a_results_file_that_can_not_be_written_is_wrong_usage(local_engine, api, messages, tmp_path):
    """It is said before anything is sent."""
    result = call("submit", "--file", str(messages), "--out", str(tmp_path / "nowhere" / "results.jsonl"))
    assert (result.exit_code, api.requests) == (2, [])
    assert "No such file or directory" in result.stderr


def test_an_existing_results_file_is_not_overwritten(local_engine, api, messages, tmp_path):
    """Results of an earlier run are safe; the error says how to go on."""
    out = tmp_path / "results.jsonl"
    out.write_text("precious\n")
    result = call("submit", "--file", str(messages), "--out", str(out))
    assert result.exit_code == 2
    assert "--resume" in result.stderr
    assert out.read_text() == "precious\n"


def test_interrupted_and_resumed_nothing_is_lost_or_sent_twice(
    local_engine, api, records, messages, tmp_path
):
    """Ctrl-C in the middle: exit 130, a word on what was done; --resume does the rest."""
    out = tmp_path / "results.jsonl"

    def interrupt(request):
        answer_at_once(records)(request)
        if len(api.requests) == 10:
            os.kill(os.getpid(), signal.SIGINT)

    api.on_request = interrupt
    first = call("submit", "--file", str(messages), "--wait", "--out", str(out), "--concurrency", "2")
    assert first.exit_code == 130
    assert "not sent" in first.stderr
    assert "--resume" in first.stderr
    sent = len(api.requests)
    assert 10 <= sent < 38
    assert len([line for line in results(out) if line.get("pipeline_id")]) == sent

    api.on_request = answer_at_once(records)
    second = call("submit", "--file", str(messages), "--wait", "--out", str(out), "--resume")
    assert second.exit_code == 1  # two lines are still bad
    found = results(out)
    assert sorted(line["line"] for line in found) == list(range(1, 41))
    assert sum(line["status"] == "SUCCEEDED" for line in found) == 38
    assert sorted(api.messages) == sorted(set(api.messages))


def test_a_run_killed_before_its_first_result_starts_nothing_twice(
    local_engine, api, records, messages, tmp_path
):
    """The keys of whatever it sent are made again from the results file as it was then."""
    out = tmp_path / "results.jsonl"
    seen = []

    def remember(request):
        seen.append(out.read_bytes())
        answer_at_once(records)(request)

    api.on_request = remember
    call("submit", "--file", str(messages), "--wait", "--out", str(out), "--concurrency", "1")
    before = {request["headers"]["Idempotency-Key"] for request in api.requests}
    api.requests.clear()
    out.write_bytes(seen[0])
    api.on_request = lambda _: None  # each has its answer already
    call("submit", "--file", str(messages), "--wait", "--out", str(out), "--resume")
    assert {request["headers"]["Idempotency-Key"] for request in api.requests} == before
    assert sorted(line["line"] for line in results(out)) == list(range(1, 41))


def test_a_killed_run_goes_on_from_half_a_line(local_engine, api, records, messages, tmp_path):
    """A results file that was cut off in a line is read up to there; keys are the earlier run's."""
    api.on_request = answer_at_once(records)
    out = tmp_path / "results.jsonl"
    call("submit", "--file", str(messages), "--wait", "--out", str(out))
    whole = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(b"".join(whole[:20]) + whole[20][:15])
    api.requests.clear()
    api.on_request = lambda _: None
    assert call("submit", "--file", str(messages), "--wait", "--out", str(out), "--resume").exit_code == 1
    assert len(results(out)) == 40
    assert len(api.requests) == 20


def test_resuming_with_another_input_is_refused(local_engine, api, records, messages, tmp_path):
    """Answers are never put to other questions."""
    api.on_request = answer_at_once(records)
    out = tmp_path / "results.jsonl"
    call("submit", "--file", str(messages), "--wait", "--out", str(out))
    messages.write_text('"another"\n' + messages.read_text())
    result = call("submit", "--file", str(messages), "--wait", "--out", str(out), "--resume")
    assert result.exit_code == 2
    assert "Line 1 of the input has changed" in result.stderr


def test_a_refused_batch_stops_and_says_why(local_engine, api, messages, tmp_path):
    """Not allowed: the rest is not tried, the reason is told once more at the end."""
    api.answers = [(403, {"error": {"code": "c", "message": "No."}})] * 50
    result = call("submit", "--file", str(messages), "--concurrency", "2")
    assert result.exit_code == 1
    assert "The batch was stopped. The API refused the caller" in result.stderr
    assert len(api.requests) <= 4


def test_a_missing_file_is_wrong_usage(local_engine):
    """The file's name and the reason are told."""
    result = call("submit", "--file", "nowhere.jsonl")
    assert result.exit_code == 2
    assert "nowhere.jsonl" in result.stderr
