"""Pure: from an outcome to the table that is read and the report that is kept."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from chaos.campaign import Outcome
from chaos.faults import Fault
from chaos.invariants import ALL
from shared.contracts.record import Record

NAMED = 20
"""How many violations of one invariant are listed for people; the report has all."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """`survived` are those after which all was as it should be. Where it is not known which pipeline a fault hit,
    that is all of them, or none if anything at all is wrong.
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
    """The totals, a sentence each."""
    found, times = outcome.found, outcome.times
    records = [found.records.get(pipeline_id, Record()) for pipeline_id in found.accepted.values()]
    answered = sum(record.get("status") == "SUCCEEDED" for record in records)
    partly = sum(bool(record.get("degraded")) for record in records)
    answers = sum(map(len, found.delivered.values()))
    calls = sum(outcome.calls.values())
    yield (
        f"{len(found.accepted):,} pipelines accepted, {answered:,} have their answer, "
        f"{partly:,} of them without a part."
    )
    yield f"The model delivered {answers:,} answers; {calls - answers:,} more calls brought none."
    yield f"{sum(outcome.parked.values()):,} messages were parked. " + (
        f"Replayed: {_listed(outcome.replayed)}." if outcome.replayed else "None was replayed."
    )
    yield (
        f"Published in {times.published:.0f} s, at rest after {times.at_rest:.0f} s "
        f"({len(found.accepted) / times.at_rest:.1f} pipelines per second),"
    )
    yield f"replayed in {times.replayed:.0f} s; {times.total:.0f} s in all. Seed {outcome.options.seed}."


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def verdicts(outcome: Outcome) -> list[tuple[str, list[str]]]:
    """Each invariant with what breaks it."""
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
    answers = sum(map(len, outcome.found.delivered.values()))
    return {
        "holds": outcome.holds,
        "options": asdict(outcome.options),
        "seconds": asdict(outcome.times),
        "per_second": round(len(outcome.found.accepted) / outcome.times.at_rest, 2),
        "accepted": len(outcome.found.accepted),
        "answers_delivered": answers,
        "calls_without_an_answer": sum(outcome.calls.values()) - answers,
        "parked": outcome.parked,
        "replayed": outcome.replayed,
        "faults": [asdict(row) for row in rows(outcome)],
        "invariants": dict(verdicts(outcome)),
        "evidence": outcome.evidence,
        "injections": [asdict(injection) for injection in outcome.injections],
    }
