"""Sums the cost of a day's runs, and decides whether the starter is to pause. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from msgspec.structs import replace

from shared.budget import AMOUNT, MOMENT, UNKNOWN, Orders, Spent, State, day_of
from shared.contracts.record import iso

SETTLED_AFTER: Final = timedelta(minutes=3)
"""The age at which an index entry is final: a write takes half a minute at most, the index a moment more."""
AT_ONCE: Final = timedelta(minutes=15)
"""Size of one catch-up window. Progress is stored after each, so a late guard resumes where it stopped."""

Action = Literal["pause", "resume"]
AWAKE, ASLEEP = "Enabled", "Disabled"
"""The states in which the starter's mapping can be changed. In every other state, it is changing to one of them."""


def today(state: State, now: datetime) -> State:
    """Return the state to continue from; on a new day, one with nothing spent."""
    day = day_of(now)
    if state.day == day:
        return state
    return replace(state, day=day, upto=iso(_midnight(now)), settled=Spent(), spent=Spent())


def ends(state: State, now: datetime) -> list[str]:
    """Return the ends of the windows to read, in order; the last is the end of the day."""
    moment = datetime.fromisoformat(state.upto) + AT_ONCE
    moments = []
    while moment < now - SETTLED_AFTER:
        moments.append(iso(moment))
        moment += AT_ONCE
    return [*moments, iso(_midnight(now) + timedelta(days=1))]


def fold(state: State, entries: Iterable[Mapping[str, Any]], end: str, now: datetime) -> State:
    """Return the state with `entries` added: those of the index from `state.upto` to `end`.

    Entries that are old enough to be final (SETTLED_AFTER) are added to `settled`, and not read again.
    """
    until = max(state.upto, min(end, iso(now - SETTLED_AFTER)))
    settled, fresh = state.settled, Spent()
    for entry in entries:
        run = Spent(nano_usd=entry[AMOUNT], runs=1, unknown=int(entry[UNKNOWN]))
        if entry[MOMENT] < until:
            settled += run
        else:
            fresh += run
    return replace(state, upto=until, settled=settled, spent=settled + fresh)


def decide(state: State, orders: Orders, limit_nano_usd: int, now: datetime) -> tuple[State, Action | None]:
    """Return the new state, and what to do with the starter's mapping, whose state is `state.starter`.

    The guard enables the mapping only if the guard itself disabled it. While there is a reason to pause, the guard
    disables a mapping that somebody enabled by hand. The starter resumes when no reason is left: on a new day, after
    an operator's order, or with a higher budget.
    """
    limit = orders.limit(limit_nano_usd, state.day)
    over = limit is not None and state.spent.nano_usd >= limit
    why = "operator" if orders.hold else "budget" if over else None
    state = replace(state, limit_nano_usd=limit, looked_at=iso(now))
    if why and state.starter == AWAKE:
        since = state.since if state.paused else iso(now)
        return replace(state, paused=True, why=why, since=since), "pause"
    if why:
        return replace(state, why=why, since=state.since or iso(now)), None
    if state.paused and state.starter == ASLEEP:
        return _running(state), "resume"
    if state.starter == AWAKE or not state.paused:
        return _running(state), None
    return state, None


def without_budget(state: State, now: datetime) -> tuple[State, Action | None]:
    """Return the new state, and what to do, when a deployment has taken the budget away and the guard is still there.

    The guard resumes the starter if the guard itself paused it, and pauses it no more.
    """
    state = replace(state, looked_at=iso(now))
    if state.paused and state.starter == ASLEEP:
        return _running(state), "resume"
    return (_running(state) if state.starter == AWAKE else state), None


def _running(state: State) -> State:
    return replace(state, paused=False, why=None, since=None)


def _midnight(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
