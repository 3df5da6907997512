"""Pure: what will happen to which pipeline, from a seed and a size. The same two give the same plan."""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from chaos.faults import CALLBACK_FAULTS, Fault
from shared.contracts.stages import RETRY, STAGES

MARKER = re.compile(r"\[\[c-(\d+)\]\]")

Garbage = Literal["not JSON", "no choices", "empty text", "no message"]
GARBAGE: tuple[Garbage, ...] = ("not JSON", "no choices", "empty text", "no message")

MODEL_SHARES: Mapping[Fault, float] = {
    Fault.MODEL_THROTTLED: 0.04,
    Fault.MODEL_FAILING: 0.03,
    Fault.MODEL_TOO_SLOW: 0.003,
    Fault.MODEL_SLOW: 0.02,
    Fault.MODEL_GARBAGE: 0.03,
    Fault.MODEL_EXHAUSTED: 0.01,
}
"""Shares of all pipelines; at least one of each."""
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
"""Shares of each function's first callbacks."""
WITHIN = 0.7
"""Faults of callbacks are put among the first of them, so that they come up even if some runs fail early."""

CALLING = ("starter", *(stage.service for stage in STAGES))
"""The functions that call Step Functions: the starter to start an execution, the others to call back."""
ON_THE_BUS = tuple(stage.service for stage in STAGES if stage.via == "bus")
FEWEST = 40
"""With fewer pipelines some fault would find no place."""
TRIES = 1 + RETRY.max_attempts


@dataclass(frozen=True, kw_only=True)
class Fate:
    """One pipeline. `model` holds what the model does at its first tries; after those it answers."""

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
    """`callbacks` holds, by function and ordinal of its callbacks (the first to see a token), what happens to it."""

    seed: int
    fates: Sequence[Fate]
    callbacks: Mapping[str, Mapping[int, Fault]]

    def fate(self, number: int) -> Fate:
        return self.fates[number]


def number_in(text: str) -> int | None:
    """The number of the pipeline that a text belongs to."""
    found = MARKER.search(text)
    return int(found[1]) if found else None


def plan(seed: int, pipelines: int) -> Plan:
    """Needs FEWEST pipelines or more."""
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
    callbacks = {name: _chosen(rng, CALLBACK_SHARES, int(WITHIN * pipelines), pipelines) for name in CALLING}
    return Plan(seed=seed, fates=tuple(fates), callbacks=callbacks)


def _count(share: float, of: int) -> int:
    return max(1, round(share * of))


def _sample(rng: random.Random, pipelines: int, share: float) -> list[int]:
    return rng.sample(range(pipelines), _count(share, pipelines))


def _chosen(
    rng: random.Random, shares: Mapping[Fault, float], places: int, of: int | None = None
) -> dict[int, Fault]:
    """One fault at most for each place."""
    wanted = [fault for fault, share in shares.items() for _ in range(_count(share, of or places))]
    return dict(zip(rng.sample(range(places), len(wanted)), wanted, strict=True))


def _twice(rng: random.Random, pipelines: int, via_api: set[int]) -> set[int]:
    """Some of those via the API, some of those via the bus."""
    groups = [sorted(via_api), sorted(set(range(pipelines)) - via_api)]
    return {number for group in groups for number in rng.sample(group, _count(TWICE_SHARE, len(group)))}


def _service(rng: random.Random, number: int, chosen: list[int], fault: Fault | None) -> str | None:
    """Whose request of this pipeline is sent again, if it is chosen.

    The first's is the analyzer's: that request is made whatever happens. A second request to the chatbot would give a
    model that is to fail four times a fifth try.
    """
    services = [name for name in ON_THE_BUS if name != "chatbot" or fault is not Fault.MODEL_EXHAUSTED]
    service = rng.choice(services)
    if number not in chosen:
        return None
    return ON_THE_BUS[0] if number == chosen[0] else service


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
