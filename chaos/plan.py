"""Pure: the plan of which fault hits which run. The same seed and size give the same plan."""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from chaos.faults import CALLBACK_FAULTS, Fault
from shared.contracts.stages import ANSWERING, RETRY, STAGES

MARKER = re.compile(r"\[\[c-(\d+)\]\]")

Garbage = Literal["not JSON", "no choices", "empty text", "no message"]
GARBAGE: tuple[Garbage, ...] = get_args(Garbage)

MODEL_SHARES: Mapping[Fault, float] = {
    Fault.MODEL_THROTTLED: 0.04,
    Fault.MODEL_FAILING: 0.03,
    Fault.MODEL_TOO_SLOW: 0.003,
    Fault.MODEL_SLOW: 0.02,
    Fault.MODEL_GARBAGE: 0.03,
    Fault.MODEL_EXHAUSTED: 0.01,
}
"""Shares of all runs. Each fault hits at least one run."""
REQUEST_SHARES: Mapping[Fault, float] = {Fault.DUPLICATED: 0.03, Fault.REPEATED: 0.02}
TWICE_SHARE = 0.05
API_SHARE = 0.3
CALLBACK_SHARES: Mapping[Fault, float] = {
    Fault.KILLED_BEFORE: 0.003,
    Fault.KILLED_AFTER: 0.003,
    Fault.REFUSED: 0.01,
    Fault.LOST: 0.01,
    Fault.TWICE: 0.01,
}
"""Shares of each function's callbacks."""
FIRST_SHARE = 0.7
"""Callback faults hit only callbacks in the first 70%, so that all faults happen even if some runs fail early."""

CALLING = ("starter", *(stage.service for stage in STAGES))
"""The functions that call Step Functions: the starter to start an execution, the others to call back."""
VIA_BUS = tuple(stage.service for stage in STAGES if stage.via == "bus")
FEWEST = 40
"""Minimum number of runs: with fewer, some fault would hit none."""
TRIES = 1 + RETRY.max_attempts


@dataclass(frozen=True, kw_only=True)
class Fate:
    """The planned faults of one run. `model` holds the faults of the first model calls; later ones succeed."""

    number: int
    via: Literal["api", "bus"]
    published_twice: bool = False
    model: tuple[tuple[Fault, str], ...] = ()
    slow: bool = False
    duplicated: str | None = None
    repeated: str | None = None

    @property
    def message(self) -> str:
        return f"Number {self.number}: why is this so? [[c-{self.number:06}]]"

    @property
    def exhausts(self) -> bool:
        return len(self.model) >= TRIES


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The plan of a campaign.

    `callbacks` holds the faults by function and ordinal. Only calls with a new task token or execution name count.
    """

    seed: int
    fates: Sequence[Fate]
    callbacks: Mapping[str, Mapping[int, Fault]]

    def fate(self, number: int) -> Fate:
        return self.fates[number]


def number_in(text: str) -> int | None:
    """Return the number of the run that a text belongs to, from the marker in it."""
    marker = MARKER.search(text)
    return int(marker[1]) if marker else None


def plan(seed: int, pipelines: int) -> Plan:
    """Make the plan. `pipelines` must be FEWEST or more."""
    rng = random.Random(f"{seed}/{pipelines}")  # noqa: S311 -- a plan, not a secret
    model = _chosen(rng, MODEL_SHARES, pipelines)
    requests = {fault: _sample(rng, pipelines, share) for fault, share in REQUEST_SHARES.items()}
    via_api = set(_sample(rng, pipelines, API_SHARE))
    twice = _twice(rng, pipelines, via_api)
    fates = []
    for number in range(pipelines):
        fault = model.get(number)
        script = _script(rng, fault)
        fates.append(
            Fate(
                number=number,
                via="api" if number in via_api else "bus",
                published_twice=number in twice,
                model=script,
                slow=fault is Fault.MODEL_SLOW,
                duplicated=_service(rng, number, requests[Fault.DUPLICATED], fault),
                repeated=_service(rng, number, requests[Fault.REPEATED], fault),
            )
        )
    callbacks = {
        name: _chosen(rng, CALLBACK_SHARES, int(FIRST_SHARE * pipelines), pipelines) for name in CALLING
    }
    return Plan(seed=seed, fates=tuple(fates), callbacks=callbacks)


def _count(share: float, total: int) -> int:
    return max(1, round(share * total))


def _sample(rng: random.Random, pipelines: int, share: float) -> list[int]:
    return rng.sample(range(pipelines), _count(share, pipelines))


def _chosen(
    rng: random.Random, shares: Mapping[Fault, float], places: int, total: int | None = None
) -> dict[int, Fault]:
    """Assign faults to random places, at most one to each. Shares are of `total`, or else of `places`."""
    faults = [fault for fault, share in shares.items() for _ in range(_count(share, total or places))]
    return dict(zip(rng.sample(range(places), len(faults)), faults, strict=True))


def _twice(rng: random.Random, pipelines: int, via_api: set[int]) -> set[int]:
    """Choose the runs that are requested twice: some via the API and some via the bus."""
    groups = [sorted(via_api), sorted(set(range(pipelines)) - via_api)]
    return {number for group in groups for number in rng.sample(group, _count(TWICE_SHARE, len(group)))}


def _service(rng: random.Random, number: int, chosen: list[int], fault: Fault | None) -> str | None:
    """Return the service whose request is sent again in this run, or None if the run is not chosen.

    For the first chosen run it is the first stage, which gets a request in any case. The chatbot is left out where
    the model is to fail in all four attempts: a second request would cause a fifth call.
    """
    services = [name for name in VIA_BUS if name != ANSWERING.service or fault is not Fault.MODEL_EXHAUSTED]
    service = rng.choice(services)
    if number not in chosen:
        return None
    return VIA_BUS[0] if number == chosen[0] else service


def _script(rng: random.Random, fault: Fault | None) -> tuple[tuple[Fault, str], ...]:
    match fault:
        case Fault.MODEL_THROTTLED | Fault.MODEL_FAILING:
            return ((fault, ""),) * rng.choice((1, 1, 2))
        case Fault.MODEL_TOO_SLOW:
            return ((fault, ""),)
        case Fault.MODEL_GARBAGE:
            return ((fault, rng.choice(GARBAGE)),)
        case Fault.MODEL_EXHAUSTED:
            kinds = (Fault.MODEL_THROTTLED, Fault.MODEL_FAILING, Fault.MODEL_GARBAGE)
            chosen = rng.choices(kinds, k=TRIES)
            return tuple((kind, rng.choice(GARBAGE) if kind is kinds[2] else "") for kind in chosen)
    return ()


assert set(CALLBACK_SHARES) == set(CALLBACK_FAULTS)
