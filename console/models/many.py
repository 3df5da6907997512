"""A batch of messages as its page shows it: its lines, how far they are, and what came of each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from console.models.plans import NONE_SUCCEEDED, PARTLY, STATES
from console.models.words import Status, of_run
from console.routes import link
from console.text import line
from operations.asking.batch import BAD, Line, Outcome
from operations.asking.batch_jobs import Batch, latest
from operations.asking.submit import Via
from operations.jobs import Job
from operations.wording import counted, duration

ON_A_PAGE = 50
TEXT_CHARS = 120
ENOUGH_TO_GUESS = 3
"""Finished lines from which the time that is left is derived."""
LINES: Mapping[str, Status] = {
    "INVALID": Status(mark="✗", word="not valid", tone="bad"),
    "REFUSED": Status(mark="✗", word="refused", tone="bad"),
}
TO_SEND = Status(mark="○", word="to send", tone="still")
NOT_SENT = Status(mark="·", word="not sent", tone="warn")


class LineView(Struct, frozen=True, kw_only=True):
    number: int
    status: Status
    text: str
    problem: str
    run: str
    pipeline_id: str


class BatchView(Struct, frozen=True, kw_only=True):
    """`to_send` counts the lines that are valid; `rest` those that were not followed to their ends."""

    number: int
    status: Status
    sentence: str
    is_made: bool
    is_running: bool
    problem: str
    via: Via
    total: int
    to_send: int
    finished: int
    time_left: str
    counts: tuple[tuple[str, Status], ...]
    rest: int
    has_results: bool
    rows: tuple[LineView, ...]
    start: int
    shown_of: int
    only_bad: bool
    earlier: str
    later: str
    made_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class BatchRow(Struct, frozen=True, kw_only=True):
    number: int
    address: str
    status: Status
    made_at: datetime
    sentence: str


def batch_of(job: Job) -> Batch:
    return msgspec.json.decode(job.about, type=Batch)


def outcomes_of(job: Job) -> list[Outcome]:
    return [msgspec.json.decode(note, type=Outcome) for note in job.notes]


def batch_row(job: Job) -> BatchRow:
    view = batch_view(job, 0, job.made_at)
    return BatchRow(
        number=job.number,
        address=link("batch", number=job.number),
        status=view.status,
        made_at=job.made_at,
        sentence=view.sentence,
    )


def batch_view(job: Job, start: int, now: datetime, *, only_bad: bool = False) -> BatchView:
    batch = batch_of(job)
    lines, last = batch.lines, latest(outcomes_of(job))
    texts = batch.text.split("\n")
    to_send = sum(one.request is not None for one in lines)
    ended = {number: one for number, one in last.items() if one.finished and one.status != "INVALID"}
    rest = 0 if job.state == "made" or job.is_running else to_send - len(ended)
    refused = sum(one.status == "REFUSED" for one in ended.values())
    wanted = [one for one in lines if not only_bad or _is_bad(one, last)]
    start = start if 0 <= start < len(wanted) else 0
    end = start + ON_A_PAGE
    only = "bad" if only_bad else ""

    def page(at: int) -> str:
        return link("batch", number=job.number, start=at or "", only=only)

    return BatchView(
        number=job.number,
        status=_state(job, rest, last),
        sentence=_sentence(job, len(lines), to_send, len(ended), rest),
        is_made=job.state == "made",
        is_running=job.is_running,
        problem=job.problem,
        via=batch.via,
        total=len(lines),
        to_send=to_send,
        finished=len(ended),
        time_left=_time_left(job, to_send, len(ended), now),
        counts=_counts(lines, last, job),
        rest=rest + (0 if job.state == "made" or job.is_running else refused),
        has_results=bool(last),
        rows=tuple(_row(one, last.get(one.number), texts[one.number - 1], job) for one in wanted[start:end]),
        start=start,
        shown_of=len(wanted),
        only_bad=only_bad,
        earlier=page(max(0, start - ON_A_PAGE)) if start else "",
        later=page(end) if end < len(wanted) else "",
        made_at=job.made_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
    )


def _state(job: Job, rest: int, last: Mapping[int, Outcome]) -> Status:
    bad = [one.status in BAD for one in last.values()]
    if job.state != "done" or not (rest or any(bad)):
        return STATES[job.state]
    return NONE_SUCCEEDED if all(bad) else PARTLY


def _is_bad(one: Line, last: Mapping[int, Outcome]) -> bool:
    return one.request is None or (one.number in last and last[one.number].status in BAD)


def _sentence(job: Job, total: int, to_send: int, ended: int, rest: int) -> str:
    invalid = total - to_send
    beside = f"; {counted(invalid, 'line')} can't be sent" if invalid else ""
    done = f"{ended:,} of {counted(to_send, 'message')} reached {'its' if to_send == 1 else 'their'} end{beside}."
    match job.state:
        case "made":
            return f"It sends {counted(to_send, 'message')}{beside}. Nothing has been sent yet."
        case "stopping":
            return f"It stops after what is under way. {done}"
        case "interrupted":
            return f"The console ended while it ran. {done}"
    stays = " Runs that were started go on." if rest else ""
    return done + stays


def _time_left(job: Job, to_send: int, ended: int, now: datetime) -> str:
    if job.state != "running" or job.started_at is None or ended < ENOUGH_TO_GUESS or ended == to_send:
        return ""
    elapsed = (now - job.started_at).total_seconds() * 1_000
    return duration(max(0.0, elapsed * (to_send - ended) / ended))


def _counts(lines: Sequence[Line], last: Mapping[int, Outcome], job: Job) -> tuple[tuple[str, Status], ...]:
    found = Counter(_status(one, last.get(one.number), job) for one in lines)
    return tuple((f"{number:,}", status) for status, number in found.most_common())


def _status(one: Line, outcome: Outcome | None, job: Job) -> Status:
    if one.request is None:
        return LINES["INVALID"]
    if outcome is None:
        return TO_SEND if job.state == "made" or job.is_running else NOT_SENT
    return LINES.get(outcome.status) or of_run(outcome.status, outcome.degraded)


def _row(one: Line, outcome: Outcome | None, text: str, job: Job) -> LineView:
    pipeline_id = (outcome.pipeline_id if outcome else None) or ""
    return LineView(
        number=one.number,
        status=_status(one, outcome, job),
        text=line(text, TEXT_CHARS),
        problem=one.problem or (outcome.error if outcome else None) or "",
        run=link("asked", pipeline_id=pipeline_id) if pipeline_id else "",
        pipeline_id=pipeline_id,
    )
