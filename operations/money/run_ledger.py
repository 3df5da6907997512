"""What one run has cost: its ledger, read from its record."""

from msgspec import Struct

from operations.errors import NotFoundError, RefusedError
from operations.runs.journey import early_end
from operations.runs.records import read_record
from operations.target import Target
from shared.contracts.record import FINAL
from shared.contracts.stages import ANSWERING
from shared.costs.facts import facts
from shared.costs.ledger import ledger
from shared.costs.lines import Ledger


def spent(total: int | None, earlier: int) -> int | None:
    """Return what a run has cost in all its executions; None if nothing of it is known."""
    return (earlier or None) if total is None else total + earlier


def lost(status: str, total: int | None, waste: int, earlier: int) -> int:
    """Return how much of that nobody has an answer for.

    It is the whole cost of earlier executions, and of a run that failed; of one that was answered, what failed
    attempts and lost deliveries cost.
    """
    return earlier + ((total or 0) if status == "FAILED" else waste)


class RunLedger(Struct, frozen=True, kw_only=True):
    """One run's ledger. `recorded` is the cost in its record, if any; `earlier` is the cost of earlier executions."""

    pipeline_id: str
    status: str
    ledger: Ledger
    recorded: int | None
    earlier: int
    early_end: str = ""
    """How the run ended early; empty if it did not."""
    stand_in: str | None = None
    """What answered in the place of the models, so that nothing was paid to them; empty if no model was asked, None
    on AWS."""

    @property
    def spent(self) -> int | None:
        return spent(self.ledger.total, self.earlier)

    @property
    def lost(self) -> int:
        return lost(self.status, self.ledger.total, self.ledger.waste, self.earlier)


def read_ledger(target: Target, pipeline_id: str) -> RunLedger:
    """Read one run's ledger. Raises NotFoundError, and RefusedError for a run that goes on or was never metered."""
    record = read_record(target, pipeline_id)
    if record is None:
        raise NotFoundError(
            f"There is no run {pipeline_id!r} in environment {target.env!r}. `pipeline list` shows the runs."
        )
    if record.get("status") not in FINAL:
        raise RefusedError(f"The run {pipeline_id} has not finished. Its cost is known when it has.")
    run = facts(record)
    if run is None:
        raise RefusedError(
            f"The run {pipeline_id} was recorded before runs were metered, so its cost is not known."
        )
    recorded = record.get("cost")
    asked = record.get(ANSWERING.key) is not None
    is_metered = ANSWERING.key in (record.get("stages") or {})
    return RunLedger(
        pipeline_id=pipeline_id,
        status=str(record["status"]),
        ledger=ledger(run),
        recorded=recorded["nano_usd"] if recorded else None,
        earlier=record.get("earlier_nano_usd") or 0,
        early_end=early_end(record.get("ended_by"), asked=asked),
        stand_in=target.stand_in and (target.stand_in if asked or is_metered else ""),
    )
