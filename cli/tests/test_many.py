"""`pipeline submit` with many messages: results file, summary, interruption, resumption."""

import json
import os
import signal
from pathlib import Path

import pytest

from cli.tests.support import call
from cli.view import interrupt as interrupting
from operations.stop import Stop
from operations.tests.world import finish
from shared.tests.fakes import until

pytestmark = pytest.mark.slow


def results(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def answer_at_once(records):
    return lambda request: finish(records, f"p-{request['headers']['Idempotency-Key'][-12:]}")


@pytest.fixture
def messages(tmp_path):
    """A file of 40 messages, two of them invalid."""
    lines = [json.dumps(f"message {number}") for number in range(1, 41)]
    lines[6], lines[12] = "not json", '{"user_massage": "typo"}'
    path = tmp_path / "messages.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_each_input_has_one_line_of_output(local_engine, api, records, messages, tmp_path):
    """Answers and invalid lines are both in the results file and counted."""
    api.on_request = answer_at_once(records)
    out = tmp_path / "results.jsonl"
    result = call("submit", "--file", str(messages), "--wait", "--out", str(out))
    outcomes = {line["line"]: line for line in results(out)}
    assert sorted(outcomes) == list(range(1, 41))
    assert outcomes[1]["final_response"] == f"An answer for {outcomes[1]['pipeline_id']}."
    assert outcomes[7]["status"] == outcomes[13]["status"] == "INVALID"
    assert "no field `user_massage`" in outcomes[13]["error"]
    assert "40 messages: 38 answered, 2 invalid." in result.stderr
    assert "line 7: not valid JSON" in result.stderr
    assert result.exit_code == 1


def test_good_lines_from_stdin_are_exit_code_0(local_engine, api):
    """`-` reads stdin, and without --wait the ids are printed to stdout."""
    result = call("submit", "--file", "-", stdin='"a"\n"b"\n')
    assert result.exit_code == 0
    assert sorted(line.split("\t")[2] for line in result.stdout.splitlines()) == ["ACCEPTED", "ACCEPTED"]
    assert "2 messages: 2 accepted." in result.stderr


def test_json_for_many_is_one_object_a_line(local_engine, api):
    """--json with --file prints one object per line to stdout."""
    result = call("submit", "--json", "--file", "-", stdin='"a"\nbad\n')
    assert {json.loads(line)["status"] for line in result.stdout.splitlines()} == {"ACCEPTED", "INVALID"}


@pytest.mark.parametrize("key", ["", " ", "é"])
def test_a_key_that_is_none_sends_nothing(local_engine, api, messages, key):
    """An empty key of a batch, as of an unset variable, is refused: a repetition would start everything again."""
    assert call("submit", "--file", str(messages), "--idempotency-key", key).exit_code == 2
    assert api.messages == []


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="the system has no /dev/zero")
def test_a_file_without_end_is_refused(local_engine, api, monkeypatch):
    """A file whose line does not end is read up to a bound."""
    monkeypatch.setattr("cli.commands.many.MOST_BYTES", 1_000)
    result = call("submit", "--file", "/dev/zero")
    assert (result.exit_code, api.messages) == (2, [])
    assert "Line 1 of /dev/zero has more than 1,000 bytes" in result.stderr


def test_a_file_in_utf_16_sends_nothing(local_engine, api, tmp_path):
    """A file in UTF-16, as PowerShell's `>` writes it, is refused with its encoding, and nothing is sent."""
    path = tmp_path / "messages.jsonl"
    path.write_text('"a"\n"b"\n', "utf-16")
    result = call("submit", "--file", str(path))
    assert (result.exit_code, api.messages) == (2, [])
    assert "UTF-16" in result.stderr


def test_resuming_with_another_key_is_refused(local_engine, api, messages, tmp_path):
    """Another key would start second runs, so a batch keeps its own."""
    out = tmp_path / "results.jsonl"
    call("submit", "--file", str(messages), "--out", str(out), "--idempotency-key", "one")
    sent = len(api.messages)
    again = ("submit", "--file", str(messages), "--out", str(out), "--resume", "--idempotency-key")
    assert call(*again, "two").exit_code == 2
    assert len(api.messages) == sent
    assert "was begun with the key 'one'" in call(*again, "two").stderr
    resumed = call(*again, "one")
    assert resumed.exit_code == 1
    assert len(api.messages) == sent
    assert "40 messages: 38 accepted, 2 invalid." in resumed.stderr


def test_only_bad_lines_is_wrong_input(local_engine, api):
    """If every line is invalid the exit code is 2 and nothing is sent."""
    assert call("submit", "--file", "-", stdin="bad\n").exit_code == 2
    assert call("submit", "--file", "-", stdin="\n\n").exit_code == 2
    assert api.requests == []


def test_a_results_file_that_can_not_be_written_is_wrong_usage(local_engine, api, messages, tmp_path):
    """An unwritable results file gives exit code 2 before anything is sent."""
    result = call("submit", "--file", str(messages), "--out", str(tmp_path / "nowhere" / "results.jsonl"))
    assert (result.exit_code, api.requests) == (2, [])
    assert "No such file or directory" in result.stderr


def test_an_existing_results_file_is_not_overwritten(local_engine, api, messages, tmp_path):
    """An existing results file is not overwritten; the error names --resume."""
    out = tmp_path / "results.jsonl"
    out.write_text("precious\n")
    result = call("submit", "--file", str(messages), "--out", str(out))
    assert result.exit_code == 2
    assert "--resume" in result.stderr
    assert out.read_text() == "precious\n"


def test_interrupted_and_resumed_nothing_is_lost_or_sent_twice(
    local_engine, api, records, messages, monkeypatch
):
    """Ctrl-C gives exit code 130 and a summary; --resume submits the rest, nothing twice."""
    out, stop = messages.with_name("results.jsonl"), Stop()

    def interrupt(request):
        answer_at_once(records)(request)
        if len(api.requests) == 10:
            os.kill(os.getpid(), signal.SIGINT)
            until(lambda: stop.requested)  # by the main thread, which may take its time

    api.on_request = interrupt
    with monkeypatch.context() as patched:
        patched.setattr(interrupting, "Stop", lambda: stop)
        first = call("submit", "--file", str(messages), "--wait", "--out", str(out), "--concurrency", "2")
    assert first.exit_code == 130
    assert "not sent" in first.stderr
    assert "--resume" in first.stderr
    sent = len(api.requests)
    assert 10 <= sent <= 11  # the other request of the two at a time
    assert len([line for line in results(out) if line.get("pipeline_id")]) == sent

    api.on_request = answer_at_once(records)
    second = call("submit", "--file", str(messages), "--wait", "--out", str(out), "--resume")
    assert second.exit_code == 1  # two lines are still bad
    outcomes = results(out)
    assert sorted(line["line"] for line in outcomes) == list(range(1, 41))
    assert sum(line["status"] == "SUCCEEDED" for line in outcomes) == 38
    assert sorted(api.messages) == sorted(set(api.messages))


def test_a_run_killed_before_its_first_result_starts_nothing_twice(
    local_engine, api, records, messages, tmp_path
):
    """A submission killed before its first result is resumed with the same idempotency keys."""
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
    """A results file that ends in half a line is resumed from that line with the same keys."""
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
    """--resume with another input file is refused."""
    api.on_request = answer_at_once(records)
    out = tmp_path / "results.jsonl"
    call("submit", "--file", str(messages), "--wait", "--out", str(out))
    messages.write_text('"another"\n' + messages.read_text())
    result = call("submit", "--file", str(messages), "--wait", "--out", str(out), "--resume")
    assert result.exit_code == 2
    assert "Line 1 of the input has changed" in result.stderr


def test_a_refused_batch_stops_and_says_why(local_engine, api, messages, tmp_path):
    """If the API refuses the caller, the batch stops and the reason is printed at the end."""
    api.answers = [(403, {"error": {"code": "c", "message": "No."}})] * 50
    result = call("submit", "--file", str(messages), "--concurrency", "2")
    assert result.exit_code == 1
    assert "The batch was stopped. The API refused the caller" in result.stderr
    assert len(api.requests) <= 4


def test_a_missing_file_is_wrong_usage(local_engine):
    """A missing file gives exit code 2 and its name."""
    result = call("submit", "--file", "nowhere.jsonl")
    assert result.exit_code == 2
    assert "nowhere.jsonl" in result.stderr
