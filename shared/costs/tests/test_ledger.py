"""The ledger: amounts calculated by hand, and the property that its lines add up to its total for any run."""

from typing import Any

import msgspec
import pytest

from shared.contracts.stages import STAGES
from shared.costs.facts import RunFacts, StageFacts, facts, item_bytes
from shared.costs.ledger import ledger
from shared.costs.lines import Ledger, Line
from shared.costs.prices import US_EAST_1, Price, PriceList, price_list
from shared.costs.tests.support import CHAT, METER, MODEL, TRANSIENT, failed, record


def of(stored: dict[str, Any], **options: Any) -> Ledger:
    run = facts(stored)
    assert run is not None
    return ledger(run, **options)


def lines(book: Ledger, kind: str, stage: str | None = None) -> list[Line]:
    return [line for line in book.lines if line.kind == kind and stage in (None, line.stage)]


def amount(book: Ledger, kind: str, stage: str | None = None, *, waste: bool = False) -> int:
    return sum(line.nanos or 0 for line in lines(book, kind, stage) if line.waste == waste)


def test_a_run_from_the_bus_by_hand():
    """Every amount of a plain run is quantity x price, in nano-dollars."""
    book = of(record())
    transition, event, request, invocation, write = 25_000, 1_000, 400, 200, 625
    assert amount(book, "transition") == (1 + 4) * transition  # the start, and four states entered
    assert amount(book, "event") == (1 + 3 + 1) * event  # request, three stages via the bus, completion
    assert (
        amount(book, "queue") == (1 + 4) * 3 * request
    )  # send, receive, delete: the starter's and four stages'
    assert amount(book, "invocation") == (1 + 4) * invocation
    # running; the stored answer's claim and itself (500 + 512 bytes); the record (2,500 bytes)
    assert amount(book, "write") == (1 + 1 + 1 + 3) * write
    # 128 MB x (100 + 1,000 + 100) ms are 0.15 GB-s at $0.0000133334
    assert amount(book, "time") == 167 + 1_667 + 167
    assert amount(book, "input") == 2_000 * 60  # $0.06 per million
    assert amount(book, "output") == 300 * 240  # $0.24 per million
    assert amount(book, "api") == 0
    known = 125_000 + 5_000 + 6_000 + 1_000 + 3_750 + 2_001 + 120_000 + 72_000
    assert book.total == known + amount(book, "logs")
    assert (book.waste, book.unknown, book.unmetered) == (0, (), ())


def test_logs_are_estimated_and_say_so():
    """Logs are estimated by bytes per message, invocation and history event at $0.50 per GB; no other line is."""
    book = of(record())
    functions, states = 5 * (450 + 550), 4 * 6 * 400 + 2 * 400
    assert sum(line.quantity for line in lines(book, "logs")) == functions + states
    assert amount(book, "logs") == pytest.approx((functions + states) * 0.5 / 1.024**3, abs=5)
    assert {line.estimate for line in lines(book, "logs")} == {True}
    assert not any(line.estimate for line in book.lines if line.kind != "logs")


def test_the_api_costs_its_request_function_and_write():
    """A run through the API costs more by one REST request, one invocation, one write, three writes of the index of
    callers, and their logs.
    """
    bus = of(record())
    api = of(record(metered={**record()["metered"], "via": "api"}))
    assert (amount(api, "api"), amount(bus, "api")) == (3_500, 0)
    more = 3_500 + 200 + 4 * 625 + round(500 * 0.5 / 1.024**3) + round(1_000 * 0.5 / 1.024**3)
    assert (api.total or 0) - (bus.total or 0) == more


def test_a_restart_goes_through_neither_api_nor_starter():
    """A restarted run pays for its start and its stages, but not for another API request."""
    book = of(record(metered={**record()["metered"], "via": "restart"}))
    assert {line.kind for line in book.lines if line.stage == "start"} == {"write", "transition", "logs"}


def test_a_message_pays_its_share_of_a_batch():
    """One of four messages in a batch pays a fourth of the invocation and of the requests to receive and delete."""
    book = of(record(stages={"analysis": {**METER, "batch": 4}}))
    assert amount(book, "invocation", "analysis") == 200 // 4
    assert amount(book, "queue", "analysis") == 400 + 2 * 400 // 4
    (time,) = lines(book, "time", "analysis")
    assert (time.nanos, time.shared_by) == (167, 1)  # its own time is its own


def test_shares_of_a_batch_add_up_to_the_batch():
    """Ten messages of one batch together pay for one invocation, one receive and one delete."""
    book = of(record(stages={"analysis": {**METER, "batch": 10}}))
    assert 10 * amount(book, "invocation", "analysis") == 200
    assert 10 * (amount(book, "queue", "analysis") - 400) == 2 * 400


def test_large_messages_cost_by_the_chunk():
    """A message of 150 KB is three events of 64 KB, and three requests to send and to receive it."""
    book = of(record(stages={"enhancement": {**METER, "message_bytes": 150_000}}))
    assert amount(book, "event", "enhancement") == 3 * 1_000
    assert amount(book, "queue", "enhancement") == (3 + 3 + 1) * 400


def test_failed_tries_are_waste():
    """Two failed attempts of the chatbot cost two transitions, events, invocations and so on, all of them waste."""
    plain, book = of(record()), of(record(stages={"chat": {**CHAT, "attempt": 2}}))
    assert amount(book, "transition", "chat", waste=True) == 2 * 25_000
    assert amount(book, "event", "chat", waste=True) == 2 * 1_000
    assert amount(book, "queue", "chat", waste=True) == 2 * 3 * 400
    assert amount(book, "invocation", "chat", waste=True) == 2 * 200
    assert amount(book, "write", "chat", waste=True) == 2 * 2 * 625
    assert (book.total or 0) - (plain.total or 0) == book.waste
    assert book.unmetered == ("chat: time of failed tries and lost deliveries",)


def test_lost_deliveries_are_waste():
    """A message that was delivered three times pays for two receives as waste, and for one delete."""
    book = of(record(stages={"enhancement": {**METER, "receives": 3}}))
    assert amount(book, "queue", "enhancement", waste=True) == 2 * 400
    assert amount(book, "invocation", "enhancement", waste=True) == 2 * 200
    assert amount(book, "transition", "enhancement", waste=True) == 0
    assert book.unmetered == ("enhancement: time of failed tries and lost deliveries",)


def test_a_degraded_stage_is_all_waste():
    """A stage that failed all four attempts has four transitions as waste, and its message was parked."""
    book = of(record(stages={"enhancement": None}, errors={"enhancement": TRANSIENT}))
    wasted = [line for line in book.lines if line.stage == "enhancement"]
    assert wasted
    assert all(line.waste for line in wasted)
    assert amount(book, "transition", "enhancement", waste=True) == 4 * 25_000
    assert [line.nanos for line in lines(book, "queue", "enhancement") if line.what == "queue: park"] == [400]
    assert book.unmetered == ("enhancement: time of its tries",)


def test_a_timeout_is_not_parked():
    """A stage that timed out has no message in a DLQ, and its number of attempts is unmetered."""
    book = of(record(stages={"analysis": None}, errors={"analysis": {"Error": "States.Timeout"}}))
    assert "queue: park" not in {line.what for line in book.lines}
    assert book.unmetered == ("analysis: time of its tries, and how many",)


def test_the_workflow_stores_the_answer_at_the_price_of_a_state():
    """If the logger failed, the run enters one more state and publishes no event."""
    stored = record(errors={"log": {"Error": "Pipeline.Permanent", "Cause": "denied"}})
    del stored["metered"]
    book = of(stored)
    assert amount(book, "transition", waste=True) == 25_000
    assert amount(book, "transition") == (1 + 3 + 1) * 25_000
    assert "event pipeline.completed" not in {line.what for line in book.lines}
    assert "start: whether it came through the API" in book.unmetered


def test_a_stage_that_is_gone_is_counted_as_far_as_it_is_known():
    """A stage that this release lacks has its time and tokens in the ledger; how it was asked is unmetered."""
    plain, book = (
        of(record()),
        of(record(stages={"weighing": {**METER, "model_id": MODEL, "input_tokens": 1_000}})),
    )
    assert book.by("stage")["weighing"] > 25_000
    assert [line.quantity for line in book.lines if line.stage == "weighing" and line.kind == "input"] == [
        1_000
    ]
    assert plain.total is not None
    assert book.total == plain.total + book.by("stage")["weighing"]
    assert [name for name in book.unmetered if name.startswith("weighing: ")]
    gone = of(failed(stage="weighing", error="Pipeline.Transient"))
    assert "transition into weighing" in {line.what for line in gone.lines}


def test_a_failed_run_passed_the_stages_of_its_own_workflow():
    """Which stages precede the failed one is what the record says, whichever stages there are now."""
    passes = ["analysis", "weighing", "chat", "log"]
    book = of(failed(metered={"via": "bus", "record_bytes": 900, "passes": passes}))
    assert list(book.by("stage")) == ["start", "analysis", "weighing", "chat", "log"]


def test_a_failed_run_counts_what_is_known_and_names_the_rest():
    """A run that failed at the chatbot entered two states; the time of its attempts is unmetered."""
    book = of(failed())
    assert amount(book, "transition") + amount(book, "transition", waste=True) == (1 + 2) * 25_000
    assert book.unmetered == (
        "analysis: its tries and its time",
        "chat: time of its tries, and how many",
        "chat: tokens",
    )


def test_a_call_that_timed_out_is_named_as_one_that_may_be_billed():
    """What a model call that timed out has cost is unknown: the ledger names it and makes no amount up."""
    book = of(failed(error="Pipeline.ModelTimedOut"))
    assert "chat: tokens of a model call that timed out, which may be billed" in book.unmetered
    assert lines(book, "input") == lines(book, "output") == []
    assert amount(book, "queue", "chat", waste=True) > 0, "the message was parked"


PAID = "No text (stop reason tool_use). Paid for: 2000 input, 300 output, 0 cache-read, 10 cache-write tokens of "


@pytest.mark.parametrize("error", ["Pipeline.Permanent", "Pipeline.Transient"])
def test_an_answer_that_could_not_be_used_is_waste(error):
    """A run that failed at an unusable answer pays for its tokens, as waste; those of other tries are unmetered."""
    book = of(failed(error=error, cause=f"{PAID}{MODEL}."))
    assert amount(book, "input", "chat", waste=True) == 2_000 * 60
    assert amount(book, "output", "chat", waste=True) == 300 * 240
    assert amount(book, "cache_write", "chat", waste=True) == 10 * 60
    assert "chat: tokens of its other tries" in book.unmetered
    assert "chat: tokens" not in book.unmetered
    assert book.waste >= 2_000 * 60 + 300 * 240


@pytest.mark.parametrize(
    "changes",
    [{"error": "Execution.Aborted"}, {"error": "States.Timeout"}, {"stage": "analysis"}, {"stage": "x"}],
)
def test_only_a_failure_of_the_chatbot_has_such_tokens(changes):
    """A cause of another failure that reads like a payment adds no tokens."""
    book = of(failed(cause=f"{PAID}{MODEL}.", **changes))
    assert not [line for line in book.lines if line.service == "Model"]


def test_tokens_of_a_cache_have_their_own_lines():
    """Tokens read from a cache cost their own price, beside the input tokens, which exclude them."""
    chat = {**CHAT, "cache_read_tokens": 1_000, "model_id": "global.anthropic.claude-sonnet-4-6"}
    book = of(record(stages={"chat": {**chat, "cache_write_tokens": 100}}))
    found = {line.what: line.nanos for line in book.lines if line.service == "Model"}
    name = "global.anthropic.claude-sonnet-4-6"
    assert found == {
        f"input tokens of {name}": 2_000 * 3_000,
        f"output tokens of {name}": 300 * 15_000,
        f"cache-read tokens of {name}": 1_000 * 300,
        f"cache-write tokens of {name}": 100 * 3_750,
    }
    assert (book.unknown, book.counted_with) == ((), "us-east-1 2026-09-01")


def test_the_last_try_of_a_transient_failure_was_the_fourth():
    """A transient error fails a run after all its attempts, and each of them is counted."""
    book = of(failed(error="Pipeline.Transient"))
    assert amount(book, "transition", "chat", waste=True) == 4 * 25_000


def test_an_unknown_model_is_named_and_not_free():
    """Tokens without a price have no amount; the total excludes them, and the ledger names the missing price."""
    chat = {**CHAT, "model_id": "a-new-model"}
    book = of(record(stages={"chat": chat}))
    assert [line.nanos for line in (*lines(book, "input"), *lines(book, "output"))] == [None, None]
    assert book.unknown == ("tokens of a-new-model in us-east-1",)
    assert book.total == (of(record()).total or 0) - 120_000 - 72_000


def test_an_unknown_region_has_no_total():
    """In a region without a price list, no line has an amount."""
    arn = "arn:aws:states:eu-west-9:000000000000:execution:machine:p"
    book = of(record(execution_arn=arn))
    assert book.total is None
    assert {line.nanos for line in book.lines} == {None}
    assert book.unknown == ("prices in eu-west-9 on 2026-11-23",)
    assert book.summary()["nano_usd"] is None


def test_prices_hold_from_their_day():
    """A run is priced with the newest list that is valid on its day; before the first list, no price is known."""
    later = PriceList(region="us-east-1", since="2026-12-01", prices={}, models={})
    lists = (US_EAST_1, later)
    assert price_list("us-east-1", "2026-11-30T23:59:59Z", lists) is US_EAST_1
    assert price_list("us-east-1", "2026-12-01T00:00:00Z", lists) is later
    assert price_list("us-east-1", "2026-08-31T00:00:00Z", lists) is None


def test_a_backend_that_reports_no_tokens_is_not_free():
    """If the model's tokens are not reported, they are unmetered, not zero."""
    book = of(record(stages={"chat": {**METER, "model_id": "a-function"}}, chat={"usage": None}))
    assert lines(book, "input") == []
    assert book.unmetered == ("chat: tokens of a-function",)


def test_a_restart_does_not_pay_for_a_stored_answer():
    """A restart that recalls the answer at its first attempt does not pay for it; a retry within a run pays once."""
    recalled = {**CHAT, "recalled": True}
    metered = {**record()["metered"], "via": "restart"}
    assert lines(of(record(stages={"chat": recalled}, metered=metered)), "input") == []
    assert amount(of(record(stages={"chat": CHAT}, metered=metered)), "input") == 120_000
    assert amount(of(record(stages={"chat": {**recalled, "receives": 2}})), "input") == 120_000


def test_a_model_is_known_by_the_end_of_its_arn():
    """A model named by an ARN has the price of the id in it; an application inference profile has none."""
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}"
    assert amount(of(record(stages={"chat": {**CHAT, "model_id": arn}})), "input") == 120_000
    own = "arn:aws:bedrock:us-east-1:000000000000:application-inference-profile/abc"
    assert of(record(stages={"chat": {**CHAT, "model_id": own}})).unknown == ("tokens of abc in us-east-1",)


@pytest.mark.parametrize(
    "stored",
    [{"status": "RUNNING"}, {"status": "ACCEPTED"}, {"status": "SUCCEEDED", "execution_arn": "arn:aws"}],
    ids=["running", "accepted", "recorded before metering"],
)
def test_what_is_not_over_has_no_ledger(stored):
    """A run that has not ended, or has no meters, has no facts."""
    assert facts(stored) is None


def test_meters_of_an_older_worker_are_read():
    """A meter without memory, architecture and batch counts as a batch of one, and its time as unmetered."""
    old = {name: METER[name] for name in ("queue_wait_ms", "work_ms", "attempt", "receives")}
    book = of(record(stages={"analysis": old}))
    assert lines(book, "time", "analysis") == []
    assert book.unmetered == ("analysis: its function's memory",)
    assert amount(book, "invocation", "analysis") == 200


def test_rounding_is_half_up_and_exact():
    """The price of a third of a request is rounded once, to whole nano-dollars, without floating point."""
    request = Price("0.40", 1_000_000, "requests", "sqs")
    assert [request.nanos(1, parts) for parts in (1, 3, 16, 32)] == [400, 133, 25, 13]
    assert Price("0.0000133334", 1, "GB-s", "lambda", base=1_024_000).nanos(1_024_000) == 13_333


def varied() -> list[RunFacts]:
    """Runs begun in each way, with each stage done, retried, redelivered, in a batch, or failed."""
    shapes = [
        StageFacts(key="", message_bytes=size, tries=tries, receives=receives, batch=batch, **more)
        for size, tries, receives, batch in [(100, 1, 1, 1), (70_000, 3, 2, 7), (250_000, None, 1, 10)]
        for more in (
            {"memory_mb": 512, "architecture": "x86_64", "work_ms": 37},
            {"outcome": "failed", "error": "Pipeline.WorkerLost"},
            {"outcome": "unknown"},
            {"model_id": "m", "input_tokens": 7, "output_tokens": 9},
            {"model_id": MODEL, "input_tokens": 7, "output_tokens": 9},
        )
    ]
    runs = []
    for number in range(5 * len(shapes)):
        stages = []
        for place, stage in enumerate(STAGES):
            shape = shapes[(number * (place + 1) + place * 7) % len(shapes)]
            values = {name: getattr(shape, name) for name in shape.__struct_fields__}
            stages.append(StageFacts(**{**values, "key": stage.key}))
        runs.append(
            RunFacts(
                region="us-east-1" if number % 7 else "nowhere-1",
                day="2026-11-23",
                via=("api", "bus", "restart", None)[number % 4],
                outcome="SUCCEEDED" if number % 3 else "FAILED",
                stages=tuple(stages[: 1 + number % 4] if number % 3 == 0 else stages),
                message_bytes=number * 911,
                record_bytes=number * 1_313,
                answer_bytes=number * 577,
                stored_by_workflow=number % 5 == 0 and bool(number % 3),
            )
        )
    return runs


@pytest.mark.parametrize("run", varied(), ids=lambda run: f"{run.via}-{run.outcome}-{run.message_bytes}")
def test_the_lines_are_the_total(run):
    """For any run, the lines with a price add up to the total, by stage and by service, and none is negative."""
    book = ledger(run)
    known = [line.nanos for line in book.lines if line.nanos is not None]
    assert (
        (book.total or 0) == sum(known) == sum(book.by("stage").values()) == sum(book.by("service").values())
    )
    assert all(amount >= 0 for amount in known)
    assert all(
        line.nanos == line.price.nanos(line.quantity, line.shared_by) for line in book.lines if line.price
    )
    assert bool(book.unknown) == any(line.price is None for line in book.lines)
    assert book.waste <= (book.total or 0)


def test_the_size_of_an_item_counts_names_and_values():
    """An item's size is what DynamoDB counts: bytes of names and texts; a byte per two digits, and one more."""
    assert item_bytes({"name": "é" * 10}) == 4 + 20
    assert item_bytes({"n": 1_234}) == 1 + 4
    assert item_bytes({"m": {"a": None}, "l": ["x"]}) == (1 + 3 + 1 + 1 + 1) + (1 + 3 + 1 + 1)


def test_a_run_that_was_ended_early_pays_for_no_skipped_stage():
    """Of a run that a stage ended, the ledger has that stage, those before it and the last one: no model is paid."""
    stages = {"chat": None, "enhancement": None}
    run = facts(record(stages=stages, chat=None, ended_by="analysis"))
    assert run is not None
    assert [stage.key for stage in run.stages] == ["analysis", "log"]
    assert all(stage.outcome == "done" for stage in run.stages)
    book = ledger(run)
    assert "Model" not in book.by("service")
    assert not any("chat" in part for part in book.unmetered)


def test_the_choice_behind_a_stage_has_its_price():
    """A stage that was left through its Choice state costs one more transition, and its lines of the log."""
    plain = StageFacts(key="analysis")
    amounts = []
    for stage in (plain, msgspec.structs.replace(plain, chooses=True)):
        run = RunFacts(region="us-east-1", day="2026-11-23", via="bus", outcome="SUCCEEDED", stages=(stage,))
        lines = [line for line in ledger(run).lines if line.stage == "analysis"]
        amounts.append(sum(line.quantity for line in lines if line.what.startswith("transition into")))
    assert amounts == [1, 2]
