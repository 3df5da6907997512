"""`pipeline show --cost`: a ledger of one run that can be checked by hand."""

import json
from decimal import Decimal

import pytest

from cli.tests.support import call
from operations.errors import RefusedError
from operations.money.run_ledger import read_ledger
from operations.tests.world import finish
from operations.wording import cost_line, usd


def test_show_has_the_cost_in_a_line(local_engine, some_runs):
    """`show` prints what the run cost, the waste, and how to see more."""
    assert "cost      $0.0003" in call("show", "plain-1").stdout
    assert "wasted" in call("show", "retried").stdout
    assert "at least" in call("show", "new-model").stdout
    assert f"{usd(1_234)} for earlier executions" in call("show", "restarted").stdout
    assert "cost" not in call("show", "waiting").stdout
    assert json.loads(call("show", "--json", "plain-1").stdout)["cost"]["nano_usd"] > 0


def test_shown_ledger_can_be_followed_by_hand(local_engine, some_runs):
    """Each line is quantity x price = amount with its price listed below, and the lines add up."""
    result = call("show", "--cost", "retried")
    assert result.exit_code == 0
    table = result.stdout.partition("Not metered")[0].splitlines()
    assert max(map(len, table)) <= 80
    lines = [line.split() for line in table if line.startswith("  ") and line[2].isalpha()]
    added = Decimal(0)
    for *_, quantity, each, amount, number in lines:
        number_, _, parts = quantity.partition("/")
        value = Decimal(number_.replace(",", "")) / int(parts or 1) * Decimal(each.replace(",", ""))
        expected = Decimal(amount.lstrip("~").replace(",", ""))
        assert abs(value - expected) < Decimal("0.002"), (quantity, each, amount)
        assert f"\n{int(number):>2}  $" in result.stdout
        added += expected
    (total,) = (line.split()[1] for line in table if line.startswith("total"))
    assert added == Decimal(total.replace(",", ""))
    assert "chat, wasted" in result.stdout
    assert "since 2026-09-01" in result.stdout
    assert "https://aws.amazon.com/step-functions/pricing/" in result.stdout


def test_shown_ledger_as_json_has_prices_with_day_and_source(local_engine, some_runs):
    """Each line in JSON has its price, the date since which it is valid, and its source."""
    answer = json.loads(call("show", "--cost", "--json", "plain-1").stdout)
    assert (
        sum(line["nano_usd"] for line in answer["lines"]) == answer["nano_usd"] == answer["recorded_nano_usd"]
    )
    assert {line["price"]["since"] for line in answer["lines"]} == {"2026-09-01"}
    assert all(line["price"]["source"].startswith("https://") for line in answer["lines"])


def test_ledger_of_a_run_that_is_not_over(local_engine, some_runs):
    """An unfinished run has no ledger (exit code 1); --cost with --follow is wrong usage."""
    result = call("show", "--cost", "waiting")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "has not finished" in result.stderr
    assert call("show", "--cost", "--follow", "waiting").exit_code == 2
    assert call("show", "--cost", "nowhere").exit_code == 3


def test_ledger_of_an_old_record(target, records):
    """The cost of a run that was recorded before metering is unknown, not zero."""
    finish(records, "old", stages={})
    with pytest.raises(RefusedError, match="before runs were metered"):
        read_ledger(target, "old")


def test_unknown_prices_and_parts_are_shown_with_the_ledger(local_engine, some_runs):
    """A line without a price has `unknown` as its amount, and the total is called a lower bound."""
    shown = call("show", "--cost", "new-model").stdout
    assert "SUCCEEDED: at least" in shown
    assert len([line for line in shown.splitlines() if "tokens of" in line and "? unknown" in line]) == 2
    assert "Price unknown: tokens of a-new-model in us-east-1" in shown
    assert "Not metered: chat: tokens" in call("show", "--cost", "failed").stdout


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "$0"),
        (7, "$0.000000007"),
        (171_834, "$0.0001718"),
        (2_500_000_000, "$2.5"),
        (123_456_000_000_000, "$123,456.00"),
    ],
)
def test_money_is_never_rounded_to_nothing(nanos, text):
    """Small amounts have four significant digits, large ones cents."""
    assert usd(nanos) == text


def test_cost_line_without_any_price():
    """A cost without any known price is called unknown, not zero."""
    assert cost_line(None, 0, lacking=True) == "unknown, because no price is known"
