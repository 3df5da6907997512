"""Queues: each feeds one function, loses nothing, and parks where somebody looks."""

from infra.clocks import DLQ_RETENTION_DAYS, MAX_RECEIVES
from infra.doctor.findings import Fault, Held, Result
from infra.doctor.model import System
from infra.doctor.references import last

PARKS_IN = "DLQ_URL"
"""The variable that tells a worker where to park."""


def consumers(system: System) -> Result:
    """A queue with a DLQ is there to be worked on; a mapping needs a queue and a function."""
    for source in system.sources:
        for kind, name, known in (
            ("queue", source.queue, system.queues),
            ("function", source.function, system.functions),
        ):
            if name not in known:
                yield Fault(
                    where=source.stack,
                    what=f"An event source mapping names the {kind} {name}, which is not there.",
                    mend="Name one of the deployment.",
                )
    for queue in system.queues.values():
        feeding = [source for source in system.sources if source.queue == queue.name]
        if queue.dlq is None and not feeding:
            continue
        awake = sorted(source.function for source in feeding if source.enabled)
        if len(awake) == 1:
            yield Held("one function works on it", queue.name)
        elif awake:
            yield Fault(
                where=queue.name,
                what=f"{len(awake)} event source mappings share it: to {' and '.join(awake)}.",
                mend="Give each function its own queue and rule, and each queue one mapping.",
                why="Each message takes one of them at random: a cap counts for part of them, a function sees "
                "part of them.",
            )
        else:
            asleep = " Its mapping is disabled." if feeding else ""
            yield Fault(
                where=queue.name,
                what=f"No function works on it.{asleep}",
                mend="Enable the event source mapping, or add one (`ServiceFunction.consume`); the starter's may be "
                "paused by a budget (`pipeline budget`).",
            )


def partial_batches(system: System) -> Result:
    for source in system.sources:
        if source.partial_batches:
            yield Held("ReportBatchItemFailures", source.queue)
        else:
            yield Fault(
                where=f"{source.queue} → {source.function}",
                what="FunctionResponseTypes lacks ReportBatchItemFailures.",
                mend="`report_batch_item_failures=True` on the event source.",
            )


def redrive(system: System) -> Result:
    for source in system.sources:
        queue = system.queues.get(source.queue)
        if queue is None:
            continue
        if queue.dlq is None or queue.dlq not in system.queues:
            yield Fault(
                where=queue.name,
                what="It has no DLQ." if queue.dlq is None else f"Its DLQ {queue.dlq} is not there.",
                mend="Give it a redrive policy to its own DLQ (`WorkQueue`).",
            )
        elif queue.receives != MAX_RECEIVES:
            yield Fault(
                where=queue.name,
                what=f"maxReceiveCount is {queue.receives}, not {MAX_RECEIVES}.",
                mend=f"Set it to {MAX_RECEIVES}: the tasks' timeouts are reckoned with it.",
                why="Lower, AWS parks messages that were throttled and never tried; higher, a message outlives "
                "its task.",
            )
        else:
            yield Held(f"a DLQ, maxReceiveCount {MAX_RECEIVES}", queue.name)


def retention(system: System) -> Result:
    dead = {queue.dlq for queue in system.queues.values() if queue.dlq} | system.rule_dlqs
    for name in sorted(dead & system.queues.keys()):
        kept = system.queues[name].retention_seconds
        if kept < DLQ_RETENTION_DAYS * 86_400:
            yield Fault(
                where=name,
                what=f"This DLQ keeps messages for {kept / 86_400:g} days, not {DLQ_RETENTION_DAYS}.",
                mend=f"Set MessageRetentionPeriod to {DLQ_RETENTION_DAYS * 86_400}.",
            )
        else:
            yield Held(f"DLQ keeps {kept / 86_400:g} days", name)


def rule_dlqs(system: System) -> Result:
    for rule in system.rules.values():
        for target in rule.targets:
            if target.dlq is None or target.dlq not in system.queues:
                yield Fault(
                    where=rule.name,
                    what="A target has no DLQ."
                    if target.dlq is None
                    else f"Its DLQ {target.dlq} is not there.",
                    mend="Give the target a DLQ of its own (`WorkQueue.subscribe`).",
                )
            else:
                yield Held("DLQ on the target", rule.name)


def deliveries(system: System) -> Result:
    """Rules put events into queues by the queues' own policies."""
    allowed = {(one.queue, one.rule) for one in system.deliveries}
    for rule in system.rules.values():
        for target in rule.targets:
            for queue in filter(None, (target.queue, target.dlq)):
                if (queue, rule.name) in allowed:
                    yield Held("the queue's policy admits its rule", f"{queue}/{rule.name}")
                else:
                    yield Fault(
                        where=rule.name,
                        what=f"The policy of {queue} does not let this rule put events in.",
                        mend="Allow sqs:SendMessage to events.amazonaws.com with aws:SourceArn = the rule.",
                    )
    for one in system.deliveries:
        if one.anybody:
            yield Fault(
                where=one.queue,
                what="Its policy lets anybody send to it.",
                mend="Name the principal and a condition in the queue's policy.",
                why="Anybody on AWS could put requests into the pipeline.",
            )


def parking(system: System) -> Result:
    for source in system.sources:
        queue, function = system.queues.get(source.queue), system.functions.get(source.function)
        if queue is None or function is None or queue.dlq is None:
            continue
        parks = function.variables.get(PARKS_IN)
        if parks is None or last(parks) != queue.dlq:
            yield Fault(
                where=function.name,
                what=f"It parks in {last(parks) if parks else 'no queue'}, its queue's DLQ is {queue.dlq}.",
                mend=f"Set {PARKS_IN} to the DLQ of {queue.name} (`ServiceFunction.consume`).",
            )
        else:
            yield Held(f"{PARKS_IN} is its queue's DLQ", function.name)
