"""Pure: turns an outcome into the printed table and the JSON report."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from chaos.campaign import Outcome
from chaos.faults import Fault
from chaos.invariants import ALL
from shared.contracts.record import Record

NAMED = 20
"""Maximum number of violations printed per invariant; the report has all."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table. `survived` counts the faults whose run broke no invariant.

    A fault that hit no known run is survived if no invariant is broken at all.
    """

    fault: Fault
    injected: int
    survived: int


def rows(outcome: Outcome) -> list[Row]:
    broken = {violation.pipeline for violation in outcome.violations}
    injected: Counter[Fault] = Counter()
    survived: Counter[Fault] = Counter()
    for injection in outcome.injections:
        injected[injection.fault] += 1
        traced = injection.pipeline is not None
        survived[injection.fault] += injection.pipeline not in broken if traced else outcome.holds
    return [Row(fault=fault, injected=injected[fault], survived=survived[fault]) for fault in Fault]


def facts(outcome: Outcome) -> Iterator[str]:
    """Yield the totals of a campaign as sentences."""
    state, times = outcome.state, outcome.times
    records = [state.records.get(pipeline_id, Record()) for pipeline_id in state.accepted.values()]
    answered = sum(record.get("status") == "SUCCEEDED" for record in records)
    degraded = sum(bool(record.get("degraded")) for record in records)
    answers = sum(map(len, state.delivered.values()))
    calls = sum(outcome.calls.values())
    yield (
        f"{len(state.accepted):,} runs were accepted; {answered:,} have their answer, {degraded:,} of them degraded."
    )
    yield f"The model delivered {answers:,} answers; {calls - answers:,} more calls brought no answer."
    yield f"{sum(outcome.parked.values()):,} messages were parked. " + (
        f"Outcome of the replay: {_enumerated(outcome.replayed)}."
        if outcome.replayed
        else "None was replayed."
    )
    yield (
        f"Publishing took {times.published:.0f} s; all runs had ended after {times.at_rest:.0f} s "
        f"({len(state.accepted) / times.at_rest:.1f} runs per second)."
    )
    yield (
        f"The replay took {times.replayed:.0f} s, the whole campaign {times.total:.0f} s. "
        f"Seed {outcome.options.seed}."
    )


def _enumerated(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def verdicts(outcome: Outcome) -> list[tuple[str, list[str]]]:
    """Return each invariant with the texts of its violations."""
    return [
        (
            invariant,
            [
                violation.text if violation.pipeline is None else f"#{violation.pipeline}: {violation.text}"
                for violation in outcome.violations
                if violation.invariant == invariant
            ],
        )
        for invariant in ALL
    ]


def as_json(outcome: Outcome) -> dict[str, Any]:
    answers = sum(map(len, outcome.state.delivered.values()))
    return {
        "holds": outcome.holds,
        "options": asdict(outcome.options),
        "seconds": asdict(outcome.times),
        "per_second": round(len(outcome.state.accepted) / outcome.times.at_rest, 2),
        "accepted": len(outcome.state.accepted),
        "answers_delivered": answers,
        "calls_without_an_answer": sum(outcome.calls.values()) - answers,
        "parked": outcome.parked,
        "replayed": outcome.replayed,
        "faults": [asdict(row) for row in rows(outcome)],
        "invariants": dict(verdicts(outcome)),
        "evidence": outcome.evidence,
        "injections": [asdict(injection) for injection in outcome.injections],
    }
