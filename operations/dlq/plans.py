"""A plan on paper, and its carrying out in phases: the canaries and their runs, the rest and theirs.

A plan has no body of a message and no task token, so that it can be kept in a file. Its messages are received again
when it is carried out, and what is done with each is decided again: never more than the plan says.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from operations.dlq.messages import Kind, Parked, data_of
from operations.dlq.plan import Action, Decision, Planned
from operations.dlq.replay import Options, Replay, Result, archive
from operations.dlq.snapshot import Snapshot
from operations.errors import InvalidInputError
from operations.json_text import cleaned
from operations.money.estimate import Estimate, Rates, estimate, work_of_message
from operations.runs.ends import End, ends
from operations.stop import Stop
from operations.target import Target
from shared.contracts.record import FINAL

What = Literal["replay", "archive", "edit", "again", "cancel"]
"""The last two are for runs (`run_plans.py`), whose lines have the run's id in the place of a message's."""
Phase = Literal["canary", "canary runs", "rest", "runs"]
REASON_CHARS = 1_000
RATES = (0.1, 500.0)
"""The slowest and the fastest replay, in messages per second."""


class Decided(Protocol):
    """A message or a run, and what is to be done with it."""

    @property
    def decision(self) -> Decision: ...


T = TypeVar("T", bound=Decided)


class Line(Struct, frozen=True, kw_only=True):
    """One message of a plan, what is to be done with it and why, and what that will cost."""

    message_id: str
    service: str
    queue: Kind = "dlq"
    parked_at: datetime
    error_type: str
    error: str
    detail_type: str
    pipeline_id: str | None
    execution_arn: str | None
    action: Action
    reason: str
    rerun: bool = False
    nano_usd: int | None = None
    has_run: bool = True

    @property
    def decision(self) -> Decision:
        return Decision(action=self.action, reason=self.reason, rerun=self.rerun)

    def as_planned(self) -> Planned:
        message = Parked(
            id=self.message_id,
            service=self.service,
            kind=self.queue,
            sent_at=self.parked_at,
            error_type=self.error_type,
            error=self.error,
            body="",
            detail_type=self.detail_type,
            pipeline_id=self.pipeline_id,
            execution_arn=self.execution_arn,
        )
        return Planned(message=message, decision=self.decision, has_run=self.has_run)


class Plan(Struct, frozen=True, kw_only=True):
    """What is to be done with some parked messages.

    `data` replaces the data of the only message of an edit, `before` is what it had. `seen_at` is the time of the
    reading on which the plan is based.
    """

    what: What
    seen_at: datetime
    lines: tuple[Line, ...]
    estimate: Estimate
    restart: bool = False
    reason: str = ""
    data: Mapping[str, Any] | None = None
    before: Mapping[str, Any] | None = None

    @property
    def is_of_runs(self) -> bool:
        return self.what in ("again", "cancel")

    @property
    def acts(self) -> tuple[Line, ...]:
        """The lines on which something is done."""
        return tuple(line for line in self.lines if line.action is not Action.LEAVE)

    @property
    def actions(self) -> dict[Action, int]:
        counted = Counter(line.action for line in self.lines)
        return {action: counted[action] for action in Action if counted[action]}


class Order(Struct, frozen=True, kw_only=True):
    """How a plan is carried out, and by whom."""

    who: str
    canary: int = 0
    rate: float = 10.0


class Note(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened: a phase began, a message was acted on, a run ended, or the canary's verdict.

    `total` is the number of messages or runs of the phase.
    """

    phase: Phase | None = None
    total: int = 0
    result: Result | None = None
    end: End | None = None
    canary_held: bool | None = None


def replay_plan(
    planned: Sequence[Planned],
    seen: Snapshot,
    *,
    restart: bool = False,
    data: Mapping[str, Any] | None = None,
) -> Plan:
    """Return the plan of a replay; of an edit, if `data` replaces the data of the only message."""
    return Plan(
        what="replay" if data is None else "edit",
        seen_at=seen.at,
        lines=tuple(_line(item, seen.rates) for item in planned),
        estimate=estimate([work_of_message(item) for item in planned], seen.rates),
        restart=restart,
        data=data,
        before=None if data is None else data_of(planned[0].message),
    )


def archive_plan(planned: Sequence[Planned], seen_at: datetime, reason: str) -> Plan:
    """Return a plan that archives messages whatever became of their runs. Raises InvalidInputError."""
    reason = cleaned(reason).strip()
    if not 0 < len(reason) <= REASON_CHARS:
        raise InvalidInputError(
            f"Give a reason of 1 to {REASON_CHARS:,} characters; it is stored with every message."
        )
    decision = Decision(action=Action.ARCHIVE, reason=reason)
    items = [replace(item, decision=decision) for item in planned]
    return Plan(
        what="archive",
        seen_at=seen_at,
        lines=tuple(_line(item, Rates()) for item in items),
        estimate=estimate([], Rates()),
        reason=reason,
    )


def order(who: str, canary: str, rate: str) -> Order:
    """Return an order of what somebody typed. Raises InvalidInputError."""
    slowest, fastest = RATES
    try:
        number, speed = int(canary or "0"), float(rate or "10")
    except ValueError:
        number, speed = -1, 0.0
    if number < 0 or not slowest <= speed <= fastest:
        raise InvalidInputError(
            f"The canary is a number of messages, 0 for none; the rate is {slowest:g} to {fastest:g} messages per "
            "second. Nothing was done."
        )
    return Order(who=who, canary=number, rate=speed)


def carried_out(target: Target, plan: Plan, how: Order, stop: Stop) -> Iterator[Note]:
    """Carry out a plan and yield what happens. After a stop, no run is awaited."""
    canary = how.canary if how.canary < len(plan.acts) else 0
    act = _act(target, plan, how, stop)
    for note in in_phases(target, plan.acts, act, canary, stop):
        if stop.requested and note.phase in ("canary runs", "runs"):
            return
        if not (stop.requested and note.end and note.end.status not in FINAL):
            yield note


def in_phases(
    target: Target,
    items: Sequence[T],
    act: Callable[[Sequence[T]], Iterator[Result]],
    canary: int,
    stop: Stop,
) -> Iterator[Note]:
    """Act on items and yield what happens: first on so many canaries, whose runs are awaited, then on the rest.

    The rest is left if a canary's message or run fails. Items that start or continue a run are preferred as canaries:
    only runs can fail. Whoever does not wait for the other runs stops reading at the phase `runs`.
    """
    if canary:
        ordered = sorted(items, key=lambda item: not item.decision.action.starts_work)
        first, items = ordered[:canary], ordered[canary:]
        held = True
        for note in _phase(target, "canary", first, act, stop):
            held = (
                held and (note.result is None or note.result.reached) and (note.end is None or note.end.good)
            )
            yield note
        if stop.requested:
            return
        yield Note(canary_held=held)
        if not held:
            return
    yield from _phase(target, "rest", items, act, stop)


def _phase(
    target: Target,
    name: Literal["canary", "rest"],
    items: Sequence[T],
    act: Callable[[Sequence[T]], Iterator[Result]],
    stop: Stop,
) -> Iterator[Note]:
    yield Note(phase=name, total=len(items))
    started = set()
    for result in act(items):
        if result.starts_run and result.pipeline_id:
            started.add(result.pipeline_id)
        yield Note(result=result)
    if started:
        yield Note(phase="canary runs" if name == "canary" else "runs", total=len(started))
        yield from (Note(end=end) for end in ends(target, started, stop=stop))


def _act(target: Target, plan: Plan, how: Order, stop: Stop) -> Callable[[Sequence[Line]], Iterator[Result]]:
    """Return the function that acts on lines of the plan. Its pace is kept from one call to the next."""
    if plan.is_of_runs:
        from operations.dlq.run_plans import acted  # noqa: PLC0415 -- it makes plans of this module

        return lambda lines: acted(target, plan, how, lines, stop)
    options = Options(rate=how.rate, restart=plan.restart, data=plan.data)
    replay = Replay(target, who=how.who, options=options, stop=stop)

    def act(lines: Sequence[Line]) -> Iterator[Result]:
        planned = [line.as_planned() for line in lines]
        if plan.what == "archive":
            messages = [item.message for item in planned]
            return archive(target, messages, who=how.who, reason=plan.reason, stop=stop)
        return replay.run(planned)

    return act


def _line(item: Planned, rates: Rates) -> Line:
    message, decision = item.message, item.decision
    return Line(
        message_id=message.id,
        service=message.service,
        queue=message.kind,
        parked_at=message.sent_at,
        error_type=message.error_type,
        error=message.error,
        detail_type=message.detail_type,
        pipeline_id=message.pipeline_id,
        execution_arn=message.execution_arn,
        action=decision.action,
        reason=decision.reason,
        rerun=decision.rerun,
        nano_usd=work_of_message(item).cost(rates),
        has_run=item.has_run,
    )
