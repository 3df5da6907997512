"""Two runs side by side: what they cost and took, what they made of the message, and how they were set."""

import difflib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Literal

from msgspec import Struct

from console.models.words import Status, of_run, of_stage
from console.routes import link
from operations.json_text import written
from operations.runs.journey import Journey
from operations.runs.stage_views import StageView
from operations.runs.timeline import Bar, bars
from operations.wording import duration, usd
from shared.contracts.record import Record, results_in

DIFF_CHARS = 16_000
"""The beginning of two texts that is compared word by word."""
MOST_VALUES = 200
VALUE_CHARS = 300
SCALE = 100.0
_WORD = re.compile(r"\s+|[^\s]+")
_SETTINGS = ("model_id", "backend", "architecture", "memory_mb")
_LEFT_OUT = (*_SETTINGS, "text", "whole", "final_response", "tracking", "enhanced_at", "usage")
"""Fields of results that are compared elsewhere, or differ between any two runs."""


class Side(Struct, frozen=True, kw_only=True):
    pipeline_id: str
    address: str
    status: Status
    started_at: datetime | None


class Pair(Struct, frozen=True, kw_only=True):
    """One value of both runs; empty where a run has none."""

    name: str
    a: str
    b: str
    change: str = ""
    """The difference in a few words, e.g. `+1.2 s`."""

    @property
    def differs(self) -> bool:
        return self.a != self.b


class Stretch(Struct, frozen=True, kw_only=True):
    """One stage of one run. The shares are in percent of the time of the run in which the stage took longer."""

    status: Status
    text: str
    revision: str = ""
    waited: float = 0.0
    other: float = 0.0
    worked: float = 0.0


class StagePair(Struct, frozen=True, kw_only=True):
    name: str
    a: Stretch
    b: Stretch
    change: str
    has_other_code: bool
    """Both runs tell the revision of the stage's code, and it differs."""


class Piece(Struct, frozen=True, kw_only=True):
    """A piece of two texts: in both, in the first one only, or in the second one only."""

    kind: Literal["same", "gone", "new"]
    text: str


class Texts(Struct, frozen=True, kw_only=True):
    """Two texts as the pieces of both. `left_out`: they go on beyond what was compared."""

    pieces: tuple[Piece, ...]
    same: bool
    left_out: bool


class CompareView(Struct, frozen=True, kw_only=True):
    a: Side
    b: Side
    facts: tuple[Pair, ...]
    stages: tuple[StagePair, ...]
    results: tuple[Pair, ...]
    """What the stages found out about the message, value by value; those that differ come first."""
    results_left_out: int
    settings: tuple[Pair, ...]
    """The settings that both records hold and that differ."""
    changed: tuple[str, ...]
    """The stages that ran other code in B than in A."""
    untold: tuple[str, ...]
    """The stages whose code is not known of both runs."""
    message: Texts | None
    """None if both have the same message."""
    answer: Texts


def compare_view(a: Journey, b: Journey, record_a: Record, record_b: Record, now: datetime) -> CompareView:
    results = sorted(_pairs(_results(a), _results(b)), key=lambda pair: (not pair.differs, pair.name))
    same_message = (a.user_message or "") == (b.user_message or "")
    stages = tuple(_stages(a, b, now))
    return CompareView(
        a=_side(a),
        b=_side(b),
        facts=tuple(_facts(a, b)),
        stages=stages,
        results=tuple(results[:MOST_VALUES]),
        results_left_out=max(0, len(results) - MOST_VALUES),
        settings=tuple(
            pair
            for pair in _pairs(_settings(record_a), _settings(record_b))
            if pair.a and pair.b and pair.differs
        )[:MOST_VALUES],
        changed=tuple(one.name for one in stages if one.has_other_code),
        untold=tuple(one.name for one in stages if not (one.a.revision and one.b.revision)),
        message=None if same_message else texts(a.user_message or "", b.user_message or ""),
        answer=texts(a.final_response or "", b.final_response or ""),
    )


def _side(journey: Journey) -> Side:
    return Side(
        pipeline_id=journey.pipeline_id,
        address=link("run", pipeline_id=journey.pipeline_id),
        status=of_run(journey.status, journey.degraded),
        started_at=journey.started_at or journey.accepted_at,
    )


def _facts(a: Journey, b: Journey) -> Iterator[Pair]:
    yield Pair(
        name="status",
        a=of_run(a.status, a.degraded).word,
        b=of_run(b.status, b.degraded).word,
    )
    yield _amounts("took", a.execution_time_ms, b.execution_time_ms, duration)
    for name, key in (("cost", "nano_usd"), ("wasted", "waste_nano_usd")):
        yield _amounts(name, (a.cost or {}).get(key), (b.cost or {}).get(key), usd)
    for name, field in (("tokens in", "prompt_tokens"), ("tokens out", "output_tokens")):
        yield _amounts(name, _sum(a, field), _sum(b, field), "{:,.0f}".format)
    yield _amounts("tries", _sum(a, "tries"), _sum(b, "tries"), "{:,.0f}".format)
    yield Pair(name="model", a=_model(a), b=_model(b))
    if a.error or b.error:
        yield Pair(name="error", a=_short(a.error or ""), b=_short(b.error or ""))


def _sum(journey: Journey, field: str) -> int | None:
    """Return a sum over the stages that have run; None if no stage has."""
    ran = [stage for stage in journey.stages if stage.status not in ("waiting", "skipped", "unknown")]
    if not ran:
        return None
    if field == "tries":
        return sum((stage.attempt or 0) + 1 for stage in ran)
    return sum(getattr(stage, field) or 0 for stage in ran)


def _model(journey: Journey) -> str:
    return _short(journey.answered_by)


def _amounts(name: str, a: int | None, b: int | None, worded: Any) -> Pair:
    return Pair(
        name=name,
        a="" if a is None else worded(a),
        b="" if b is None else worded(b),
        change="" if a is None or b is None else _change(a, b, worded),
    )


def _change(a: float, b: float, worded: Any) -> str:
    if worded(a) == worded(b):
        return ""
    sign = "+" if b > a else "\N{MINUS SIGN}"
    share = f" ({sign}{abs(b - a) / a:.0%})" if a > 0 else ""
    return f"{sign}{worded(abs(b - a))}{share}"


# --- stages ------------------------------------------------------------------------------------------------


def _stages(a: Journey, b: Journey, now: datetime) -> Iterator[StagePair]:
    bars_a, bars_b = ({bar.name: bar for bar in bars(one, now)} for one in (a, b))
    views_a, views_b = ({view.key: view for view in one.stages} for one in (a, b))
    for key in dict.fromkeys([*views_a, *views_b]):  # a stage that this release lacks may be in one run only
        bar_a, bar_b = bars_a.get(key), bars_b.get(key)
        longest = max((bar.length_ms for bar in (bar_a, bar_b) if bar), default=0.0)
        code_a, code_b = _revision(views_a.get(key)), _revision(views_b.get(key))
        yield StagePair(
            name=key,
            a=_stretch(views_a.get(key), bar_a, longest),
            b=_stretch(views_b.get(key), bar_b, longest),
            change=_change(bar_a.length_ms, bar_b.length_ms, duration) if bar_a and bar_b else "",
            has_other_code=bool(code_a and code_b) and code_a != code_b,
        )


def _revision(stage: StageView | None) -> str:
    return _short(str(stage.revision or "")) if stage else ""


def _stretch(stage: StageView | None, bar: Bar | None, longest: float) -> Stretch:
    if stage is None:
        return Stretch(status=of_stage("skipped"), text="")
    if bar is None:
        return Stretch(status=of_stage(stage.status), text="", revision=_revision(stage))
    words = [duration(bar.length_ms)]
    if stage.attempt:
        words.append(f"{stage.attempt + 1} tries")
    if stage.output_tokens:
        words.append(f"{stage.prompt_tokens:,} in, {stage.output_tokens:,} out")
    scale = SCALE / longest if longest else 0.0
    return Stretch(
        status=of_stage(stage.status),
        text="; ".join(words),
        revision=_revision(stage),
        waited=round(bar.waited_ms * scale, 2),
        other=round(bar.other_ms * scale, 2),
        worked=round(bar.worked_ms * scale, 2),
    )


# --- values ------------------------------------------------------------------------------------------------


def _pairs(a: Mapping[str, str], b: Mapping[str, str]) -> list[Pair]:
    return [Pair(name=name, a=a.get(name, ""), b=b.get(name, "")) for name in dict.fromkeys([*a, *b])]


def _results(journey: Journey) -> dict[str, str]:
    """Return what the stages found out, without the texts themselves, by path."""
    return {
        path: text
        for part, value in journey.results.items()
        for path, text in _leaves(
            {name: inner for name, inner in (value or {}).items() if name not in _LEFT_OUT},
            part,
        )
    }


def _settings(record: Record) -> dict[str, str]:
    """Return how a run was set: models, sizes of functions, price lists."""
    settings: dict[str, str] = {}
    parts: list[tuple[str, Any]] = [*(record.get("stages") or {}).items(), *results_in(record).items()]
    for part, values in parts:
        known: Mapping[str, Any] = values if isinstance(values, Mapping) else {}
        settings |= {f"{part}.{name}": _worded(known[name]) for name in _SETTINGS if known.get(name)}
    cost: Mapping[str, Any] = record.get("cost") or {}
    if prices := cost.get("prices"):
        settings["prices"] = _short(str(prices))
    return settings


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the values in a mapping that hold no further mapping, by path; lists are values."""
    if isinstance(value, Mapping):
        for name, inner in islice(value.items(), MOST_VALUES):
            yield from _leaves(inner, f"{path}.{_short(str(name))}")
    else:
        yield path, _worded(value)


def _worded(value: Any) -> str:
    return _short(value if isinstance(value, str) else written(value))


def _short(text: str) -> str:
    return text if len(text) <= VALUE_CHARS else f"{text[: VALUE_CHARS - 1]}…"


# --- texts -------------------------------------------------------------------------------------------------


def texts(a: str, b: str) -> Texts:
    """Compare two texts word by word. What both begin and end with is found first, since that takes no time."""
    left_out = max(len(a), len(b)) > DIFF_CHARS
    old, new = _WORD.findall(a[:DIFF_CHARS]), _WORD.findall(b[:DIFF_CHARS])
    start = next(
        (i for i, (x, y) in enumerate(zip(old, new, strict=False)) if x != y), min(len(old), len(new))
    )
    most = min(len(old), len(new)) - start
    end = next((i for i in range(most) if old[-1 - i] != new[-1 - i]), most)
    rest_a, rest_b = old[start : len(old) - end], new[start : len(new) - end]
    pieces = [Piece(kind="same", text="".join(old[:start]))]
    # Words that are everywhere in a long text, spaces first of all, are no anchors: it would take a second or more.
    for kind, a1, a2, b1, b2 in difflib.SequenceMatcher(None, rest_a, rest_b, autojunk=True).get_opcodes():
        if kind == "equal":
            pieces.append(Piece(kind="same", text="".join(rest_a[a1:a2])))
        else:
            pieces.append(Piece(kind="gone", text="".join(rest_a[a1:a2])))
            pieces.append(Piece(kind="new", text="".join(rest_b[b1:b2])))
    pieces.append(Piece(kind="same", text="".join(old[len(old) - end :])))
    return Texts(pieces=tuple(piece for piece in pieces if piece.text), same=a == b, left_out=left_out)
