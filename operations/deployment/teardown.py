"""The deletion of a deployment, in the reverse order of its creation. Done twice, it continues where it stopped."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from infra.parts import PARTS, WORKFLOW, in_order
from operations.aws_errors import translated
from operations.deployment.stacks import (
    TABLES,
    Stack,
    read_stack,
    read_stacks,
    read_template,
    release,
)
from operations.dlq.queues import COUNTS
from operations.errors import NotDeployedError, RefusedError
from operations.progress import Progress, silent, step
from operations.target import Target

KEEPING = ("Retain", "RetainExceptOnCreate")
POLL_SECONDS = 5.0
PATIENCE_SECONDS = 3_600.0
"""How long the deletion of one stack may take. A function's network, or a state machine's last runs, take minutes."""
_MACHINE, _QUEUE = "AWS::StepFunctions::StateMachine", "AWS::SQS::Queue"


class Resource(Struct, frozen=True, kw_only=True):
    """A deployed resource. `name` is its physical id: a table's name, a queue's URL, a state machine's ARN."""

    type: str
    name: str


class Condemned(Struct, frozen=True, kw_only=True):
    """A stack that will be deleted, with the resources that are deleted with it, and those that it leaves."""

    stack: Stack
    deleted: tuple[Resource, ...]
    kept: tuple[Resource, ...]


class Work(Struct, frozen=True, kw_only=True):
    """What a deletion would lose: open runs, and messages by queue, waiting or parked, as counted by SQS."""

    open_runs: int = 0
    waiting: Mapping[str, int] = {}
    parked: Mapping[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self.open_runs or self.waiting or self.parked)


class Plan(Struct, frozen=True, kw_only=True):
    """The stacks to delete, in this order, and the work that would be lost with them."""

    stacks: tuple[Condemned, ...]
    work: Work

    def tables(self) -> tuple[str, ...]:
        """Return the tables that are deleted with all their items."""
        return tuple(table for stack in self.stacks for table in _tables(stack))


def plan(target: Target) -> Plan:
    """Return what a deletion of the target's environment would delete, keep and lose."""
    present = read_stacks(target)
    order = list(reversed(in_order()))
    # Stages that were removed from the code stay, as the others do, until no workflow can need them.
    order[order.index(WORKFLOW) + 1 : order.index(WORKFLOW) + 1] = removed_parts(target)
    stacks = tuple(
        condemned(target, stack)
        for part in order
        if (stack := present.get(part) or (None if part in PARTS else read_stack(target, part)))
    )
    return Plan(stacks=stacks, work=work_of(target, stacks))


def removed_parts(target: Target) -> tuple[str, ...]:
    """Return the services that have addresses in the target's environment but no place in this checkout's app."""
    return tuple(service for service in deployed_services(target) if service not in PARTS)


def deployed_services(target: Target) -> tuple[str, ...]:
    """Return the services that have addresses in the target's environment; none if nothing is deployed."""
    try:
        return target.addresses.services
    except NotDeployedError:
        return ()


def destroy(
    target: Target,
    planned: Plan,
    *,
    losing_work: bool = False,
    progress: Progress = silent,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[str, ...]:
    """Delete the planned stacks, one after the other, and return the names of those that are gone.

    The trigger comes first, so that no new run begins. Before each stack, open runs and messages are counted again:
    unless `losing_work`, the deletion stops there. Protection is taken only from what is deleted.
    Raises RefusedError if it stops or a stack can't be deleted; the same call continues.
    """
    _require_idle(target, planned)
    gone: list[str] = []
    for index, condemned in enumerate(planned.stacks):
        stack = condemned.stack
        left = planned.stacks[index:]
        if not losing_work and (work := work_of(target, left)):
            raise RefusedError(
                f"{_so_far(gone)} {stack.name} was not deleted: {describe(work)}. Wait until they are handled, or "
                "give them up with --lose-work, then run the same command again."
            )
        if losing_work:
            _stop_runs(target, condemned)
        with step(progress, stack.part, f"deleting {stack.name}"):
            delete(target, condemned, sleep)
        gone.append(stack.name)
    return tuple(gone)


def describe(work: Work) -> str:
    """Return the open work as a phrase, e.g. `3 runs are open, 2 messages wait in ai-pipeline-dev-chatbot`."""
    phrases = []
    if work.open_runs:
        phrases.append("1 run is open" if work.open_runs == 1 else f"{work.open_runs:,} runs are open")
    for one, more, queues in (("waits", "wait", work.waiting), ("is parked", "are parked", work.parked)):
        for queue, count in queues.items():
            messages = f"1 message {one}" if count == 1 else f"{count:,} messages {more}"
            phrases.append(f"about {messages} in {queue}")
    return ", ".join(phrases)


def condemned(target: Target, stack: Stack) -> Condemned:
    """Return what the stack's deletion would delete and keep."""
    resources = read_template(target, stack).get("Resources", {})
    deleted: list[Resource] = []
    kept: list[Resource] = []
    for page in _pages(target, "list_stack_resources", stack.name):
        for summary in page["StackResourceSummaries"]:
            if not summary.get("PhysicalResourceId") or summary["ResourceStatus"] == "DELETE_COMPLETE":
                continue
            policy = resources.get(summary["LogicalResourceId"], {}).get("DeletionPolicy")
            resource = Resource(type=summary["ResourceType"], name=summary["PhysicalResourceId"])
            (kept if policy in KEEPING else deleted).append(resource)
    return Condemned(stack=stack, deleted=tuple(deleted), kept=tuple(kept))


def _pages(target: Target, operation: str, stack: str) -> Iterator[Mapping[str, Any]]:
    with translated("read the deployed stacks"):
        yield from target.client("cloudformation").get_paginator(operation).paginate(StackName=stack)


def _tables(condemned: Condemned) -> Iterator[str]:
    return (resource.name for resource in condemned.deleted if resource.type in TABLES)


# --- work that would be lost ---------------------------------------------------------------------------------


def work_of(target: Target, stacks: Sequence[Condemned]) -> Work:
    """Return the work that would be lost with the stacks."""
    resources = [resource for stack in stacks for resource in stack.deleted]
    waiting: dict[str, int] = {}
    parked: dict[str, int] = {}
    for resource in resources:
        if resource.type == _QUEUE and (count := _messages(target, resource.name)):
            name = resource.name.rsplit("/", 1)[-1]
            (parked if name.endswith("-dlq") else waiting)[name] = count
    open_runs = sum(
        sum(1 for _ in _open_runs(target, resource.name))
        for resource in resources
        if resource.type == _MACHINE
    )
    return Work(open_runs=open_runs, waiting=waiting, parked=parked)


def _messages(target: Target, url: str) -> int:
    """Return about how many messages a queue holds; none if it is gone already."""
    try:
        with translated("count the messages"):
            answer = target.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[*COUNTS])
    except NotDeployedError:
        return 0
    return sum(int(count) for count in answer["Attributes"].values())


def _open_runs(target: Target, machine: str) -> Iterator[str]:
    """Yield the ARNs of the open executions; none if the state machine is gone already."""
    try:
        with translated("list the open runs"):
            pages = target.client("stepfunctions").get_paginator("list_executions")
            for page in pages.paginate(stateMachineArn=machine, statusFilter="RUNNING"):
                yield from (execution["executionArn"] for execution in page["executions"])
    except NotDeployedError:
        return


def _stop_runs(target: Target, condemned: Condemned) -> None:
    """Stop the open executions of a stack's state machine, which would hold up its deletion."""
    machines = [resource.name for resource in condemned.deleted if resource.type == _MACHINE]
    for execution in [execution for machine in machines for execution in _open_runs(target, machine)]:
        with translated("stop the open runs"):
            target.client("stepfunctions").stop_execution(
                executionArn=execution, error="Pipeline.Destroyed", cause="The deployment was deleted."
            )


# --- one stack -----------------------------------------------------------------------------------------------


def _require_idle(target: Target, planned: Plan) -> None:
    """Raise RefusedError if a stack is being created or updated."""
    for condemned in planned.stacks:
        stack = read_stack(target, condemned.stack.part)
        if stack and stack.busy and stack.status != "DELETE_IN_PROGRESS":
            raise RefusedError(
                f"Nothing was deleted: {stack.name} is {stack.status}. Wait until that ends, then run the same "
                "command again."
            )


def delete(target: Target, condemned: Condemned, sleep: Callable[[float], None] = time.sleep) -> None:
    """Delete one stack and wait until it is gone. Raises RefusedError if that fails or lasts too long."""
    stack = read_stack(target, condemned.stack.part)
    if stack is None:
        return
    if stack.status != "DELETE_IN_PROGRESS":
        for table in _tables(condemned):
            _release_table(target, table, sleep)
        release(target, stack)
        with translated(f"delete {stack.name}"):
            target.client("cloudformation").delete_stack(StackName=stack.name)
    waited = 0.0
    while (stack := read_stack(target, stack.part)) is not None:
        if stack.status == "DELETE_FAILED":
            raise RefusedError(
                f"{stack.name} could not be deleted:\n"
                + "\n".join(f"  {line}" for line in _failures(target, stack))
                + "\nFix the cause, then run the same command again: it continues where it stopped."
            )
        if waited >= PATIENCE_SECONDS:
            raise RefusedError(
                f"{stack.name} is still {stack.status}. Run the same command again later: it continues."
            )
        sleep(POLL_SECONDS)
        waited += POLL_SECONDS


def delete_table(target: Target, table: str, sleep: Callable[[float], None] = time.sleep) -> None:
    """Delete a table that its stack left behind, with all its items."""
    _release_table(target, table, sleep)
    try:
        with translated(f"delete the table {table}"):
            target.client("dynamodb").delete_table(TableName=table)
    except NotDeployedError:
        return


def _release_table(target: Target, table: str, sleep: Callable[[float], None]) -> None:
    """Take the deletion protection from a table that is deleted with its stack."""
    client = target.client("dynamodb")
    try:
        with translated(f"take the deletion protection from {table}"):
            if not client.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
                return
            client.update_table(TableName=table, DeletionProtectionEnabled=False)
            # A table that is being updated can't be deleted.
            while client.describe_table(TableName=table)["Table"]["TableStatus"] == "UPDATING":
                sleep(POLL_SECONDS)
    except NotDeployedError:
        return


def _failures(target: Target, stack: Stack) -> Iterator[str]:
    """Yield why each resource could not be deleted, from the events since the deletion began, newest first."""
    for page in _pages(target, "describe_stack_events", stack.name):
        for event in page["StackEvents"]:
            if event["ResourceStatus"] == "DELETE_IN_PROGRESS" and event["LogicalResourceId"] == stack.name:
                return
            if event["ResourceStatus"] == "DELETE_FAILED" and event["LogicalResourceId"] != stack.name:
                yield f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"


def _so_far(gone: Sequence[str]) -> str:
    return f"Deleted so far: {', '.join(gone)}." if gone else "Nothing was deleted."
