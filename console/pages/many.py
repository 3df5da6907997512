"""Many messages: pasted or of a file, looked at, sent once as a job, followed, their results saved."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from console.live.feed import Look
from console.live.stream import streamed
from console.models.many import batch_of, batch_row, batch_view, outcomes_of
from console.pages.ask import via_of
from console.routes import link
from console.security.rules import TEXT_BYTES
from console.text import whole
from console.views import Ask, plain
from operations.asking.batch_jobs import new_batch, rest_of, sent
from operations.asking.batch_jobs import results as results_of
from operations.asking.submit import Via
from operations.errors import InvalidInputError, NotFoundError, RefusedError
from operations.jobs import BusyError, Job

KIND = "batch"
LISTED = 10


def page(ask: Ask) -> Response:
    return _form(ask, "", "api")


def make(ask: Ask) -> Response:
    """Make a batch of the lines, or of the rest of an earlier one, and show it. Nothing is sent yet."""
    if number := ask.form.get("batch"):
        job = _numbered(ask, number)
        if job.is_running or job.state == "made":
            return ask.redirect(link("batch", number=job.number))
        batch = rest_of(batch_of(job), outcomes_of(job))
    else:
        text, via = ask.form.get("lines", ""), via_of(ask)
        try:
            batch = new_batch(text, via)
        except InvalidInputError as error:
            return _form(ask, text, via, str(error))
    return ask.redirect(link("batch", number=ask.desk.batches.make(KIND, batch)))


def batch(ask: Ask) -> Response:
    job = _job(ask)
    view = batch_view(job, _start(ask), datetime.now(UTC), only_bad=_only_bad(ask))
    refusal = ask.desk.lock.refusal()
    via = ("--via", "bus") if view.via == "bus" else ()
    return ask.page(
        "batch.html",
        title=f"Batch {job.number}",
        command=("submit", "--file", "messages.jsonl", "--wait", *via, "--out", "results.jsonl"),
        json=view,
        current="ask",
        live=link(
            "live-batch", number=job.number, start=ask.query.get("start", ""), only=ask.query.get("only", "")
        )
        if job.is_running
        else "",
        view=view,
        locked=refusal.text if refusal else "",
        error="",
    )


def live(ask: Ask) -> Response:
    """Stream the progress of a batch until it ends."""
    job, start, only_bad = _job(ask), _start(ask), _only_bad(ask)
    jobs = ask.desk.batches

    def draw(seen: Look[Job]) -> str:
        if seen.value is None:
            return ask.fragment("lost.html", error=seen.error)
        view = batch_view(seen.value, start, datetime.now(UTC), only_bad=only_bad)
        return ask.fragment("batch_now.html", view=view, error=seen.error)

    feed = ask.desk.feeds.feed(f"batch {job.number}", lambda: jobs.read(job.number))
    return streamed(
        ask.desk.feeds, feed, draw, ended=lambda seen: seen.value is not None and not seen.value.is_running
    )


def run(ask: Ask) -> Response:
    """Send a batch, once. Whoever comes second joins."""
    job = _job(ask)
    there = ask.redirect(link("batch", number=job.number))
    if job.state != "made":
        return there
    work = partial(sent, ask.target, batch_of(job))
    try:
        ask.desk.batches.start(job.number, None, work)
    except BusyError as error:
        return ask.problem(HTTPStatus.CONFLICT, "Another batch is being sent", str(error))
    except RefusedError:
        if ask.desk.batches.read(job.number).state == "made":
            raise
    return there


def stop(ask: Ask) -> Response:
    """Ask a batch to stop after what is under way. A lock does not keep anybody from stopping."""
    job = _job(ask)
    if job.is_running and not ask.desk.batches.stop(job.number):
        raise RefusedError("Another console sends this batch. Stop it there.")
    return ask.redirect(link("batch", number=job.number))


def results(ask: Ask) -> Response:
    """Return the outcomes with their answers as JSON lines, as `pipeline submit --file … --out` writes them."""
    job = _job(ask)

    def lines() -> Iterator[str]:
        for outcome in results_of(ask.target, outcomes_of(job)):
            yield msgspec.json.encode(outcome).decode() + "\n"

    return plain("".join(lines()), f"results-{ask.desk.environment.env}-{job.number}.jsonl")


def _form(ask: Ask, text: str, via: Via, error: str = "") -> Response:
    rows = [batch_row(job) for job in ask.desk.batches.latest(LISTED) if job.kind == KIND]
    return ask.page(
        "many.html",
        title="Ask many",
        command=("submit", "--file", "messages.jsonl", "--wait", "--out", "results.jsonl"),
        status=HTTPStatus.BAD_REQUEST if error else HTTPStatus.OK,
        json=rows,
        current="ask",
        tab="many",
        text=text,
        via=via,
        error=error,
        most=TEXT_BYTES,
        rows=rows,
    )


def _job(ask: Ask) -> Job:
    return _numbered(ask, ask.params["number"])


def _numbered(ask: Ask, text: str) -> Job:
    if (number := whole(text)) is None:
        raise NotFoundError("A batch has a number. The page of many messages shows the latest.")
    job = ask.desk.batches.read(number)
    if job.kind != KIND:
        raise NotFoundError(f"There is no batch {job.number}.")
    return job


def _start(ask: Ask) -> int:
    return whole(ask.query.get("start", "")) or 0


def _only_bad(ask: Ask) -> bool:
    return ask.query.get("only") == "bad"
