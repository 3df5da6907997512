"""The table of what is read on request: what each reading costs or does, and how it is read and shown."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from console.desk import Desk
from console.live.reading import Tell
from console.models.activity import activity_view, plan_of
from console.models.archived import archived_view
from console.models.costs import costs_view
from console.models.events import refusals_view
from console.models.health import doctor_view, flight_view
from console.routes import link
from operations.dlq.archive import Archive, read_archive
from operations.dlq.audit import Audit, read_audit
from operations.inflight.reading import Check, Look
from operations.money.costs import Report
from operations.money.read_costs import read_report
from operations.progress import Step
from operations.runs import logs
from operations.stop import Stop
from operations.target import Target

AGES = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "ever": None,
}
PLANS = "replay"
"""The kind of the jobs that are plans."""
MOST_RECORDS = 100_000
"""The largest part of a table that is read."""

Read = Callable[[Target, Tell, Stop], Any]


class Subject(Struct, frozen=True, kw_only=True):
    """One thing that is read on request. `view` makes of the value what the `template` shows as `read`."""

    page: str
    """The address of the page that shows it."""
    template: str
    button: str
    about: str
    """What the reading costs or does, said beside the button."""
    read: Read
    view: Callable[[Any], Any]
    can_stop: bool = True
    """Whether a stop leaves a result that is of use."""
    beside: Callable[[Desk], Mapping[str, Any]] = lambda _: {}
    """Returns what else the template shows."""


def _costs(age: timedelta | None) -> Read:
    def read(target: Target, tell: Tell, stop: Stop) -> Report:
        return read_report(
            target,
            since=datetime.now(UTC) - age if age else None,
            limit=MOST_RECORDS,
            on_page=lambda read, about: tell(f"read {read:,} of about {about:,} records"),
            stop=stop,
        )

    return read


def _doctor(target: Target, tell: Tell, _: Stop) -> Any:
    from infra.doctor.checks.capacity import Intent  # noqa: PLC0415 -- loads the whole doctor
    from infra.doctor.table import examine  # noqa: PLC0415 -- likewise
    from operations.health.doctor import deployed  # noqa: PLC0415 -- likewise

    def on_step(step: Step) -> None:
        if step.state == "started":
            tell(step.text)

    system = deployed(target, on_step)
    tell("comparing the parts")
    return examine(system, Intent(rate=system.environment.requests_per_second, region=target.region))


def _in_flight(target: Target, tell: Tell, _: Stop) -> list[Check]:
    from operations.inflight.looking import check  # noqa: PLC0415 -- loads the contracts

    def on_look(look: Look) -> None:
        tell(f"read {look.looked:,} in flight to {look.service}")

    return check(target, on_look=on_look)


def acts(desk: Desk) -> Mapping[str, Any]:
    """Return what tells which plan of this console did an act."""
    return {"plan_of": plan_of(job for job in desk.jobs.latest() if job.kind == PLANS)}


def _audit(target: Target, tell: Tell, stop: Stop) -> Audit:
    return read_audit(
        target,
        limit=MOST_RECORDS,
        on_page=lambda read, lines: tell(f"read {read:,} items, {lines:,} of them acts"),
        stop=stop,
    )


def _refusals(target: Target, tell: Tell, stop: Stop) -> logs.Read:
    return logs.refusals(
        target,
        since=datetime.now(UTC) - timedelta(days=1),
        stop=stop,
        progress=lambda read: tell(f"searched {read.searched} functions, found {len(read.lines)}"),
    )


def _archived(target: Target, tell: Tell, stop: Stop) -> Archive:
    return read_archive(
        target, limit=MOST_RECORDS, on_page=lambda read: tell(f"read {read:,} items"), stop=stop
    )


SUBJECTS: Mapping[str, Subject] = {
    **{
        f"costs-{name}": Subject(
            page=link("costs", since=name),
            template="costs_read.html",
            button="Read the costs",
            about=f"It reads the whole table of records, {MOST_RECORDS:,} at most: on AWS, reads cost money.",
            read=_costs(age),
            view=costs_view,
        )
        for name, age in AGES.items()
    },
    "doctor": Subject(
        page=link("health"),
        template="doctor_read.html",
        button="Examine what is deployed",
        about="It reads templates, settings, policies and alarms, and changes nothing.",
        read=_doctor,
        view=doctor_view,
        can_stop=False,
    ),
    "in-flight": Subject(
        page=link("in-flight"),
        template="flight_read.html",
        button="Check what is in flight",
        about="It removes no message, but counts as a delivery of each message read, ten at most of a queue; parked "
        "messages are hidden from others while they are read.",
        read=_in_flight,
        view=flight_view,
        can_stop=False,
    ),
    "audit": Subject(
        page=link("activity"),
        template="audit_read.html",
        button="Read the audit",
        about=f"It reads the whole table of operations, {MOST_RECORDS:,} items at most: on AWS, reads cost money.",
        read=_audit,
        view=activity_view,
        beside=acts,
    ),
    "refusals": Subject(
        page=link("events") + "#refused",
        template="refusals_read.html",
        button="Read the refusals of the last day",
        about="The logs of every function are searched; on AWS that takes some seconds.",
        read=_refusals,
        view=refusals_view,
    ),
    "archived": Subject(
        page=link("archived"),
        template="archived_read.html",
        button="Read the archived messages",
        about=f"It reads the whole table of operations, {MOST_RECORDS:,} items at most: on AWS, reads cost money.",
        read=_archived,
        view=archived_view,
    ),
}
