"""One run: its waterfall, data, events, cost and logs."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from console.live.feed import Look
from console.live.stream import streamed
from console.markdown import markdown
from console.models.asked import thread
from console.models.run import execution_rows, run_view
from console.models.tabs import (
    DETAILS_CHARS,
    MOST_EVENTS,
    PAYLOAD_CHARS,
    Payload,
    as_text,
    beginning,
    code_view,
    cost_groups,
    cut,
    revision_in,
    since,
    visits,
)
from console.pages.health import functions
from console.pages.parked import messages_of, read_since
from console.routes import link
from console.text import whole
from console.views import Ask, as_json, plain
from operations.asking.conversation import UNKNOWN, read_history
from operations.deployment.functions import revisions
from operations.errors import DeniedError, NotFoundError, OperationError
from operations.json_text import written
from operations.money.run_ledger import read_ledger
from operations.runs.earlier import executions_of, names_of, read_execution
from operations.runs.journey import Journey, read_journey
from operations.runs.logs import read_logs
from operations.runs.pages import runs_page
from operations.runs.records import read_record
from operations.runs.trail import Trail, read_trail
from shared.contracts.record import FINAL

TABS = ("timeline", "data", "events", "cost", "logs")
OF_RECORD = ("data", "cost")
"""Tabs that show what the record tells, which is of the latest execution."""
MOST_LINES = 500
LATE = timedelta(seconds=10)
_AWS = "https://{region}.console.aws.amazon.com/{what}"
_TRACE = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}")
PARTS = ("record", "events", "input", "output", "message", "answer")


def page(ask: Ask) -> Response:
    pipeline_id = ask.params["pipeline_id"]
    journey = read_journey(ask.target, pipeline_id)
    if ask.wants_json:
        return as_json(journey)
    tab = ask.query.get("tab", TABS[0])
    if tab not in TABS:
        tab = TABS[0]
    earlier = _earlier(ask, journey)
    latest, lost = journey, ""
    if earlier:
        shown = read_execution(ask.target, journey, earlier)
        if shown is None:
            earlier, lost = "", f"The history of the execution {earlier} is gone: it is kept for 90 days."
        journey = shown or journey
    trail, denied = trail_of(ask, journey)
    now = datetime.now(UTC)
    of_tab = {name: "" if name == TABS[0] else name for name in TABS}
    names = names_of(latest)
    return ask.page(
        "run.html",
        title=f"Run {pipeline_id[:12]}",
        command=_command(tab, pipeline_id),
        current="runs",
        live=""
        if is_settled(journey) or earlier
        else link("live-run", pipeline_id=pipeline_id, tab=of_tab[tab]),
        view=run_view(journey, trail, now, subject="This execution" if earlier else "The run"),
        error="",
        again=link("ask", again=pipeline_id),
        repeats=ask.desk.questions.repeated(pipeline_id),
        tab=tab,
        is_first=tab == TABS[0],
        tabs=[
            (name, link("run", pipeline_id=pipeline_id, tab=of_tab[name], execution=earlier)) for name in TABS
        ],
        earlier=earlier,
        lost=lost,
        newest=link("run", pipeline_id=pipeline_id, tab=of_tab[tab]),
        retry=ask.desk.command("dlq", "replay", "--pipeline", pipeline_id),
        explain=ask.desk.command("explain", pipeline_id),
        parked=messages_of(ask, pipeline_id),
        parked_read_at=read_since(ask, latest.finished_at),
        executions=execution_rows(executions_of(ask.target, latest), earlier or names[0], latest)
        if tab == TABS[0] and len(names) > 1
        else (),
        elsewhere=_in_step_functions(ask, journey),
        denied=denied,
        raw=link("raw", pipeline_id=pipeline_id, part="record"),
        **_guarded(ask, tab, journey, trail, earlier),
    )


def _earlier(ask: Ask, journey: Journey) -> str:
    """Return the earlier execution that the address names; empty for the latest one, and for a stranger's name."""
    wanted = ask.query.get("execution", "")
    return wanted if wanted in names_of(journey)[1:] else ""


def latest(ask: Ask) -> Response:
    """Go to the run that was started last."""
    rows = runs_page(ask.target, size=1).rows
    return ask.redirect(link("run", pipeline_id=rows[0].pipeline_id) if rows else link("runs"))


def live(ask: Ask) -> Response:
    """Stream what a run's page shows of its progress, until the run ends."""
    pipeline_id = ask.params["pipeline_id"]
    read_journey(ask.target, pipeline_id)  # an unknown run has no stream
    is_first = not ask.query.get("tab")

    def look() -> tuple[Journey, Trail | None]:
        journey = read_journey(ask.target, pipeline_id)
        return journey, trail_of(ask, journey)[0]

    def draw(seen: Look[tuple[Journey, Trail | None]]) -> str:
        if seen.value is None:
            return ask.fragment("lost.html", error=seen.error)
        view = run_view(*seen.value, datetime.now(UTC))
        return ask.fragment("run_now.html", view=view, error=seen.error, is_first=is_first)

    feed = ask.desk.feeds.feed(f"run {pipeline_id}", look)
    return streamed(
        ask.desk.feeds, feed, draw, ended=lambda seen: seen.value is not None and is_settled(seen.value[0])
    )


def raw(ask: Ask) -> Response:
    """Return a part of a run as a text to save."""
    pipeline_id, part = ask.params["pipeline_id"], ask.query.get("part", "")
    if part not in PARTS:
        return ask.problem(
            HTTPStatus.NOT_FOUND, "There is no such part", f"A run has these: {', '.join(PARTS)}."
        )
    name = f"{pipeline_id[:64]}-{part}.txt"
    if part == "record":
        record = read_record(ask.target, pipeline_id)
        if record is None:
            raise NotFoundError(f"There is no run {pipeline_id!r} in environment {ask.target.env!r}.")
        return plain(written(record, indent=2), name)
    journey = read_journey(ask.target, pipeline_id)
    if part in ("message", "answer"):
        return plain((journey.user_message if part == "message" else journey.final_response) or "", name)
    if earlier := _earlier(ask, journey):
        journey = read_execution(ask.target, journey, earlier) or journey
    trail, _ = trail_of(ask, journey)
    if part == "events":
        rows = (
            [f"{event.number} {event.at} {event.type}\n{event.details}" for event in trail.events]
            if trail
            else []
        )
        return plain("\n\n".join(rows), name)
    number = whole(ask.query.get("visit", ""))
    visit = trail.visits[number] if trail and number is not None and number < len(trail.visits) else None
    return plain((visit.input if part == "input" else visit.output) or "" if visit else "", name)


def is_settled(journey: Journey) -> bool:
    """Return whether nothing will change any more.

    A record is final a moment before its execution has left its last state. The other way round, the record of an
    execution that has ended may not be final yet, or was read just before it was.
    """
    if not journey.finished:
        return False
    late = journey.finished_at is None or datetime.now(UTC) - journey.finished_at > LATE
    return late or (journey.status in FINAL and not any(stage.is_ending for stage in journey.stages))


def trail_of(ask: Ask, journey: Journey) -> tuple[Trail | None, str]:
    """Return the trail of a journey's execution, and why there is none."""
    arn = journey.execution_arn or ask.target.addresses.execution_arn(journey.pipeline_id)
    try:
        return read_trail(ask.target, arn), ""
    except DeniedError as error:
        return None, str(error)


def _in_step_functions(ask: Ask, journey: Journey) -> str:
    """Return the address of the run's execution in AWS's console; nothing if that does not show it."""
    arn = journey.execution_arn or ""
    if ask.desk.environment.is_local or not arn.startswith("arn:aws:states:"):
        return ""
    return _AWS.format(
        region=quote(arn.split(":")[3]), what=f"states/home#/v2/executions/details/{quote(arn)}"
    )


def _in_xray(ask: Ask, fields: Mapping[str, Any]) -> str:
    """Return the address of a log line's invocation in X-Ray; nothing where there is none."""
    trace = str(fields.get("xray_trace_id") or "")
    if ask.desk.environment.is_local or not _TRACE.fullmatch(trace):
        return ""
    region = quote(ask.target.addresses.state_machine_arn.split(":")[3])
    return _AWS.format(region=region, what=f"cloudwatch/home#xray:traces/{trace}")


def _command(tab: str, pipeline_id: str) -> tuple[str, ...]:
    match tab:
        case "cost":
            return ("show", "--cost", pipeline_id)
        case "logs":
            return ("logs", pipeline_id)
    return ("show", pipeline_id)


def _guarded(ask: Ask, tab: str, journey: Journey, trail: Trail | None, earlier: str) -> dict[str, Any]:
    """Return what one tab shows, or why it can't: the rest of the page stays."""
    if earlier and tab in OF_RECORD:
        return {"shown": "earlier", "trouble": ""}
    try:
        return {"shown": tab, "trouble": "", **_of_tab(ask, tab, journey, trail, earlier)}
    except OperationError as error:
        return {"shown": "trouble", "trouble": str(error)}


def _of_tab(ask: Ask, tab: str, journey: Journey, trail: Trail | None, earlier: str) -> dict[str, Any]:
    """Return what one tab shows; nothing is read for the others."""
    pipeline_id = journey.pipeline_id
    match tab:
        case "data":
            return {"data": _data(ask, journey)}
        case "events":
            only = ask.query.get("only") == "failures"
            events = [one for one in (trail.events if trail else ()) if one.is_failure or not only]
            raw = link("raw", pipeline_id=pipeline_id, part="events", execution=earlier)
            other = link(
                "run",
                pipeline_id=pipeline_id,
                tab="events",
                only="" if only else "failures",
                execution=earlier,
            )
            return {
                "events": [
                    (one, since(journey.started_at, one.at), cut(one.details, raw, DETAILS_CHARS))
                    for one in events[-MOST_EVENTS:]
                ],
                "left_out": max(0, len(events) - MOST_EVENTS),
                "only": only,
                "failures": other,
            }
        case "cost":
            cost = read_ledger(ask.target, pipeline_id) if journey.finished else None
            return {"cost": cost, "groups": cost_groups(cost.ledger) if cost else ()}
        case "logs":
            read = read_logs(ask.target, pipeline_id) if ask.query.get("read") else None
            button = link("run", pipeline_id=pipeline_id, tab="logs", read=1, execution=earlier)
            lines = [
                (one, since(journey.started_at, one.at), _in_xray(ask, one.fields))
                for one in (read.lines[-MOST_LINES:] if read else [])
            ]
            return {"read": read, "lines": lines, "button": button, "read_at": datetime.now(UTC)}
    shown = visits(trail, pipeline_id, earlier, _deployed(ask, trail)) if trail else ()
    return {"visits": shown, "code": code_view(shown)}


def _deployed(ask: Ask, trail: Trail) -> Mapping[str, str]:
    """Return the revisions that are deployed now, by stage, for a run that tells of its code; none if not known."""
    if not any(revision_in(visit.output) for visit in trail.visits):
        return {}
    seen = functions(ask)
    return {} if seen.error else revisions(seen.value or ())


def _data(ask: Ask, journey: Journey) -> dict[str, Any]:
    pipeline_id = journey.pipeline_id
    try:
        history = read_history(ask.target, journey)
        lacks = "" if history is not None or not journey.started_at else UNKNOWN
    except OperationError as error:  # the rest is there without what preceded it
        history, lacks = None, str(error)

    def payload(part: str, text: str | None) -> Payload | None:
        return cut(text, link("raw", pipeline_id=pipeline_id, part=part)) if text else None

    answer = journey.final_response
    return {
        "earlier": thread(history or ()),
        "lacks": lacks,
        "follows": ask.desk.questions.before(pipeline_id),
        "message": payload("message", journey.user_message),
        "answer": markdown(answer[:PAYLOAD_CHARS]) if answer else None,
        "answer_left_out": max(0, len(answer or "") - PAYLOAD_CHARS),
        "answer_raw": link("raw", pipeline_id=pipeline_id, part="answer"),
        "parts": [
            (name, payload("record", as_text(value))) for name, value in journey.results.items() if value
        ],
        "instead": [(name, beginning(text)) for name, text in sorted(journey.instead.items())],
    }
