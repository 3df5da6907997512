"""Options that choose parked messages, shared by the commands that act on them."""

import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar

import click

from operations.dlq.replay import Selection
from shared.contracts.stages import SERVICES

F = TypeVar("F", bound=Callable[..., Any])

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)([smhd])$")


class Age(click.ParamType):
    """`90s`, `30m`, `2h`, `7d`."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = _DURATION.match(str(value).strip())
        if not found:
            self.fail(f"{value!r} is no age. Write e.g. 90s, 30m, 2h or 7d.", param, ctx)
        return timedelta(seconds=float(found[1]) * _UNITS[found[2]])


_OPTIONS = (
    click.option(
        "--service", "services", multiple=True, type=click.Choice(SERVICES), help="Of this service."
    ),
    click.option("--error", "errors", multiple=True, help="With this in the error's type or text."),
    click.option("--id", "ids", multiple=True, metavar="ID", help="This message (the id or its beginning)."),
    click.option("--pipeline", "pipelines", multiple=True, metavar="ID", help="Of this pipeline."),
    click.option("--older-than", type=Age(), metavar="AGE", help="Parked longer ago, e.g. 2h."),
    click.option("--newer-than", type=Age(), metavar="AGE", help="Parked since, e.g. 30m."),
    click.option("--limit", type=click.IntRange(1), help="At most so many, the oldest first."),
)


def selecting(command: F) -> F:
    """Adds the options; the command gets them as `selection`."""

    @wraps(command)
    def wrapped(*args: Any, **given: Any) -> Any:
        names = ("services", "errors", "ids", "pipelines", "older_than", "newer_than", "limit")
        return command(*args, selection=Selection(**{name: given.pop(name) for name in names}), **given)

    chosen = wrapped
    for option in reversed(_OPTIONS):
        chosen = option(chosen)
    return chosen  # type: ignore[return-value]  # the same but for the options
