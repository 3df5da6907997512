"""Runs by the beginning of their ids, as a narrow table prints it: among those that were started last."""

import re
from typing import Literal

from operations.errors import InvalidInputError
from operations.runs.executions import pipelines_of
from operations.runs.pages import listed_names
from operations.runs.records import read_record
from operations.target import Target

Things = Literal["runs", "parked messages", "messages"]
NAMED = 5
"""Ids that an error names."""
SHORTEST = 6
"""Characters of an id that may stand for it."""
WHOLE = 32
"""Characters of the ids that the pipeline makes, at least."""
LOOKED_AT = 2_000
"""The latest executions that are looked at: no index has the beginnings of ids."""
_BEGINNING = re.compile(rf"[A-Za-z0-9_-]{{{SHORTEST},64}}")


class AmbiguousIdError(InvalidInputError):
    """Several ids begin as the one that was given."""

    def __init__(self, beginning: str, things: Things, ids: tuple[str, ...]) -> None:
        more = ", …" if len(ids) > NAMED else ""
        super().__init__(
            f"The ids of {len(ids)} {things} begin with {beginning}: {', '.join(ids[:NAMED])}{more}. "
            "Give more characters of the id."
        )
        self.things = things
        self.ids = ids


def uncut(text: str) -> str:
    """Return an id without the sign that a table puts behind one it has cut."""
    return text.strip().removesuffix("…").removesuffix("...")


def run_that_begins(target: Target, text: str) -> str | None:
    """Return the only run among the latest ones whose id begins so; None without one.

    Raises AmbiguousIdError if several do.
    """
    beginning = uncut(text)
    if not _BEGINNING.fullmatch(beginning):
        return None
    names = [name for name in listed_names(target, LOOKED_AT) if name.startswith(beginning)]
    found = list(dict.fromkeys(pipelines_of(target, names).values()))
    return only(found, beginning, "runs")


def only(found: list[str], beginning: str, things: Things) -> str | None:
    """Return the only id there is; None without one. Raises AmbiguousIdError for several."""
    if len(found) > 1:
        raise AmbiguousIdError(beginning, things, tuple(found))
    return found[0] if found else None


def known_id(target: Target, text: str) -> str:
    """Return the id of a run; the only one among the latest runs that begins so if no run has exactly this id."""
    beginning = uncut(text)
    if len(beginning) >= WHOLE or not _BEGINNING.fullmatch(beginning) or read_record(target, beginning):
        return beginning
    return run_that_begins(target, beginning) or beginning
