"""Turns an event of an older version into the newest that a service reads, step by step: v1 -> v2 -> v3.

A step is a plain function from one version's type to the next. Each event's chain of versions is checked when this
module is imported, so a release with a missing step can't start.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from typing import Any, Final, Generic, TypeVar, cast

from msgspec import Struct

from shared.contracts import v1, v2
from shared.contracts.envelope import Event
from shared.contracts.stages import STAGES


def _every_version() -> tuple[type[Event], ...]:
    """Return the events in the order of a run; of two types for one version, the stage table's."""
    first, *rest = v1.EVENTS
    found: dict[str, type[Event]] = {}
    for kind in (first, *(stage.request for stage in STAGES), *rest, *v2.EVENTS):
        found.setdefault(kind.detail_type(), kind)
    return tuple(found.values())


EVENTS: Final = _every_version()
"""Every version of every event. Versions exist side by side: a new one is added, none is replaced."""

Old = TypeVar("Old", bound=Event)
New = TypeVar("New", bound=Event)
E = TypeVar("E", bound=Event)


class ChainError(Exception):
    """The versions of an event do not form one chain; the text names the event and the versions."""


class Upcaster(Struct, Generic[Old, New], frozen=True):
    """One step. `upcast` gets a valid event of the old version and returns a valid event of the new one."""

    old: type[Old]
    new: type[New]
    upcast: Callable[[Old], New]


class Chain(Struct, frozen=True):
    """The versions of one event, oldest first, and the step from each to the next."""

    versions: tuple[type[Event], ...]
    steps: tuple[Upcaster[Any, Any], ...]


def chains(events: Iterable[type[Event]], upcasters: Iterable[Upcaster[Any, Any]]) -> dict[str, Chain]:
    """Return each event's chain by name. Raises ChainError for a gap, cycle, duplicate or skipped version."""
    versions: dict[str, dict[int, type[Event]]] = {}
    for event in events:
        if event.VERSION in versions.setdefault(event.NAME, {}):
            raise ChainError(f"{event.NAME}: there are two types for v{event.VERSION}")
        versions[event.NAME][event.VERSION] = event
    steps: dict[str, dict[int, Upcaster[Any, Any]]] = {name: {} for name in versions}
    for step in upcasters:
        _check_step(step, versions)
        known = steps[step.old.NAME]
        if step.old.VERSION in known:
            raise ChainError(
                f"{step.old.NAME}: there are two upcasters from v{step.old.VERSION} to v{step.new.VERSION}"
            )
        known[step.old.VERSION] = step
    return {name: _chain(name, known, steps[name]) for name, known in versions.items()}


def _check_step(step: Upcaster[Any, Any], versions: Mapping[str, Mapping[int, type[Event]]]) -> None:
    """Raise ChainError unless a step leads from a known version to the next one."""
    old, new = step.old, step.new
    if old.NAME != new.NAME:
        raise ChainError(f"{old.NAME}: the upcaster from v{old.VERSION} leads to {new.detail_type()}")
    for side in (old, new):
        if versions.get(side.NAME, {}).get(side.VERSION) is not side:
            raise ChainError(
                f"{old.NAME}: the upcaster from v{old.VERSION} to v{new.VERSION} has a type of "
                f"v{side.VERSION} that is not in the table of events"
            )
    if new.VERSION <= old.VERSION:
        raise ChainError(f"{old.NAME}: the upcaster from v{old.VERSION} leads back to v{new.VERSION}")
    if new.VERSION != old.VERSION + 1:
        raise ChainError(
            f"{old.NAME}: the upcaster from v{old.VERSION} leads to v{new.VERSION} and skips v{old.VERSION + 1}"
        )


def _chain(name: str, known: Mapping[int, type[Event]], steps: Mapping[int, Upcaster[Any, Any]]) -> Chain:
    ordered = sorted(known)
    for old, new in pairwise(ordered):
        if new != old + 1:
            raise ChainError(f"{name}: there is a v{old} and a v{new}, and no v{old + 1} between them")
        if old not in steps:
            raise ChainError(f"{name}: there is no upcaster from v{old} to v{new}")
    return Chain(tuple(known[version] for version in ordered), tuple(steps[old] for old in ordered[:-1]))


# --- the project's own versions ----------------------------------------------------------------------------


def as_conversation(old: v1.PipelineRequested) -> v2.PipelineRequested:
    """Return the request as a conversation of one turn."""
    return v2.PipelineRequested(messages=(v1.Turn(role="user", text=old.user_message),))


UPCASTERS: Final[tuple[Upcaster[Any, Any], ...]] = (
    Upcaster(v1.PipelineRequested, v2.PipelineRequested, as_conversation),
)

CHAINS: Final[Mapping[str, Chain]] = chains(EVENTS, UPCASTERS)


def readable(newest: type[Event], known: Mapping[str, Chain] = CHAINS) -> tuple[type[Event], ...]:
    """Return the versions that a consumer of `newest` reads, oldest first."""
    return tuple(kind for kind in known[newest.NAME].versions if kind.VERSION <= newest.VERSION)


def upcast(event: Event, newest: type[E], known: Mapping[str, Chain] = CHAINS) -> E:
    """Return `event` as `newest`, the type of the same event in the same or a later version."""
    for step in known[newest.NAME].steps:
        if event.VERSION == step.old.VERSION < newest.VERSION:
            event = step.upcast(event)
    return cast("E", event)
