"""The executions of a restarted run, and the journey of an earlier one.

The record tells of the latest execution only; of an earlier one, Step Functions keeps the history for 90 days.
"""

from collections.abc import Sequence

from msgspec import Struct

from operations.errors import DeniedError
from operations.runs.executions import Execution, describe
from operations.runs.history import History
from operations.runs.journey import Journey, assemble, execution_history
from operations.target import Target
from shared.contracts.executions import BROKEN, FAILED, STOPPED, restart_name, restart_number
from shared.contracts.record import Record, iso
from shared.errors import ABORTED_ERROR, FAILED_ERROR, TIMEOUT_ERROR

MOST_NAMED = 20
"""The latest executions that are named, at most."""
MOST_DESCRIBED = 5
"""The latest executions of which Step Functions is asked."""


class Named(Struct, frozen=True, kw_only=True):
    """An execution of a run. `execution` is null if Step Functions was not asked, or does not know it any more."""

    name: str
    number: int
    """0 for the first one; restarts count from 1."""
    is_latest: bool
    execution: Execution | None = None


def names_of(journey: Journey) -> list[str]:
    """Return the names of a run's executions, the latest first; the run's id alone if it was never restarted."""
    latest = (journey.execution_arn or "").rpartition(":")[2]
    count = restart_number(latest, journey.pipeline_id)
    restarts = [restart_name(journey.pipeline_id, number) for number in range(count, 0, -1)]
    return [*restarts, journey.pipeline_id][:MOST_NAMED]


def executions_of(target: Target, journey: Journey) -> list[Named]:
    """Return the executions of a run, the latest first. The ends are missing if the caller may not see them."""
    names = names_of(journey)
    described = dict.fromkeys(names[:MOST_DESCRIBED])
    try:
        found: dict[str, Execution | None] = {
            name: describe(target, target.addresses.execution_arn(name)) for name in described
        }
    except DeniedError:
        found = {}
    return [
        Named(
            name=name,
            number=restart_number(name, journey.pipeline_id),
            is_latest=name == names[0],
            execution=found.get(name),
        )
        for name in names
    ]


def read_execution(target: Target, journey: Journey, name: str) -> Journey | None:
    """Return the journey of one execution of a run, by its history; None if that is gone.

    It has the run's message; answer and cost are of the latest execution, and in no history.
    """
    arn = target.addresses.execution_arn(name)
    history = execution_history(target, arn)
    if history is None:
        return None
    return assemble(journey.pipeline_id, _record(journey, arn, history), history, stand_in=target.stand_in)


def _record(journey: Journey, arn: str, history: History) -> Record:
    """Return the record that would tell of this execution."""
    record = Record(status="RUNNING", execution_arn=arn)
    for name in ("user_message", "trace_id"):
        if value := getattr(journey, name):
            record[name] = value
    if journey.accepted_at and not restart_number(arn.rpartition(":")[2], journey.pipeline_id):
        record["accepted_at"] = iso(journey.accepted_at)
    if history.started_at and history.finished_at:
        took = (history.finished_at - history.started_at).total_seconds()
        record["execution_time_ms"] = round(took * 1_000)
    if history.status == "SUCCEEDED":
        record["status"] = "SUCCEEDED"
    elif history.status in FAILED:
        defaults = {STOPPED: ABORTED_ERROR, BROKEN[1]: TIMEOUT_ERROR}
        record["status"] = "FAILED"
        record["error"] = history.error or defaults.get(history.status, FAILED_ERROR)
        record["cause"] = history.cause or ""
        record["stage"] = _failed(tuple(history.stages), history)
    return record


def _failed(keys: Sequence[str], history: History) -> str | None:
    return next((key for key in keys if history.stages[key].status == "failed"), None)
