"""Runs that cost something, in the table of records."""

from typing import Any

import pytest

from operations.tests.world import TABLE, client
from shared.costs.facts import facts
from shared.costs.ledger import ledger
from shared.costs.tests.support import CHAT, TRANSIENT, failed, record
from shared.records import Records

EARLIER = 1_234
"""What the earlier executions of the restarted run cost."""


def priced(**changes: Any) -> dict[str, Any]:
    """Return the fields of a record as the logger writes them, including the cost."""
    fields = failed(**changes) if changes.get("status") == "FAILED" else record(**changes)
    run = facts(fields)
    assert run is not None
    return {**fields, "cost": ledger(run).summary()}


def write(records: Records, pipeline_id: str, fields: dict[str, Any]) -> None:
    plain = {name: value for name, value in fields.items() if name not in ("pipeline_id", "status")}
    at = {"timestamp": fields["finished_at"], "accepted_at": fields["finished_at"]}
    assert records.advance(pipeline_id, fields["status"], plain, first=at)


@pytest.fixture
def some_runs(records: Records) -> Records:
    """Two days, two models (one unlisted), a degraded, a retried and a failed run, one restarted, one open."""
    write(records, "plain-1", priced())
    write(records, "plain-2", priced(metered={**record()["metered"], "via": "api"}))
    write(records, "day-before", priced(finished_at="2026-11-22T10:00:00.000Z"))
    write(records, "new-model", priced(stages={"chat": {**CHAT, "model_id": "a-new-model"}}))
    write(records, "retried", priced(stages={"chat": {**CHAT, "attempt": 2}}))
    write(records, "degraded", priced(stages={"enhancement": None}, errors={"enhancement": TRANSIENT}))
    write(records, "failed", priced(status="FAILED"))
    write(records, "restarted", {**priced(), "earlier_nano_usd": EARLIER})
    records.accept("waiting", user_message="Hm?", accepted_at="2026-11-23T10:00:00.000Z")
    return records


def stored(name: str = "nano_usd") -> int:
    """Return the sum of a field over the table, read without the code under test."""
    items = client("dynamodb").scan(TableName=TABLE)["Items"]
    return sum(int(item["cost"]["M"][name]["N"]) for item in items if "cost" in item)


def early() -> dict[str, Any]:
    """Return the fields of a run that its first stage ended."""
    return priced(stages={"chat": None, "enhancement": None}, chat=None, ended_by="analysis")
