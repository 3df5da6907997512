"""Checks that somebody is notified when a queue stands still or a message is parked."""

from infra.doctor.findings import Passed, Problem, Result, Skipped
from infra.doctor.model import System

AGE, LENGTH = "ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"


def queues_watched(system: System) -> Result:
    """Check that each work queue has an alarm on the age of its oldest message, and each DLQ one on its length."""
    if system.alarms is None:
        yield _unmonitored(system)
        return
    for queue in system.queues.values():
        metric = AGE if queue.name in system.fed else LENGTH
        alarms = [alarm for alarm in system.alarms if (queue.name, metric) in alarm.watches]
        if not alarms:
            yield Problem(
                where=queue.name,
                what=f"No alarm watches its metric {metric}.",
                fix="Add an alarm to the monitoring stack.",
            )
        elif not any(alarm.enabled and alarm.actions for alarm in alarms):
            yield Problem(
                where=queue.name,
                what=f"The alarm {alarms[0].name} notifies nobody.",
                fix="Enable its actions, and give it a topic.",
                severity="warning",
            )
        else:
            yield Passed("the queue's alarm notifies somebody", queue.name)


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
