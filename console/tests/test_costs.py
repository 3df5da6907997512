"""Costs: the report, which is read on request, its spreadsheet, and the budget with its orders."""

import json
import re
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from console.live.reading import Reading
from console.models.costs import COLOURS, MOST_DAYS, costs_view, spreadsheet
from console.pages import subjects
from console.tests import hostile
from console.tests.asking import Console, console_of
from console.tests.hostile import shape
from console.tests.world import add_run
from operations.errors import DeniedError, RefusedError
from operations.money import budget
from operations.money.costs import Cost, Row, summarise
from operations.money.read_costs import read_report
from operations.stop import Stop
from operations.tests.histories import METER
from operations.tests.world import client, deploy_budget
from shared.budget import KEY, NANOS, ORDERS, STATE, Spent, State, day_of, orders_of, written
from shared.contracts.record import iso
from shared.tests.fakes import PATIENCE_SECONDS, stopped_clock


def read(console: Console, name: str = "costs-ever") -> None:
    """Press the button of a reading and wait for its end."""
    assert console.post(f"/read/{name}").status == 303
    console.desk.readings.of(f"{name} 0").join()


def cost(day: str, nanos: int, stage: str = "chat", **fields: Any) -> Cost:
    known: dict[str, Any] = {"status": "SUCCEEDED", "model": "m", "total": nanos, "stages": {stage: nanos}}
    return Cost(day=day, **{**known, **fields})


def test_looking_reads_nothing(console: Console, records, monkeypatch):
    """Opening the page reads no record: the button does, and its result is shown to every tab."""
    monkeypatch.setattr(subjects, "read_report", lambda *_, **__: pytest.fail("read without being asked"))
    page = console.get("/costs").text
    assert "Read the costs" in page
    assert "a million such runs" not in page
    assert console.get("/costs/sheet").status == 404
    monkeypatch.undo()


def test_the_report_is_read_on_request(console: Console, machine, records):
    """After the button, page, JSON, stream and spreadsheet show the report, with the time at which it was read."""
    ended = iso(datetime.now(UTC))
    spent = {"nano_usd": 400, "waste_nano_usd": 100, "stages": {"chat": 400}}
    add_run(machine, records, "p", cost=spent, finished_at=ended)
    add_run(machine, records, "old", cost={"nano_usd": 1, "stages": {"chat": 1}})
    read(console, "costs-24h")
    page = console.get("/costs?since=24h").text
    for part in (
        "1 run, since",
        "$0.40",
        "wasted on failed attempts",
        "Read the costs again",
        "pipeline cost --since 24h",
    ):
        assert part in page
    values = json.loads(console.get("/costs?since=24h&format=json").body)
    assert (values["report"]["read"], values["report"]["all"]["nano_usd"]) == (2, 400)
    assert "$0.40" in console.watch("/live/read/costs-24h").text
    assert ",m,SUCCEEDED" not in console.get("/costs/sheet?since=24h").text
    assert console.get("/costs/sheet?since=24h").text.endswith(",a-model,SUCCEEDED,chat,1,400\n")
    assert console.get("/costs?since=7d").text.count("a million such runs") == 0


def test_a_day_and_a_model_lead_to_their_costliest_runs(console: Console, machine, records):
    """Each day and model of the report links to its ten costliest runs; the tables end with the total."""
    for number in range(12):
        ended = f"2026-11-{1 + number % 2:02}T10:00:00.000Z"
        spent = {"nano_usd": 100 + number, "stages": {"chat": 100 + number}}
        add_run(machine, records, f"p-{number}", cost=spent, finished_at=ended)
    add_run(
        machine, records, "again", cost={"nano_usd": 1, "stages": {"chat": 1}}, earlier_nano_usd=1_000_000
    )
    assert console.get("/costs/runs?since=ever&by=model&name=a-model").status == 404
    read(console)
    page = console.get("/costs?since=ever").text
    addresses = [one.replace("&amp;", "&") for one in re.findall(r'href="(/costs/runs[^"]+)"', page)]
    assert [one.partition("by=")[2] for one in addresses] == [
        "day&name=2026-11-01",
        "day&name=2026-11-02",
        "day&name=2026-11-22",
        "model&name=a-model",
    ]
    rows = re.findall(r'href="/runs/([^?"]+)\?tab=cost"', console.get(addresses[-1]).text)
    assert (rows[:3], len(rows)) == (["again", "p-11", "p-10"], 10)
    assert "10 costliest of 13 runs" in console.get(addresses[-1]).text
    assert "All 6 runs" in console.get(addresses[0]).text
    assert console.get("/costs/runs?since=ever&name=2020-01-01").status == 404
    assert page.count("<tfoot>") == 2  # days and stages
    assert "$0.001001" in page


def test_canned_answers_are_not_called_a_models(console: Console, machine, records, target, monkeypatch):
    """With a stand-in for the models, a run's page, its cost and the report say so, and what AWS would charge."""
    monkeypatch.setattr(target, "stand_in", "canned answer")
    ledger = {"nano_usd": 400, "stages": {"chat": 400}}
    add_run(machine, records, "p", cost=ledger, stages={"chat": METER})
    for path, part in (
        ("/runs/p", "canned answer in the place of a-model"),
        ("/runs/p", "canned answer; on AWS this would cost $0.0000004"),
        ("/runs/p?tab=cost", "canned answer; on AWS this would cost"),
        ("/asked/p", "canned answer in the place of a-model"),
        ("/compare?a=p&b=p", "canned answer in the place of a-model"),
    ):
        assert part in console.get(path).text, path
    read(console)
    page = console.get("/costs?since=ever").text
    assert "1 run: on AWS this would cost $0.0000004" in page
    assert "What answered in the place of the models: canned answer" in page
    early: dict[str, Any] = {"chat": None, "stages": {"analysis": METER}, "ended_by": "analysis"}
    arn = target.addresses.execution_arn("early")
    add_run(machine, records, "early", cost=ledger, execution_arn=arn, **early)
    for path, part in (("/runs/early", "on AWS this would"), ("/runs/early?tab=cost", "On AWS this would")):
        text = console.get(path).text
        assert (part in text, "canned" in text) == (True, False), path


def test_the_second_reading_is_not_mistaken_for_the_first(console: Console, machine, records):
    """The stream of a second reading shows its result, though a stream of the first one has ended just before."""
    read(console)
    assert "no finished run with meters" in console.watch("/live/read/costs-ever").text
    add_run(machine, records, "p", cost={"nano_usd": 400, "stages": {"chat": 400}})
    read(console)
    assert "1 run: $0.0000004" in console.watch("/live/read/costs-ever").text


def test_another_engine_has_another_report(console: Console, records):
    """What was read of an engine is not shown of the next one."""
    read(console)
    console.desk.environment.restarts += 1
    page = console.get("/costs?since=ever").text
    assert ("no finished run" in page, "Read the costs again" in page) == (False, False)


def test_a_table_without_runs(console: Console, records):
    """A report over nothing says so."""
    read(console)
    assert "no finished run with meters" in console.get("/costs?since=ever").text


def test_no_permission_is_said_where_it_matters(console: Console, records, monkeypatch):
    """If the records may not be read, the page says so beside the button, and the budget stays."""
    denied = DeniedError("You may not read the records (dynamodb:Scan).")

    def refuse(*_args: object, **_options: object) -> None:
        raise denied

    monkeypatch.setattr(subjects, "read_report", refuse)
    read(console)
    page = console.get("/costs?since=ever")
    assert (page.status, "dynamodb:Scan" in page.text, "Today's budget" in page.text) == (200, True, True)


def test_unknown_subjects_are_not_found(console: Console):
    """Only known subjects can be read, stopped and watched; any other age is the usual one."""
    assert console.post("/read/everything").status == 404
    assert console.post("/read/everything/stop").status == 404
    assert console.get("/live/read/everything").status == 404
    assert console.get("/costs?since=forever").status == 200


def test_one_reading_at_a_time():
    """A second press while a subject is read starts nothing; a stop ends it with what it has; a mistake is told."""
    go, done = threading.Event(), []

    def work(tell, stop):
        tell("halfway")
        assert go.wait(PATIENCE_SECONDS)
        done.append(stop.requested)
        return "part"

    one = Reading()
    assert one.begin(work)
    assert not one.begin(work)
    one.stop()
    assert (one.state.phase, one.state.stopping) == ("running", True)
    go.set()
    one.join()
    assert (one.state.phase, one.state.value, done) == ("read", "part", [True])
    one.begin(lambda _tell, _stop: 1 // 0)
    one.join()
    assert (one.state.phase, one.state.value) == ("failed", "part")
    assert "The console itself failed" in one.state.error


def test_a_stopped_report_is_of_what_was_read(target, machine, records, monkeypatch):
    """A report that is stopped after its first page says that it is of a part of the table."""
    for number in range(3):
        add_run(machine, records, f"p-{number}", cost={"nano_usd": 1, "stages": {"chat": 1}})
    monkeypatch.setattr("operations.money.read_costs.PAGE", 1)
    stop = Stop()

    def on_page(_read: int, _about: int) -> None:
        stop.requested = True

    report = read_report(target, limit=1_000, on_page=on_page, stop=stop)
    assert (report.read, report.complete) == (1, False)
    assert "Only 1 records were read" in costs_view(report).stopped


def test_no_cell_is_a_formula():
    """A cell that a spreadsheet would take for a formula begins with a quote."""
    rows = [
        Row(day="d", model=f"{sign}cmd|x", status="SUCCEEDED", stage="chat", runs=1, nano_usd=-5)
        for sign in "=+-@\t\r"
    ]
    lines = spreadsheet(rows).split("\n", 1)[1]
    assert lines.count("'") == len(rows)
    assert ",1,-5\n" in lines


def test_the_chart_has_all_days_and_bounded_colours():
    """Days without runs are gaps, the oldest days are cut, and any number of stages has a colour."""
    report = summarise(
        [cost("2026-11-01", 10), *(cost("2026-11-04", 10, f"s{number}") for number in range(9))]
    )
    chart = costs_view(report).chart
    assert chart is not None
    assert (chart.first, chart.last, chart.width) == ("2026-11-01", "2026-11-04", 80)
    assert max(bar.colour for bar in chart.bars) == COLOURS - 1
    long = costs_view(summarise([cost("1970-01-01", 10), cost("2026-11-04", 10)])).chart
    assert long is not None
    assert long.width == 20 * MOST_DAYS


def test_a_report_without_prices_or_days():
    """Without a known price there is no chart and no total; a damaged day breaks nothing."""
    view = costs_view(summarise([cost("d", 5), cost("2026-11-04", 0, total=None, unknown=("tokens of m",))]))
    assert any("Price unknown" in text for text in view.notes)
    assert costs_view(summarise([cost("x", 5), cost("y", 5)])).chart is not None
    nothing = costs_view(summarise([cost("2026-11-04", 0, total=None)]))
    assert (nothing.chart, nothing.total) == (None, "unknown")


def test_hostile_models_and_stages_change_no_report(console: Console, machine, records):
    """A hostile name of a model, stage, service or price leaves the report with the elements of a plain one."""
    shapes = []
    for text in (hostile.BENIGN, *hostile.STRINGS):
        client("dynamodb").delete_item(TableName="PipelineLogs", Key={"pipeline_id": {"S": "p"}})
        add_run(machine, records, "p", **hostile.record(text))
        read(console)
        shapes.append(shape(console.get("/costs?since=ever").text))
    assert shapes[1:] == shapes[:1] * len(hostile.STRINGS)


# --- the budget --------------------------------------------------------------------------------------------


@pytest.fixture
def budgeted(target, monkeypatch):
    """Return a function that stores a state of the guard of a budget of one dollar, which runs at no order.

    No day ends between its storing and its reading.
    """
    table, now = deploy_budget(), datetime.now(UTC)
    monkeypatch.setattr(budget, "datetime", stopped_clock(now))
    monkeypatch.setattr(budget, "look_now", lambda _: None)
    target.__dict__.pop("addresses", None)

    def store(**fields: Any) -> None:
        known: dict[str, Any] = {"day": day_of(now), "looked_at": iso(now), "starter": "Enabled"}
        client("dynamodb").put_item(TableName=table, Item=written(STATE, State(**{**known, **fields})))

    store.table = table  # type: ignore[attr-defined]
    return store


def orders(table: str):
    return orders_of(client("dynamodb").get_item(TableName=table, Key={KEY: {"S": ORDERS}}).get("Item"))


def test_the_budget_is_shown(console: Console, budgeted):
    """The page has today's spending against the limit; what is unknown or outdated is said."""
    budgeted(spent=Spent(nano_usd=NANOS // 2, runs=3, unknown=1), looked_at="2026-11-01T00:00:00.000Z")
    page = console.get("/costs").text
    for part in (
        "at least $0.5, 50%, by 3 finished runs",
        'width="50.0"',
        "is unknown, so more",
        "out of date",
    ):
        assert part in page
    assert json.loads(console.get("/costs?format=json").body)["budget"]["share"] == 0.5


def test_without_a_budget_it_says_how_to_have_one(console: Console, target):
    """Without a budget the page says which option sets one."""
    assert "budget_usd_per_day" in console.get("/costs").text


def test_orders_are_given(console: Console, budgeted):
    """Pause, resume, a raise and a lift are written as the operator's orders; the page offers what makes sense."""
    budgeted()
    assert "Pause new runs" in console.get("/costs").text
    assert console.post("/costs/budget", {"order": "pause"}).status == 303
    assert orders(budgeted.table).hold
    budgeted(paused=True, why="operator", starter="Disabled")
    page = console.get("/costs").text
    assert "Resume in local" in page
    assert "Pause new runs in" not in page
    for form in ({"order": "resume"}, {"order": "add", "usd": "2.50"}, {"order": "lift"}):
        assert console.post("/costs/budget", form).status == 303
    given = orders(budgeted.table)
    assert (given.hold, given.added_nano_usd, given.unlimited) == (False, 2_500_000_000, True)


def test_a_spent_budget_needs_more_money(console: Console, budgeted):
    """A resume without money is not offered when the budget is spent, and refused if it is sent anyway."""
    budgeted(spent=Spent(nano_usd=2 * NANOS, runs=1), paused=True, why="budget", starter="Disabled")
    assert "Resume in local" not in console.get("/costs").text
    answer = console.post("/costs/budget", {"order": "resume"})
    assert (answer.status, "--add USD" in answer.text) == (502, True)


@pytest.mark.parametrize("usd", ["", "0", "-1", "1e3", "nan", "2000000", "<b>", "1,5"])
def test_an_amount_is_money(console: Console, budgeted, usd: str):
    """An amount that is not a sum of dollars is refused, and orders nothing."""
    answer = console.post("/costs/budget", {"order": "add", "usd": usd})
    assert answer.status == 400
    assert not orders(budgeted.table).by
    assert console.post("/costs/budget", {"order": "spend"}).status == 400


def test_orders_need_an_unlocked_environment(nowhere, monkeypatch):
    """On AWS no order is given until the environment is unlocked."""
    monkeypatch.setattr(budget, "_order", lambda *_: pytest.fail("ordered although locked"))
    assert console_of(nowhere, "prod").post("/costs/budget", {"order": "pause"}).status == 403


def test_two_orders_at_once(console: Console, budgeted, monkeypatch):
    """If another operator has just given an order, the page says so."""

    def refuse(*_: object) -> None:
        raise RefusedError("Another operator gave an order just now.")

    budgeted()
    monkeypatch.setattr(budget, "_order", refuse)
    assert "Another operator" in console.post("/costs/budget", {"order": "pause"}).text
