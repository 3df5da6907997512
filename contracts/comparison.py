"""Comparison of two sets of schemas: what changed, who can still read what, and which services break."""

from collections.abc import Collection, Mapping
from typing import Literal

from msgspec import Struct

from contracts.alternatives import Schema
from contracts.changes import Change, changes
from contracts.compatibility import Obstacle, obstacles
from contracts.parties import Parties, parties, results_in
from operations.wording import listed

Schemas = Mapping[str, Schema]
"""Schemas by title: an event's detail-type, or a result's type and version."""


class Breakage(Struct, frozen=True):
    """A service that a change breaks. `when` completes the sentence "`service` breaks …"."""

    service: str
    when: str


class Comparison(Struct, frozen=True, kw_only=True):
    """One event or result whose schema is not what it was."""

    name: str
    state: Literal["added", "changed", "removed", "retired"]
    publishers: tuple[str, ...]
    consumers: tuple[str, ...]
    changes: tuple[Change, ...] = ()
    old_reads_new: tuple[str, ...] = ()
    """Why an old consumer can't read every new event, each a sentence; empty if it can."""
    new_reads_old: tuple[str, ...] = ()
    breaks: tuple[Breakage, ...] = ()

    @property
    def compatible(self) -> bool:
        return self.state != "removed" and not self.old_reads_new and not self.new_reads_old


def compare(old: Schemas, new: Schemas, *, retired: Collection[str] = ()) -> list[Comparison]:
    """Return the schemas that differ, by name. `retired` versions were given up on purpose."""
    comparisons = []
    for name in sorted({*old, *new}):
        who = parties(name)
        if name not in new:
            comparisons.append(_removed(name, who, on_purpose=name in retired))
        elif name not in old:
            comparisons.append(
                Comparison(name=name, state="added", publishers=who.publishers, consumers=who.consumers)
            )
        elif (comparison := _changed(name, who, old[name], new[name])) is not None:
            comparisons.append(comparison)
    return comparisons


def _removed(name: str, who: Parties, *, on_purpose: bool) -> Comparison:
    when = "because it can't read events of this version any more, including those in queues and DLQs"
    return Comparison(
        name=name,
        state="retired" if on_purpose else "removed",
        publishers=who.publishers,
        consumers=who.consumers,
        breaks=() if on_purpose else tuple(Breakage(service, when) for service in who.consumers),
    )


def _changed(name: str, who: Parties, old: Schema, new: Schema) -> Comparison | None:
    at = "$.detail" if "metadata" in old.get("properties", {}) else "$"
    different = changes(old, new, at=at)
    forwards, backwards = obstacles(new, old, at=at), obstacles(old, new, at=at)
    if not (different or forwards or backwards):
        return None
    return Comparison(
        name=name,
        state="changed",
        publishers=who.publishers,
        consumers=who.consumers,
        changes=tuple(different),
        old_reads_new=tuple(_sentence(obstacle, "new", "old") for obstacle in forwards),
        new_reads_old=tuple(_sentence(obstacle, "old", "new") for obstacle in backwards),
        breaks=_breaks(name, who, forwards=bool(forwards), backwards=bool(backwards)),
    )


def _sentence(obstacle: Obstacle, event: str, consumer: str) -> str:
    article = {"new": "a new", "old": "an old"}
    return (
        f"In {article[event]} event {obstacle.path} {obstacle.may}; "
        f"{article[consumer]} consumer {obstacle.takes}."
    )


def _breaks(name: str, who: Parties, *, forwards: bool, backwards: bool) -> tuple[Breakage, ...]:
    """Return which consumers break: on new events until their new version is deployed, on old events after that."""
    sources = listed(dict.fromkeys([*who.publishers, *results_in(name)])) or "earlier deployments"
    breakages = []
    for service in who.consumers:
        if forwards:
            breakages.append(
                Breakage(service, f"until its new version is deployed, on new events of {sources}")
            )
        if backwards:
            breakages.append(
                Breakage(
                    service,
                    f"once its new version is deployed, on old events of {sources}, including those in queues "
                    "and DLQs",
                )
            )
    return tuple(breakages)
