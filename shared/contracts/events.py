"""Every version of every event, in one table. Versions live side by side: a new one is added, none is replaced."""

from typing import Final

from shared.contracts import v1
from shared.contracts.envelope import Event

EVENTS: Final[tuple[type[Event], ...]] = v1.EVENTS
