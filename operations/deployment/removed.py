"""The stacks of stages that were removed from the code, or switched off: what still needs them, and their deletion.

A run finishes under the workflow's definition that it began with, so it may still send requests to a stage that a
deployment of this checkout no longer has. Its stack is deleted only when no open run can need it, its queues are
empty, and nobody has still to decide on an answer.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

from infra.environments import UnknownEnvironmentError
from infra.names import Names
from infra.option_kinds import OptionError
from infra.options import load_deployed
from infra.parts import PARTS, SWITCHED, WORKFLOW
from operations.aws_errors import translated
from operations.deployment.stacks import TABLES, read_stack, read_template
from operations.deployment.teardown import (
    Condemned,
    Work,
    condemned,
    delete,
    delete_table,
    deployed_services,
    work_of,
)
from operations.deployment.workflow import deployed_states
from operations.errors import NotDeployedError
from operations.inflight.reading import entered
from operations.target import AT_ONCE, Target
from shared.contracts.stages import EVERY, Stage
from shared.waiting import OPEN, OPEN_INDEX

LOOKED_AT: Final = 200
"""Open runs whose definitions are read: AWS allows at most 20 such calls per second. With more, the stack is kept."""
SETTLED_SECONDS: Final = 15.0
"""After an update of the workflow, runs begin with the new definition from then on. AWS says "a few seconds"."""
NO_CONTEXT: Final[Mapping[str, str]] = {}


class RemovedStage(Struct, frozen=True, kw_only=True):
    """A removed stage's stack: its part's name, what its deletion deletes, and what keeps it from being deleted.

    `needed_by` counts the open runs that may still reach the stage; `more` says that not all were looked at. `work`
    holds the messages in its queues. `undecided` counts the answers that wait for a decision, or whose decision has
    not arrived. `filled` names the table that the deletion would leave behind, as long as it has items.
    """

    part: str
    stack: Condemned
    needed_by: int
    more: bool
    work: Work
    undecided: int = 0
    filled: str | None = None

    @property
    def idle(self) -> bool:
        return not (self.needed_by or self.more or self.work or self.undecided or self.filled)

    @property
    def is_switched_off(self) -> bool:
        """Whether an option left it out; otherwise it was removed from the code."""
        return self.part in SWITCHED


def intended(target: Target, context: Mapping[str, str] = NO_CONTEXT) -> Sequence[Stage]:
    """Return the stages that a deployment of this checkout has, by the environment's file and additional context.

    If these can't be read, no stage counts as switched off: the deployment itself then says what is wrong with them.
    """
    try:
        return load_deployed(target.env, context, region=target.region).stages
    except (UnknownEnvironmentError, OptionError):
        return EVERY


def _removed_parts(target: Target, context: Mapping[str, str]) -> tuple[str, ...]:
    """Return the deployed services that a deployment of this checkout does not have."""
    has = {stage.service for stage in intended(target, context)}
    return tuple(
        service
        for service in deployed_services(target)
        if service not in PARTS or (service in SWITCHED and service not in has)
    )


def context_of_removed(target: Target, context: Mapping[str, str] = NO_CONTEXT) -> dict[str, str]:
    """Return the CDK context by which the workflow's role keeps its rights to reach removed stages; empty if none is.

    An open run sends by its own definition, but with the role's present rights. `context` is what the deployment gets
    besides the environment's file.
    """
    queues, events = [], set()
    for part in _removed_parts(target, context):
        stack = read_stack(target, part)
        if stack and stack.created:
            queues.append(part)
            events |= set(_detail_types(read_template(target, stack)))
    return {"removed_queues": ",".join(queues), "removed_events": ",".join(sorted(events))} if queues else {}


def rights_kept(target: Target) -> frozenset[str]:
    """Return the names of the queues and the events by which runs still reach removed stages."""
    context = context_of_removed(target)
    queues = (Names(target.env).queue(part) for part in _split(context.get("removed_queues")))
    return frozenset((*queues, *_split(context.get("removed_events"))))


def _split(names: str | None) -> list[str]:
    return [name for name in (names or "").split(",") if name]


def removed_stages(target: Target, sleep: Callable[[float], None] = time.sleep) -> tuple[RemovedStage, ...]:
    """Return the deployed stages that a deployment of this checkout does not have. Raises OperationError.

    If there are some, and the workflow has just been changed, it first waits: for some seconds after an update, runs
    may still begin with the definition before.
    """
    stacks = [stack for part in _removed_parts(target, NO_CONTEXT) if (stack := read_stack(target, part))]
    workflow = read_stack(target, WORKFLOW) if stacks else None
    changed_at = workflow.changed_at if workflow else None
    if changed_at and (left := SETTLED_SECONDS - (datetime.now(UTC) - changed_at).total_seconds()) > 0:
        sleep(left)
    found = []
    for stack in stacks:
        part = stack.part
        doomed = condemned(target, stack)
        marks = {Names(target.env).queue(part), *_detail_types(read_template(target, stack))}
        needed_by, more = _runs_in_need(target, marks, changed_at)
        found.append(
            RemovedStage(
                part=part,
                stack=doomed,
                needed_by=needed_by,
                more=more,
                work=work_of(target, (doomed,)),
                undecided=sum(_undecided(target, table) for table in _tables(doomed)),
                filled=next((table for table in _kept_tables(doomed) if _has_items(target, table)), None),
            )
        )
    return tuple(found)


def delete_removed(target: Target, stage: RemovedStage, sleep: Callable[[float], None] = time.sleep) -> None:
    """Delete the stack of a removed stage that is idle, with its empty tables. Raises OperationError.

    A table that an environment keeps with its data would be in the way of switching the stage on again.
    """
    if not stage.idle:
        raise ValueError(f"{stage.part} is still needed")
    delete(target, stage.stack, sleep)
    for table in _kept_tables(stage.stack):
        delete_table(target, table, sleep)


def _tables(stack: Condemned) -> Iterator[str]:
    return (resource.name for resource in (*stack.deleted, *stack.kept) if resource.type in TABLES)


def _kept_tables(stack: Condemned) -> Iterator[str]:
    return (resource.name for resource in stack.kept if resource.type in TABLES)


def _undecided(target: Target, table: str) -> int:
    """Return how many answers wait in a table; none in one that is not that of the approval, or is gone."""
    if table != Names(target.env).approvals_table:
        return 0
    try:
        with translated("count the answers that wait for approval"):
            pages = (
                target.client("dynamodb")
                .get_paginator("query")
                .paginate(
                    TableName=table,
                    IndexName=OPEN_INDEX,
                    Select="COUNT",
                    KeyConditionExpression="#open = :open",
                    ExpressionAttributeNames={"#open": "open"},
                    ExpressionAttributeValues={":open": {"S": OPEN}},
                )
            )
            return sum(page["Count"] for page in pages)
    except NotDeployedError:
        return 0


def _has_items(target: Target, table: str) -> bool:
    try:
        with translated(f"look into the table {table}"):
            page = target.client("dynamodb").scan(
                TableName=table, Limit=1, Select="COUNT", ConsistentRead=True
            )
    except NotDeployedError:
        return False
    return bool(page["Count"])


def _detail_types(template: Mapping[str, Any]) -> Iterator[str]:
    """Yield the events by which the stack's rules let a workflow reach the stage."""
    for resource in template.get("Resources", {}).values():
        if resource.get("Type") == "AWS::Events::Rule":
            pattern = resource.get("Properties", {}).get("EventPattern") or {}
            yield from (str(kind) for kind in pattern.get("detail-type", ()))


def _runs_in_need(target: Target, marks: set[str], changed_at: datetime | None) -> tuple[int, bool]:
    """Return how many of the open runs may send a request to the stage, and whether there are more than looked at.

    A run may if its own definition names one of the stage's `marks` (its queue, its events), and also if it stands
    in a state that the present definition does not have. The local engine runs an execution by its own definition,
    too, but tells the newest one: there, every run may that began before the workflow `changed_at`.
    """
    if "state-machine/arn" not in target.addresses.values:
        return 0, False
    client = target.client("stepfunctions")
    machine = target.addresses.state_machine_arn
    with translated("list the open runs"):
        answer = client.list_executions(stateMachineArn=machine, statusFilter="RUNNING", maxResults=LOOKED_AT)
    present = deployed_states(target)

    def needs(execution: Mapping[str, Any]) -> bool:
        arn = execution["executionArn"]
        if not target.is_aws and changed_at and execution["startDate"] <= changed_at:
            return True
        with translated("read the open runs"):
            try:
                definition = client.describe_state_machine_for_execution(executionArn=arn)["definition"]
                if any(f'"{mark}"' in definition or f"/{mark}" in definition for mark in marks):
                    return True
                events = client.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=50)[
                    "events"
                ]
            except client.exceptions.ExecutionDoesNotExist:
                return False
        state = entered(events)
        return state is not None and state not in present

    with ThreadPoolExecutor(AT_ONCE) as pool:
        needing = sum(pool.map(needs, answer["executions"]))
    return needing, "nextToken" in answer
