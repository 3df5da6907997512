"""Everything that the previous release wrote is read as that release read it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.previous_release.world import WRITTEN, written

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = WRITTEN.parent / "answers"


def test_everything_is_read_as_before(tmp_path: Path):
    """Commands, API and functions give the same answers about the previous release's data as that release did.

    The readings run in a process of their own, because a function keeps its clients and settings.
    """
    command = [sys.executable, "-m", "tests.previous_release.readings", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    before, today = answers(ANSWERS), answers(tmp_path)
    assert {name: today.get(name) for name in before} == before
    assert today.keys() == before.keys()


def answers(folder: Path) -> dict[str, Any]:
    """Return the answers by part and name."""
    return {
        f"{file.stem}: {name}": answer
        for file in sorted(folder.glob("*.json"))
        for name, answer in json.loads(file.read_text("utf-8")).items()
    }


def test_every_kind_of_thing_is_among_what_was_written():
    """The fixtures hold every status, parked messages of each reason and place, archived messages, audit lines and
    records that the workflow stored.
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
