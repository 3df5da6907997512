"""The page of a subject that the console does not show yet: what it is, and the commands that show it."""

from http import HTTPStatus

from msgspec import Struct
from starlette.responses import Response

from console.views import Ask


class Subject(Struct, frozen=True, kw_only=True):
    title: str
    text: str
    commands: tuple[tuple[str, tuple[str, ...]], ...]


SUBJECTS = {
    "parked": Subject(
        title="Parked messages",
        text="Messages that no retry could help wait in dead-letter queues until somebody decides.",
        commands=(
            ("List them by cause", ("dlq", "list")),
            ("See what a replay would do", ("dlq", "replay", "--dry-run")),
        ),
    ),
}


def page(ask: Ask) -> Response:
    subject = SUBJECTS.get(ask.params["subject"])
    if subject is None:
        return ask.problem(HTTPStatus.NOT_FOUND, "There is no such page", "The menu lists the pages.")
    commands = [(text, ask.desk.command(*words)) for text, words in subject.commands]
    return ask.page("terminal.html", title=subject.title, subject=subject, commands=commands)
