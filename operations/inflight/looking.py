"""Reading what is in flight without consuming it, and with as few deliveries as possible.

Parked messages are hidden while they are read. In a service's queue, a receive with a visibility timeout of zero
hides no message, but it counts as a delivery, and SQS moves a message to the DLQ after a few of them. Therefore a
queue is read once within the life of its messages, with one call, and the messages are kept in the operations table
for the next check. The versions of all other messages are known from the definitions of the open executions that sent
them.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from infra.parts import TRIGGER, WORKFLOW
from operations.aws_errors import translated
from operations.deployment.removed import intended, rights_kept
from operations.dlq.messages import parked
from operations.dlq.queues import DELAYED, VISIBLE, find_queues, read_all
from operations.errors import NotFoundError
from operations.inflight.memory import Memory
from operations.inflight.reading import (
    STATES,
    Check,
    Finding,
    Look,
    detail_types,
    entered,
    of_definition,
    of_message,
    of_rules,
    of_states,
)
from operations.target import AT_ONCE, Target
from shared.contracts.stages import BY_SERVICE, STAGES

BATCH = 10
EXECUTIONS = 200
"""The largest number of open executions whose definitions are read: AWS allows at most 20 such calls per second."""
SERVICES = (TRIGGER, *BY_SERVICE)

OnLook = Callable[[Look], None]


def check(target: Target, services: Sequence[str] = (), *, on_look: OnLook = lambda _: None) -> list[Check]:
    """Check the named services, or all and the workflow. Services that are not deployed have nothing in flight.

    Raises OperationError if something can't be read.
    """
    names = services or (*SERVICES, WORKFLOW)
    if unknown := set(names) - {*SERVICES, STATES, WORKFLOW}:
        raise NotFoundError(
            f"There is no service {min(unknown)!r}. Name one of: {', '.join((*SERVICES, WORKFLOW))}."
        )
    checks = []
    for service in names:
        looks = []
        for look in _looks(target, service):
            looks.append(look)
            on_look(look)
        checks.append(Check(service=service, looks=tuple(looks)))
    return checks


def _looks(target: Target, service: str) -> Any:
    if service in (WORKFLOW, STATES):
        if service == WORKFLOW and "bus/name" in target.addresses.values:
            yield _rules(target)
        if "state-machine/arn" in target.addresses.values:
            judge = partial(of_states, stages=intended(target), kept=rights_kept(target))
            yield _executions(target, service, judge)
        return
    if service not in target.addresses.services:
        return
    yield _queue(target, service)
    for queue in find_queues(target, [service]):
        messages = read_all(target, queue)
        findings = tuple(filter(None, (of_message(message, queue.kind) for message in messages)))
        yield Look(
            service=service, place=queue.kind, looked=len(messages), there=len(messages), findings=findings
        )
    if service in BY_SERVICE and "state-machine/arn" in target.addresses.values:
        yield _executions(target, service, partial(of_definition, service))


# --- the queue -------------------------------------------------------------------------------------------


def _queue(target: Target, service: str) -> Look:
    url = target.addresses.queue_url(service)
    there, visibility = _attributes(target, url)
    if there == 0:
        return Look(service=service, place="queue", looked=0, there=0)
    memory = Memory(target, service, visibility)
    note = None
    if memory.begin():
        with translated("read the queue's messages"):
            answer = target.client("sqs").receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=BATCH,
                VisibilityTimeout=0,
                WaitTimeSeconds=0,
                MessageAttributeNames=["All"],
                AttributeNames=["All"],
            )
        received = {str(message["MessageId"]): message for message in answer.get("Messages", [])}
        messages = [parked(message, service, "dlq") for message in received.values()]
        memory.keep(messages)
    else:
        at, messages = memory.recall()
        event = "read" if messages else "interrupted"
        note = f"{event} {max(0, round(time.time() - at))} s ago; each reading is a delivery"
    findings = tuple(filter(None, (of_message(message, "queue") for message in messages)))
    return Look(
        service=service,
        place="queue",
        looked=len(messages),
        there=max(there, len(messages)),
        findings=findings,
        note=note,
    )


def _attributes(target: Target, url: str) -> tuple[int, int]:
    """Return the number of the queue's waiting messages and its visibility timeout."""
    counts = (VISIBLE, DELAYED)
    with translated("read the queue"):
        values = target.client("sqs").get_queue_attributes(
            QueueUrl=url, AttributeNames=[*counts, "VisibilityTimeout"]
        )["Attributes"]
    return sum(int(values.get(name, 0)) for name in counts), int(values["VisibilityTimeout"])


# --- open executions -------------------------------------------------------------------------------------


def _executions(target: Target, service: str, judge: Callable[..., Finding | None]) -> Look:
    """Read the open executions. `judge` gets an execution's definition, its name, and its present state if known."""
    client = target.client("stepfunctions")
    with translated("list the open executions"):
        answer = client.list_executions(
            stateMachineArn=target.addresses.state_machine_arn, statusFilter="RUNNING", maxResults=1_000
        )
    names = [str(execution["name"]) for execution in answer["executions"]]
    examined = names[:EXECUTIONS]

    def finding_of(name: str) -> Finding | None:
        arn = target.addresses.execution_arn(name)
        with translated("read the open executions"):
            try:
                definition = client.describe_state_machine_for_execution(executionArn=arn)["definition"]
                if judge(definition, name, entered=None) is None:
                    return None
                history = client.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=50)
            except client.exceptions.ExecutionDoesNotExist:
                return None
        return judge(definition, name, entered=entered(history["events"]))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        findings = tuple(filter(None, pool.map(finding_of, examined)))
    more = "more than " if answer.get("nextToken") else ""
    note = f"there are {more}{len(names):,}" if len(names) > len(examined) or more else None
    return Look(
        service=service,
        place="execution",
        looked=len(examined),
        there=len(names),
        findings=findings,
        note=note,
    )


# --- the deployed consumers ------------------------------------------------------------------------------


def _rules(target: Target) -> Look:
    """Compare the events that this checkout's workflow sends with the patterns of the deployed rules."""
    patterns: dict[str, list[str]] = {
        stage.service: [] for stage in STAGES if stage.service in target.addresses.services
    }
    count = 0
    with translated("read the rules of the bus"):
        pages = target.client("events").get_paginator("list_rules")
        for page in pages.paginate(EventBusName=target.addresses.bus_name):
            for rule in page["Rules"]:
                if rule.get("State") == "DISABLED":
                    continue
                for stage in STAGES:
                    if rule["Name"].startswith(f"ai-pipeline-{target.env}-{stage.service}-"):
                        patterns.setdefault(stage.service, []).extend(
                            detail_types(rule.get("EventPattern", "{}"))
                        )
                        count += 1
    return Look(service=WORKFLOW, place="rule", looked=count, there=count, findings=tuple(of_rules(patterns)))
