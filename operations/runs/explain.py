"""The search for the run that any id belongs to, which also tells the kind of the id.

These places are searched in order, each with a bounded number of calls, until the id is found: the records and
executions that the id's form names, the dead-letter queues, the functions' logs. The table is never scanned.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from operations.dlq.messages import Parked, metadata_of
from operations.dlq.queues import find_queues, held
from operations.errors import InvalidInputError, NotFoundError
from operations.runs import executions
from operations.runs.executions import Execution
from operations.runs.journey import Journey, read_journey
from operations.runs.logs import Read, search
from operations.runs.records import read_records
from operations.stop import Stop
from operations.target import Target
from shared.contracts import envelope, limits
from shared.contracts.executions import pipeline_of
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
_OF_A_RUN = re.compile(r"(?P<name>.+)-(?:accepted|completed|failed|rejected)")
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_ID = re.compile(r"[A-Za-z0-9_:.-]{1,256}")


class Guess(Struct, frozen=True, kw_only=True):
    """A possible meaning of an id, judged by its form. If `trace_id` is set, the run must have this trace."""

    kind: Kind
    pipeline_id: str
    trace_id: str | None = None


class Found(Struct, frozen=True, kw_only=True):
    """The runs of an id. `message` is the parked message that the id names; an unreadable one belongs to no run."""

    given: str
    kind: Kind
    where: str
    journeys: tuple[Journey, ...] = ()
    message: Parked | None = None
    parked: tuple[Parked, ...] = ()
    """The parked messages of these runs."""
    execution: Execution | None = None
    """The execution that the id names; null if Step Functions does not know it any more."""
    others: int = 0
    """Runs of the same trace that are left out."""


class UnknownIdError(NotFoundError):
    """No run has this id; the text says which places were searched."""


Telling = Callable[[str], None]


def guesses(given: str) -> list[Guess]:
    """Return the possible meanings of an id, the likeliest first (pure)."""
    return list(_guesses(given))


def _guesses(given: str) -> Iterator[Guess]:
    if whole := envelope.well_formed(given):
        yield from _of_trace("traceparent", envelope.trace_id(whole, ""))
        return
    if arn := _ARN.fullmatch(given):
        yield Guess(kind="execution ARN", pipeline_id=pipeline_of(arn["name"]))
        return
    if _PIPELINE_ID.fullmatch(given):
        yield Guess(kind="pipeline id", pipeline_id=given)
    if pipeline_of(given) != given:
        yield Guess(kind="execution name", pipeline_id=pipeline_of(given))
    for form in (_OF_A_STAGE, _OF_A_RUN):
        if found := form.fullmatch(given):
            yield Guess(kind="event id", pipeline_id=pipeline_of(found["name"]))
    if _TRACE_ID.fullmatch(given):
        yield from _of_trace("trace id", given)


def _of_trace(kind: Kind, trace_id: str) -> Iterator[Guess]:
    for pipeline_id in envelope.named_alike(trace_id):
        yield Guess(kind=kind, pipeline_id=pipeline_id, trace_id=trace_id)


def explain(
    target: Target,
    given: str,
    *,
    since: timedelta,
    stop: Stop | None = None,
    telling: Telling = lambda _: None,
) -> Found:
    """Find the runs of an id. `since`: how far back logs are searched. `telling` receives the place being searched.

    Raises InvalidInputError for a text that can't be an id, and UnknownIdError.
    """
    given = given.strip()
    if not _ID.fullmatch(given):
        raise InvalidInputError(
            f"{given[:80]!r} can't be an id. An id consists of letters, digits, hyphens, dots, colons, underscores."
        )
    _require_this_deployment(target, given)
    telling("the records")
    found = _by_form(target, given)
    searched: list[Read] = []

    def parked() -> Found | None:
        telling("the dead-letter queues")
        return _parked(target, given)

    def logged() -> Found | None:
        telling(f"the logs of the last {_told(since)}")
        read, in_logs = _logged(target, given, since, stop)
        searched.append(read)
        return in_logs

    # A trace may have several runs, only one of which is parked, so logs are searched first.
    for place in (logged, parked) if _TRACE_ID.fullmatch(_trace_id(given)) else (parked, logged):
        if found is None and not (stop and stop.requested):
            found = place()
    if found is None:
        raise UnknownIdError(_nothing(target, given, since, searched))
    return _with_parked(target, found)


def _require_this_deployment(target: Target, given: str) -> None:
    arn = _ARN.fullmatch(given)
    here = target.addresses.execution_arn("").rstrip(":")
    if given.startswith("arn:") and (arn is None or arn["machine"] != here):
        raise UnknownIdError(
            f"The ARN is of no execution of environment {target.env!r}, whose executions begin with {here}. "
            "Give another --env or --region."
        )


# --- records and executions --------------------------------------------------------------------------------


def _by_form(target: Target, given: str) -> Found | None:
    likely = guesses(given)
    records = read_records(target, [guess.pipeline_id for guess in likely], fields=("trace_id",))
    for guess in likely:
        record = records.get(guess.pipeline_id)
        if record is None:
            continue
        trace_id = record.get("trace_id") or envelope.trace_id(None, guess.pipeline_id)
        if guess.trace_id in (None, trace_id):
            found = _found(target, given, guess.kind, "the records", [guess.pipeline_id])
            return _with_execution(target, found) if found else None
    execution = _execution(target, given) if any(guess.trace_id is None for guess in likely) else None
    if execution is None:
        return None
    kind: Kind = (
        "execution ARN" if given.startswith("arn:") else "execution name"
    )  # started by hand, or just now
    kind = "pipeline id" if given == execution.pipeline_id else kind
    return _found(target, given, kind, "the executions", [execution.pipeline_id])


def _execution(target: Target, given: str) -> Execution | None:
    return executions.describe(target, target.addresses.execution_arn(given.rpartition(":")[2]))


def _with_execution(target: Target, found: Found) -> Found:
    if found.kind not in ("execution name", "execution ARN"):
        return found
    return replace(found, execution=_execution(target, found.given))


def _found(target: Target, given: str, kind: Kind, where: str, pipeline_ids: Sequence[str]) -> Found | None:
    """Return the runs with these ids; None if none of them is known any more."""
    journeys = []
    for pipeline_id in pipeline_ids[:RUNS]:
        try:
            journeys.append(read_journey(target, pipeline_id))
        except NotFoundError:
            continue
    if not journeys:
        return None
    others = max(0, len(pipeline_ids) - RUNS)
    return Found(given=given, kind=kind, where=where, journeys=tuple(journeys), others=others)


def _trace_id(given: str) -> str:
    """Return the trace id of a traceparent, else the text itself."""
    whole = envelope.well_formed(given)
    return envelope.trace_id(whole, "") if whole else given


# --- dead-letter queues ------------------------------------------------------------------------------------


def _parked(target: Target, given: str) -> Found | None:
    """Find the parked message that has this id or contains it. All messages are released again."""
    trace_id = _trace_id(given)
    for queue in find_queues(target):
        with held(target, queue) as items:
            for item in items:
                if (kind := _kind_in(item.message, given, trace_id)) is None:
                    continue
                message = item.message
                run = _found(target, given, kind, "", [message.pipeline_id]) if message.pipeline_id else None
                return Found(
                    given=given,
                    kind=kind,
                    where=f"the {queue.kind} of {queue.service}",
                    journeys=run.journeys if run else (),
                    message=message,
                )
    return None


def _kind_in(message: Parked, given: str, trace_id: str) -> Kind | None:
    if message.id == given:
        return "message id"
    metadata = metadata_of(message)
    if given in (message.event_id, metadata.get("event_id")):
        return "event id"
    if given in (message.execution_name, message.execution_arn):
        return "execution name" if given == message.execution_name else "execution ARN"
    if message.pipeline_id == given:
        return "pipeline id"
    named = envelope.well_formed(metadata.get("traceparent"))
    if (named or message.pipeline_id) and trace_id == envelope.trace_id(named, message.pipeline_id or ""):
        return "trace id" if given == trace_id else "traceparent"
    return None


def _with_parked(target: Target, found: Found) -> Found:
    """Add the parked messages of failed runs, which decide what to do next."""
    failed = {
        journey.pipeline_id: journey.failed_stage for journey in found.journeys if journey.status == "FAILED"
    }
    if not failed:
        return found
    services = [BY_KEY[stage].service for stage in failed.values() if stage and stage in BY_KEY]
    parked = []
    for queue in find_queues(target, services if len(services) == len(failed) else ()):
        with held(target, queue) as items:
            parked += [item.message for item in items if item.message.pipeline_id in failed]
    return replace(found, parked=tuple(parked))


# --- logs --------------------------------------------------------------------------------------------------


def _logged(target: Target, given: str, since: timedelta, stop: Stop | None) -> tuple[Read, Found | None]:
    term = _trace_id(given)
    read = search(target, term, since=datetime.now(UTC) - since, pages=LOG_PAGES, stop=stop)
    kinds = {name for line in read.lines for name in line.ids_of(term)}
    pipeline_ids = list(dict.fromkeys(str(line.fields.get("pipeline_id") or "") for line in read.lines))
    pipeline_ids = [pipeline_id for pipeline_id in pipeline_ids if pipeline_id]
    if not pipeline_ids:
        return read, None
    kind: Kind = "message id" if "message_id" in kinds else "event id"
    if "trace_id" in kinds:
        kind = "trace id" if given == term else "traceparent"
    if "pipeline_id" in kinds:
        kind = "pipeline id"
    where = f"the logs of {read.lines[0].function}"
    return read, _found(target, given, kind, where, pipeline_ids)


def _nothing(target: Target, given: str, since: timedelta, searched: Sequence[Read]) -> str:
    logs = f"the logs of the last {_told(since)}"
    if cut := sorted(name for read in searched for name in read.cut):
        logs += f" (not to the end: {', '.join(cut)})"
    return (
        f"No run with the id {given!r} was found in environment {target.env!r}. Searched: the records, the "
        f"executions, the dead-letter queues, {logs}. Not searched: messages that wait in a queue, and archived ones "
        "(`pipeline dlq export --archived`). To search older logs, give e.g. --since 7d; to search another "
        "environment, give --env."
    )


def _told(since: timedelta) -> str:
    hours = since.total_seconds() / 3_600
    if hours >= 48:
        return f"{hours / 24:g} days"
    return f"{hours:g} hours" if hours >= 1 else f"{since.total_seconds() / 60:g} minutes"
