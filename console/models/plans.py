"""A plan as its page shows it: what is to be done, how far it is, and what came of it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from console.models.event import DiffLine, difference
from console.models.parked import ERROR_CHARS, ON_A_PAGE, TONES, cost, cost_source, doing
from console.models.words import Status, of_run
from console.routes import link
from console.text import line
from operations.dlq.plan import Action
from operations.dlq.plans import Line, Note, Order, Phase, Plan
from operations.dlq.replay import Outcome, Result
from operations.jobs import Job
from operations.runs.ends import End
from operations.wording import counted, usd

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
CANARY_FAILED = Status(mark="✗", word="canary failed", tone="bad")
PARTLY = Status(mark="!", word="done in part", tone="warn")
OUTCOMES: Mapping[Outcome, Status] = {
    "done": Status(mark="✓", word="done", tone="good"),
    "left": Status(mark="·", word="left", tone="warn"),
    "gone": Status(mark="·", word="gone", tone="still"),
    "failed": Status(mark="✗", word="failed", tone="bad"),
}
"""`gone`: somebody else has taken the message."""
TO_COME = Status(mark="·", word="to come", tone="still")
NOT_DONE = Status(mark="·", word="not done", tone="still")


class LineRow(Struct, frozen=True, kw_only=True):
    message_id: str
    """Empty if the line is of a run."""
    address: str
    """Where the message is shown; empty once it has left its queue, and for a run."""
    service: str
    error: str
    action: str
    tone: str
    reason: str
    cost: str
    outcome: Status
    problem: str
    run: str
    pipeline_id: str
    ended: Status | None
    sent: str
    """The address that finds what was sent; empty if nothing was."""


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
    made_at: datetime
    seen_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    who: str
    total: int
    acts: int
    reached: int
    outcomes: tuple[tuple[str, Status], ...]
    runs: tuple[tuple[str, Status], ...]
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


def plan_view(job: Job, start: int) -> PlanView:
    plan, told, order = plan_of(job), happened(job), order_of(job)
    start = start if 0 <= start < len(plan.lines) else 0
    end = start + ON_A_PAGE
    acts = plan.acts
    rest = (
        0
        if job.state == "made" or job.is_running
        else sum(one.message_id not in told.results for one in acts)
    )
    return PlanView(
        number=job.number,
        title=TITLES[plan.what],
        thing=_thing(plan),
        takes_canary=plan.what in ("replay", "again"),
        status=_status(job, plan, told),
        sentence=_sentence(job, plan, told, rest),
        is_made=job.state == "made",
        is_running=job.is_running,
        follows=told.phase == "runs",
        made_at=job.made_at,
        seen_at=plan.seen_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
        who=_who(order),
        total=len(plan.lines),
        acts=len(acts),
        reached=_reached(told),
        outcomes=_outcomes(told.results.values()),
        runs=_runs(told, job),
        canary=_canary(order, told),
        problem=job.problem,
        doing=doing(plan.actions),
        cost=cost(plan.estimate),
        cost_source=cost_source(plan.estimate),
        restart=plan.restart,
        reason=plan.reason,
        most_canaries=max(0, len(acts) - 1),
        rows=tuple(_row(one, told, job, is_run=plan.is_of_runs) for one in plan.lines[start:end]),
        start=start,
        newer=link("plan", number=job.number, start=max(0, start - ON_A_PAGE) or "") if start else "",
        older=link("plan", number=job.number, start=end) if end < len(plan.lines) else "",
        diff=difference(plan.before, plan.data) if plan.what == "edit" else (),
        rest=rest,
    )


def _thing(plan: Plan) -> str:
    return "run" if plan.is_of_runs else "message"


def _who(order: Order | None) -> str:
    return order.who.rpartition("/")[2].rpartition(":")[2] if order else ""


def _reached(told: Happened) -> int:
    return sum(result.reached for result in told.results.values())


def _status(job: Job, plan: Plan, told: Happened) -> Status:
    if job.state == "done" and told.canary_held is False:
        return CANARY_FAILED
    bad = any(not end.good for end in told.ends.values())
    if job.state == "done" and (bad or _reached(told) < len(plan.acts)):
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
    done = f"{_reached(told):,} of {counted(acts, thing)} reached {'its' if acts == 1 else 'their'} outcome"
    unsuccessful = sum(not end.good for end in told.ends.values())
    runs = f"; {counted(unsuccessful, 'run')} did not succeed" if unsuccessful else ""
    if told.canary_held is False:
        return f"The canary failed; the other {rest:,} were left unchanged. {done}{runs}."
    stays = f" {rest:,} stay as they were; plan them again to go on, nothing is done twice." if rest else ""
    return f"{done}{runs}.{stays}"


def _canary(order: Order | None, told: Happened) -> str:
    if order is None or not order.canary:
        return ""
    verdict = {
        True: "it held, the rest followed",
        False: "it failed, the rest was left",
        None: "no verdict yet",
    }
    return f"{order.canary:,} first: {verdict[told.canary_held]}"


def _outcomes(results: Iterable[Result]) -> tuple[tuple[str, Status], ...]:
    counts = Counter(result.outcome for result in results)
    return tuple((f"{counts[name]:,}", status) for name, status in OUTCOMES.items() if counts[name])


def _runs(told: Happened, job: Job) -> tuple[tuple[str, Status], ...]:
    started = {one.pipeline_id for one in told.results.values() if one.starts_run and one.pipeline_id}
    counts = Counter(told.ends[one].status for one in started if one in told.ends)
    open_ = sum(one not in told.ends for one in started)
    found = [(f"{number:,}", of_run(status)) for status, number in counts.items()]
    if open_:
        word = "under way" if job.is_running else "not followed"
        found.append((f"{open_:,}", Status(mark="…", word=word, tone="busy" if job.is_running else "still")))
    return tuple(found)


def _row(one: Line, told: Happened, job: Job, *, is_run: bool) -> LineRow:
    result = told.results.get(one.message_id)
    end = told.ends.get(one.pipeline_id or "") if result and result.starts_run else None
    action = result.action if result else one.action
    if result:
        outcome = OUTCOMES.get(result.outcome, TO_COME)
    elif one.action is Action.LEAVE:
        outcome = OUTCOMES["left"]
    else:
        outcome = TO_COME if job.state == "made" or job.is_running else NOT_DONE
    return LineRow(
        message_id="" if is_run else one.message_id,
        address="" if is_run or (result and result.reached) else link("message", message_id=one.message_id),
        service=one.service,
        error=line(": ".join(filter(None, (one.error_type, one.error))), ERROR_CHARS),
        action=str(action),
        tone=TONES[action],
        reason=result.reason if result else one.reason,
        cost="not known" if one.nano_usd is None else usd(one.nano_usd) if one.nano_usd else "",
        outcome=outcome,
        problem=(result.problem or "") if result else "",
        run=link("run", pipeline_id=one.pipeline_id) if one.pipeline_id else "",
        pipeline_id=one.pipeline_id or "",
        ended=of_run(end.status) if end else None,
        sent=link("find", q=result.sent_id) if result and result.sent_id else "",
    )
