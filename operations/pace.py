"""How often a deployment is asked for news: the local engine answers at once, AWS counts and bills each call."""

from msgspec import Struct


class Pace(Struct, frozen=True, kw_only=True):
    """Seconds between two calls. A run that somebody watches is asked for more often, until it has taken long."""

    poll_seconds: float
    """Between two reads of records or logs."""
    young_run_seconds: float
    old_run_seconds: float
    old_after_seconds: float

    def of_run(self, elapsed: float) -> float:
        """Seconds until the next look at a run that has been watched for `elapsed` seconds."""
        return self.young_run_seconds if elapsed < self.old_after_seconds else self.old_run_seconds


AWS = Pace(poll_seconds=2.0, young_run_seconds=1.0, old_run_seconds=5.0, old_after_seconds=20.0)
ENGINE = Pace(poll_seconds=0.25, young_run_seconds=0.1, old_run_seconds=0.5, old_after_seconds=30.0)
