"""Bounds of inputs: numbers that options take, bytes that are read."""

import math
from typing import Any

import click

MOST_BYTES = 16 * 2**20
"""What is read of an input: more than any event or message has, also escaped, and little enough for /dev/zero."""


class Number(click.FloatRange):
    """An option value that is a number in a range. `nan`, which no comparison finds outside one, is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number
