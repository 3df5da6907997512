"""The logger: the cost in a run's record, the day that it counts for, and the prices that it was counted with."""

import json
from typing import Any

import msgspec
import pytest

from services.logger.recording import Logger
from services.logger.tests.support import ANALYSIS, ARN, CHAT, ENHANCEMENT, METER, OWN, request, status_change
from shared.budget import budget_fields
from shared.bus import Bus
from shared.contracts import v1
from shared.contracts.stages import ANSWERING
from shared.costs.facts import facts, item_bytes
from shared.costs.ledger import ledger
from shared.costs.prices import Stated
from shared.observability import metrics
from shared.tests.fakes import METADATA
from shared.tests.samples import path

RUN = msgspec.structs.replace(METADATA, execution_arn=ARN, causation_id="p-1-accepted")
METERED = {**METER, "message_bytes": 2_000, "memory_mb": 128, "architecture": "arm64"}
BOUGHT = {**METERED, "input_tokens": 2_000, "output_tokens": 300, "model_id": "amazon.nova-lite-v1:0"}


def metered_request(**changes: Any) -> v1.LogRequested:
    results = {
        "analysis": {"data": ANALYSIS, "meter": METERED},
        "chat": {"data": CHAT, "meter": BOUGHT},
        "enhancement": {"data": ENHANCEMENT, "meter": METERED},
    }
    return request(results={**results, **changes.pop("results", {})}, **changes)


@pytest.fixture
def emitted(capsys):
    """Flushes the metrics of this test, and returns them."""
    metrics().clear_metrics()

    def flush() -> dict[str, Any]:
        metrics().flush_metrics()
        return dict(json.loads(capsys.readouterr().out.splitlines()[-1]))

    return flush


def test_record_holds_the_cost(logger, records, emitted):
    """The record holds the run's cost in whole nano-dollars, equal to a ledger made from the record."""
    logger.completed(metered_request(), RUN, meter=OWN)
    record = records.get("p-1")
    cost = record["cost"]
    run = facts(record)
    assert run is not None
    assert cost == ledger(run).summary()
    assert cost["nano_usd"] == sum(line.nanos or 0 for line in ledger(run).lines)
    assert cost["services"]["Step Functions"] == 5 * 25_000
    assert cost["services"]["Model"] == 2_000 * 60 + 300 * 240
    assert cost["services"]["API Gateway"] == 3_500
    assert (cost["unknown"], cost["prices"]) == ([], "us-east-1 2026-09-01")
    assert emitted()["CostMicroDollars"] == [cost["nano_usd"] / 1_000]


def test_record_is_about_as_large_as_it_is_charged_for(logger, records):
    """The size with which a write is priced is the record's, within a kilobyte."""
    logger.completed(metered_request(), RUN, meter=OWN)
    record = records.get("p-1")
    assert abs(item_bytes(record) - record["metered"]["record_bytes"]) < 1_024


def test_cost_of_a_repeated_request_is_measured_once(logger, emitted):
    """A second delivery of the same run adds nothing to the metric."""
    logger.completed(metered_request(), RUN, meter=OWN)
    logger.completed(metered_request(), RUN, meter=OWN)
    assert len(emitted()["CostMicroDollars"]) == 1


def test_unknown_price_is_measured_as_such(logger, records, emitted):
    """A run of an unlisted model has its other costs and the name of the missing price, and counts as unknown."""
    chat = {"data": CHAT, "meter": {**BOUGHT, "model_id": "a-new-model"}}
    logger.completed(metered_request(results={"chat": chat}), RUN, meter=OWN)
    assert records.get("p-1")["cost"]["unknown"] == ["tokens of a-new-model in us-east-1"]
    assert emitted()["UnknownPrices"] == [1.0]


def test_failed_run_has_its_cost(logger, records, emitted, history):
    """A failed run is recorded with its known cost and the names of what was not metered."""
    history.states = ["CallExistingChatbot"]
    logger.failed(status_change())
    cost = records.get("p-1")["cost"]
    assert cost["services"]["Step Functions"] == (1 + len(path(until=ANSWERING))) * 25_000
    assert "chat: tokens" in cost["unmetered"]
    assert emitted()["CostMicroDollars"] == [cost["nano_usd"] / 1_000]


@pytest.mark.parametrize(
    ("arn", "causation_id", "via"),
    [(ARN, "p-1-accepted", "api"), (ARN, "an-event", "bus"), (f"{ARN}-restart-1", "p-1-accepted", "restart")],
)
def test_door_of_a_run_is_known(logger, records, arn, causation_id, via):
    """API, bus and restart are distinguished by the event that caused the run and by the execution's name."""
    metadata = msgspec.structs.replace(METADATA, execution_arn=arn, causation_id=causation_id)
    logger.completed(metered_request(), metadata, meter=OWN)
    assert records.get("p-1")["metered"]["via"] == via


@pytest.fixture
def counting(records, events, history):
    """The logger of a deployment with a budget."""
    return Logger(records, Bus(lambda: events, "bus"), lambda: history, budget_fields)


def test_a_run_counts_for_the_day_of_its_record(counting, records):
    """With a budget, the write that ends a run also stores its cost for the index of days, and counts that write."""
    counting.completed(request(), msgspec.structs.replace(METADATA, execution_arn=ARN), meter=OWN)
    record = records.get("p-1")
    assert record["spent_nano_usd"] == record["cost"]["nano_usd"] > 0
    assert record["spent_unknown"] is bool(record["cost"]["unknown"])
    assert record["spent_on"].partition("#")[0] == record["spent_at"][:10]
    run = facts(record)
    assert run is not None
    assert "write: the index of days" in [line.what for line in ledger(run).lines]


def test_without_a_budget_a_record_has_nothing_of_it(logger, records):
    """Without a budget, neither the record nor the ledger mentions the index of days."""
    logger.completed(request(), METADATA, meter=OWN)
    record = records.get("p-1")
    assert not [name for name in record if name.startswith("spent")]
    assert "by_day" not in record["metered"]


def test_a_late_end_counts_for_the_day_in_which_it_is_recorded(counting, records):
    """A failure that is reported years later is not added to a day whose sum is settled. Its price is
    unknown, which is counted, too.
    """
    counting.failed(status_change(startDate=1_000_000_000_000, stopDate=1_000_000_005_000))
    record = records.get("p-1")
    assert record["finished_at"].startswith("2001")
    assert record["spent_at"] > "2026"
    assert (record["spent_nano_usd"], record["spent_unknown"]) == (0, True)


STATED = Stated(prices_of="us-east-1", tokens={"amazon.nova-lite-v1:0": ("0.5", "1.5")})


def test_stated_prices_are_counted_and_kept(records, events, history):
    """A run's cost is counted with the stated prices, and its record holds them, so that a reader counts the same."""
    logger = Logger(records, Bus(lambda: events, "bus"), lambda: history, stated=STATED)
    metadata = msgspec.structs.replace(RUN, execution_arn=ARN.replace("us-east-1", "xx-new-1"))
    logger.completed(metered_request(), metadata, meter=OWN)
    record = records.get("p-1")
    run = facts(record)
    assert run is not None
    assert run.stated == STATED
    assert record["cost"] == ledger(run).summary()
    assert record["cost"]["services"]["Model"] == 2_000 * 500 + 300 * 1_500
    assert record["cost"]["unknown"] == []
    assert record["cost"]["prices"].startswith("us-east-1 2026-09-01; used for xx-new-1; stated price of")


def test_a_failed_runs_cost_is_counted_with_the_stated_prices(records, events, history):
    """A failed run in a region without a list is counted with the list that the options name."""
    logger = Logger(records, Bus(lambda: events, "bus"), lambda: history, stated=STATED)
    logger.failed(status_change())
    record = records.get("p-1")
    run = facts(record)
    assert run is not None
    assert run.stated == STATED
    assert record["cost"] == ledger(run).summary()


def test_without_stated_prices_a_record_has_none_of_them(logger, records):
    """A record holds no stated prices if no option states any."""
    logger.completed(metered_request(), RUN, meter=OWN)
    assert "stated" not in records.get("p-1")["metered"]
