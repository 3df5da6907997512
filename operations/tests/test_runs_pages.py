"""The runs of an environment by pages, with a double of ListExecutions that pages as AWS does."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from operations.errors import InvalidInputError
from operations.runs import pages, rows
from operations.runs.failed import is_still_failed
from operations.runs.pages import MOST_LOOKED_AT, Filter, runs_page
from operations.runs.records import read_record
from operations.tests.world import finish
from shared.tests.fakes import client_error

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


class Executions:
    """ListExecutions over `count` executions, newest first, one a second; every third one failed."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.timed_out: set[int] = set()
        self.calls: list[dict[str, Any]] = []

    def list_executions(self, **options: Any) -> dict[str, Any]:
        self.calls.append(options)
        token = options.get("nextToken", "at-0")
        if not token.startswith("at-"):
            raise client_error("InvalidToken", "ListExecutions")
        wanted = options.get("statusFilter")
        numbers = [n for n in range(self.count) if wanted in (None, self.status(n))]
        start, size = int(token[3:]), options["maxResults"]
        page = [self.execution(n) for n in numbers[start : start + size]]
        more = {"nextToken": f"at-{start + size}"} if start + size < len(numbers) else {}
        return {"executions": page, **more}

    def status(self, number: int) -> str:
        if number in self.timed_out:
            return "TIMED_OUT"
        return "FAILED" if number % 3 == 0 else "SUCCEEDED"

    def execution(self, number: int) -> dict[str, Any]:
        at = NOW - timedelta(seconds=number)
        return {"name": f"p-{number}", "status": self.status(number), "startDate": at, "stopDate": at}


@pytest.fixture
def executions(target, monkeypatch: pytest.MonkeyPatch) -> Executions:
    listed = Executions(120)
    inner = target.client
    monkeypatch.setattr(target, "client", lambda name: listed if name == "stepfunctions" else inner(name))
    return listed


def test_pages_lead_to_every_run_once(target, executions: Executions):
    """The pages of 50 lead to every run, newest first, each once, with one list call for each page."""
    seen, cursor = [], None
    while True:
        page = runs_page(target, cursor=cursor)
        seen += [row.pipeline_id for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [f"p-{number}" for number in range(120)]
    assert len(executions.calls) == 3


def test_a_row_has_its_record(target, records, executions: Executions):
    """A row has the record's message, cost, times and tries, without the answer."""
    finish(records, "p-1", cost={"nano_usd": 5}, degraded=["analysis"])
    records.advance("p-2", "SUCCEEDED", {"user_message": "x" * 5_000, "execution_arn": "arn:other"}, first={})
    row, other = runs_page(target, size=3).rows[1:]
    assert (row.excerpt, row.nano_usd, row.degraded, row.tries) == ("What is a monad?", 5, ("analysis",), 1)
    record = read_record(target, "p-1")
    assert record
    passed = list(record["stages"].values())
    assert row.waited_ms == sum(stage["queue_wait_ms"] for stage in passed)
    assert row.worked_ms == sum(stage["work_ms"] for stage in passed)
    assert row.took_ms == 212
    assert (other.replaced, other.nano_usd, len(other.excerpt)) == (True, None, 200)


def test_a_row_says_which_stage_ended_it(target, records, executions: Executions):
    """A run that a stage ended early names that stage; one that failed after an early end was stored does not."""
    finish(records, "p-1", ended_by="vetting")
    finish(records, "p-0", status="FAILED", ended_by="vetting")
    assert [row.ended_by for row in runs_page(target, size=3).rows] == [None, "vetting", None]


def test_a_replaced_failure_keeps_its_error(target, records, executions: Executions, monkeypatch):
    """A failed execution that a restart has followed shows its own error and cost, and what became of the run."""
    described: list[str] = []

    def describe(*, executionArn: str) -> dict[str, Any]:
        described.append(executionArn.rpartition(":")[2])
        return {**executions.execution(0), "error": "Pipeline.Transient"}

    monkeypatch.setattr(executions, "describe_execution", describe, raising=False)
    arn = target.addresses.execution_arn("p-0-restart-1")
    finish(records, "p-0", execution_arn=arn, earlier_nano_usd=7)
    finish(records, "p-3", execution_arn=target.addresses.execution_arn("p-3-restart-2"), earlier_nano_usd=9)
    first, _, _, other = runs_page(target, size=4).rows
    assert (first.error, first.stage, first.nano_usd, first.later) == (
        "Pipeline.Transient",
        "chat",
        7,
        "SUCCEEDED",
    )
    assert (other.error, other.nano_usd) == ("Pipeline.Transient", None)
    assert sorted(described) == ["p-0", "p-3"]
    runs_page(target, Filter(error="E"), size=4)
    assert len(described) == 2


def test_filters_search_further_and_say_how_far(target, records, executions: Executions):
    """A filter that only records answer looks on until the page is full or the end is reached, and loses no run."""
    for number in (1, 40, 100):
        finish(records, f"p-{number}", degraded=["analysis"])
    finish(records, "p-3", status="FAILED", stage="chat", error="Pipeline.Transient")
    page = runs_page(target, Filter(degraded=True), size=10)
    assert [row.pipeline_id for row in page.rows] == ["p-1", "p-40", "p-100"]
    assert (page.looked_at, page.cursor) == (120, None)
    assert [row.pipeline_id for row in runs_page(target, Filter(error="transient")).rows] == ["p-3"]
    assert [row.pipeline_id for row in runs_page(target, Filter(stage="chat")).rows] == ["p-3"]
    assert len(runs_page(target, Filter(stage="analysis")).rows) == 3


def test_runs_that_are_still_failed(target, records, executions: Executions):
    """Of the failed runs, those stay that nothing followed without failing, and no successful one is looked at."""
    executions.timed_out = {4}
    arn = target.addresses.execution_arn
    after = "2026-11-22T10:00:05.000Z"
    finish(records, "p-0", execution_arn=arn("p-0-restart-1"), finished_at=after)
    finish(records, "p-3", status="FAILED")
    records.reopen("p-3", execution_arn=arn("p-3-restart-1"), started_at=after, after=None)
    finish(records, "p-6", status="FAILED", execution_arn=arn("p-6"), error="A", stage="chat")
    finish(records, "p-9", finished_at=after)
    page = runs_page(target, Filter(still_failed=True), size=3)
    assert [row.pipeline_id for row in page.rows] == ["p-4", "p-6", "p-12"]
    assert [call["statusFilter"] for call in executions.calls] == ["FAILED", "TIMED_OUT"]
    assert [row.pipeline_id for row in runs_page(target, Filter(still_failed=True, error="a")).rows] == [
        "p-6"
    ]
    only = Filter(still_failed=True, status="TIMED_OUT", since=NOW - timedelta(seconds=4))
    assert [row.pipeline_id for row in runs_page(target, only).rows] == ["p-4"]
    assert runs_page(target, Filter(still_failed=True, status="SUCCEEDED")).rows == ()


def test_the_pages_of_failed_runs_lead_to_each_once(target, executions: Executions, monkeypatch):
    """Both kinds of failed runs come in one order, each once, also where a page ends before it is full."""
    executions.timed_out = set(range(1, 120, 9))
    monkeypatch.setattr(pages, "MOST_LOOKED_AT", 7)
    seen, cursors = list[str](), list[str | None]()
    while not cursors or cursors[-1]:
        page = runs_page(target, Filter(still_failed=True), cursor=cursors[-1] if cursors else None, size=5)
        seen += [row.pipeline_id for row in page.rows]
        cursors.append(page.cursor)
    failed = [number for number in range(120) if executions.status(number) != "SUCCEEDED"]
    assert seen == [f"p-{number}" for number in failed]
    assert len(cursors) == -(-len(failed) // 5)
    monkeypatch.setattr(rows, "is_still_failed", lambda *_: False)
    page = runs_page(target, Filter(still_failed=True), size=5)
    assert (page.rows, page.looked_at, page.cursor) == ((), 7, "2026-11-22T09:59:48+00:00~p-12")


def test_of_several_failed_executions_the_last_one_counts():
    """A failed execution that another one followed is not still failed, nor is a stopped one."""
    one = {"name": "p", "status": "FAILED", "startDate": NOW, "stopDate": NOW}
    later, before = "2026-11-22T10:00:01.000Z", "2026-11-22T09:00:00.000Z"
    cases: tuple[tuple[Any, bool], ...] = (
        ({}, True),
        ({"status": "ACCEPTED"}, True),
        ({"status": "FAILED", "execution_arn": "arn:p"}, True),
        ({"status": "FAILED", "execution_arn": "arn:p-restart-1"}, False),
        ({"status": "RUNNING", "execution_arn": "arn:p"}, True),
        ({"status": "RUNNING", "execution_arn": "arn:p", "reopened_after": later}, False),
        ({"status": "SUCCEEDED", "execution_arn": "arn:p", "finished_at": later}, False),
        ({"status": "SUCCEEDED", "execution_arn": "arn:p", "finished_at": before}, True),
    )
    for record, still in cases:
        assert is_still_failed(one, record, "arn:p") is still, record
    assert not is_still_failed({**one, "status": "ABORTED"}, {}, "arn:p")


@pytest.mark.parametrize("cursor", ["at-50", "2026-11-22T10:00:00~p", "~", "2026-11-22T10:00:00+00:00"])
def test_a_cursor_of_another_list_is_an_input_error(target, executions: Executions, cursor: str):
    """A position that the list of failed runs did not give is refused with what to do."""
    with pytest.raises(InvalidInputError, match="Begin with the newest"):
        runs_page(target, Filter(still_failed=True), cursor=cursor)


def test_a_full_page_is_never_too_long(target, records, executions: Executions):
    """A filtered page has at most as many rows as asked for, and the next page goes on behind them."""
    for number in range(40):
        finish(records, f"p-{number}", degraded=["analysis"])
    first = runs_page(target, Filter(degraded=True), size=10)
    second = runs_page(target, Filter(degraded=True), size=10, cursor=first.cursor)
    ids = [row.pipeline_id for page in (first, second) for row in page.rows]
    assert (len(first.rows) <= 10, ids) == (True, [f"p-{number}" for number in range(len(ids))])


def test_a_search_ends(target, executions: Executions):
    """A filter that fits nothing looks at a bounded number of runs, and leads on from there."""
    executions.count = 10_000
    page = runs_page(target, Filter(error="never"))
    assert (page.rows, page.looked_at) == ((), MOST_LOOKED_AT)
    assert page.cursor == f"at-{MOST_LOOKED_AT}"


def test_runs_since_a_moment_end_there(target, executions: Executions):
    """With a beginning, older runs are neither listed nor looked at."""
    page = runs_page(target, Filter(since=NOW - timedelta(seconds=9)), size=25)
    assert (len(page.rows), page.cursor, len(executions.calls)) == (10, None, 1)


@pytest.mark.parametrize("cursor", ["", "garbage", "x" * 4_000])
def test_a_cursor_that_is_not_known_is_an_input_error(target, executions: Executions, cursor: str):
    """A position that has expired or was invented is refused with what to do."""
    with pytest.raises(InvalidInputError, match="Begin with the newest"):
        runs_page(target, cursor=cursor)
