"""Estimates of what a replay or redrive will cost, from the costs of the latest runs, stage by stage."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from operations.dlq.messages import STARTS
from operations.dlq.plan import Action, Planned
from operations.dlq.redrive import FailedRun
from operations.runs.records import read_records
from operations.runs.runs import list_runs
from operations.target import Target
from shared.contracts.record import Record, expanded
from shared.contracts.stages import ANSWERING, BY_SERVICE, STAGES
from shared.contracts.stages import SERVICES as PARTS
from shared.costs.ledger import LOG, START
from shared.costs.lines import SERVICES

SAMPLE = 100
"""The number of latest runs from which the averages are made."""
MODEL = SERVICES["input"]
KEYS = tuple(stage.key for stage in STAGES)


class Rates(Struct, frozen=True, kw_only=True):
    """The average cost of each stage in the latest successful runs, in nano-dollars.

    `model` is the model's part of the critical stage's cost. `complete` is False if a price was not known.
    """

    runs: int = 0
    stages: Mapping[str, int] = {}
    model: int = 0
    complete: bool = True


class Estimate(Struct, frozen=True, kw_only=True):
    """The estimated cost of `runs` runs, from the averages of `by_runs` earlier ones; None if there are none.

    For `answered` of the runs the model's answer is stored and not paid for again.
    """

    nano_usd: int | None
    runs: int
    answered: int
    by_runs: int
    complete: bool = True


def read_rates(target: Target) -> Rates:
    """Read the average costs, with two calls however many runs there are, and more for restarts among them."""
    return rates(read_sample(target))


def read_sample(target: Target) -> list[Record]:
    """Read the records of the latest successful runs."""
    ids = {run.pipeline_id for run in list_runs(target, status="SUCCEEDED", limit=SAMPLE)}
    return list(read_records(target, ids, fields=("status", "cost", "degraded", "finished_at")).values())


def last_good(records: Iterable[Mapping[str, Any]]) -> dict[str, datetime]:
    """Return when a run that succeeded through each service ended last (pure).

    A run without the result of a stage did not get through its service.
    """
    found: dict[str, datetime] = {}
    for record in records:
        moment = _moment(record.get("finished_at"))
        if record.get("status") != "SUCCEEDED" or moment is None:
            continue
        for service in PARTS:
            stage = BY_SERVICE.get(service)
            if stage is None or stage.key not in (record.get("degraded") or ()):
                found[service] = max(moment, found.get(service, moment))
    return found


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None


def rates(records: Iterable[Mapping[str, Any]]) -> Rates:
    """Return the average costs over the records of successful runs with a known cost (pure).

    The averages include what these runs wasted on retries and lost deliveries, as far as it was metered.
    """
    stages: dict[str, int] = {}
    model, count, complete = 0, 0, True
    for record in map(expanded, records):
        cost = record.get("cost")
        if record.get("status") != "SUCCEEDED" or cost is None or cost["nano_usd"] is None:
            continue
        count += 1
        complete = complete and not cost.get("unknown")
        model += int(cost.get("services", {}).get(MODEL, 0))
        for name, nanos in cost.get("stages", {}).items():
            stages[name] = stages.get(name, 0) + int(nanos)
    averages = {name: nanos // count for name, nanos in stages.items()}
    return Rates(runs=count, stages=averages, model=model // count if count else 0, complete=complete)


class Work(Struct, frozen=True, kw_only=True):
    """The stages that a replay runs, and whether the model's answer is stored already."""

    stages: tuple[str, ...] = ()
    answered: bool = False

    @property
    def saved(self) -> bool:
        """Whether the critical stage runs again, but the model is not paid again."""
        return self.answered and ANSWERING.key in self.stages

    def cost(self, known: Rates) -> int | None:
        """Return the estimated cost in nano-dollars; None if there are no earlier runs."""
        if not self.stages:
            return 0
        if not known.runs:
            return None
        return sum(known.stages.get(name, 0) for name in self.stages) - (known.model if self.saved else 0)


def work_of_message(planned: Planned) -> Work:
    message, action = planned.message, planned.decision.action
    if action is Action.MOVE and message.detail_type in STARTS:
        return Work(stages=(START, *KEYS))
    if action is Action.MOVE and message.token is None:
        return Work(stages=(LOG,))
    stage = BY_SERVICE.get(message.service)
    return _rest(stage.key if stage else None, action)


def work_of_run(run: FailedRun) -> Work:
    return _rest(run.stage, run.decision.action)


def _rest(stage: str | None, action: Action) -> Work:
    """Return the remaining work of a run that failed, or waits, at `stage`."""
    if not action.starts_work:
        return Work()
    reached = KEYS.index(stage) if stage in KEYS else 0
    return Work(
        stages=(START, *KEYS) if action is Action.RESTART else KEYS[reached:],
        answered=reached > KEYS.index(ANSWERING.key),
    )


def estimate(works: Sequence[Work], known: Rates) -> Estimate:
    at_work = [work for work in works if work.stages]
    costs = [work.cost(known) for work in at_work]
    return Estimate(
        nano_usd=None if None in costs else sum(filter(None, costs)),
        runs=len(at_work),
        answered=sum(work.saved for work in at_work),
        by_runs=known.runs,
        complete=known.complete,
    )
