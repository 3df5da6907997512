"""Pure: from what a day's runs cost to whether the starter is to pause."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from msgspec.structs import replace

from shared.budget import AMOUNT, MOMENT, UNKNOWN, Orders, Spent, State, day_of
from shared.clock import iso

SETTLED_AFTER: Final = timedelta(minutes=3)
"""A record is in the index by then: its write takes half a minute at most, the index a moment."""
AT_ONCE: Final = timedelta(minutes=15)
"""Size of one catch-up window. Progress is stored after each, so a late guard resumes where it stopped."""

Act = Literal["pause", "resume"]
AWAKE, ASLEEP = "Enabled", "Disabled"
"""States of the mapping in which it can be changed. In all others it is on its way to one of them."""


def today(state: State, now: datetime) -> State:
    """The state to go on from: on a new day nothing is spent."""
    day = day_of(now)
    if state.day == day:
        return state
    return replace(state, day=day, upto=iso(_midnight(now)), settled=Spent(), spent=Spent())


def ends(state: State, now: datetime) -> list[str]:
    """The moments up to which to read, one after the other; the last is the end of the day."""
    moment = datetime.fromisoformat(state.upto) + AT_ONCE
    found = []
    while moment < now - SETTLED_AFTER:
        found.append(iso(moment))
        moment += AT_ONCE
    return [*found, iso(_midnight(now) + timedelta(days=1))]


def fold(state: State, entries: Iterable[Mapping[str, Any]], end: str, now: datetime) -> State:
    """`entries` are all of the index from `state.upto` to `end`. What is certainly complete is settled."""
    until = max(state.upto, min(end, iso(now - SETTLED_AFTER)))
    settled, fresh = state.settled, Spent()
    for entry in entries:
        one = Spent(nano_usd=entry[AMOUNT], runs=1, unknown=int(entry[UNKNOWN]))
        if entry[MOMENT] < until:
            settled += one
        else:
            fresh += one
    return replace(state, upto=until, settled=settled, spent=settled + fresh)


def judge(state: State, orders: Orders, limit_nano_usd: int, now: datetime) -> tuple[State, Act | None]:
    """What to do with the mapping, which is in `state.starter`, and the state after it.

    What the guard did not disable it does not enable. What it has disabled stays so while there is reason to, whoever
    enables it meanwhile: to go on is an operator's order, not a click.
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


def _running(state: State) -> State:
    return replace(state, paused=False, why=None, since=None)


def _midnight(now: datetime) -> datetime:
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
