"""Options whose values are numbers."""

import math
from typing import Any

import click


class Number(click.FloatRange):
    """An option value that is a number in a range. `nan`, which no comparison finds outside one, is refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, ctx)
        return number
