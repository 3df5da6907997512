"""The table of checks, and the function that runs all of them on a deployment."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from infra.doctor import live
from infra.doctor.checks import alarms, capacity, clocks, events, queues, records, rights, workflow
from infra.doctor.checks.capacity import Intent
from infra.doctor.findings import Outcome, Problem, Result, outcome
from infra.doctor.model import System


@dataclass(frozen=True)
class Check:
    """One question of the doctor. `why` says what goes wrong where the check fails."""

    name: str
    run: Callable[[System], Result] | Callable[[System, Intent], Result]
    why: str
    with_intent: bool = False


CHECKS: Final = (
    Check(
        "visibility",
        clocks.visibility,
        "A message becomes visible again while a worker still handles it: the work is done, and paid for, twice.",
    ),
    Check(
        "task-timeout",
        clocks.task_timeouts,
        "The task ends while its message can still be handled; in a backlog, many runs then fail at once.",
    ),
    Check(
        "event-age",
        clocks.event_ages,
        "A stage works on a request whose task is already settled, and its answer is refused.",
    ),
    Check("consumers", queues.consumers, "Messages wait until their tasks time out or SQS deletes them."),
    Check(
        "partial-batch",
        queues.partial_batches,
        "One bad message fails its whole batch; good messages are handled again and may be parked in the end.",
    ),
    Check(
        "dead-letters", queues.redrive, "A message that kills its worker is redelivered forever or is lost."
    ),
    Check("dlq-retention", queues.retention, "SQS may delete parked messages before anybody replays them."),
    Check(
        "records-kept",
        records.kept,
        "A record is deleted while its run is open, or while a message, a replay or a repeated request needs it.",
    ),
    Check("rule-dlq", queues.rule_dlqs, "An event that cannot be delivered is lost, and nobody is told."),
    Check(
        "deliveries", queues.deliveries, "The queue refuses events from EventBridge, so they never arrive."
    ),
    Check("parking", queues.parking, "`pipeline dlq` does not look where this worker parks messages."),
    Check(
        "redrivable",
        workflow.redrivable,
        "RedriveExecution continues at the state that failed; a run that ended elsewhere would end there again.",
    ),
    Check(
        "degrades",
        workflow.degrades,
        "A failure of a stage that is not critical fails the whole run, and the caller gets no answer.",
    ),
    Check(
        "failures-heard",
        workflow.failures_heard,
        "The records of failed runs keep the status RUNNING, and their callers wait forever.",
    ),
    Check(
        "ends-reconciled",
        workflow.ends_reconciled,
        "The record of a failed run whose end AWS does not announce keeps the status RUNNING.",
    ),
    Check("requests-sent", events.requests_sent, "The state waits for an answer until it times out."),
    Check("requests-published", events.requests_published, "EventBridge drops events that no rule matches."),
    Check(
        "subscriptions",
        events.subscriptions,
        "The service rejects the events it receives, or waits for events that never come.",
    ),
    Check(
        "state-size", workflow.state_size, "Step Functions fails a run whose state grows beyond its limit."
    ),
    Check("rights-needed", rights.needed, "AWS denies the call, which shows only at run time."),
    Check(
        "rights-narrow",
        rights.narrow,
        "A faulty or compromised function can harm more than its own resources.",
    ),
    Check("rights-used", rights.used, "A right that is never used can only be misused."),
    Check(
        "concurrency",
        capacity.concurrency,
        "Other queues or functions of the account get no concurrency.",
        with_intent=True,
    ),
    Check("quotas", capacity.quotas_hold, "AWS throttles calls, and a backlog grows.", with_intent=True),
    Check("alarms", alarms.watched, "Nobody notices a failure or a standstill until a caller complains."),
)

LIVE: Final = (
    *CHECKS,
    Check(
        "drift",
        live.drift,
        "A change by hand was neither reviewed nor tested, and the next environment will lack it.",
    ),
)
"""The checks for the deployed resources."""


def examine(system: System, intent: Intent | None = None) -> list[Outcome]:
    """Run all checks on `system`, and `drift` if it is a model of deployed resources.

    Without an `intent`, capacity is checked for the environment's own rate.
    """
    intent = intent or Intent(rate=system.environment.requests_per_second)
    return [
        outcome(check.name, check.why, list(_run(check, system, intent)) or [NOTHING])
        for check in (LIVE if system.written else CHECKS)
    ]


def _run(check: Check, system: System, intent: Intent) -> Result:
    return check.run(system, intent) if check.with_intent else check.run(system)  # type: ignore[call-arg]


NOTHING: Final = Problem(
    where="the whole deployment",
    what="This check found nothing to compare.",
    fix="Find out whether a stack is missing, or whether its resources have a type that infra/doctor/reading.py "
    "does not read.",
    why="A check without comparisons proves nothing.",
)
