"""Alarms: somebody is told when a queue stands still or a message is parked."""

from infra.doctor.findings import Fault, Held, Result, Skipped
from infra.doctor.model import System

AGE, LENGTH = "ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"


def queues_watched(system: System) -> Result:
    """A work queue by the age of its oldest message, a DLQ by whether there is one."""
    if system.alarms is None:
        yield _unmonitored(system)
        return
    for queue in system.queues.values():
        metric = AGE if queue.name in system.fed else LENGTH
        alarms = [alarm for alarm in system.alarms if (queue.name, metric) in alarm.watches]
        if not alarms:
            yield Fault(
                where=queue.name,
                what=f"No alarm watches its {metric}.",
                mend="Add it to the monitoring stack.",
            )
        elif not any(alarm.enabled and alarm.actions for alarm in alarms):
            yield Fault(
                where=queue.name,
                what=f"The alarm {alarms[0].name} tells nobody.",
                mend="Enable its actions, and give it a topic.",
                severity="warning",
            )
        else:
            yield Held("age of a work queue, length of a DLQ", queue.name)


def _unmonitored(system: System) -> Fault | Skipped:
    if not system.environment.monitoring:
        return Skipped("Monitoring is off in this environment.")
    return Fault(
        where="monitoring",
        what="The environment has monitoring, and its stack is not there: nothing is watched.",
        mend="Deploy it (`pipeline deploy --service monitoring`), or turn `monitoring` off in "
        "infra/environments.py.",
        severity="warning",
    )
