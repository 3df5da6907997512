"""What runs now, and the audit of what operators did, by pages, as their page shows it."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from console.models.archived import moment
from console.models.many import batch_row
from console.models.plan_lines import happened, short_name
from console.models.plans import plan_row
from console.routes import link
from console.text import line
from infra.parts import TRIGGER
from operations.dlq.audit import Audit
from operations.dlq.journal import UNKNOWN, Entry
from operations.jobs import Job
from operations.wording import counted

SIZE = 50
WHY_CHARS = 300


class Line(Struct, frozen=True, kw_only=True):
    """One act. `address` is that of its run; empty if the message named none, or asked in vain for one.

    `who` is short for the ARN `whole`. `about` is the message, or the run, that was acted on.
    """

    at: datetime | None
    """None if the line has no readable time."""
    who: str
    whole: str
    about: str
    what: str
    why: str
    outcome: str
    service: str
    pipeline_id: str
    address: str


class Running(Struct, frozen=True, kw_only=True):
    """Something that goes on in this console."""

    name: str
    address: str
    text: str
    since: datetime | None
    who: str


class Now(Struct, frozen=True, kw_only=True):
    """What runs now. `reading` says how far the reading of the dead-letter queues is; empty if none goes on."""

    running: tuple[Running, ...]
    reading: str


PlanOf = Callable[[Line], int | None]


class ActivityView(Struct, frozen=True, kw_only=True):
    """One page of the acts of one kind, or of all; `older` leads to the next page, if there is one."""

    headline: str
    warnings: tuple[str, ...]
    lines: tuple[Line, ...]
    kinds: tuple[str, ...]
    what: str
    number: int
    older: str


def activity_view(audit: Audit, *, what: str = "", number: int = 0) -> ActivityView:
    entries = [one for one in audit.entries if not what or one.what == what]
    here = entries[number * SIZE : (number + 1) * SIZE]
    more = len(entries) > (number + 1) * SIZE
    warnings = []
    if not audit.complete:
        warnings.append(
            f"Only {audit.read:,} items were read, in no particular order: later acts may be missing."
        )
    if audit.damaged:
        warnings.append(f"{counted(audit.damaged, 'line')} could not be read.")
    nothing = "" if audit.entries else ": nobody has replayed, redriven or archived anything yet"
    return ActivityView(
        headline=f"{counted(len(entries), 'act')}{nothing}.",
        warnings=tuple(warnings),
        lines=lines_of(here),
        kinds=tuple(sorted({one.what for one in audit.entries})[:20]),
        what=what,
        number=number,
        older=link("activity", what=what, page=number + 1) if more else "",
    )


def lines_of(entries: Sequence[Entry]) -> tuple[Line, ...]:
    return tuple(map(_line, entries))


def running(plans: Iterable[Job], batches: Iterable[Job]) -> tuple[Running, ...]:
    """Return the jobs that go on."""
    found = []
    for job in plans:
        if job.is_running:
            row = plan_row(job)
            text = f"{row.title}: {row.reached:,} of {counted(row.acts, row.thing)}, {row.status.word}"
            found.append(
                Running(
                    name=f"plan {row.number}",
                    address=row.address,
                    text=text,
                    since=job.started_at,
                    who=row.who,
                )
            )
    for job in batches:
        if job.is_running:
            batch = batch_row(job)
            found.append(
                Running(
                    name=f"batch {batch.number}",
                    address=batch.address,
                    text=batch.sentence,
                    since=job.started_at,
                    who="",
                )
            )
    return tuple(found)


def plan_of(plans: Iterable[Job]) -> PlanOf:
    """Return a function that finds the plan of this console that did an act."""
    acted = [
        (job, {about for about, result in happened(job).results.items() if result.outcome == "done"})
        for job in plans
    ]

    def number(act: Line) -> int | None:
        for job, about in acted:
            if act.about in about and act.at and _covers(job, act.at):
                return job.number
        return None

    return number


def _covers(job: Job, at: datetime) -> bool:
    begun = job.started_at is not None and job.started_at <= at + _ROUNDING
    return begun and (job.ended_at is None or at <= job.ended_at)


_ROUNDING = timedelta(milliseconds=1)
"""The times of acts are in whole milliseconds."""


def _line(entry: Entry) -> Line:
    known = entry.pipeline_id != UNKNOWN
    # A message that asked for a run and was archived has started none.
    in_vain = entry.service == TRIGGER and entry.what == "archive" and not entry.execution_arn
    return Line(
        at=moment(entry.at),
        who=line(short_name(entry.who), 80),
        whole=line(entry.who, 300),
        about=entry.message_id or entry.pipeline_id,
        what=line(entry.what, 40),
        why=line(entry.why, WHY_CHARS),
        outcome=line(entry.outcome, 40),
        service=line(entry.service or "", 40),
        pipeline_id=entry.pipeline_id if known else "",
        address=link("run", pipeline_id=entry.pipeline_id) if known and not in_vain else "",
    )
