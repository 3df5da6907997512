"""A plan as its page shows it: what is to be done, how far it is, and what came of it."""

from datetime import datetime

from msgspec import Struct

from console.models.event import DiffLine, difference
from console.models.parked import ON_A_PAGE, cost, cost_source, doing
from console.models.plan_lines import (
    ErrorGroup,
    Happened,
    LineRow,
    Why,
    happened,
    line_rows,
    order_of,
    outcomes,
    plan_of,
    run_errors,
    short_name,
    told_above,
)
from console.models.words import Status
from console.routes import link
from console.text import line
from operations.dlq.plans import Order, Phase, Plan
from operations.dlq.replay import Result
from operations.jobs import Job
from operations.runs.ends import End
from operations.wording import counted
from shared.contracts.record import FINAL

TITLES = {
    "replay": "Replay",
    "archive": "Archive",
    "edit": "Correct and replay",
    "again": "Run again",
    "cancel": "Cancel",
}
PHASES: dict[Phase, str] = {
    "canary": "The canary is acted on.",
    "canary runs": "The canary was acted on; its runs are awaited.",
    "rest": "The rest is acted on.",
    "runs": "All was acted on; the runs are followed to their ends.",
}
STATES = {
    "made": Status(mark="○", word="not started", tone="still"),
    "running": Status(mark="…", word="running", tone="busy"),
    "stopping": Status(mark="…", word="stopping", tone="busy"),
    "done": Status(mark="✓", word="done", tone="good"),
    "stopped": Status(mark="■", word="stopped", tone="warn"),
    "failed": Status(mark="✗", word="failed", tone="bad"),
    "interrupted": Status(mark="✗", word="interrupted", tone="bad"),
}
STEP_CHARS = 200
CANARY_FAILED = Status(mark="✗", word="canary failed", tone="bad")
NONE_SUCCEEDED = Status(mark="✗", word="none succeeded", tone="bad")
PARTLY = Status(mark="!", word="done in part", tone="warn")


class PlanView(Struct, frozen=True, kw_only=True):
    number: int
    title: str
    thing: str
    """What it acts on: a message or a run."""
    takes_canary: bool
    status: Status
    sentence: str
    is_made: bool
    is_running: bool
    follows: bool
    """Whether everything was acted on, and only the runs are followed."""
    asks_person: bool
    """Whether the runs that are followed end only after a person has approved their answers."""
    made_at: datetime
    seen_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    who: str
    total: int
    acts: int
    reached: int
    """Those that reached their outcome, less those whose run did not succeed."""
    parks_again: bool
    """Whether a run failed again, whose message is then parked again."""
    outcomes: tuple[tuple[str, Status], ...]
    errors: tuple[ErrorGroup, ...]
    """With what the messages, or runs, had failed before."""
    run_errors: tuple[ErrorGroup, ...]
    """With what the runs failed that the plan started."""
    why: Why
    """Why it is done, if the reason is the same for all lines."""
    canary: str
    problem: str
    doing: tuple[tuple[str, str], ...]
    cost: str
    cost_source: str
    restart: bool
    reason: str
    most_canaries: int
    rows: tuple[LineRow, ...]
    start: int
    newer: str
    older: str
    diff: tuple[DiffLine, ...] | None
    steps: tuple[str, ...]
    """What the same correction of several messages does in each."""
    rest: int
    """Messages on which it was to act, and did not."""


class PlanRow(Struct, frozen=True, kw_only=True):
    number: int
    address: str
    title: str
    status: Status
    made_at: datetime
    who: str
    reached: int
    acts: int
    thing: str
    service: str


def plan_row(job: Job) -> PlanRow:
    plan, told, order = plan_of(job), happened(job), order_of(job)
    return PlanRow(
        number=job.number,
        address=link("plan", number=job.number),
        title=TITLES[plan.what],
        status=_status(job, plan, told),
        made_at=job.made_at,
        who=_who(order),
        reached=_reached(told),
        acts=len(plan.acts),
        thing=_thing(plan),
        service=", ".join(sorted({one.service for one in plan.lines} - {""})),
    )


def plan_view(job: Job, start: int, *, approves: bool = False) -> PlanView:
    """Return what a plan's page shows. `approves`: a person approves each answer before its run ends."""
    plan, told, order = plan_of(job), happened(job), order_of(job)
    start = start if 0 <= start < len(plan.lines) else 0
    end = start + ON_A_PAGE
    acts = plan.acts
    above = told_above(plan, told)
    rest = (
        0
        if job.state == "made" or job.is_running
        else sum(one.message_id not in told.results for one in acts)
    )
    return PlanView(
        number=job.number,
        title=TITLES[plan.what],
        thing=_thing(plan),
        takes_canary=plan.what in ("replay", "again") or bool(plan.steps),
        status=_status(job, plan, told),
        sentence=_sentence(job, plan, told, rest),
        is_made=job.state == "made",
        is_running=job.is_running,
        follows=told.phase == "runs",
        asks_person=approves and job.is_running and told.phase in ("canary runs", "runs"),
        made_at=job.made_at,
        seen_at=plan.seen_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
        who=_who(order),
        total=len(plan.lines),
        acts=len(acts),
        reached=_reached(told),
        parks_again=not job.is_running and any(end.status == "FAILED" for end in told.ends.values()),
        outcomes=outcomes(plan.lines, told, job),
        errors=above.errors,
        run_errors=run_errors(told),
        why=above.why,
        canary=_canary(order, told),
        problem=job.problem,
        doing=doing(plan.actions),
        cost=cost(plan.estimate),
        cost_source=cost_source(plan.estimate),
        restart=plan.restart,
        reason=plan.reason,
        most_canaries=max(0, len(acts) - 1),
        rows=line_rows(plan, told, job, slice(start, end), above),
        start=start,
        newer=link("plan", number=job.number, start=max(0, start - ON_A_PAGE) or "") if start else "",
        older=link("plan", number=job.number, start=end) if end < len(plan.lines) else "",
        diff=difference(plan.before, plan.data) if plan.what == "edit" and not plan.steps else (),
        steps=tuple(line(step.in_words, STEP_CHARS) for step in plan.steps),
        rest=rest,
    )


def _thing(plan: Plan) -> str:
    return "run" if plan.is_of_runs else "message"


def _who(order: Order | None) -> str:
    return short_name(order.who) if order else ""


def _reached(told: Happened) -> int:
    ends = (_end(one, told) for one in told.results.values() if one.reached)
    return sum(end is None or end.good for end in ends)


def _end(result: Result | None, told: Happened) -> End | None:
    """Return the end of the run that was started for a line; None if none was, or it goes on."""
    return told.ends.get(result.pipeline_id or "") if result and result.starts_run else None


def _all_failed(plan: Plan, told: Happened) -> bool:
    """Return whether every line that was to be acted on started a run, and all of them failed."""
    ends = [_end(told.results.get(one.message_id), told) for one in plan.acts]
    return bool(ends) and all(end is not None and end.status == "FAILED" for end in ends)


def _status(job: Job, plan: Plan, told: Happened) -> Status:
    if job.state == "done" and told.canary_held is False:
        return CANARY_FAILED
    if job.state == "done" and _all_failed(plan, told):
        return NONE_SUCCEEDED
    if job.state == "done" and _reached(told) < len(plan.acts):
        return PARTLY
    return STATES[job.state]


def _sentence(job: Job, plan: Plan, told: Happened, rest: int) -> str:
    acts, thing = len(plan.acts), _thing(plan)
    match job.state:
        case "made":
            left = len(plan.lines) - acts
            beside = (
                f"; {counted(left, thing)} would be left as {'it is' if left == 1 else 'they are'}"
                if left
                else ""
            )
            begun = "Nothing has been done yet." if acts else "There is nothing to carry out."
            return f"It acts on {counted(acts, thing)}{beside}. {begun}"
        case "running":
            return PHASES[told.phase] if told.phase else "It waits until nobody reads the queues."
        case "stopping":
            return "It stops after what is under way."
        case "interrupted":
            unknown = f"{counted(rest, thing)} {'has' if rest == 1 else 'have'} no outcome here"
            return (
                f"The console ended while it ran. {unknown}: nothing was done with them, except perhaps with the one "
                "that was under way. Read the queues and plan the rest again; nothing is done twice."
            )
    return _ended(plan, told, rest)


def _ended(plan: Plan, told: Happened, rest: int) -> str:
    acts, thing = len(plan.acts), _thing(plan)
    if _all_failed(plan, told):
        if acts == 1:
            return f"The {thing} was acted on; its run failed again."
        return f"All {acts:,} {thing}s were acted on; none of their runs succeeded."
    done = f"{_reached(told):,} of {counted(acts, thing)} reached {'its' if acts == 1 else 'their'} outcome"
    unsuccessful = sum(not end.good and end.status in FINAL for end in told.ends.values())
    unended = sum(end.status not in FINAL for end in told.ends.values())
    runs = f"; {counted(unsuccessful, 'run')} did not succeed" if unsuccessful else ""
    runs += f"; {counted(unended, 'run')} had not ended when waiting was given up" if unended else ""
    taken = sum(one.outcome == "gone" for one in told.results.values())
    gone = (
        f"; {taken:,} {'was' if taken == 1 else 'were'} no longer parked, so nothing was done"
        if taken
        else ""
    )
    if told.canary_held is False:
        why = runs.removeprefix("; ") or f"only {done}"
        return f"The canary failed: {why}; the other {rest:,} were left unchanged."
    stays = f" {rest:,} stay as they were; plan them again to go on, nothing is done twice." if rest else ""
    return f"{done}{runs}{gone}.{stays}"


def _canary(order: Order | None, told: Happened) -> str:
    if order is None or not order.canary:
        return ""
    verdict = {
        True: "it held, the rest followed",
        False: "it failed, the rest was left",
        None: "no verdict yet",
    }
    return f"{order.canary:,} first: {verdict[told.canary_held]}"
