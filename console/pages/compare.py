"""Two runs side by side."""

from datetime import UTC, datetime
from http import HTTPStatus

from starlette.responses import Response

from console.models.compare import Logs, compare_view
from console.routes import link
from console.views import Ask
from operations.errors import NotFoundError, OperationError
from operations.runs.good import last_good
from operations.runs.journey import read_journey
from operations.runs.logs import read_logs
from operations.runs.records import read_records
from shared.contracts.record import Record


def page(ask: Ask) -> Response:
    """Compare the runs `a` and `b`. Without `a`, the last good run before `b` is looked up.

    The logs, which alone tell of cold starts, are read on request.
    """
    first, second = (ask.query.get(name, "").strip() for name in ("a", "b"))
    if not second:
        return _form(ask, first, second, "")
    journey = read_journey(ask.target, second)
    if not first:
        try:
            good = last_good(ask.target, journey).pipeline_id
        except NotFoundError as error:
            return _form(ask, first, second, str(error), HTTPStatus.NOT_FOUND)
        return ask.redirect(link("compare", a=good, b=second, format=ask.query.get("format", "")))
    other = read_journey(ask.target, first)
    records = read_records(ask.target, (first, second), fields=None)
    logs, trouble = _logs(ask, first, second) if ask.query.get("logs") else (None, "")
    view = compare_view(
        other,
        journey,
        records.get(first, Record()),
        records.get(second, Record()),
        datetime.now(UTC),
        logs=logs,
    )
    return ask.page(
        "compare.html",
        title="Compare",
        command=("show", f"{first};", ask.desk.command("show", second)),
        json=view,
        current="runs",
        view=view,
        first=first,
        second=second,
        error="",
        trouble=trouble,
        logs=link("compare", a=first, b=second, logs=1) + "#stages",
    )


def _logs(ask: Ask, first: str, second: str) -> tuple[Logs | None, str]:
    """Return the logs of both runs, or why they can't be read: the rest of the page stays."""
    try:
        return Logs(a=read_logs(ask.target, first), b=read_logs(ask.target, second)), ""
    except OperationError as error:
        return None, str(error)


def _form(ask: Ask, first: str, second: str, error: str, status: int = HTTPStatus.OK) -> Response:
    return ask.page(
        "compare.html",
        title="Compare",
        json={"error": "not found", "message": error} if error else None,
        status=status,
        current="runs",
        view=None,
        first=first,
        second=second,
        error=error,
    )
