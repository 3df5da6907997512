"""What is read on request: the buttons that begin and stop it, its progress, and the pages' part that shows it."""

from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from console.live.feed import Look
from console.live.reading import Reading, State
from console.live.stream import streamed
from console.pages.subjects import SUBJECTS
from console.routes import link
from console.views import Ask


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
    # A feed remembers its last look, and that of an earlier reading would end the stream of this one.
    feed = ask.desk.feeds.feed(f"reading {_key(ask, name)} {reading.state.number}", lambda: reading.state)

    def draw(seen: Look[State]) -> str:
        beside = SUBJECTS[name].beside(ask.desk)
        return ask.fragment("reading_now.html", **shown(name, seen.value or reading.state), **beside)

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


def shown(name: str, state: State) -> dict[str, Any]:
    """Return what the page's part of a subject shows."""
    subject = SUBJECTS[name]
    return {
        "name": name,
        "subject": subject,
        "state": state,
        "read": None if state.value is None else subject.view(state.value),
    }


def _reading(ask: Ask, name: str) -> Reading:
    return ask.desk.readings.of(_key(ask, name))


def _key(ask: Ask, name: str) -> str:
    """Return the name of a reading of this engine: what was read of an earlier one is about something else."""
    return f"{name} {ask.desk.environment.restarts}"


def _unknown(ask: Ask) -> Response:
    return ask.problem(HTTPStatus.NOT_FOUND, "There is no such page", "The menu lists the pages.")
