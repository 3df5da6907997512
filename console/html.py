"""The rendering of templates: every value is escaped, and every undefined name is an error."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from console import assets
from console.models.words import MARKS
from console.routes import link
from console.text import line, shown
from operations.health.rights import DENIED, ELSE, FINDS
from operations.money.words import quantity
from operations.runs.trail import redacted
from operations.wording import counted, duration, usd
from shared.contracts.record import iso

FOLDER = Path(__file__).parent / "templates"


@cache
def templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=_printed,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(link=link, asset=assets.address, marks=MARKS, denial=(DENIED, FINDS, ELSE))
    environment.filters.update(duration=duration, counted=counted, usd=usd, line=line, iso=iso)
    environment.filters.update(quantity=quantity)
    return environment


def render(template: str, values: Mapping[str, Any]) -> str:
    return templates().get_template(template).render(values)


def _printed(value: Any) -> Any:
    """Make a value readable before it is escaped. Markup is ours; None is a mistake of a template."""
    if value is None:
        raise TypeError("A template prints None")
    return value if isinstance(value, Markup) else shown(redacted(str(value)))
