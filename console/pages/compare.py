"""Two runs side by side."""

from datetime import UTC, datetime
from http import HTTPStatus

from starlette.responses import Response

from console.models.compare import compare_view
from console.routes import link
from console.views import Ask
from operations.errors import NotFoundError
from operations.runs.good import last_good
from operations.runs.journey import read_journey
from operations.runs.records import read_records
from shared.contracts.record import Record


def page(ask: Ask) -> Response:
    """Compare the runs `a` and `b`. Without `a`, the last good run before `b` is looked up."""
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
    view = compare_view(
        other, journey, records.get(first, Record()), records.get(second, Record()), datetime.now(UTC)
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
    )


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
