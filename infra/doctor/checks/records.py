"""Checks that no record is deleted while its run is open, or while something may still refer to it."""

from infra.clocks import KEEP_RECORDS, LEAST_RECORD_DAYS
from infra.definition import longest_seconds
from infra.doctor.findings import Passed, Problem, Result, Skipped
from infra.doctor.model import System
from infra.functions import FUNCTIONS, STAGE_FUNCTIONS, STARTER
from infra.names import Names
from shared.records import EXPIRES

DAY_SECONDS = 86_400


def kept(system: System) -> Result:
    """Check that records are kept for ever, or that the table deletes them and each function that writes them sets a
    time that is late enough.
    """
    names = Names(system.environment.name)
    writers = [
        name for spec in FUNCTIONS if spec.table and (name := names.function(spec.name)) in system.functions
    ]
    times = {name: int(system.functions[name].variables.get(KEEP_RECORDS) or 0) for name in writers}
    attribute = system.expiring.get(names.table)
    if writers and attribute is None and not any(times.values()):
        yield Skipped("Records are kept for ever in this environment.")
        return
    if writers and attribute != EXPIRES:
        yield Problem(
            where=names.table,
            what=f"Functions set {EXPIRES} on records, but the table does not delete items by it.",
            fix=f"Make {EXPIRES} the table's time-to-live attribute (`keep_records_days`), and deploy the platform.",
            why="Records are kept for ever.",
            severity="warning",
        )
    least = max(_messages_live(system), LEAST_RECORD_DAYS * DAY_SECONDS)
    needed = dict.fromkeys(writers, least)
    starter, logger = (names.function(spec.name) for spec in (STARTER, STAGE_FUNCTIONS["logger"]))
    if starter in needed:
        needed[starter] = max(least, times.get(logger, 0)) + longest_seconds(
            system.environment.stages, system.environment.task_seconds
        )
    for name, seconds in needed.items():
        if times[name] < seconds:
            yield Problem(
                where=name,
                what=f"It keeps a record for {times[name] / DAY_SECONDS:.1f} days instead of at least "
                f"{seconds / DAY_SECONDS:.1f}.",
                fix="Set the option `keep_records_days`, and deploy this service.",
            )
        else:
            yield Passed("a record outlives its run and all that refers to it", name)


def _messages_live(system: System) -> int:
    """Return the longest time that a message can wait in a queue and then, parked anew, in a DLQ, in seconds."""
    queues = system.queues.values()
    dlqs = {queue.dlq for queue in queues if queue.dlq} | system.rule_dlqs
    waits = max((queue.retention_seconds for queue in queues if queue.name not in dlqs), default=0)
    return waits + max((queue.retention_seconds for queue in queues if queue.name in dlqs), default=0)
