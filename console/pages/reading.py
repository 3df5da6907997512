"""What is read on request: the buttons that begin and stop it, its progress, and the pages' part that shows it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from msgspec import Struct
from starlette.responses import Response

from console.live.feed import Look
from console.live.reading import Reading, State, Tell
from console.live.stream import streamed
from console.models.costs import costs_view
from console.routes import link
from console.views import Ask
from operations.money.costs import Report, read_report
from operations.stop import Stop
from operations.target import Target

AGES = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "ever": None,
}
MOST_RECORDS = 100_000


class Subject(Struct, frozen=True, kw_only=True):
    """One thing that is read on request. `view` makes of the value what the `template` shows as `read`."""

    page: str
    """The page that shows it."""
    template: str
    button: str
    about: str
    """What the reading costs or does, said beside the button."""
    read: Callable[[Target, Tell, Stop], Any]
    view: Callable[[Any], Any]


def _costs(age: timedelta | None) -> Callable[[Target, Tell, Stop], Report]:
    def read(target: Target, tell: Tell, stop: Stop) -> Report:
        return read_report(
            target,
            since=datetime.now(UTC) - age if age else None,
            limit=MOST_RECORDS,
            on_page=lambda read, about: tell(f"read {read:,} of about {about:,} records"),
            stop=stop,
        )

    return read


SUBJECTS: Mapping[str, Subject] = {
    f"costs-{name}": Subject(
        page=link("costs", since=name),
        template="costs_read.html",
        button="Read the costs",
        about=f"It reads the whole table of records, {MOST_RECORDS:,} at most: on AWS, reads cost money.",
        read=_costs(age),
        view=costs_view,
    )
    for name, age in AGES.items()
}


def begin(ask: Ask) -> Response:
    """Begin to read a subject, unless that is under way, and return to its page."""
    name = ask.params["subject"]
    if name not in SUBJECTS:
        return _unknown(ask)
    subject, target = SUBJECTS[name], ask.target
    _reading(ask, name).begin(lambda tell, stop: subject.read(target, tell, stop))
    return ask.redirect(subject.page)


def stop(ask: Ask) -> Response:
    """End a reading with what it has."""
    name = ask.params["subject"]
    if name not in SUBJECTS:
        return _unknown(ask)
    _reading(ask, name).stop()
    return ask.redirect(SUBJECTS[name].page)


def live(ask: Ask) -> Response:
    """Stream the progress of a reading, then its result."""
    name = ask.params["subject"]
    if name not in SUBJECTS:
        return _unknown(ask)
    reading = _reading(ask, name)
    feed = ask.desk.feeds.feed(f"reading {name}", lambda: reading.state)

    def draw(seen: Look[State]) -> str:
        return ask.fragment("reading_now.html", **shown(ask, name, seen.value or reading.state))

    return streamed(
        ask.desk.feeds,
        feed,
        draw,
        ended=lambda seen: seen.value is not None and seen.value.phase != "running",
    )


def state_of(ask: Ask, name: str) -> State:
    return _reading(ask, name).state


def live_address(name: str, state: State) -> str:
    """Return the address of the stream of a reading that is under way, else nothing."""
    return link("live-read", subject=name) if state.phase == "running" else ""


def shown(ask: Ask, name: str, state: State) -> dict[str, Any]:
    """Return what the page's part of a subject shows."""
    subject = SUBJECTS[name]
    return {
        "name": name,
        "csrf_value": ask.desk.access.csrf,
        "subject": subject,
        "state": state,
        "read": None if state.value is None else subject.view(state.value),
    }


def _reading(ask: Ask, name: str) -> Reading:
    """Return the reading of this engine: what was read of an earlier one is about something else."""
    return ask.desk.readings.of(f"{name} {ask.desk.environment.restarts}")


def _unknown(ask: Ask) -> Response:
    return ask.problem(HTTPStatus.NOT_FOUND, "There is no such page", "The menu lists the pages.")
