"""What the tabs of a run's page show: what went in and came out, events, lines of logs, and the cost by stage."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from console.models.waterfall import anchor_of
from console.models.words import Status, of_stage
from console.routes import link
from operations.json_text import loosely, written
from operations.runs.runs import took
from operations.runs.trail import Trail, Visit
from operations.wording import duration
from shared.contracts.limits import REVISION_CHARS
from shared.costs.lines import Ledger, Line

PAYLOAD_CHARS = 16_000
"""The largest part of a payload that a page shows; the raw text has all of it."""
TEXT_CHARS = 4_000
"""The same of what says why something failed."""
MOST_EVENTS = 200
DETAILS_CHARS = 1_000
"""The same of one event, of which a page shows many."""


class Payload(Struct, frozen=True, kw_only=True):
    """A text of a stranger, cut. `left_out` counts the characters that only the raw text has."""

    text: str
    left_out: int
    raw: str


class TryView(Struct, frozen=True, kw_only=True):
    number: int
    redrive: int
    started_at: datetime
    took: str
    outcome: Status
    problem: str


class VisitView(Struct, frozen=True, kw_only=True):
    """A stay in a state, with what went in and came out. It is open at once if something failed in it."""

    anchor: str
    name: str
    state: str
    revision: str
    """Of the code that ran; empty if it is not told."""
    deployed: str
    """The revision that is deployed now; empty if it is not known."""
    tries: tuple[TryView, ...]
    entry: Payload | None
    output: Payload | None
    is_open: bool

    @property
    def has_other_code(self) -> bool:
        """Other code is deployed now than ran."""
        return bool(self.revision and self.deployed) and self.revision != self.deployed


def visits(
    trail: Trail, pipeline_id: str, execution: str, deployed: Mapping[str, str]
) -> tuple[VisitView, ...]:
    """Return the stays of an execution. `execution` is the name of an earlier one, or empty for the latest.

    `deployed` has the revisions that are deployed now, by the stages' keys.
    """
    return tuple(
        _visit(visit, number, pipeline_id, execution, deployed)
        for number, visit in enumerate(trail.visits)
        if not visit.is_choice
    )


class CodeView(Struct, frozen=True, kw_only=True):
    """The stages of which other code is deployed now than they ran, those of which it is the same, and the others."""

    other: tuple[str, ...]
    same: tuple[str, ...]
    untold: tuple[str, ...]


def code_view(shown: Sequence[VisitView]) -> CodeView:
    told = [one for one in shown if one.revision and one.deployed]
    other = dict.fromkeys(one.name for one in told if one.has_other_code)
    same = dict.fromkeys(one.name for one in told if one.name not in other)
    known = {one.name for one in told}
    untold = dict.fromkeys(one.name for one in shown if one.deployed and one.name not in known)
    return CodeView(other=tuple(other), same=tuple(same), untold=tuple(untold))


def _visit(
    visit: Visit, number: int, pipeline_id: str, execution: str, deployed: Mapping[str, str]
) -> VisitView:
    def payload(part: str, text: str | None) -> Payload | None:
        raw = link("raw", pipeline_id=pipeline_id, part=part, visit=number, execution=execution)
        return cut(text, raw) if text else None

    tries = tuple(
        TryView(
            number=tried.number,
            redrive=tried.redrive,
            started_at=tried.started_at,
            took=duration(took(None, tried.started_at, tried.ended_at)),
            outcome=of_stage({"open": "running", "succeeded": "done"}.get(tried.outcome, "failed")),
            problem=problem_of(tried.error, tried.cause) if tried.error or tried.cause else "",
        )
        for tried in visit.tries
    )
    return VisitView(
        anchor=anchor_of(number),
        name=visit.key or visit.state,
        state=visit.state,
        revision=revision_in(visit.output),
        deployed=deployed.get(visit.key or "", ""),
        tries=tries,
        entry=payload("input", visit.input),
        output=payload("output", visit.output),
        is_open=any(tried.problem for tried in tries),
    )


def cut(text: str, raw: str, most: int = PAYLOAD_CHARS) -> Payload:
    """Return the beginning of a payload, indented if it is JSON that is not too long for that."""
    whole = text
    if len(text) <= PAYLOAD_CHARS:
        value = loosely(text)
        whole = written(value, indent=2) if isinstance(value, (dict, list)) else text
    return Payload(text=whole[:most], left_out=max(0, len(whole) - most), raw=raw)


def as_text(value: Mapping[str, Any] | None) -> str:
    """Return a part of a record as indented JSON."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str) if value else ""


def revision_in(output: str | None) -> str:
    """Return the revision that the meter in a stage's output tells; empty if it tells none."""
    value = loosely(output or "null")
    meter = value.get("meter") if isinstance(value, dict) else None
    return str(meter.get("revision") or "")[:REVISION_CHARS] if isinstance(meter, dict) else ""


def problem_of(error: str | None, cause: str | None) -> str:
    return beginning(": ".join(filter(None, (error, cause)))) or "no reason given"


def beginning(text: str) -> str:
    """Return a text of a stranger as long as one that says what is wrong; the raw texts have all of it."""
    return text if len(text) <= TEXT_CHARS else f"{text[:TEXT_CHARS]} …"


# --- times -------------------------------------------------------------------------------------------------


def since(start: datetime | None, moment: datetime) -> str:
    """Return how long after the start a moment was, in seconds to the millisecond; negative if it was before."""
    if start is None:
        return ""
    milliseconds = round((moment - start).total_seconds() * 1_000)
    sign = "\N{MINUS SIGN}" if milliseconds < 0 else "+"
    return f"{sign}{abs(milliseconds) / 1_000:,.3f} s"


# --- cost --------------------------------------------------------------------------------------------------


class CostGroup(Struct, frozen=True, kw_only=True):
    """The lines of one stage, with their sum; None if no price of theirs is known."""

    stage: str
    lines: tuple[Line, ...]
    nanos: int | None
    waste: int


def cost_groups(ledger: Ledger) -> tuple[CostGroup, ...]:
    """Return the lines of a ledger by stage, in the order of the stages."""
    sums = ledger.by("stage")
    return tuple(
        CostGroup(
            stage=stage,
            lines=lines,
            nanos=sums.get(stage),
            waste=sum(line.nanos or 0 for line in lines if line.waste),
        )
        for stage in dict.fromkeys(line.stage for line in ledger.lines)
        for lines in [tuple(line for line in ledger.lines if line.stage == stage)]
    )
