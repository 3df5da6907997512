"""A token bucket that is filled continuously: what AWS's request rates are."""

from collections.abc import Callable

from infra.doctor.quotas import Rate


class Bucket:
    """`now` tells the time in seconds. `taken` and `refused` are what became of the calls."""

    def __init__(self, now: Callable[[], float], rate: Rate) -> None:
        self._now = now
        self._rate = rate
        self._tokens = rate.burst
        self._at = 0.0
        self.taken = 0.0
        self.refused = 0

    @property
    def per_second(self) -> float:
        return self._rate.per_second

    def try_take(self, amount: float = 1.0) -> bool:
        """A call that is refused if there is not enough left."""
        self._fill()
        if self._tokens < min(amount, self._rate.burst):
            self.refused += 1
            return False
        self._tokens -= amount
        self.taken += amount
        return True

    def take(self, amount: float = 1.0) -> float:
        """Seconds until a call that waits in line is let through."""
        self._fill()
        self._tokens -= amount
        self.taken += amount
        if self._tokens >= 0:
            return 0.0
        self.refused += 1
        return -self._tokens / self._rate.per_second

    def give_back(self, amount: float) -> None:
        """Part of what was taken was not needed after all."""
        self._tokens = min(self._rate.burst, self._tokens + amount)
        self.taken -= amount

    def _fill(self) -> None:
        now = self._now()
        if now > self._at:
            self._tokens = min(self._rate.burst, self._tokens + (now - self._at) * self._rate.per_second)
            self._at = now
