"""Parked messages as their pages show them: by cause, of one cause, and one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from console.routes import link
from console.text import line
from operations.dlq.causes import Cause, actions, causes, of_cause
from operations.dlq.contract import correctable, problems
from operations.dlq.messages import Parked
from operations.dlq.plan import Action, Planned
from operations.dlq.snapshot import Count, Snapshot
from operations.health.rights import is_denial
from operations.money.estimate import Estimate, estimate, work_of_message
from operations.wording import counted, duration, usd

SOON_SECONDS = 2 * 86_400.0
ON_A_PAGE = 50
ERROR_CHARS = 200
TONES: Mapping[Action, str] = {
    Action.MOVE: "good",
    Action.REDRIVE: "good",
    Action.RESTART: "good",
    Action.ARCHIVE: "busy",
    Action.LEAVE: "warn",
    Action.CANCEL: "warn",
}


class Left(Struct, frozen=True, kw_only=True):
    """How long SQS keeps a message."""

    text: str
    soon: bool


class CauseRow(Struct, frozen=True, kw_only=True):
    key: str
    address: str
    service: str
    error_type: str
    text: str
    is_denial: bool
    """AWS denied a call, so the doctor may name the role."""
    count: int
    oldest: datetime
    left: Left
    doing: tuple[tuple[str, str], ...]
    """What a replay would do, e.g. `move back 12`, each with its tone."""
    cost: str
    is_retried: bool
    """Whether a replay would try again what had failed."""
    good_at: datetime | None
    is_over: bool
    """Whether a run got through the service, at `good_at`, after the last of these messages was parked."""


class MessageRow(Struct, frozen=True, kw_only=True):
    id: str
    address: str
    parked_at: datetime
    left: Left
    pipeline_id: str
    run: str
    """The address of the run; empty if none was started, or the message names none."""
    action: str
    tone: str
    reason: str


class ParkedView(Struct, frozen=True, kw_only=True):
    """All that was read. `now_parked` is SQS's own count of this moment, `held` how many of them somebody reads.

    `is_old`: that count differs from what was read, so that the table is not what is parked now. `acted`: a plan has
    acted on messages since they were read. `idle` says why a replay would do nothing; empty if it would do something.
    """

    at: datetime
    total: int
    now_parked: int
    held: int
    soonest: Left | None
    causes: tuple[CauseRow, ...]
    doing: tuple[tuple[str, str], ...]
    cost: str
    left_out: bool
    is_old: bool
    acted: bool
    idle: str


class CauseView(Struct, frozen=True, kw_only=True):
    """One cause with a page of its messages. `reason` is why a replay would do what it would, if it is the same for
    all; `acted` and `idle` as in `ParkedView`. `correction` is where the first message that breaks its contract can
    be corrected; empty if none can.
    """

    at: datetime
    acted: bool
    cause: CauseRow
    example: str
    reason: str
    idle: str
    correction: str
    rows: tuple[MessageRow, ...]
    start: int
    newer: str
    older: str


def parked_view(snapshot: Snapshot, known: Sequence[Count]) -> ParkedView:
    found = causes(snapshot.planned, snapshot.rates, snapshot.good)
    now_parked = sum(one.visible + one.held for one in known)
    whole = estimate([work_of_message(item) for item in snapshot.planned], snapshot.rates)
    soonest = min((one.deleted_at for one in found if one.deleted_at), default=None)
    return ParkedView(
        at=snapshot.at,
        total=len(snapshot.planned),
        now_parked=now_parked,
        held=sum(one.held for one in known),
        soonest=left(soonest) if soonest else None,
        causes=tuple(map(_cause_row, found)),
        doing=doing(actions(snapshot.planned)),
        cost=cost(whole),
        left_out=snapshot.left_out,
        is_old=bool(known) and not snapshot.left_out and now_parked != len(snapshot.planned),
        acted=snapshot.acted,
        idle=idle(snapshot.planned),
    )


def cause_view(snapshot: Snapshot, key: str, start: int) -> CauseView | None:
    """Return one cause; None if none of its messages is on the snapshot."""
    items = of_cause(snapshot.planned, key)
    if not items:
        return None
    (cause,) = causes(items, snapshot.rates, snapshot.good)
    reasons = {item.decision.reason for item in items}
    start = start if 0 <= start < len(items) else 0
    end = start + ON_A_PAGE
    return CauseView(
        at=snapshot.at,
        acted=snapshot.acted,
        cause=_cause_row(cause),
        example=cause.example,
        reason=reasons.pop() if len(reasons) == 1 else "",
        idle=idle(items),
        correction=next(map(_correction, filter(_can_be_corrected, items[:ON_A_PAGE])), ""),
        rows=tuple(map(_message_row, items[start:end])),
        start=start,
        newer=link("parked", cause=key, start=max(0, start - ON_A_PAGE) or "") if start else "",
        older=link("parked", cause=key, start=end) if end < len(items) else "",
    )


def idle(items: Sequence[Planned]) -> str:
    """Return why a replay of these messages would do nothing; empty if it would do something."""
    if not items or any(item.decision.action is not Action.LEAVE for item in items):
        return ""
    reasons = {item.decision.reason for item in items}
    why = reasons.pop() if len(reasons) == 1 else "Each says why it can't be replayed."
    return f"A replay would leave {'it' if len(items) == 1 else 'all of them'} parked. {why}"


def left(moment: datetime | None) -> Left:
    """Return how long it is until SQS deletes a message."""
    if moment is None:
        return Left(text="never", soon=False)
    seconds = (moment - datetime.now(UTC)).total_seconds()
    return Left(
        text=f"in {duration(seconds * 1_000)}" if seconds > 0 else "at any moment",
        soon=seconds < SOON_SECONDS,
    )


def doing(counts: Mapping[Action, int]) -> tuple[tuple[str, str], ...]:
    return tuple((f"{action} {number:,}", TONES[action]) for action, number in counts.items())


def cost(expected: Estimate) -> str:
    """Return what is expected to be paid, in words."""
    if not expected.runs:
        return "nothing"
    if expected.nano_usd is None:
        return "not known: no run has succeeded yet"
    return f"about {usd(expected.nano_usd)}" + ("" if expected.complete else ", plus what has no known price")


def cost_source(expected: Estimate) -> str:
    """Return where an estimate comes from; empty if there is none."""
    if not expected.runs or expected.nano_usd is None:
        return ""
    recalled = (
        f"; {counted(expected.answered, 'stored answer')} not paid for again" if expected.answered else ""
    )
    return f"estimated from {counted(expected.by_runs, 'finished run')}{recalled}"


def run_address(pipeline_id: str | None, *, has_run: bool) -> str:
    """Return the address of a message's run; empty if there is none."""
    return link("run", pipeline_id=pipeline_id) if pipeline_id and has_run else ""


def where(message: Parked) -> str:
    return message.service if message.kind == "dlq" else f"{message.service} (rule)"


def _cause_row(cause: Cause) -> CauseRow:
    return CauseRow(
        key=cause.key,
        address=link("parked", cause=cause.key),
        service=cause.service,
        error_type=cause.error_type,
        text=line(cause.text, ERROR_CHARS),
        is_denial=is_denial(cause.error_type, cause.example),
        count=cause.count,
        oldest=cause.oldest,
        left=left(cause.deleted_at),
        doing=doing(cause.actions),
        cost=cost(cause.estimate),
        is_retried=any(action.starts_work for action in cause.actions),
        good_at=cause.good_at,
        is_over=cause.is_over,
    )


def _can_be_corrected(item: Planned) -> bool:
    return bool(problems(item.message)) and correctable(item.message) is not None


def _correction(item: Planned) -> str:
    return f"{link('message', message_id=item.message.id)}#correct"


def _message_row(item: Planned) -> MessageRow:
    message, decision = item.message, item.decision
    return MessageRow(
        id=message.id,
        address=link("message", message_id=message.id),
        parked_at=message.sent_at,
        left=left(message.deleted_at),
        pipeline_id=message.pipeline_id or "",
        run=run_address(message.pipeline_id, has_run=item.has_run),
        action=str(decision.action),
        tone=TONES[decision.action],
        reason=decision.reason,
    )
