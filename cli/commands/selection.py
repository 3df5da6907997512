"""Options that commands share: those that select parked messages, and those with which a plan is carried out."""

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar

import click

from cli.bounds import Number
from operations.dlq.replay import Selection

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
        type=Filled(),
        metavar="SERVICE",
        help="Only messages parked by this service, e.g. chatbot; repeatable.",
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

    return _with(_OPTIONS, wrapped)  # type: ignore[return-value]  # the same signature but for the options


def carrying_out(things: str, most: float, *, canary: str) -> Callable[[F], F]:
    """Return a decorator that adds the options with which a plan for `things` is carried out, `most` per second."""
    options = (
        click.option("--dry-run", is_flag=True, help="Print the plan and change nothing."),
        click.option("--yes", is_flag=True, help="Do not ask for confirmation."),
        click.option(
            "--rate",
            type=Number(0.1, most),
            default=10,
            show_default=True,
            metavar="N",
            help=f"Maximum {things} per second.",
        ),
        click.option("--canary", type=click.IntRange(1), metavar="N", help=canary),
        click.option(
            "--wait", is_flag=True, help="Wait until every run has ended; a failed run gives exit code 1."
        ),
    )
    return lambda command: _with(options, command)


def _with(options: Sequence[Callable[[F], F]], command: F) -> F:
    for option in reversed(options):
        command = option(command)
    return command
