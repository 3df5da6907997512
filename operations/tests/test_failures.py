"""Failed runs: those that a later execution has mended do not count, the others are grouped by their cause."""

from datetime import UTC, datetime, timedelta
from typing import Any

from operations.health.failures import LEAST, MOST, failures, latest_failed
from operations.runs.failed import is_mended
from shared.contracts.record import Record, iso

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def failed(name: str, ended: float, status: str = "FAILED") -> dict[str, Any]:
    return {"name": name, "status": status, "startDate": ago(ended + 5), "stopDate": ago(ended)}


def seen(executions: list[dict[str, Any]], records: dict[str, Record]) -> Any:
    arns = {one["name"]: f"arn:{one['name']}" for one in executions}
    pipelines = {name: name.partition("-restart-")[0] for name in arns}
    return failures(latest_failed(executions, NOW), pipelines, records, arns, NOW)


def record(status: str, name: str, error: str = "E", cause: str = "c", **fields: Any) -> Record:
    known: Any = {"stage": "chat", "error": error, "cause": cause} if status == "FAILED" else {}
    whole: Any = {"status": status, "execution_arn": f"arn:{name}", **known, **fields}
    record: Record = whole
    return record


def test_a_mended_run_is_no_failure():
    """A run that succeeded or goes on in a later execution has not failed; one that failed again has, once."""
    executions = [
        failed(name, ended)
        for name, ended in (("open", 9), ("again-restart-1", 8), ("again", 60), ("well", 7), ("redriven", 6))
    ]
    records = {
        "open": record("RUNNING", "open-restart-1"),
        "again": record("FAILED", "again-restart-1"),
        "well": record("SUCCEEDED", "well", finished_at=iso(ago(1))),
        "redriven": record("RUNNING", "redriven", reopened_after=iso(ago(6))),
    }
    found = seen(executions, records)
    assert [one.pipeline_id for one in found.latest] == ["again"]
    assert (found.mended, found.looked_at, found.recent) == (3, 4, 1)


def test_an_end_that_is_not_recorded_yet_is_a_failure():
    """A failed execution counts while its record is missing, still open, or tells of a success before it."""
    assert not is_mended(Record(), "arn:p", ago(5))
    assert not is_mended(record("RUNNING", "p"), "arn:p", ago(5))
    assert not is_mended(record("SUCCEEDED", "p", finished_at=iso(ago(90))), "arn:p-restart-1", ago(5))
    (group,) = seen([failed("p", 5, "TIMED_OUT")], {}).groups
    assert (group.stage, group.error, group.latest.cause) == (None, "TIMED_OUT", None)


def test_failures_are_grouped_by_cause():
    """Failures whose texts differ in ids and numbers only are one cause; that with most recent ones is first."""
    executions = [failed(f"p-{number}", 700 + number) for number in range(3)] + [
        failed("q", 5),
        failed("r", 6),
    ]
    records = {f"p-{number}": record("FAILED", "p", cause=f"after {number} s") for number in range(3)}
    records |= {name: record("FAILED", name, error="Throttled") for name in "qr"}
    first, second = seen(executions, records).groups
    assert (first.error, first.count, first.recent, first.latest.pipeline_id) == ("Throttled", 2, 2, "q")
    assert (second.error, second.count, second.recent) == ("E", 3, 0)
    assert second.first_at == ago(702)


def test_as_many_are_read_as_failed_lately():
    """All recent failures are looked at, up to one read of records, which is said; a few older ones in any case."""
    old = [failed(f"p-{number}", 10_000 + number) for number in range(50)]
    assert len(latest_failed(old, NOW)) == LEAST
    recent = [failed(f"r-{number}", number) for number in range(25)]
    found = seen(recent + old, {})
    assert (found.recent, found.at_least) == (25, False)
    assert [one.pipeline_id for one in found.latest] == [f"r-{number}" for number in range(5)]
    found = seen([failed(f"r-{number}", number / 10) for number in range(120)], {})
    assert (found.recent, found.at_least) == (MOST, True)
    stopped = [failed("p", 1, "ABORTED"), {**failed("q", 1), "stopDate": None}]
    assert latest_failed(stopped, NOW) == []
