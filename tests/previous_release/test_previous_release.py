"""What the release before wrote is read as it read it: records, parked and archived messages, audit lines, answers."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.previous_release.world import WRITTEN, written

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = WRITTEN.parent / "answers"


def different(folder: Path, part: str) -> dict[str, Any]:
    """The previous release's answers and today's, where they are not the same. Read in a process of their own: a
    function keeps its clients and its settings.
    """
    command = [sys.executable, "-m", "tests.previous_release.readings", str(folder), part]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before, today = (json.loads((place / f"{part}.json").read_text("utf-8")) for place in (ANSWERS, folder))
    return {
        name: {"before": before.get(name), "today": today.get(name)}
        for name in before | today
        if before.get(name) != today.get(name)
    }


def test_commands_tell_the_same(tmp_path: Path):
    """Runs in every state, their costs and logs, parked and archived messages, the plan of a replay and what a
    deployment finds in flight are told as before, with the same exit codes.
    """
    assert different(tmp_path, "look") == {}


def test_the_api_shows_the_same(tmp_path: Path):
    """A caller sees, lists and cancels old runs, and repeats an old request, as before."""
    assert different(tmp_path, "api") == {}


def test_the_budget_is_the_same(tmp_path: Path):
    """The day's budget goes on from the guard's old state and the operators' old orders."""
    assert different(tmp_path, "budget") == {}


def test_functions_do_the_same_with_old_messages(tmp_path: Path):
    """A message that was sent before is handled as before: the same callbacks, events, records and parked messages,
    and a stored answer is not bought again.
    """
    assert different(tmp_path, "work") == {}


def test_operators_do_the_same(tmp_path: Path):
    """Old messages are replayed and archived, old runs started again, and an old results file is gone on with."""
    assert different(tmp_path, "act") == {}


def test_every_kind_of_thing_is_among_what_was_written():
    """The fixtures hold a record in each status, the layout that the workflow writes by itself, messages parked for
    each reason and in each place, archived ones, and a line for each thing an operator did.
    """
    records, messages = written("records.json"), written("queues.json")
    assert {record["status"]["S"] for record in records} == {"ACCEPTED", "RUNNING", "SUCCEEDED", "FAILED"}
    assert any("meters_json" in record and "errors_json" in record for record in records)
    assert {"Pipeline.Cancelled", "Execution.Aborted"} <= {
        record["error"]["S"] for record in records if "error" in record
    }
    assert {message["kind"] for message in messages} == {"queue", "dlq", "rule-dlq"}
    reasons = {
        message["MessageAttributes"]["error_type"]["StringValue"]
        for message in messages
        if "error_type" in message.get("MessageAttributes", {})
    }
    assert reasons == {
        f"Pipeline.{name}" for name in ("ContractViolation", "Permanent", "Transient", "WorkerLost")
    }
    entries = [item["entry"]["S"].split("#") for item in written("operations.json")]
    assert {"archived", "look"} <= {entry[0] for entry in entries}
    assert {"restart", "archive", "move back, edited"} <= {entry[1] for entry in entries if len(entry) > 1}
    assert {answer["status"]["S"] for answer in written("answers.json")} == {"COMPLETED"}
