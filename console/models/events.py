"""The catalogue of events as its pages show it."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from console.models.graph import Graph, graph
from console.models.words import Status
from console.routes import link
from console.text import line
from contracts.catalogue import Entry, Field, Refusal, Version
from contracts.changes import Change
from contracts.comparison import Comparison
from contracts.parties import PUBLISHERS
from operations.runs.logs import Line, Read
from operations.wording import counted, listed
from shared.contracts.envelope import SOURCE

MOST_REFUSALS = 100
STATES = {
    "added": Status(mark="+", word="new", tone="good"),
    "changed": Status(mark="✓", word="compatible", tone="good"),
    "retired": Status(mark="-", word="retired", tone="still"),
    "removed": Status(mark="✗", word="removed", tone="bad"),
}
BREAKS = Status(mark="✗", word="breaks", tone="bad")


class EventRow(Struct, frozen=True, kw_only=True):
    """One version in the list. `way` is how it travels; `release` says whether others may rely on it."""

    detail_type: str
    address: str
    senders: str
    readers: str
    way: str
    release: str
    newest: bool
    meaning: str


class ChangeView(Struct, frozen=True, kw_only=True):
    """One contract that is not what it was in the last release."""

    name: str
    address: str
    """The page of the event; empty for the result of a stage, which has none."""
    status: Status
    parties: str
    changes: tuple[str, ...]
    obstacles: tuple[str, ...]
    breaks: tuple[str, ...]


class EventsView(Struct, frozen=True, kw_only=True):
    rows: tuple[EventRow, ...]
    graph: Graph
    against: str
    """What the contracts are compared with; empty if there is nothing to compare with."""
    verdict: str
    unreleased: tuple[ChangeView, ...]


class RefusedRow(Struct, frozen=True, kw_only=True):
    """One message that was refused. `address` finds its run or message; empty if it named none."""

    at: datetime
    service: str
    detail_type: str
    why: str
    name: str
    address: str


class RefusedView(Struct, frozen=True, kw_only=True):
    headline: str
    notes: tuple[str, ...]
    rows: tuple[RefusedRow, ...]


class RefusalView(Struct, frozen=True, kw_only=True):
    change: str
    reasons: tuple[str, ...]
    event: str


class EventView(Struct, frozen=True, kw_only=True):
    row: EventRow
    fields: tuple[Field, ...]
    examples: tuple[str, ...]
    refusals: tuple[RefusalView, ...]
    schema: str
    snippet: str
    """How a program publishes it; empty if only the pipeline's own services do."""


def events_view(
    versions: Sequence[Version], against: str, released: Mapping[str, Any], compared: Sequence[Comparison]
) -> EventsView:
    known = {one.detail_type: one for one in versions}
    broken = [one.name for one in compared if not one.compatible]
    number = f"{len(compared)} unreleased change{'' if len(compared) == 1 else 's'}"
    return EventsView(
        rows=tuple(event_row(one, released, compared) for one in versions),
        graph=graph(versions),
        against=against,
        verdict=f"Breaks: {listed(broken)}."
        if broken
        else f"{number}, compatible: nobody breaks."
        if compared
        else "Nothing changed since.",
        unreleased=tuple(_change(one, known) for one in compared),
    )


def event_row(version: Version, released: Mapping[str, Any], compared: Sequence[Comparison]) -> EventRow:
    who = version.parties
    changed = any(one.name == version.detail_type and one.state == "changed" for one in compared)
    return EventRow(
        detail_type=version.detail_type,
        address=link("event", name=version.name, version=version.version),
        senders=listed(who.publishers) or "nobody any more",
        readers=listed(who.consumers) or "nobody",
        way="over the bus" if version.on_the_bus else "to the reader's queue",
        release="not released yet"
        if version.detail_type not in released
        else "released, changed since"
        if changed
        else "released",
        newest=version.newest,
        meaning=version.meaning,
    )


def event_view(entry: Entry, row: EventRow, bus: str) -> EventView:
    outside = PUBLISHERS in entry.version.parties.publishers
    return EventView(
        row=row,
        fields=entry.fields,
        examples=tuple(_text(example) for example in entry.examples),
        refusals=tuple(map(_refusal, entry.refusals)),
        schema=_text(entry.schema),
        snippet=_snippet(entry, bus) if outside else "",
    )


def refusals_view(read: Read) -> RefusedView:
    notes = []
    if read.missing:
        notes.append(f"Without logs: {', '.join(read.missing)}.")
    if read.cut:
        notes.append(f"Not searched to the end: {', '.join(read.cut)}.")
    left_out = len(read.lines) - MOST_REFUSALS
    if left_out > 0:
        notes.append(f"The latest {MOST_REFUSALS} are shown, {left_out:,} are not.")
    return RefusedView(
        headline=f"{counted(len(read.lines), 'message')} refused.",
        notes=tuple(notes),
        rows=tuple(map(_refused, read.lines[:MOST_REFUSALS])),
    )


def _refused(one: Line) -> RefusedRow:
    ids = {name: str(one.fields.get(name) or "") for name in ("pipeline_id", "event_id", "message_id")}
    name = ids["pipeline_id"] or ids["event_id"] or ids["message_id"]
    return RefusedRow(
        at=one.at,
        service=one.function,
        detail_type=line(str(one.fields.get("detail_type") or ""), 80),
        why=line(one.text, 300),
        name=line(name, 64),
        address=link("find", q=name) if name else "",
    )


def sentences(changes: Sequence[Change]) -> tuple[str, ...]:
    return tuple(f"{change.path} {change.text}" for change in changes)


def _change(compared: Comparison, known: Mapping[str, Version]) -> ChangeView:
    version = known.get(compared.name)
    return ChangeView(
        name=compared.name,
        address=link("event", name=version.name, version=version.version) if version else "",
        status=STATES[compared.state] if compared.compatible else BREAKS,
        parties=f"from {listed(compared.publishers) or 'nobody'} to {listed(compared.consumers) or 'nobody'}",
        changes=sentences(compared.changes),
        obstacles=(*compared.old_reads_new, *compared.new_reads_old),
        breaks=tuple(f"{one.service} breaks {one.when}." for one in compared.breaks),
    )


def _refusal(refusal: Refusal) -> RefusalView:
    return RefusalView(
        change=refusal.change,
        reasons=tuple(f"{one.path} {one.reason}" for one in refusal.violations),
        event=_text(refusal.detail),
    )


def _snippet(entry: Entry, bus: str) -> str:
    return (
        "import boto3\nimport json\n\n"
        f"detail = {entry.examples[0]!r}\n"
        'boto3.client("events").put_events(Entries=[{\n'
        f'    "EventBusName": {bus!r},\n    "Source": {SOURCE!r},\n'
        f'    "DetailType": {entry.version.detail_type!r},\n'
        '    "Detail": json.dumps(detail),\n}])\n'
    )


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
