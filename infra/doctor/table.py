"""The table of checks, and the examination of a deployment by all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from infra.doctor import live
from infra.doctor.checks import alarms, capacity, clocks, events, queues, rights, workflow
from infra.doctor.checks.capacity import Intent
from infra.doctor.findings import Fault, Finding, Held, Outcome, Result, Skipped
from infra.doctor.model import System


@dataclass(frozen=True)
class Check:
    """`why` says what goes wrong where it does not hold."""

    name: str
    run: Callable[[System], Result] | Callable[[System, Intent], Result]
    why: str
    with_intent: bool = False


CHECKS: Final = (
    Check(
        "visibility",
        clocks.visibility,
        "A message becomes visible again while its first worker still has it: work is done, and paid for, twice.",
    ),
    Check(
        "task-timeout",
        clocks.task_timeouts,
        "The task ends while its message can still be handled: a backlog becomes a storm of failed runs.",
    ),
    Check(
        "event-age",
        clocks.event_ages,
        "A stage works on a request whose task is over, and nobody takes its answer.",
    ),
    Check("consumers", queues.consumers, "Messages wait until their tasks time out, or SQS deletes them."),
    Check(
        "partial-batch",
        queues.partial_batches,
        "One bad message fails its whole batch: good messages are handled again, and parked in the end.",
    ),
    Check("dead-letters", queues.redrive, "A message that kills its worker comes back for ever, or is lost."),
    Check("dlq-retention", queues.retention, "Parked messages are deleted before somebody replays them."),
    Check("rule-dlq", queues.rule_dlqs, "An event that can't be delivered is lost without a word."),
    Check(
        "deliveries", queues.deliveries, "EventBridge is refused by the queue: its events are not delivered."
    ),
    Check("parking", queues.parking, "What a worker parks is not where `pipeline dlq` looks."),
    Check(
        "redrivable",
        workflow.redrivable,
        "RedriveExecution starts again at the state that failed; a run that ends elsewhere would end there again.",
    ),
    Check(
        "degrades", workflow.degrades, "A failed extra fails the whole run, and the caller gets no answer."
    ),
    Check(
        "failures-heard",
        workflow.failures_heard,
        "Failed runs stay RUNNING in the record, and the caller waits for ever.",
    ),
    Check("requests-sent", events.requests_sent, "The state waits for an answer until its timeout."),
    Check("requests-published", events.requests_published, "EventBridge drops what no rule matches."),
    Check("subscriptions", events.subscriptions, "Deliveries fail as contract violations, or never come."),
    Check(
        "state-size", workflow.state_size, "Step Functions fails a run whose state grows beyond its limit."
    ),
    Check("rights-needed", rights.needed, "AWS denies it at run time, and only then."),
    Check("rights-narrow", rights.narrow, "A stolen or faulty function can do more harm than its own."),
    Check("rights-used", rights.used, "What is never used can only be misused."),
    Check(
        "concurrency",
        capacity.concurrency,
        "Queues or other functions of the account starve.",
        with_intent=True,
    ),
    Check("quotas", capacity.quotas_hold, "AWS throttles, and the backlog grows.", with_intent=True),
    Check("alarms", alarms.queues_watched, "Nobody notices until a caller complains."),
)

LIVE: Final = (
    *CHECKS,
    Check(
        "drift",
        live.drift,
        "What was changed by hand is in no review, no test, and not in the next environment.",
    ),
)
"""For a deployment as it runs."""


def examine(system: System, intent: Intent | None = None) -> list[Outcome]:
    """By all checks, with drift where it is one that runs; at the environment's own rate if no other is intended."""
    meant = intent or Intent(rate=system.environment.requests_per_second)
    return [
        _outcome(check, list(_run(check, system, meant))) for check in (LIVE if system.written else CHECKS)
    ]


def _run(check: Check, system: System, intent: Intent) -> Result:
    return check.run(system, intent) if check.with_intent else check.run(system)  # type: ignore[call-arg]


NOTHING: Final = Fault(
    where="the whole deployment",
    what="There is nothing that this check could look at.",
    mend="Look whether a stack is missing, or whether its resources are of a type that infra/doctor/reading.py "
    "does not read.",
    why="A check that compares nothing proves nothing.",
)


def _outcome(check: Check, said: list[Held | Fault | Skipped]) -> Outcome:
    said = said or [NOTHING]
    return Outcome(
        check=check.name,
        held=tuple(one for one in said if isinstance(one, Held)),
        findings=tuple(
            Finding(
                check=check.name,
                severity=one.severity,
                where=one.where,
                what=one.what,
                why=one.why or check.why,
                mend=one.mend,
            )
            for one in said
            if isinstance(one, Fault)
        ),
        skipped=next((one.text for one in said if isinstance(one, Skipped)), None),
    )
