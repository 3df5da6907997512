"""The costs of many runs: the cost in each record, and the sums over them (pure)."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from operations.money.run_ledger import lost, spent
from operations.runs.journey import failed_models
from shared.contracts.record import expanded, results_in
from shared.contracts.stages import ANSWERING
from shared.costs.facts import facts
from shared.costs.ledger import ledger

COSTLIEST = 10
"""Runs that a group of a report lists."""
NO_MODEL = "(no answer)"
ENDED_EARLY = "(ended early)"
"""The model of runs that a stage has answered before a model was asked."""
EARLIER = "(earlier executions)"
"""The part of a report that holds the costs of earlier executions of restarted runs, of which no stages are known."""
_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


class Cost(Struct, frozen=True, kw_only=True):
    """One run's cost in nano-dollars. `total` is None if no price is known."""

    pipeline_id: str = ""
    day: str
    status: str
    model: str
    total: int | None
    waste: int = 0
    earlier: int = 0
    stages: dict[str, int] = {}
    services: dict[str, int] = {}
    unknown: tuple[str, ...] = ()
    unmetered: tuple[str, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    prices: str | None = None
    """The region and date of the price list it was counted with, and what an option states instead."""
    failed_over: bool = False
    """Whether the model answered in the place of another one, which was unavailable."""
    recorded: bool = True
    """False if the record has no cost, so that it was computed from the meters."""


def cost_of(stored: Mapping[str, Any]) -> Cost | None:
    """Return the cost in a finished run's record, else computed from its meters; None without either (pure)."""
    record = expanded(stored)
    summary = record.get("cost")
    if summary is None:
        run = facts(record)
        summary = ledger(run).summary() if run else None
    if summary is None:
        return None
    answered = record["status"] == "SUCCEEDED"
    meter = record.get("stages", {}).get(ANSWERING.key) if answered else None
    is_early = answered and bool(record.get("ended_by"))
    counts: dict[str, Any] = {name: meter.get(name) or 0 for name in _TOKENS} if meter else {}
    return Cost(
        pipeline_id=str(record.get("pipeline_id") or ""),
        day=str(record.get("finished_at") or record.get("timestamp"))[:10],
        status=record["status"],
        model=str((meter and meter.get("model_id")) or (ENDED_EARLY if is_early else NO_MODEL)),
        total=summary["nano_usd"],
        waste=summary.get("waste_nano_usd", 0),
        earlier=record.get("earlier_nano_usd") or 0,
        stages=summary.get("stages", {}),
        services=summary.get("services", {}),
        unknown=tuple(summary.get("unknown", ())),
        unmetered=tuple(summary.get("unmetered", ())),
        **counts,
        prices=summary.get("prices"),
        failed_over=answered and bool(failed_models(results_in(record).get(ANSWERING.key) or {})),
        recorded="cost" in record,
    )


class Costly(Struct, frozen=True, kw_only=True, order=True):
    """One of the runs that cost the most."""

    nano_usd: int
    pipeline_id: str
    status: str


class Group(Struct, kw_only=True):
    """Sums over the runs of one day, of one model, or over all runs. `priced` runs have a known total.

    `nano_usd` is what the runs cost in all their executions, `waste_nano_usd` what was lost of it.
    """

    name: str
    runs: int = 0
    failed: int = 0
    priced: int = 0
    nano_usd: int = 0
    waste_nano_usd: int = 0
    failed_nano_usd: int = 0
    """The cost of the last executions of failed runs, a part of `waste_nano_usd`."""
    earlier_nano_usd: int = 0
    """The cost of earlier executions, another part of `waste_nano_usd`."""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    failed_over: int = 0
    """The runs in which a model answered in the place of another one."""
    failed_over_nano_usd: int = 0
    """The cost of these runs, a part of `nano_usd`."""
    per_million_usd: float | None = None
    """The cost of a million such runs, failed ones included. None if no run has a known total."""
    costliest: list[Costly] = []
    """The runs that cost the most, the costliest first."""

    def add(self, cost: Cost) -> None:
        is_failed = cost.status == "FAILED"
        self.runs += 1
        self.failed += is_failed
        for name in _TOKENS:
            setattr(self, name, getattr(self, name) + getattr(cost, name))
        self.failed_over += cost.failed_over
        self.nano_usd += spent(cost.total, cost.earlier) or 0
        self.waste_nano_usd += lost(cost.status, cost.total, cost.waste, cost.earlier)
        self.earlier_nano_usd += cost.earlier
        self._list(cost)
        if cost.total is not None:
            self.priced += 1
            self.failed_nano_usd += cost.total if is_failed else 0
            self.failed_over_nano_usd += cost.total if cost.failed_over else 0
        if self.priced:
            self.per_million_usd = self.nano_usd / self.priced / 1_000

    def _list(self, cost: Cost) -> None:
        amount = spent(cost.total, cost.earlier) or 0
        if len(self.costliest) == COSTLIEST and amount <= self.costliest[-1].nano_usd:
            return
        self.costliest.append(Costly(nano_usd=amount, pipeline_id=cost.pipeline_id, status=cost.status))
        self.costliest.sort(reverse=True)
        del self.costliest[COSTLIEST:]


class Part(Struct, kw_only=True):
    """The cost of one stage or service over all runs."""

    name: str
    nano_usd: int = 0
    per_million_usd: float = 0.0


class Row(Struct, kw_only=True):
    """The cost of one stage in the runs of one day, model and status, as a row of a spreadsheet."""

    day: str
    model: str
    status: str
    stage: str
    runs: int
    nano_usd: int


class Unknown(Struct, kw_only=True):
    """A price that is not known, with the runs and tokens that it concerns."""

    price: str
    runs: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class Report(Struct, kw_only=True):
    """The costs of many runs. `complete` is False if reading stopped at its limit or on request.

    Runs that are `not_over` (unfinished) or `not_metered` (recorded without meters) are counted nowhere else. The
    costs of `partly_metered` runs are counted, but too low.
    """

    since: datetime | None = None
    stand_in: str | None = None
    """What answered in the place of the models; the costs are then what AWS would charge."""
    read: int = 0
    complete: bool = True
    not_over: int = 0
    not_metered: int = 0
    partly_metered: int = 0
    not_recorded: int = 0
    earlier_nano_usd: int = 0
    all: Group = field(default_factory=lambda: Group(name="all"))
    days: list[Group] = []
    models: list[Group] = []
    stages: list[Part] = []
    services: list[Part] = []
    unknown: list[Unknown] = []
    stated: list[str] = []
    """What costs were counted with if not with the list of their region alone: another list, stated prices."""
    rows: list[Row] = []


def summarise(costs: Iterable[Cost]) -> Report:
    """Sum up costs (pure). Groups are sorted by name, parts by amount."""
    report = Report()
    days: dict[str, Group] = {}
    models: dict[str, Group] = {}
    stages: dict[str, Part] = {}
    services: dict[str, Part] = {}
    unknown: dict[str, Unknown] = {}
    rows: dict[tuple[str, str, str, str], Row] = {}
    stated: set[str] = set()
    for cost in costs:
        if cost.prices and not _LIST_ALONE.fullmatch(cost.prices):
            stated.add(cost.prices)
        report.partly_metered += bool(cost.unmetered)
        report.not_recorded += not cost.recorded
        report.earlier_nano_usd += cost.earlier
        report.all.add(cost)
        for groups, name in ((days, cost.day), (models, cost.model)):
            groups.setdefault(name, Group(name=name)).add(cost)
        earlier = {EARLIER: cost.earlier} if cost.earlier else {}
        for parts, amounts in ((stages, cost.stages), (services, cost.services)):
            for name, amount in {**amounts, **earlier}.items():
                parts.setdefault(name, Part(name=name)).nano_usd += amount
        for price in cost.unknown:
            missing = unknown.setdefault(price, Unknown(price=price))
            missing.runs += 1
            missing.input_tokens += cost.input_tokens + cost.cache_read_tokens + cost.cache_write_tokens
            missing.output_tokens += cost.output_tokens
        for stage, amount in {**cost.stages, **earlier}.items():
            key = (cost.day, cost.model, cost.status, stage)
            row = rows.setdefault(key, Row(**dict(zip(_KEY, key, strict=True)), runs=0, nano_usd=0))
            row.runs += 1
            row.nano_usd += amount
    report.days, report.models = ([groups[name] for name in sorted(groups)] for groups in (days, models))
    report.stages, report.services = (_by_amount(parts, report.all.priced) for parts in (stages, services))
    report.unknown = [unknown[price] for price in sorted(unknown)]
    report.stated = sorted(stated)
    report.rows = [rows[key] for key in sorted(rows)]
    return report


_LIST_ALONE = re.compile(r"\S+ \d{4}-\d{2}-\d{2}")
"""A record's `cost.prices` if nothing is stated: region and date of a list."""
_KEY = ("day", "model", "status", "stage")


def _by_amount(parts: dict[str, Part], runs: int) -> list[Part]:
    for part in parts.values():
        part.per_million_usd = part.nano_usd / runs / 1_000 if runs else 0.0
    return sorted(parts.values(), key=lambda part: (-part.nano_usd, part.name))
