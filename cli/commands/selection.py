"""The options that select parked messages, shared by the `dlq` commands."""

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
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)([smhd])")
LONGEST = timedelta(days=36_500)


class Age(click.ParamType):
    """An option value such as `90s`, `30m`, `2h` or `7d`."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        match = _DURATION.fullmatch(str(value).strip())
        if not match:
            self.fail(f"{value!r} is not an age. Write e.g. 90s, 30m, 2h or 7d.", param, ctx)
        seconds = float(match[1]) * _UNITS[match[2]]
        if seconds > LONGEST.total_seconds():
            self.fail(
                f"{value!r} is longer than any queue, log or record is kept. Write e.g. 14d.", param, ctx
            )
        return timedelta(seconds=seconds)


class Filled(click.ParamType):
    """An option value that selects something. An empty one, e.g. of an unset variable, would select everything."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not str(value).strip():
            self.fail("it is empty. Omit the option to select all messages.", param, ctx)
        return str(value)


_OPTIONS = (
    click.option(
        "--service",
        "services",
        multiple=True,
        type=click.Choice(SERVICES),
        help="Only messages parked by this service.",
    ),
    click.option(
        "--error",
        "errors",
        multiple=True,
        type=Filled(),
        metavar="TEXT",
        help="Only messages whose error type or text contains TEXT.",
    ),
    click.option(
        "--id",
        "ids",
        multiple=True,
        type=Filled(),
        metavar="ID",
        help="Only the message whose id is or begins with ID.",
    ),
    click.option(
        "--pipeline",
        "pipelines",
        multiple=True,
        type=Filled(),
        metavar="ID",
        help="Only messages of the run with this pipeline id.",
    ),
    click.option(
        "--older-than", type=Age(), metavar="AGE", help="Only messages parked longer ago than AGE, e.g. 2h."
    ),
    click.option(
        "--newer-than", type=Age(), metavar="AGE", help="Only messages parked within the last AGE, e.g. 30m."
    ),
    click.option(
        "--limit", type=click.IntRange(1), metavar="N", help="Maximum number of messages, oldest first."
    ),
)


def selecting(command: F) -> F:
    """Add the options to a command, which receives them as `selection`."""

    @wraps(command)
    def wrapped(*args: Any, **options: Any) -> Any:
        names = ("services", "errors", "ids", "pipelines", "older_than", "newer_than", "limit")
        return command(*args, selection=Selection(**{name: options.pop(name) for name in names}), **options)

    decorated = wrapped
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[return-value]  # the same signature but for the options
