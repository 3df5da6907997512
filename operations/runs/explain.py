"""The search for the run that any id belongs to, which also tells the kind of the id.

These places are searched in order, each with a bounded number of calls, until the id is found: the records and
executions that the id's form names, the dead-letter queues, the functions' logs; for a trace, the logs come
before the queues. The table of records is never scanned; that of what operators did is, for a message that is
parked no longer. The beginning of an id is taken for it where only one is found that begins so.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from infra.parts import TRIGGER
from operations.dlq.archive import Handled, handled
from operations.dlq.messages import Parked, metadata_of
from operations.dlq.queues import depth, find_queues, held
from operations.errors import DeniedError, NotFoundError
from operations.runs import executions
from operations.runs.beginnings import SHORTEST, only, run_that_begins, uncut
from operations.runs.executions import Execution
from operations.runs.journey import Journey, read_journey
from operations.runs.logs import Read, require_id, search
from operations.runs.records import read_records
from operations.stop import Stop
from operations.target import Target
from shared.contracts import envelope, limits
from shared.contracts.executions import ids_in
from shared.contracts.stages import BY_KEY, BY_STATE

Kind = Literal[
    "pipeline id", "execution name", "execution ARN", "event id", "message id", "trace id", "traceparent"
]

RUNS = 20
"""The largest number of runs of one trace that are returned."""
LOG_PAGES = 100

_PIPELINE_ID = re.compile(limits.PIPELINE_ID_PATTERN)
_ARN = re.compile(r"(?P<machine>arn:[^:]+:states:[^:]+:[^:]*:execution:[^:]+):(?P<name>[^:]{1,80})")
_STATES = "|".join(map(re.escape, BY_STATE))
_OF_A_STAGE = re.compile(rf"(?P<name>.+)-(?:{_STATES})-\d{{1,3}}")
_OF_A_RUN = re.compile(r"(?P<name>[^.]+)(?:\.\d+)?-(?:accepted|completed|failed|rejected|requested)")
_TRACE_ID = re.compile(r"[0-9a-f]{32}")


class Guess(Struct, frozen=True, kw_only=True):
    """A possible meaning of an id, judged by its form. If `trace_id` is set, the run must have this trace."""

    kind: Kind
    pipeline_id: str
    trace_id: str | None = None


class Explanation(Struct, frozen=True, kw_only=True):
    """The runs of an id. `message` is the parked message that the id names; an unreadable one belongs to no run."""

    any_id: str
    kind: Kind
    where: str
    journeys: tuple[Journey, ...] = ()
    message: Parked | None = None
    parked: tuple[Parked, ...] = ()
    """The parked messages of these runs."""
    waiting: int | None = None
    """Messages that wait for the starter, or are at it; read if one of the runs has not started."""
    handled: Handled | None = None
    """The message that the id names and with which operators did something: it is archived, or was sent anew."""
    execution: Execution | None = None
    """The execution that the id names; null if Step Functions does not know it any more."""
    others: int = 0
    """Runs of the same trace that are left out."""


class UnknownIdError(NotFoundError):
    """No run has this id; the text says which places were searched. `is_elsewhere`: it is of another deployment."""

    def __init__(self, text: str, *, is_elsewhere: bool = False) -> None:
        super().__init__(text)
        self.is_elsewhere = is_elsewhere


Progress = Callable[[str], None]


def guesses(any_id: str) -> list[Guess]:
    """Return the possible meanings of an id, the likeliest first (pure)."""
    return list(_guesses(any_id))


def _guesses(any_id: str) -> Iterator[Guess]:
    if whole := envelope.well_formed(any_id):
        yield from _of_trace("traceparent", envelope.trace_id(whole, ""))
        return
    if arn := _ARN.fullmatch(any_id):
        yield from (Guess(kind="execution ARN", pipeline_id=one) for one in ids_in(arn["name"]))
        return
    if _PIPELINE_ID.fullmatch(any_id):
        yield Guess(kind="pipeline id", pipeline_id=any_id)
    yield from (Guess(kind="execution name", pipeline_id=one) for one in ids_in(any_id)[1:])
    for form in (_OF_A_STAGE, _OF_A_RUN):
        if match := form.fullmatch(any_id):
            yield from (Guess(kind="event id", pipeline_id=one) for one in ids_in(match["name"]))
    if _TRACE_ID.fullmatch(any_id):
        yield from _of_trace("trace id", any_id)


def _of_trace(kind: Kind, trace_id: str) -> Iterator[Guess]:
    for pipeline_id in envelope.named_alike(trace_id):
        yield Guess(kind=kind, pipeline_id=pipeline_id, trace_id=trace_id)


def explain(
    target: Target,
    any_id: str,
    *,
    since: timedelta,
    stop: Stop | None = None,
    progress: Progress = lambda _: None,
) -> Explanation:
    """Find the runs of an id. `since`: how far back logs are searched. `progress` receives the current place.

    Raises InvalidInputError for a text that can't be an id, and UnknownIdError.
    """
    any_id = uncut(any_id)
    require_id(any_id)
    _require_this_deployment(target, any_id)
    progress("the records")
    explanation = _by_form(target, any_id)
    searched: list[Read] = []
    missed: list[str] = []

    def parked() -> Explanation | None:
        progress("the dead-letter queues")
        return _parked(target, any_id)

    def operated() -> Explanation | None:
        progress("what operators did")
        return _handled(target, any_id, stop, missed)

    def logged() -> Explanation | None:
        progress(f"the logs of the last {_in_words(since)}")
        read, in_logs = _logged(target, any_id, since, stop)
        searched.append(read)
        return in_logs

    # A trace may have several runs, only one of which is parked, so logs are searched first.
    is_trace = bool(_TRACE_ID.fullmatch(_trace_id(any_id)))
    for place in (logged, parked) if is_trace else (parked, operated, logged):
        if explanation is None and not (stop and stop.requested):
            explanation = place()
    if explanation is None:
        raise UnknownIdError(_nothing(target, any_id, since, searched, () if is_trace else missed))
    return _with_parked(target, _with_waiting(target, explanation))


def _require_this_deployment(target: Target, any_id: str) -> None:
    arn = _ARN.fullmatch(any_id)
    here = target.addresses.execution_arn("").rstrip(":")
    if any_id.startswith("arn:") and (arn is None or arn["machine"] != here):
        raise UnknownIdError(
            f"The ARN is of no execution of environment {target.env!r}, whose executions begin with {here}.",
            is_elsewhere=True,
        )


# --- records and executions --------------------------------------------------------------------------------


def _by_form(target: Target, any_id: str) -> Explanation | None:
    likely = guesses(any_id)
    records = read_records(target, [guess.pipeline_id for guess in likely], fields=("trace_id",))
    for guess in likely:
        record = records.get(guess.pipeline_id)
        if record is None:
            continue
        trace_id = record.get("trace_id") or envelope.trace_id(None, guess.pipeline_id)
        if guess.trace_id in (None, trace_id):
            explanation = _explanation(target, any_id, guess.kind, "the records", [guess.pipeline_id])
            return _with_execution(target, explanation) if explanation else None
    execution = _execution(target, any_id) if any(guess.trace_id is None for guess in likely) else None
    if execution is None:
        begun = run_that_begins(target, any_id)
        where = "the latest executions, by the beginning of its id"
        return _explanation(target, any_id, "pipeline id", where, [begun]) if begun else None
    kind: Kind = (
        "execution ARN" if any_id.startswith("arn:") else "execution name"
    )  # started by hand, or just now
    kind = "pipeline id" if any_id == execution.pipeline_id else kind
    return _explanation(target, any_id, kind, "the executions", [execution.pipeline_id])


def _execution(target: Target, any_id: str) -> Execution | None:
    return executions.describe(target, target.addresses.execution_arn(any_id.rpartition(":")[2]))


def _with_execution(target: Target, explanation: Explanation) -> Explanation:
    if explanation.kind not in ("execution name", "execution ARN"):
        return explanation
    return replace(explanation, execution=_execution(target, explanation.any_id))


def _explanation(
    target: Target, any_id: str, kind: Kind, where: str, ids: Sequence[str]
) -> Explanation | None:
    """Return the runs with these ids; None if none of them is known any more."""
    journeys = []
    for pipeline_id in ids[:RUNS]:
        try:
            journeys.append(read_journey(target, pipeline_id))
        except NotFoundError:
            continue
    if not journeys:
        return None
    others = max(0, len(ids) - RUNS)
    return Explanation(any_id=any_id, kind=kind, where=where, journeys=tuple(journeys), others=others)


def _trace_id(any_id: str) -> str:
    """Return the trace id of a traceparent, else the text itself."""
    whole = envelope.well_formed(any_id)
    return envelope.trace_id(whole, "") if whole else any_id


# --- dead-letter queues ------------------------------------------------------------------------------------


def _parked(target: Target, any_id: str) -> Explanation | None:
    """Find the parked message that has this id or contains it, else the one whose id begins so.

    All messages are released again.
    """
    trace_id = _trace_id(any_id)
    alike: dict[str, tuple[Parked, str]] = {}
    for queue in find_queues(target):
        where = f"the {queue.kind} of {queue.service}"
        with held(target, queue) as items:
            for item in items:
                if kind := _kind_in(item.message, any_id, trace_id):
                    return _of_parked(target, any_id, kind, item.message, where)
                if len(any_id) >= SHORTEST and item.message.id.startswith(any_id):
                    alike[item.message.id] = (item.message, where)
    if message_id := only(list(alike), any_id, "parked messages"):
        return _of_parked(target, any_id, "message id", *alike[message_id])
    return None


def _of_parked(target: Target, any_id: str, kind: Kind, message: Parked, where: str) -> Explanation:
    run = _explanation(target, any_id, kind, "", [message.pipeline_id] if message.pipeline_id else [])
    journeys = run.journeys if run else ()
    return Explanation(any_id=any_id, kind=kind, where=where, journeys=journeys, message=message)


def _handled(target: Target, any_id: str, stop: Stop | None, missed: list[str]) -> Explanation | None:
    """Find the message that was parked once, by its id or its beginning; add to `missed` what was not searched."""
    if len(any_id) < SHORTEST:
        return None
    try:
        messages, complete = handled(target, any_id, stop=stop)
    except DeniedError as error:
        missed.append(f"what operators did ({error})")
        return None
    if not complete:
        missed.append("all that operators did: there is too much of it")
    whole = [one for one in messages if one.message_id == any_id] or messages
    if (message_id := only([one.message_id for one in whole], any_id, "messages")) is None:
        return None
    message = next(one for one in whole if one.message_id == message_id)
    where = "the archived messages" if message.is_archived else "the acts of operators"
    run = _explanation(
        target, any_id, "message id", where, [message.pipeline_id] if message.pipeline_id else []
    )
    return Explanation(
        any_id=any_id,
        kind="message id",
        where=where,
        journeys=run.journeys if run else (),
        handled=message,
    )


def _kind_in(message: Parked, any_id: str, trace_id: str) -> Kind | None:
    if message.id == any_id:
        return "message id"
    metadata = metadata_of(message)
    if any_id in (message.event_id, metadata.get("event_id")):
        return "event id"
    if any_id in (message.execution_name, message.execution_arn):
        return "execution name" if any_id == message.execution_name else "execution ARN"
    if message.pipeline_id == any_id:
        return "pipeline id"
    named = envelope.well_formed(metadata.get("traceparent"))
    if (named or message.pipeline_id) and trace_id == envelope.trace_id(named, message.pipeline_id or ""):
        return "trace id" if any_id == trace_id else "traceparent"
    return None


def _with_parked(target: Target, explanation: Explanation) -> Explanation:
    """Add the parked messages of runs that failed or have not started, which decide what to do next."""
    services = {
        journey.pipeline_id: TRIGGER if journey.status == "ACCEPTED" else _service_of(journey.failed_stage)
        for journey in explanation.journeys
        if journey.status in ("ACCEPTED", "FAILED")
    }
    if not services:
        return explanation
    known = [service for service in services.values() if service]
    parked = []
    for queue in find_queues(target, known if len(known) == len(services) else ()):
        with held(target, queue) as items:
            parked += [item.message for item in items if item.message.pipeline_id in services]
    return replace(explanation, parked=tuple(parked))


def _service_of(stage: str | None) -> str | None:
    return BY_KEY[stage].service if stage and stage in BY_KEY else None


def _with_waiting(target: Target, explanation: Explanation) -> Explanation:
    if all(journey.status != "ACCEPTED" for journey in explanation.journeys):
        return explanation
    queue = depth(target, target.addresses.queue_url(TRIGGER))
    return replace(explanation, waiting=queue.visible + queue.held)


# --- logs --------------------------------------------------------------------------------------------------


def _logged(
    target: Target, any_id: str, since: timedelta, stop: Stop | None
) -> tuple[Read, Explanation | None]:
    term = _trace_id(any_id)
    read = search(target, term, since=datetime.now(UTC) - since, pages=LOG_PAGES, stop=stop)
    kinds = {name for line in read.lines for name in line.ids_of(term)}
    pipeline_ids = list(dict.fromkeys(str(line.fields.get("pipeline_id") or "") for line in read.lines))
    pipeline_ids = [pipeline_id for pipeline_id in pipeline_ids if pipeline_id]
    if not pipeline_ids:
        return read, None
    kind: Kind = "message id" if "message_id" in kinds else "event id"
    if "trace_id" in kinds:
        kind = "trace id" if any_id == term else "traceparent"
    if "pipeline_id" in kinds:
        kind = "pipeline id"
    where = f"the logs of {read.lines[0].function}"
    return read, _explanation(target, any_id, kind, where, pipeline_ids)


def _nothing(
    target: Target, any_id: str, since: timedelta, searched: Sequence[Read], missed: Sequence[str]
) -> str:
    logs = f"the logs of the last {_in_words(since)}"
    if cut := sorted(name for read in searched for name in read.cut):
        logs += f" (not to the end: {', '.join(cut)})"
    return (
        f"No run with the id {any_id!r} was found in environment {target.env!r}. Searched: the records, the "
        f"executions, the dead-letter queues, what operators did, {logs}. Not searched: "
        f"{', '.join(['messages that wait in a queue', *missed])}."
    )


def _in_words(since: timedelta) -> str:
    hours = since.total_seconds() / 3_600
    if hours >= 48:
        return f"{hours / 24:g} days"
    return f"{hours:g} hours" if hours >= 1 else f"{since.total_seconds() / 60:g} minutes"
