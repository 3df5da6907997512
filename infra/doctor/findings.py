"""The results of a check: comparisons that passed, problems, or the reason why the check was skipped."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]
BY_HAND = (
    "Create it by hand, with the same name and as its template says: a deployment of the same template does not. "
    "CloudFormation's drift detection shows what else is missing."
)
"""What to do about a resource that was deleted by hand."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A problem as it is reported. `where`, `what`, `why` and `fix` are each a sentence or two."""

    check: str
    severity: Severity
    where: str
    what: str
    why: str
    fix: str


@dataclass(frozen=True)
class Passed:
    """One comparison that passed, e.g. `180 s ≥ 6 x 30 s + 0 s` for the queue `subject`."""

    text: str
    subject: str = ""


@dataclass(frozen=True)
class Skipped:
    """The check does not apply; `text` says why."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What a check found wrong. The table turns it into a Finding; `why` replaces the check's own reason."""

    where: str
    what: str
    fix: str
    why: str = ""
    severity: Severity = "error"


Result = Iterator[Passed | Problem | Skipped]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All results of one check."""

    check: str
    passed: tuple[Passed, ...]
    findings: tuple[Finding, ...]
    skipped: str | None = None

    @property
    def comparisons(self) -> tuple[str, ...]:
        """The comparisons that passed. Equal texts are listed once, with the number of their subjects."""
        subjects: dict[str, list[str]] = {}
        for comparison in self.passed:
            subjects.setdefault(comparison.text, []).append(comparison.subject)
        return tuple(
            f"{text} ({len(names)}x)" if len(names) > 1 else text for text, names in subjects.items()
        )


def outcome(check: str, why: str, results: Sequence[Passed | Problem | Skipped]) -> Outcome:
    """Return the outcome of the check of this name. `why` says what goes wrong where it fails."""
    unknown = [result.text for result in results if isinstance(result, Skipped)]
    return Outcome(
        check=check,
        passed=tuple(result for result in results if isinstance(result, Passed)),
        findings=tuple(
            Finding(
                check=check,
                severity=problem.severity,
                where=problem.where,
                what=problem.what,
                why=problem.why or why,
                fix=problem.fix,
            )
            for problem in results
            if isinstance(problem, Problem)
        ),
        skipped="; ".join(unknown) or None,
    )
