"""What all pages of one console share."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from console.environment import Environment
from console.live.feed import Feeds
from console.live.reading import Readings
from console.live.shelf import Shelf
from console.questions import Questions
from console.security.access import Access
from console.security.lock import Lock
from local.paths import STATE
from operations.jobs import Jobs


@dataclass(frozen=True, kw_only=True)
class Desk:
    environment: Environment
    access: Access
    lock: Lock
    port: int
    state: Path = STATE
    """The folder in which jobs are kept."""
    stop: Callable[[], None] = lambda: None
    """Stops this console."""
    feeds: Feeds = field(default_factory=Feeds)
    shelf: Shelf = field(default_factory=Shelf)
    readings: Readings = field(default_factory=Readings)
    searching: threading.Lock = field(default_factory=threading.Lock)
    """Held by the one search that may run at a time: it reads queues and logs, which are slow and shared."""

    @cached_property
    def jobs(self) -> Jobs:
        """The plans of this environment, also those of earlier consoles."""
        return Jobs(self.state / f"plans-{self.environment.env}")

    @cached_property
    def batches(self) -> Jobs:
        """The batches of messages that were sent to this environment."""
        return Jobs(self.state / f"batches-{self.environment.env}")

    @cached_property
    def questions(self) -> Questions:
        return Questions(self.state / f"questions-{self.environment.env}.jsonl")

    def wind_down(self) -> None:
        """End the streams, and ask the jobs to stop after what is under way."""
        self.feeds.stop()
        self.jobs.close(0)
        self.batches.close(0)

    def command(self, *words: str) -> str:
        """Return a command of the command line as a terminal takes it."""
        env = () if self.environment.is_local else ("--env", self.environment.env)
        return " ".join(("pipeline", *env, *words))
