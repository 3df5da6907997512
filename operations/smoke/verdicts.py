"""The verdicts of the smoke test."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

Outcome = Literal["passed", "failed", "not possible"]
Evidence = Literal["act", "simulation"]
"""`act`: the deployment did it, or refused to. `simulation`: IAM said what it would allow."""


class Check(Struct, frozen=True, kw_only=True):
    """One part of a step. `text` says what was seen, `fix` what to do about a failure, `evidence` how it is known.

    `not possible`: nothing is proven and nothing is broken; `text` has the reason.
    """

    subject: str
    outcome: Outcome
    text: str
    fix: str | None = None
    evidence: Evidence | None = None


class Verdict(Struct, frozen=True, kw_only=True):
    """The verdict on one step: failed if any check failed, else passed if any passed."""

    step: str
    checks: tuple[Check, ...]
    outcome: Outcome
    seconds: float = 0


def passed(subject: str, text: str, *, evidence: Evidence = "act") -> Check:
    return Check(subject=subject, outcome="passed", text=text, evidence=evidence)


def failed(subject: str, text: str, *, fix: str, evidence: Evidence = "act") -> Check:
    return Check(subject=subject, outcome="failed", text=text, fix=fix, evidence=evidence)


def not_possible(subject: str, reason: str, *, fix: str | None = None) -> Check:
    return Check(subject=subject, outcome="not possible", text=reason, fix=fix)


def verdict(step: str, checks: Sequence[Check], seconds: float = 0) -> Verdict:
    outcomes = {check.outcome for check in checks}
    outcome: Outcome = "not possible"
    if "failed" in outcomes:
        outcome = "failed"
    elif "passed" in outcomes:
        outcome = "passed"
    return Verdict(step=step, checks=tuple(checks), outcome=outcome, seconds=round(seconds, 1))
