"""What all pages of one console share."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from console.environment import Environment
from console.live.feed import Feeds
from console.live.reading import Readings
from console.security.access import Access
from console.security.lock import Lock


@dataclass(frozen=True, kw_only=True)
class Desk:
    environment: Environment
    access: Access
    lock: Lock
    port: int
    stop: Callable[[], None] = lambda: None
    """Stops this console."""
    feeds: Feeds = field(default_factory=Feeds)
    readings: Readings = field(default_factory=Readings)
    searching: threading.Lock = field(default_factory=threading.Lock)
    """Held by the one search that may run at a time: it reads queues and logs, which are slow and shared."""

    def command(self, *words: str) -> str:
        """Return a command of the command line as a terminal takes it."""
        env = () if self.environment.is_local else ("--env", self.environment.env)
        return " ".join(("pipeline", *env, *words))
