"""Checks that each queue feeds one function, loses no message, and parks where `pipeline dlq` looks."""

from infra.clocks import DLQ_RETENTION_DAYS, MAX_RECEIVES
from infra.doctor.findings import Passed, Problem, Result
from infra.doctor.model import System
from infra.doctor.references import last

PARKS_IN = "DLQ_URL"
"""The environment variable that names the DLQ in which a worker parks messages."""


def consumers(system: System) -> Result:
    """Check that each queue with a DLQ feeds exactly one function, and that each mapping's ends exist."""
    for source in system.sources:
        for kind, name, known in (
            ("queue", source.queue, system.queues),
            ("function", source.function, system.functions),
        ):
            if name not in known:
                yield Problem(
                    where=source.stack,
                    what=f"An event source mapping names the {kind} {name}, which does not exist.",
                    fix=f"Name a {kind} of this deployment.",
                )
    for queue in system.queues.values():
        feeding = [source for source in system.sources if source.queue == queue.name]
        if queue.dlq is None and not feeding:
            continue
        enabled = sorted(source.function for source in feeding if source.enabled)
        if len(enabled) == 1:
            yield Passed("the queue feeds one function", queue.name)
        elif enabled:
            yield Problem(
                where=queue.name,
                what=f"{len(enabled)} event source mappings share it: to {' and '.join(enabled)}.",
                fix="Give each function its own queue and rule, and each queue one mapping.",
                why="Each message goes to one of them at random, so each function gets only a part of the messages.",
            )
        else:
            disabled = " Its mapping is disabled." if feeding else ""
            yield Problem(
                where=queue.name,
                what=f"It feeds no function.{disabled}",
                fix="Enable its event source mapping, or add one (`ServiceFunction.consume`). The starter's mapping "
                "may be paused by the daily budget (see `pipeline budget`).",
            )


def partial_batches(system: System) -> Result:
    for source in system.sources:
        if source.partial_batches:
            yield Passed("failed messages of a batch are reported one by one", source.queue)
        else:
            yield Problem(
                where=f"{source.queue} → {source.function}",
                what="Its FunctionResponseTypes lack ReportBatchItemFailures.",
                fix="Set `report_batch_item_failures=True` on the event source.",
            )


def redrive(system: System) -> Result:
    for source in system.sources:
        queue = system.queues.get(source.queue)
        if queue is None:
            continue
        if queue.dlq is None or queue.dlq not in system.queues:
            yield Problem(
                where=queue.name,
                what="It has no DLQ." if queue.dlq is None else f"Its DLQ {queue.dlq} does not exist.",
                fix="Give it a redrive policy to a DLQ of its own (`WorkQueue`).",
            )
        elif queue.receives != MAX_RECEIVES:
            yield Problem(
                where=queue.name,
                what=f"Its maxReceiveCount is {queue.receives} instead of {MAX_RECEIVES}.",
                fix=f"Set maxReceiveCount to {MAX_RECEIVES}: the tasks' timeouts are computed from it.",
                why="With a lower number SQS moves throttled messages to the DLQ before any worker handles them; "
                "with a higher one a message outlives its task.",
            )
        else:
            yield Passed(f"DLQ with maxReceiveCount {MAX_RECEIVES}", queue.name)


def retention(system: System) -> Result:
    dlqs = {queue.dlq for queue in system.queues.values() if queue.dlq} | system.rule_dlqs
    for name in sorted(dlqs & system.queues.keys()):
        kept = system.queues[name].retention_seconds
        if kept < DLQ_RETENTION_DAYS * 86_400:
            yield Problem(
                where=name,
                what=f"This DLQ keeps messages for {kept / 86_400:g} days instead of {DLQ_RETENTION_DAYS}.",
                fix=f"Set MessageRetentionPeriod to {DLQ_RETENTION_DAYS * 86_400}.",
            )
        else:
            yield Passed(f"DLQ keeps messages for {kept / 86_400:g} days", name)


def rule_dlqs(system: System) -> Result:
    for rule in system.rules.values():
        for target in rule.targets:
            if target.dlq is None or target.dlq not in system.queues:
                yield Problem(
                    where=rule.name,
                    what="A target of this rule has no DLQ."
                    if target.dlq is None
                    else f"The DLQ {target.dlq} of its target does not exist.",
                    fix="Give the target a DLQ of its own (`WorkQueue.subscribe`).",
                )
            else:
                yield Passed("the rule's target has a DLQ", rule.name)


def deliveries(system: System) -> Result:
    """Check that each queue's policy lets the rules that target it send events, and not everybody."""
    allowed = {(delivery.queue, delivery.rule) for delivery in system.deliveries}
    for rule in system.rules.values():
        for target in rule.targets:
            for queue in filter(None, (target.queue, target.dlq)):
                if (queue, rule.name) in allowed:
                    yield Passed("the queue's policy admits its rule", f"{queue}/{rule.name}")
                else:
                    yield Problem(
                        where=rule.name,
                        what=f"The policy of {queue} does not let this rule send events to it.",
                        fix="Allow sqs:SendMessage to events.amazonaws.com on condition that aws:SourceArn is this "
                        "rule's ARN.",
                    )
    for closed in system.queues.values():
        if closed.denies:
            yield Problem(
                where=closed.name,
                what=f"Its policy denies {', '.join(closed.denies)} under no condition.",
                fix="Take the Deny out of it (`aws sqs set-queue-attributes` with the attribute Policy).",
            )
    for delivery in system.deliveries:
        if delivery.anybody:
            yield Problem(
                where=delivery.queue,
                what="Its policy lets everybody send messages to it.",
                fix="Name a principal and a condition in the queue's policy.",
                why="Everybody on AWS can send requests to the pipeline.",
            )


def parking(system: System) -> Result:
    for source in system.sources:
        queue, function = system.queues.get(source.queue), system.functions.get(source.function)
        if queue is None or function is None or queue.dlq is None:
            continue
        url = function.variables.get(PARKS_IN)
        if url is None or last(url) != queue.dlq:
            yield Problem(
                where=function.name,
                what=f"It parks in {last(url) if url else 'no queue'}, but its queue's DLQ is {queue.dlq}.",
                fix=f"Set {PARKS_IN} to the DLQ of {queue.name} (`ServiceFunction.consume`).",
            )
        else:
            yield Passed(f"{PARKS_IN} is the DLQ of the function's queue", function.name)
