"""A token bucket that refills continuously, as AWS limits request rates."""

from collections.abc import Callable

from infra.doctor.quotas import Rate


class Bucket:
    """A token bucket. `now` returns the time in seconds.

    `taken` is the sum of the tokens taken, `refused` the number of calls that were refused or had to wait.
    """

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
        """Take tokens for a call; return False, and take none, if there are not enough.

        A call for more tokens than the bucket can hold is let through when the bucket is full.
        """
        self._fill()
        if self._tokens < min(amount, self._rate.burst):
            self.refused += 1
            return False
        self._tokens -= amount
        self.taken += amount
        return True

    def take(self, amount: float = 1.0) -> float:
        """Take tokens for a call that waits if there are not enough. Return the seconds it has to wait."""
        self._fill()
        self._tokens -= amount
        self.taken += amount
        if self._tokens >= 0:
            return 0.0
        self.refused += 1
        return -self._tokens / self._rate.per_second

    def give_back(self, amount: float) -> None:
        """Return tokens that were taken but not needed."""
        self._tokens = min(self._rate.burst, self._tokens + amount)
        self.taken -= amount

    def _fill(self) -> None:
        now = self._now()
        if now > self._at:
            self._tokens = min(self._rate.burst, self._tokens + (now - self._at) * self._rate.per_second)
            self._at = now
