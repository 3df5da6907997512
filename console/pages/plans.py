"""Plans: made of parked messages, looked at, carried out once, followed by whoever opens their page."""

from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus

from starlette.responses import Response

from console.desk import Desk
from console.live.feed import Look
from console.live.stream import streamed
from console.models.parked import ON_A_PAGE
from console.models.plan_lines import happened, left_rows, order_of, plan_of
from console.models.plans import plan_row, plan_view
from console.pages.corrections import edit_plan, for_others
from console.pages.parked import UNREAD, messages_of, unread
from console.pages.subjects import PLANS
from console.routes import link
from console.text import whole
from console.views import Ask
from operations.approvals import TABLE
from operations.dlq.causes import of_cause
from operations.dlq.plan import Planned
from operations.dlq.plans import Note, Order, Plan, archive_plan, carried_out, order, replay_plan
from operations.dlq.run_plans import again_plan, cancel_plan
from operations.dlq.snapshot import Snapshot, planned_again
from operations.errors import InvalidInputError, NotFoundError, OperationError, RefusedError
from operations.jobs import BusyError, Job, Work
from operations.stop import Stop
from operations.target import Target

MOST_TICKED = 50
COMPARED = 2
LISTED = 50
CANARY = 3
IDS_IN_COMMAND = 3


def listed(ask: Ask) -> Response:
    """Show the latest plans with what came of them."""
    rows = [plan_row(job) for job in ask.desk.jobs.latest(LISTED) if job.kind == PLANS]
    return ask.page("plans.html", title="Plans", json=rows, rows=rows)


def page(ask: Ask) -> Response:
    job = _job(ask)
    plan = plan_of(job)
    view = plan_view(job, _start(ask), approves=_approves(ask))
    refusal = ask.desk.lock.refusal()
    return ask.page(
        "plan.html",
        title=f"{view.title}: plan {job.number}",
        command=_command(job, plan),
        json={"state": job.state, "plan": plan, "order": order_of(job), "happened": happened(job)},
        current="plans",
        live=link("live-plan", number=job.number, start=ask.query.get("start", "")) if job.is_running else "",
        view=view,
        locked=refusal.text if refusal else "",
        canary=min(CANARY, view.most_canaries),
        for_others=for_others(ask, plan) if view.is_made else "",
        error="",
    )


def live(ask: Ask) -> Response:
    """Stream a plan's progress until it ends."""
    job, start = _job(ask), _start(ask)
    jobs, approves = ask.desk.jobs, _approves(ask)

    def draw(seen: Look[Job]) -> str:
        if seen.value is None:
            return ask.fragment("lost.html", error=seen.error)
        return ask.fragment(
            "plan_now.html", view=plan_view(seen.value, start, approves=approves), error=seen.error
        )

    feed = ask.desk.feeds.feed(f"plan {job.number}", lambda: jobs.read(job.number))
    return streamed(
        ask.desk.feeds, feed, draw, ended=lambda seen: seen.value is not None and not seen.value.is_running
    )


def make(ask: Ask) -> Response:
    """Make a plan of messages: ticked ones, those of a cause or of an earlier plan, or one. Nothing is done yet."""
    snapshot = ask.desk.shelf.shown(ask.target).snapshot
    if snapshot is None:
        return unread(ask, "The queues were not read yet", UNREAD)
    items, what = _chosen(ask, snapshot), ask.form.get("what", "")
    if not items:
        raise NotFoundError("None of these messages was parked when the queues were read. Read them again.")
    if what == "edit":
        made = edit_plan(ask, snapshot, items[0])
        return made if isinstance(made, Response) else _made(ask, made)
    if what == "archive":
        plan = archive_plan(items, snapshot.at, ask.form.get("reason", ""))
    else:
        restart = bool(ask.form.get("restart"))
        again = planned_again(ask.target, snapshot, [item.message.id for item in items], restart=restart)
        plan = replay_plan(again, snapshot, restart=restart)
    return _made(ask, plan)


def make_of_runs(ask: Ask) -> Response:
    """Compare the two runs that are ticked, or make a plan of all that are. Nothing is done yet."""
    ticked = [ask.form.get(f"run-{number}", "") for number in range(1, MOST_TICKED + 1)]
    ids = list(dict.fromkeys(filter(None, ticked)))
    what = ask.form.get("what", "")
    if what == "compare":
        if len(ids) != COMPARED:
            raise InvalidInputError("Tick two runs to compare them.")
        return ask.redirect(link("compare", a=ids[1], b=ids[0]))
    if not ids:
        raise InvalidInputError("Tick the runs that the plan is for.")
    if what == "cancel":
        return _made(ask, cancel_plan(ask.target, ids))
    with ask.desk.shelf.alone(Stop()):  # whether a message of a run is parked is read from the queues
        return _made(ask, again_plan(ask.target, ids))


def run(ask: Ask) -> Response:
    """Carry a plan out, once. Whoever comes second joins."""
    job = _job(ask)
    there = ask.redirect(link("plan", number=job.number))
    if job.state != "made":
        return there
    plan, target = plan_of(job), ask.target
    if not plan.acts:
        raise InvalidInputError(
            "This plan leaves every message where it is, so there is nothing to carry out."
        )
    how = order(target.describe().caller, ask.form.get("canary", ""), ask.form.get("rate", ""))
    try:
        ask.desk.jobs.start(job.number, how, _work(ask.desk, target, plan, how))
    except BusyError as error:
        return ask.problem(
            HTTPStatus.CONFLICT, "Another plan is being carried out", f"{error} See the list of plans."
        )
    except RefusedError:
        if ask.desk.jobs.read(job.number).state == "made":
            raise
    return there


def stop(ask: Ask) -> Response:
    """Ask a plan to stop after what is under way. A lock does not keep anybody from stopping."""
    job = _job(ask)
    if job.is_running and not ask.desk.jobs.stop(job.number):
        raise RefusedError("Another console carries this plan out. Stop it there.")
    return ask.redirect(link("plan", number=job.number))


def _work(desk: Desk, target: Target, plan: Plan, how: Order) -> Work:
    """Return the work of a job. Nobody reads the queues while it acts: a message that is read is hidden from it."""

    def work(stop: Stop) -> Iterator[Note]:
        with ExitStack() as alone:
            alone.enter_context(desk.shelf.alone(stop))
            if stop.requested:
                return
            for note in carried_out(target, plan, how, stop):
                if note.result and note.result.reached:
                    desk.shelf.drop([note.result.message_id])
                if note.phase == "runs":
                    alone.close()
                yield note

    return work


def _chosen(ask: Ask, snapshot: Snapshot) -> list[Planned]:
    """Return the messages that a form names: by cause, by the number of an earlier plan, by an id, or all."""
    form = ask.form
    ticked = {form.get(f"message-{number}", "") for number in range(1, MOST_TICKED + 1)} - {""}
    if ticked:
        return [item for item in snapshot.planned if item.message.id in ticked]
    if message_id := form.get("message"):
        item = snapshot.find(message_id)
        return [item] if item else []
    if key := form.get("cause"):
        return of_cause(snapshot.planned, key)
    if number := form.get("plan"):
        ids = {one.message_id for one in plan_of(_numbered(ask, number)).lines}
        return [item for item in snapshot.planned if item.message.id in ids]
    if not form.get("all"):
        raise InvalidInputError("Tick the messages that the plan is for.")
    return list(snapshot.planned)


def _made(ask: Ask, plan: Plan) -> Response:
    """Keep a plan and lead to it. One that would do nothing is not kept: the page says why, and what helps."""
    if not plan.acts:
        return _idle(ask, plan)
    return ask.redirect(link("plan", number=ask.desk.jobs.make(PLANS, plan)))


def _idle(ask: Ask, plan: Plan) -> Response:
    rows = left_rows(plan, slice(ON_A_PAGE))
    messages = {
        row.name: messages_of(ask, row.name) if row.reason.instead and plan.is_of_runs else [] for row in rows
    }
    return ask.page(
        "plan_idle.html",
        title="There is nothing to carry out",
        json=plan,
        status=HTTPStatus.CONFLICT,
        current="plans",
        thing="run" if plan.is_of_runs else "message",
        total=len(plan.lines),
        rows=rows,
        messages=messages,
        unread=any(row.reason.instead and not messages[row.name] for row in rows),
    )


def _job(ask: Ask) -> Job:
    return _numbered(ask, ask.params["number"])


def _numbered(ask: Ask, text: str) -> Job:
    if (number := whole(text)) is None:
        raise NotFoundError("A plan has a number. The list of plans shows them.")
    job = ask.desk.jobs.read(number)
    if job.kind != PLANS:
        raise NotFoundError(f"There is no plan {job.number}.")
    return job


def _approves(ask: Ask) -> bool:
    """Return whether a person approves each answer; False if that is not known: a plan can be read all the same."""
    try:
        return TABLE in ask.target.addresses.values
    except OperationError:
        return False


def _start(ask: Ask) -> int:
    return whole(ask.query.get("start", "")) or 0


def _command(job: Job, plan: Plan) -> tuple[str, ...]:
    """Return the command that would do the same."""
    if plan.steps:
        return ()  # a terminal corrects one message at a time
    how = order_of(job)
    ids = [one.message_id for one in plan.lines[:IDS_IN_COMMAND]]
    more = ("…",) if len(plan.lines) > IDS_IN_COMMAND else ()
    chosen = (*(word for one in ids for word in ("--id", one)), *more)
    if plan.what == "again":
        return ("redrive", "--since", "…", *(("--canary", str(how.canary)) if how and how.canary else ()))
    if plan.what == "cancel":
        return ("cancel", *ids[:1], *(("…",) if len(plan.lines) > 1 else ()))
    if plan.what == "archive":
        return ("dlq", "archive", *chosen, "--reason", '"…"')
    canary = ("--canary", str(how.canary)) if how and how.canary else ()
    again = ("--restart",) if plan.restart else ()
    edit = ("--edit",) if plan.what == "edit" else ()
    return ("dlq", "replay", *chosen, *canary, *again, *edit)
