"""The lock on what changes a deployment: open on the local engine, closed on AWS until its name is typed."""

import threading
import time
from collections.abc import Callable
from http import HTTPStatus

from console.security.rules import Refusal

UNLOCKED_SECONDS = 15 * 60.0


class Lock:
    """Whether this console may change the deployment. Several threads may use it."""

    def __init__(
        self, env: str, *, is_local: bool, read_only: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.read_only = read_only
        self._env = env
        self._is_local = is_local
        self._clock = clock
        self._until = 0.0
        self._guard = threading.Lock()

    @property
    def seconds_left(self) -> float | None:
        """The seconds until it closes; None if it does not close, 0 if it is closed."""
        if self.read_only:
            return 0.0
        if self._is_local:
            return None
        with self._guard:
            return max(0.0, self._until - self._clock())

    @property
    def is_open(self) -> bool:
        return self.seconds_left != 0.0

    def unlock(self, typed: str) -> bool:
        """Open it for a quarter of an hour if `typed` is the environment's name; return whether it is open."""
        if typed.strip() == self._env and not self.read_only:
            with self._guard:
                self._until = self._clock() + UNLOCKED_SECONDS
        return self.is_open

    def close(self) -> None:
        with self._guard:
            self._until = 0.0

    def refusal(self) -> Refusal | None:
        """Return why nothing may be changed now; None if it may."""
        if self.is_open:
            return None
        if self.read_only:
            text = (
                "This console was started with --read-only. Start another one without it to change anything."
            )
        else:
            text = f"Environment {self._env!r} is locked. Type its name at the top of the page to unlock it."
        return Refusal(status=HTTPStatus.FORBIDDEN, title="Locked", text=text)
