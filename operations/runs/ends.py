"""Waiting for the ends of many runs, as their records show them."""

import time
from collections.abc import Iterable, Iterator

from msgspec import Struct

from operations.runs.records import read_records
from operations.stop import Stop
from operations.target import Target
from shared.contracts.record import FINAL, Record

PATIENCE_SECONDS = 1_200.0


class End(Struct, frozen=True, kw_only=True):
    """The end of a run. `status` is SUCCEEDED, FAILED, or the last status seen if waiting was given up."""

    pipeline_id: str
    status: str
    error: str | None = None
    cause: str | None = None

    @property
    def good(self) -> bool:
        return self.status == "SUCCEEDED"


def ends(
    target: Target,
    pipeline_ids: Iterable[str],
    *,
    stop: Stop | None = None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Iterator[End]:
    """Yield each run when it ends; the others with their last status, if no run ends for `patience_seconds` or `stop`
    is requested.
    """
    stop = stop or Stop()
    left = set(pipeline_ids)
    changed = time.monotonic()
    while left:
        records = read_records(target, sorted(left), fields=("status", "error", "cause"))
        over = stop.requested or time.monotonic() - changed > patience_seconds
        for pipeline_id in sorted(left):
            record = records.get(pipeline_id, Record())
            status = str(record.get("status") or "UNKNOWN")
            if status in FINAL or over:
                left.discard(pipeline_id)
                changed = time.monotonic()
                yield End(
                    pipeline_id=pipeline_id,
                    status=status,
                    error=record.get("error"),
                    cause=record.get("cause"),
                )
        if left:
            stop.wait(target.pace.poll_seconds)
