"""The doctor's findings, and what is in flight, as the page of the deployment's health shows them."""

from collections.abc import Sequence

from msgspec import Struct

from console.models.words import Status
from console.routes import link
from infra.doctor.findings import Finding, Outcome
from infra.parts import TRIGGER
from operations.inflight.reading import NOUNS, Check, Look
from operations.wording import counted

HELD = Status(mark="✓", word="held", tone="good")
FAULT = Status(mark="✗", word="fault", tone="bad")
WARNING = Status(mark="!", word="warning", tone="warn")
SKIPPED = Status(mark="-", word="not checked", tone="still")
READABLE = Status(mark="✓", word="readable", tone="good")
UNREADABLE = Status(mark="✗", word="not readable", tone="bad")
MOST_FINDINGS = 50
_ORDER = (FAULT, WARNING, HELD, SKIPPED)


class CheckView(Struct, frozen=True, kw_only=True):
    """One check. `text` is what it compared or why it was skipped."""

    name: str
    status: Status
    text: str
    findings: tuple[Finding, ...]
    skipped: str


class DoctorView(Struct, frozen=True, kw_only=True):
    status: Status
    sentence: str
    checks: tuple[CheckView, ...]


class Problem(Struct, frozen=True, kw_only=True):
    """Something in flight that this checkout can't read. `address` is that of its run, if one was started."""

    name: str
    address: str
    detail_type: str
    reason: str
    blocks: bool


class PlaceView(Struct, frozen=True, kw_only=True):
    service: str
    status: Status
    text: str
    problems: tuple[Problem, ...]
    left_out: int


class FlightView(Struct, frozen=True, kw_only=True):
    status: Status
    sentence: str
    places: tuple[PlaceView, ...]


def doctor_view(outcomes: Sequence[Outcome]) -> DoctorView:
    """Return the checks: faults, warnings, what held and what was skipped, drift first among its like."""
    severities = [finding.severity for outcome in outcomes for finding in outcome.findings]
    errors, warnings = severities.count("error"), severities.count("warning")
    checks = [_check(outcome) for outcome in outcomes]
    checks.sort(key=lambda check: (_ORDER.index(check.status), check.name != "drift"))
    return DoctorView(
        status=FAULT if errors else WARNING if warnings else HELD,
        sentence=f"{counted(len(checks), 'check')}: {counted(errors, 'error')}, {counted(warnings, 'warning')}."
        if severities
        else f"{counted(len(checks), 'check')}, all in order.",
        checks=tuple(checks),
    )


def _check(outcome: Outcome) -> CheckView:
    if outcome.findings:
        worst = any(finding.severity == "error" for finding in outcome.findings)
        status, text = (FAULT if worst else WARNING), counted(len(outcome.findings), "finding")
    elif outcome.comparisons:
        status, text = HELD, "; ".join(outcome.comparisons)
    else:
        status, text = SKIPPED, ""
    return CheckView(
        name=outcome.check,
        status=status,
        text=text,
        findings=outcome.findings[:MOST_FINDINGS],
        skipped=outcome.skipped or "",
    )


def flight_view(checks: Sequence[Check]) -> FlightView:
    blocking = sum(len(check.blocking) for check in checks)
    return FlightView(
        status=UNREADABLE if blocking else READABLE,
        sentence=f"{blocking:,} things in flight can't be read by this checkout: deploying it now would park them."
        if blocking
        else "This checkout can read everything that is in flight.",
        places=tuple(_place(look) for check in checks for look in check.looks),
    )


def _place(look: Look) -> PlaceView:
    blocking = sum(finding.blocks for finding in look.findings)
    text = counted(look.looked, NOUNS[look.place])
    if look.there > look.looked:
        text += f" of about {look.there:,}"
    if look.note:
        text += f" ({look.note})"
    return PlaceView(
        service=look.service,
        status=UNREADABLE if blocking else READABLE,
        text=text,
        problems=tuple(
            Problem(
                name=one.name,
                address=link("run", pipeline_id=one.pipeline_id)
                if one.pipeline_id
                and look.service != TRIGGER  # what waits for the trigger has started no run
                else "",
                detail_type=one.detail_type,
                reason=one.reason,
                blocks=one.blocks,
            )
            for one in look.findings[:MOST_FINDINGS]
        ),
        left_out=max(0, len(look.findings) - MOST_FINDINGS),
    )
