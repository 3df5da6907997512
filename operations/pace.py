"""Pauses between two calls to a deployment: the local engine answers at once, AWS counts and bills each call."""

from msgspec import Struct


class Pace(Struct, frozen=True, kw_only=True):
    """Seconds between two calls. A run that is followed is read more often while it is young."""

    poll_seconds: float
    """Seconds between two reads of records or logs."""
    young_run_seconds: float
    old_run_seconds: float
    old_after_seconds: float

    def of_run(self, elapsed: float) -> float:
        """Return the seconds until the next read of a run that has been followed for `elapsed` seconds."""
        return self.young_run_seconds if elapsed < self.old_after_seconds else self.old_run_seconds


AWS = Pace(poll_seconds=2.0, young_run_seconds=1.0, old_run_seconds=5.0, old_after_seconds=20.0)
ENGINE = Pace(poll_seconds=0.25, young_run_seconds=0.1, old_run_seconds=0.5, old_after_seconds=30.0)
