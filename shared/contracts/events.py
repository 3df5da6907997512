"""The table of every version of every event. Versions exist side by side: a new one is added, none is replaced."""

from typing import Final

from shared.contracts import v1, v2
from shared.contracts.envelope import Event

EVENTS: Final[tuple[type[Event], ...]] = (*v1.EVENTS, *v2.EVENTS)
