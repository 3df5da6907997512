"""`pipeline budget` as it is typed, on a budget's table in moto."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli.tests.support import call
from operations.money import budget as operations
from operations.money.budget import described, notice
from operations.target import Target
from operations.tests.world import client, deploy_budget
from shared.budget import KEY, NANOS, ORDERS, STATE, Orders, Spent, State, day_of, orders_of, written
from shared.contracts.record import iso
from shared.tests.fakes import stopped_clock

pytestmark = pytest.mark.slow

TABLE = "ai-pipeline-local-budget"
NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
SPENT = State(
    day="2026-11-23",
    spent=Spent(nano_usd=2 * NANOS, runs=10),
    paused=True,
    why="budget",
    since="2026-11-23T05:59:00.000Z",
    starter="Disabled",
    looked_at="2026-11-23T05:59:30.000Z",
)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The environments whose guard was asked to check the budget; no guard runs here."""
    requests: list[str] = []
    monkeypatch.setattr(operations, "look_now", lambda target: requests.append(target.env))
    return requests


@pytest.fixture
def budgeted(local_engine: Target, looks: list[str], monkeypatch: pytest.MonkeyPatch) -> Target:
    """A deployment with a daily budget of one dollar. Its day does not end between two commands."""
    monkeypatch.setattr(operations, "datetime", stopped_clock(NOW))
    deploy_budget()
    return local_engine


def store(state: State) -> None:
    """Store a state as the guard does."""
    client("dynamodb").put_item(TableName=TABLE, Item=written(STATE, state))


def today(**changes: Any) -> State:
    fields = {"day": day_of(NOW), "looked_at": iso(NOW), "starter": "Enabled"}
    return State(**{**fields, **changes})


def stored_orders() -> Orders:
    return orders_of(client("dynamodb").get_item(TableName=TABLE, Key={KEY: {"S": ORDERS}}).get("Item"))


def test_share_and_projection_are_those_of_the_day():
    """After a quarter of a day four times the spending is projected, and a pause lasts until midnight UTC."""
    seen = described(SPENT, Orders(), 4 * NANOS, NOW)
    assert (seen.share, seen.projected_nano_usd) == (0.5, 8 * NANOS)
    assert (seen.standing, seen.resumes_at) == ("paused by the budget", "2026-11-24T00:00:00.000Z")
    assert not seen.silent


def test_what_was_found_yesterday_is_not_todays():
    """If the guard has not run since midnight, nothing is counted for today and the guard is reported as silent."""
    seen = described(SPENT, Orders(), NANOS, NOW + timedelta(days=1))
    assert (seen.spent_nano_usd, seen.runs, seen.silent) == (0, 0, True)


def test_a_new_day_is_not_projected():
    """No projection is made from the first minutes of a day."""
    assert described(SPENT, Orders(), NANOS, NOW.replace(hour=0, minute=10)).projected_nano_usd is None


@pytest.mark.usefixtures("local_engine")
def test_without_a_budget_it_says_how_to_have_one(local_engine):
    """Without a budget the exit code is 4, and no other command mentions a budget."""
    result = call("budget")
    assert result.exit_code == 4
    assert "budget_usd_per_day" in result.stderr
    assert notice(local_engine) is None


@pytest.mark.usefixtures("budgeted")
def test_it_is_told_in_80_columns():
    """The report shows status, spending, limit and unknown prices in 80 columns."""
    store(today(spent=Spent(nano_usd=NANOS // 2, runs=3, unknown=1)))
    result = call("budget")
    assert result.exit_code == 0
    assert "at least $0.5, 50%, by 3 finished runs" in result.stdout
    assert "The price of 1 run of today is unknown" in result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert json.loads(call("budget", "--json").stdout)["share"] == 0.5


def test_other_commands_say_that_nothing_starts(budgeted):
    """`list`, `watch` and `show` of a waiting run name the pause and its end."""
    store(today(why="budget", paused=True, starter="Disabled"))
    assert "until 00:00 UTC" in str(notice(budgeted))
    assert "paused by the budget" in call("list").stderr
    assert "paused by the budget" in call("watch", "--once").stdout
    assert "disabled by hand" not in call("budget").stdout


@pytest.mark.usefixtures("budgeted")
def test_a_mapping_that_was_disabled_by_hand_is_told_as_such():
    """A mapping that was disabled by hand is reported as such, not as paused by the budget."""
    store(today(starter="Disabled"))
    assert "disabled by hand" in call("budget").stdout


@pytest.mark.usefixtures("budgeted")
def test_a_spent_budget_is_not_resumed_by_a_bare_word():
    """Resuming with a spent budget needs an amount or --for-today; amounts add up and last for today."""
    store(today(spent=Spent(nano_usd=NANOS, runs=1), why="budget", paused=True, starter="Disabled"))
    refused = call("budget", "resume")
    assert refused.exit_code == 1
    assert "--add USD" in refused.stderr
    assert call("budget", "resume", "--add", "0.5").exit_code == 0
    assert call("budget", "resume", "--add", "0.25").exit_code == 0
    stored = stored_orders()
    assert (stored.day, stored.added_nano_usd, stored.unlimited) == (
        day_of(NOW),
        NANOS * 3 // 4,
        False,
    )
    assert stored.by
    assert call("budget", "resume", "--for-today").exit_code == 0
    assert stored_orders().unlimited


def test_pause_and_resume_are_orders_that_the_guard_is_asked_to_obey(budgeted, looks):
    """An order is stored before the guard is called, so that it outlives a guard that does not answer."""
    assert call("budget", "pause").exit_code == 0
    assert (stored_orders().hold, looks) == (True, ["local"])
    assert call("budget", "resume").exit_code == 0
    assert (stored_orders().hold, looks) == (False, ["local", "local"])


@pytest.mark.usefixtures("budgeted")
def test_of_two_operators_the_slower_is_told(monkeypatch):
    """An order of another operator that was stored meanwhile is not overwritten."""
    read = operations.read_budget

    def meanwhile(target: Target) -> Any:
        seen = read(target)
        client("dynamodb").put_item(TableName=TABLE, Item=written(ORDERS, Orders(hold=True, at="x")))
        return seen

    monkeypatch.setattr(operations, "orders_of", lambda _: Orders(at="before"))
    monkeypatch.setattr(operations, "read_budget", meanwhile)
    result = call("budget", "resume", "--for-today")
    assert result.exit_code == 1
    assert "Another operator" in result.stderr
    assert stored_orders().hold


@pytest.mark.usefixtures("budgeted")
def test_too_much_is_said():
    """--for-today together with --add, and --add 0, are wrong usage."""
    assert call("budget", "resume", "--for-today", "--add", "1").exit_code == 2
    assert call("budget", "resume", "--add", "0").exit_code == 2
