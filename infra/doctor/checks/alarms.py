"""Checks that somebody is notified when a queue stands still, a message is parked, or calls fail."""

from infra.doctor.findings import Passed, Problem, Result, Skipped
from infra.doctor.model import System

AGE, LENGTH = "ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"
FUNCTION_ERRORS, API_FAILURES = "Errors", "5XXError"


def watched(system: System) -> Result:
    """Check that each work queue has an alarm on the age of its oldest message, each DLQ one on its length, and each
    function and API one on its failed calls.
    """
    if system.alarms is None:
        yield _unmonitored(system)
        return
    for kind, name, metric in (
        *(("queue", name, AGE if name in system.fed else LENGTH) for name in system.queues),
        *(("function", name, FUNCTION_ERRORS) for name in system.functions),
        *(("API", name, API_FAILURES) for name in system.apis),
    ):
        alarms = [alarm for alarm in system.alarms if (name, metric) in alarm.watches]
        if not alarms:
            yield Problem(
                where=name,
                what=f"No alarm watches the metric {metric} of this {kind}.",
                fix="Add an alarm to the monitoring stack.",
            )
        elif not any(alarm.enabled and alarm.actions for alarm in alarms):
            yield Problem(
                where=name,
                what=f"The alarm {alarms[0].name} notifies nobody.",
                fix="Enable its actions, and give it a topic.",
                severity="warning",
            )
        else:
            yield Passed(f"the {kind}'s alarm notifies somebody", name)


def _unmonitored(system: System) -> Problem | Skipped:
    if not system.environment.monitoring:
        return Skipped("Monitoring is turned off in this environment.")
    return Problem(
        where="monitoring",
        what="Monitoring is turned on in this environment, but its stack does not exist: nothing is watched.",
        fix="Deploy the stack (`pipeline deploy --service monitoring`), or turn `monitoring` off in "
        "infra/environments.py.",
        severity="warning",
    )
