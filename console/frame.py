"""The frame around every page: environment, menu, search, clock, theme, and the command that shows the same."""

from typing import Literal

from msgspec import Struct

from console.environment import Chip
from console.html import render
from console.routes import MENU, Entry
from console.security.rules import Refusal

Theme = Literal["auto", "light", "dark"]


class Frame(Struct, frozen=True, kw_only=True):
    """What a page's frame shows. `current` is the menu's entry, `here` the page's own address."""

    title: str
    current: str
    here: str
    chip: Chip
    clock: str
    theme: Theme
    read_only: bool
    unlocked_seconds: float | None
    """Until the console locks itself; None if it has no lock, 0 if it is locked."""
    command: str
    """The command that shows the same; empty if there is none."""
    menu: tuple[Entry, ...] = MENU
    query: str = ""
    added: tuple[str, ...] = ()
    """The services that were deployed since, and which the code of this console does not know."""
    restart: tuple[str, ...] = ()
    """The commands that restart this console."""
    live: str = ""
    """The address of the page's stream; empty if nothing on it changes by itself."""


def refused(refusal: Refusal) -> str:
    """Return the page for a request that the gate refuses. It holds no data and needs no session."""
    return render("refused.html", {"refusal": refusal})
