"""The ledger of one run: a line for everything it was charged for. A line's amount is quantity x price, and the total
is the sum of the lines.

Rules for counting:
- A message in a batch of n pays an n-th of the invocation, of the request that received it and of the one that
  deleted it.
- If the batch is not known (failed attempts, lost deliveries, the starter), the message counts as if it came alone,
  which is the most it can have cost.
- Failed attempts and repeated deliveries are waste. Their time and tokens are listed as unmetered, except the tokens
  of an answer that could not be used, at which a run failed: its cause has them.
- Logs are estimates, from the usual size of the log of a message and of an invocation.
"""

from math import ceil

from shared.contracts.stages import ANSWERING, BY_KEY, LAST, STAGES
from shared.costs.facts import RunFacts, StageFacts
from shared.costs.lines import Book, Ledger
from shared.costs.prices import PRICE_LISTS, PriceList, price_list
from shared.errors import ModelTimedOut

START, LOG = "start", LAST.key
ENDING = [stage for stage in STAGES if stage.may_end]
CHUNK = 65_536
"""Bytes of one billing unit of EventBridge and SQS: each begun 64 KB is charged."""
KB = 1_024
EVENT_BYTES = 1_024
"""Largest size of the envelope and metadata that an event adds to its message."""
ACCEPTED_BYTES, RUNNING_BYTES = 256, 512
"""Size of a record without its message, when it is accepted and when its run has started."""
CLAIM_BYTES = 512
"""Size of a stored answer's item without the answer."""

LOG_BYTES_MESSAGE, LOG_BYTES_INVOCATION = 550, 450
"""The log line of a message; the metrics of an invocation. Both are means over a run's functions, and a test compares
them with what the handlers write. Lambda's own lines on a call are not logged unless the call fails.
"""
LOG_BYTES_REQUEST = 500
LOG_BYTES_HISTORY = 400
"""The log line of one event of an execution's history, without data."""
HISTORY_ENDS, HISTORY_STATE, HISTORY_RETRY, HISTORY_CHOICE = 2, 6, 4, 2
"""Numbers of history events: an execution's start and end, a state with a task, one retry, a choice."""

NEVER_METERED = "time of the functions of API, starter and logger; callbacks; cold starts; reads of the API"
"""Usage that no record contains: the logger is not told of it, or it is not over when the record is written."""


def ledger(run: RunFacts, lists: tuple[PriceList, ...] = PRICE_LISTS) -> Ledger:
    book = Book(price_list(run.stated.prices_of or run.region, run.day, lists), run.stated)
    _start(book, run)
    for stage in run.stages:
        _stage(book, stage, run)
    _end(book, run)
    return Ledger(
        region=run.region,
        day=run.day,
        prices=book.prices,
        stated=run.stated,
        lines=tuple(book.lines),
        unmetered=tuple(dict.fromkeys(book.unmetered)),
    )


def _start(book: Book, run: RunFacts) -> None:
    """Add what precedes the first state: API, event, starter; for a restart, the reopened record and the start."""
    message = run.message_bytes
    if message is None:
        book.unmetered.append("start: the message's size")
    chunks = _chunks((message or 0) + EVENT_BYTES)
    if run.via is None:
        book.unmetered.append("start: whether it came through the API")
    if run.via == "api":
        book.add(START, "api", "POST /pipeline")
        book.logs(START, "the request", LOG_BYTES_REQUEST)
        _invocation(book, START, "api", 1)
        book.add(START, "write", "write: the record, accepted", _kilobytes((message or 0) + ACCEPTED_BYTES))
        book.add(START, "write", "write: the index of callers, accepted and running", 2)
    if run.via == "restart":
        book.add(
            START, "write", "write: the record, opened again", _kilobytes((message or 0) + RUNNING_BYTES)
        )
    else:
        book.add(START, "event", "event pipeline.requested", chunks)
        book.add(START, "queue", "queue: send, receive, delete", 2 * chunks + 1)
        _invocation(book, START, "starter", 1)
        book.add(START, "write", "write: the record, running", _kilobytes((message or 0) + RUNNING_BYTES))
    book.add(START, "transition", "transition: start")
    book.logs(START, "the state machine", HISTORY_ENDS * LOG_BYTES_HISTORY)


def _end(book: Book, run: RunFacts) -> None:
    """Add the record and its announcement; for a failed run, also the message that tells the logger of its end."""
    if run.outcome == "FAILED":
        book.add(LOG, "queue", "queue: send, receive, delete the run's end", 3)
        _invocation(book, LOG, "logger", 1)
    book.add(LOG, "write", "write: the record", _kilobytes(run.record_bytes))
    if run.via == "api":
        book.add(LOG, "write", "write: the index of callers")
    if run.by_day:
        book.add(LOG, "write", "write: the index of days")
    if run.stored_by_workflow:
        book.add(LOG, "transition", "transition into StoreAnswer")
        if ENDING:
            book.add(LOG, "transition", "transition into WhichAnswer")
        book.logs(LOG, "the state machine", HISTORY_STATE * LOG_BYTES_HISTORY)
    else:
        book.add(LOG, "event", f"event pipeline.{'completed' if run.outcome == 'SUCCEEDED' else 'failed'}")


def _stage(book: Book, stage: StageFacts, run: RunFacts) -> None:
    """Add the last attempt, then earlier attempts and lost deliveries as waste. All of a failed stage is waste."""
    failed = stage.outcome == "failed"
    key, row = stage.key, BY_KEY.get(stage.key)
    state, service = (row.state, row.service) if row else (key, key)
    chunks = _chunks(stage.message_bytes or 0)
    retries, lost = (stage.tries or 1) - 1, stage.receives - 1
    book.add(key, "transition", f"transition into {state}", waste=failed)
    book.add(key, "transition", "transition: retries", retries, waste=True)
    if stage.chooses and row:
        book.add(key, "transition", f"transition into {row.choice}")
        book.logs(key, "the choice behind it", HISTORY_CHOICE * LOG_BYTES_HISTORY)
    if row is None:
        book.unmetered.append(f"{key}: the event that asked the stage, which this release lacks")
    elif row.via == "bus":
        book.add(key, "event", f"event {row.request.detail_type()}", chunks, waste=failed)
        book.add(key, "event", "event: retries", retries * chunks, waste=True)
    book.add(key, "queue", "queue: send", chunks, waste=failed)
    book.add(
        key, "queue", "queue: receive and delete", _received(stage) + 1, shared_by=stage.batch, waste=failed
    )
    book.add(key, "queue", "queue: send, receive, delete retries", retries * (2 * chunks + 1), waste=True)
    book.add(key, "queue", "queue: receive lost deliveries", lost * chunks, waste=True)
    book.add(key, "queue", "queue: park", int(stage.parked) * chunks, waste=True)
    _invocation(book, key, service, 1, batch=stage.batch, waste=failed)
    _invocation(book, key, f"{service}, failed or lost", retries + lost, waste=True)
    book.logs(key, "the state machine", HISTORY_STATE * LOG_BYTES_HISTORY, waste=failed)
    if retries:
        book.logs(key, "the state machine, retries", retries * HISTORY_RETRY * LOG_BYTES_HISTORY, waste=True)
    _time(book, stage)
    _unmetered(book, stage)
    if row is ANSWERING:
        _answer(book, stage, run)
    elif row is None or row.pays:
        _tokens(book, stage)


def _invocation(  # noqa: PLR0913 -- the last two have defaults
    book: Book, stage: str, function: str, count: int, *, batch: int = 1, waste: bool = False
) -> None:
    if not count:
        return
    book.add(stage, "invocation", f"function {function}", count, shared_by=batch, waste=waste)
    size = count * (LOG_BYTES_INVOCATION + LOG_BYTES_MESSAGE * batch)
    book.logs(stage, function, size, shared_by=batch, waste=waste)


def _time(book: Book, stage: StageFacts) -> None:
    if stage.outcome != "done" or stage.work_ms is None:
        return
    if stage.memory_mb is None or stage.architecture is None:
        book.unmetered.append(f"{stage.key}: its function's memory")
        return
    row = BY_KEY.get(stage.key)
    work = f"work of {row.service if row else stage.key}"
    book.add(stage.key, "time", work, stage.memory_mb * stage.work_ms, price=stage.architecture)


def _unmetered(book: Book, stage: StageFacts) -> None:
    if stage.outcome == "unknown":
        book.unmetered.append(f"{stage.key}: its tries and its time")
    elif stage.outcome == "failed":
        book.unmetered.append(f"{stage.key}: time of its tries" + ("" if stage.tries else ", and how many"))
    elif (stage.tries or 1) > 1 or stage.receives > 1:
        book.unmetered.append(f"{stage.key}: time of failed tries and lost deliveries")


def _tokens(book: Book, stage: StageFacts) -> None:
    """Add the model's tokens of a stage that asks one beside the stage that answers; its results are not stored."""
    failed = stage.outcome == "failed"
    if stage.model_id and not stage.recalled:
        book.tokens(stage.key, stage.model_id, stage.tokens, waste=failed)
    row = BY_KEY.get(stage.key)
    if row and (stage.outcome != "done" or (stage.tries or 1) > 1 or stage.receives > 1):
        book.unmetered.append(f"{stage.key}: tokens of its other tries")


def _answer(book: Book, stage: StageFacts, run: RunFacts) -> None:
    """Add the model's tokens and the writes to the table of stored answers."""
    retries = (stage.tries or 1) - 1
    book.add(stage.key, "write", "write: claims of failed tries, twice", 2 * retries, waste=True)
    if stage.outcome != "done":
        failed = stage.outcome == "failed"
        book.add(stage.key, "write", "write: claim on the answer", waste=failed)
        if stage.model_id:
            book.tokens(stage.key, stage.model_id, stage.tokens, waste=failed)
        rest = " of its other tries" if stage.model_id else ""
        if stage.error == ModelTimedOut.NAME:
            rest = " of a model call that timed out, which may be billed"
        book.unmetered.append(f"{stage.key}: tokens{rest}")
        return
    book.add(stage.key, "write", "write: claim on the answer")
    book.add(
        stage.key, "write", "write: the stored answer", _kilobytes((run.answer_bytes or 0) + CLAIM_BYTES)
    )
    paid_now = stage.model_id and not _paid_by_earlier_run(stage, run)
    if run.stated.answer and not run.tokens_reported:
        if paid_now:
            book.answer(stage.key, str(stage.model_id))
    elif not run.tokens_reported:
        book.unmetered.append(f"{stage.key}: tokens of {stage.model_id or 'the model'}")
    elif paid_now:
        book.tokens(stage.key, str(stage.model_id), stage.tokens)


def _paid_by_earlier_run(stage: StageFacts, run: RunFacts) -> bool:
    """Whether an earlier execution paid for the answer: a restart recalled it at its first attempt."""
    return run.via == "restart" and stage.recalled and stage.tries == 1 and stage.receives == 1


def _received(stage: StageFacts) -> int:
    """Return the requests that received the whole batch, if its messages were all as large as this one."""
    return max(_chunks(stage.batch * (stage.message_bytes or 0)), ceil(stage.batch / 10))


def _chunks(size: int) -> int:
    return max(1, ceil(size / CHUNK))


def _kilobytes(size: int | None) -> int:
    return max(1, ceil((size or 0) / KB))
