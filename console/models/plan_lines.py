"""The lines of a plan as its page shows them: each with one outcome, what it had failed with, and why it is done."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from console.models.parked import ERROR_CHARS, TONES, run_address
from console.models.words import Status, of_run
from console.routes import link
from console.text import line
from operations.dlq.causes import common
from operations.dlq.corrections import Change
from operations.dlq.plan import Action
from operations.dlq.plans import Line, Note, Order, Phase, Plan
from operations.dlq.redrive import HAS_MESSAGE
from operations.dlq.replay import Outcome, Result
from operations.jobs import Job
from operations.runs.ends import End
from operations.wording import usd

MOST_ERRORS = 10
"""Errors that are told above the table. Of more, each line tells its own."""
OUTCOMES: Mapping[Outcome, Status] = {
    "done": Status(mark="✓", word="done", tone="good"),
    "left": Status(mark="·", word="left", tone="warn"),
    "gone": Status(mark="·", word="no longer parked", tone="still"),
    "failed": Status(mark="✗", word="failed", tone="bad"),
}
"""`gone`: somebody else has taken the message."""
RUN_FAILED = Status(mark="✗", word="its run failed", tone="bad")
RUN_GOES_ON = Status(mark="…", word="its run goes on", tone="busy")
NOT_FOLLOWED = Status(mark="·", word="done, its run was not followed", tone="still")
TO_COME = Status(mark="·", word="to come", tone="still")
NOT_DONE = Status(mark="·", word="not done", tone="still")
_TONES = ("bad", "warn", "busy", "good", "still")
"""In this order outcomes are counted."""


class ErrorGroup(Struct, frozen=True, kw_only=True):
    """What some lines or runs failed with: they differ in ids, times and numbers only. `address`: one of the runs."""

    count: int
    error_type: str
    text: str
    service: str = ""
    address: str = ""


class Why(Struct, frozen=True):
    """Why something is done, or left. `instead` is the address of what to do instead; empty if there is none."""

    text: str = ""
    instead: str = ""


class Above(Struct, frozen=True, kw_only=True):
    """What is told of all lines above the table, and not in each line: their errors, and the reason of all."""

    errors: tuple[ErrorGroup, ...]
    why: Why


class LineRow(Struct, frozen=True, kw_only=True):
    message_id: str
    """Empty if the line is of a run."""
    address: str
    """Where the message is shown; empty once it has left its queue, and for a run."""
    service: str
    error: str
    """The error's type, if the errors are told above the table, else its text, too."""
    action: str
    tone: str
    reason: Why
    cost: str
    outcome: Status
    problem: str
    run: str
    """The address of the run; empty if none was started."""
    pipeline_id: str
    sent: str
    """The address that finds what was sent; empty if nothing was."""
    changes: tuple[Change, ...]
    """What is changed in the message, if the same correction is made in several."""


class LeftRow(Struct, frozen=True, kw_only=True):
    """A line of a plan that would do nothing."""

    name: str
    address: str
    """Where the message or run is shown; empty if no run was started."""
    reason: Why


class Happened(Struct, frozen=True, kw_only=True):
    """What a job's notes tell."""

    phase: Phase | None
    results: dict[str, Result]
    ends: dict[str, End]
    canary_held: bool | None


def plan_of(job: Job) -> Plan:
    return msgspec.json.decode(job.about, type=Plan)


def order_of(job: Job) -> Order | None:
    return None if job.order is None else msgspec.json.decode(job.order, type=Order)


def happened(job: Job) -> Happened:
    notes = [msgspec.json.decode(note, type=Note) for note in job.notes]
    return Happened(
        phase=next((note.phase for note in reversed(notes) if note.phase), None),
        results={note.result.message_id: note.result for note in notes if note.result},
        ends={note.end.pipeline_id: note.end for note in notes if note.end},
        canary_held=next((note.canary_held for note in notes if note.canary_held is not None), None),
    )


def why(reason: str) -> Why:
    """Return a reason as a page gives it: it leads to the page that helps, where a terminal names a command."""
    if reason == HAS_MESSAGE:
        return Why("The run has a parked message; a replay of that message runs it again.", link("parked"))
    return Why(reason)


def left_rows(plan: Plan, part: slice) -> tuple[LeftRow, ...]:
    """Return a part of the lines of a plan that leaves all of them."""
    return tuple(
        LeftRow(
            name=one.message_id,
            address=run_address(one.pipeline_id, has_run=one.has_run)
            if plan.is_of_runs
            else link("message", message_id=one.message_id),
            reason=why(one.reason),
        )
        for one in plan.lines[part]
    )


def short_name(arn: str) -> str:
    """Return the last part of a caller's ARN."""
    return arn.rpartition("/")[2].rpartition(":")[2]


def _parked_errors(lines: Sequence[Line]) -> tuple[ErrorGroup, ...]:
    """Return what the lines had failed with, the most frequent first; nothing if those are too many to tell."""
    groups: dict[tuple[str, str, str], list[Line]] = {}
    for one in lines:
        groups.setdefault((one.service, one.error_type, common(one.error)), []).append(one)
    if len(groups) > MOST_ERRORS:
        return ()
    made = [
        ErrorGroup(
            count=len(ones), error_type=error_type, text=line(ones[0].error, ERROR_CHARS), service=service
        )
        for (service, error_type, text), ones in groups.items()
        if error_type or text
    ]
    return tuple(sorted(made, key=lambda one: -one.count))


def run_errors(told: Happened) -> tuple[ErrorGroup, ...]:
    """Return what the runs failed with that the plan started, the most frequent first."""
    groups: dict[tuple[str, str], list[End]] = {}
    for end in told.ends.values():
        if not end.good:
            groups.setdefault((end.error or end.status, common(end.cause or "")), []).append(end)
    made = [
        ErrorGroup(
            count=len(ones),
            error_type=error,
            text=line(ones[0].cause or "", ERROR_CHARS),
            address=link("run", pipeline_id=ones[0].pipeline_id),
        )
        for (error, _), ones in groups.items()
    ]
    return tuple(sorted(made, key=lambda one: -one.count)[:MOST_ERRORS])


def outcomes(lines: Iterable[Line], told: Happened, job: Job) -> tuple[tuple[str, Status], ...]:
    """Return how many lines have each outcome, once the plan was started."""
    if job.state == "made":
        return ()
    counts = Counter(_outcome(one, told, job) for one in lines)
    ordered = sorted(counts, key=lambda status: (_TONES.index(status.tone), -counts[status]))
    return tuple((f"{counts[status]:,}", status) for status in ordered)


def line_rows(plan: Plan, told: Happened, job: Job, part: slice, above: Above) -> tuple[LineRow, ...]:
    """Return a part of a plan's lines."""
    return tuple(_row(one, told, job, above, is_run=plan.is_of_runs) for one in plan.lines[part])


def told_above(plan: Plan, told: Happened) -> Above:
    """Return what is told once: the errors, unless they are too many, and the reason, as it was when acted on."""
    reasons = {
        told.results[one.message_id].reason if one.message_id in told.results else one.reason
        for one in plan.lines
    }
    return Above(errors=_parked_errors(plan.lines), why=why(reasons.pop()) if len(reasons) == 1 else Why())


def _outcome(one: Line, told: Happened, job: Job) -> Status:
    """Return the one outcome of a line: what became of its run, if the plan started one, else of its message."""
    result = told.results.get(one.message_id)
    if result is None:
        if one.action is Action.LEAVE:
            return OUTCOMES["left"]
        return TO_COME if job.state == "made" or job.is_running else NOT_DONE
    if result.starts_run:
        end = told.ends.get(result.pipeline_id or "")
        if end is None:
            return RUN_GOES_ON if job.is_running else NOT_FOLLOWED
        if not end.good:
            return RUN_FAILED if end.status == "FAILED" else of_run(end.status)
    return OUTCOMES.get(result.outcome, TO_COME)


def _run_address(one: Line, result: Result | None) -> str:
    """Return the address of a line's run; of a search for it, if somebody else took the message, who may have started
    one; empty if none was started.
    """
    if result and result.outcome == "gone" and one.pipeline_id and not one.has_run:
        return link("find", q=one.pipeline_id)
    return run_address(one.pipeline_id, has_run=one.has_run or bool(result and result.starts_run))


def _row(one: Line, told: Happened, job: Job, above: Above, *, is_run: bool) -> LineRow:
    result = told.results.get(one.message_id)
    end = told.ends.get(one.pipeline_id or "") if result and result.starts_run else None
    action = result.action if result else one.action
    reason = result.reason if result else one.reason
    failed = end.error or end.status if end and not end.good else ""
    text = one.error_type if above.errors else ": ".join(filter(None, (one.error_type, one.error)))
    return LineRow(
        message_id="" if is_run else one.message_id,
        address="" if is_run or (result and result.reached) else link("message", message_id=one.message_id),
        service=one.service,
        error=line(text, ERROR_CHARS),
        action=str(action),
        tone=TONES[action],
        reason=Why() if above.why.text else why(reason),
        cost="not known" if one.nano_usd is None else usd(one.nano_usd) if one.nano_usd else "",
        outcome=_outcome(one, told, job),
        problem=(result.problem if result else "") or line(failed, ERROR_CHARS),
        run=_run_address(one, result),
        pipeline_id=one.pipeline_id or "",
        sent=link("find", q=result.sent_id) if result and result.sent_id else "",
        changes=one.changes,
    )
