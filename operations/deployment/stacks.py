"""The states of an environment's stacks, and whether a deployment can begin with them."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from msgspec import Struct

from infra.names import Names
from infra.parts import PARTS, needed_by
from operations.addresses import how_to_deploy
from operations.aws_errors import translated
from operations.errors import DeniedError, NotDeployedError, RefusedError
from operations.target import Target
from operations.wording import listed

NEVER_CREATED = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE")
"""States of a stack without resources: its creation was not begun, or failed and was rolled back."""
HALF_CREATED = ("CREATE_FAILED", "ROLLBACK_FAILED")
"""States of a stack whose creation failed and whose resources were not all deleted."""

TABLES = ("AWS::DynamoDB::GlobalTable", "AWS::DynamoDB::Table")


class Stack(Struct, frozen=True, kw_only=True):
    """A stack as CloudFormation describes it. `protected`: its deletion is refused (termination protection).

    `changed_at` is when its last update began, or else its creation.
    """

    part: str
    name: str
    status: str
    protected: bool = False
    changed_at: datetime | None = None

    @property
    def created(self) -> bool:
        """Whether it has been created successfully at some time, and has not begun to be deleted."""
        return not self.status.startswith("DELETE_") and self.status not in (
            *NEVER_CREATED,
            *HALF_CREATED,
            "CREATE_IN_PROGRESS",
            "ROLLBACK_IN_PROGRESS",
        )

    @property
    def busy(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


def read_stacks(target: Target) -> dict[str, Stack]:
    """Return the stacks of the target's environment that exist, by part."""
    stacks = (read_stack(target, part) for part in PARTS)
    return {stack.part: stack for stack in stacks if stack}


def read_stack(target: Target, part: str) -> Stack | None:
    name = Names(target.env).stack(part)
    with translated("read the deployed stacks"):
        try:
            (description,) = target.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
    return Stack(
        part=part,
        name=name,
        status=str(description["StackStatus"]),
        protected=bool(description.get("EnableTerminationProtection")),
        changed_at=description.get("LastUpdatedTime") or description.get("CreationTime"),
    )


def read_template(target: Target, stack: Stack) -> Mapping[str, Any]:
    """Return the stack's template; an empty one if it has never been created."""
    if stack.status in NEVER_CREATED:
        return {}
    with translated("read the deployed templates"):
        body = target.client("cloudformation").get_template(StackName=stack.name)["TemplateBody"]
    template: Mapping[str, Any] = json.loads(body) if isinstance(body, str) else body
    return template


def require_ready(env: str, parts: Collection[str], stacks: Mapping[str, Stack]) -> None:
    """Raise an error that says what to do if `parts` can't be deployed: what they need is missing, or a stack's state
    does not allow an update.
    """
    for part in parts:
        missing = [
            needed
            for needed in needed_by(part)
            if needed not in parts and not (needed in stacks and stacks[needed].created)
        ]
        if missing:
            raise NotDeployedError(
                f"Nothing was deployed: {part} can't be deployed before {listed(missing)} in environment {env!r}. "
                f"Deploy everything first: {how_to_deploy(env)}"
            )
    for part in parts:
        if part in stacks and (reason := _obstacle(env, stacks[part])):
            raise RefusedError(f"Nothing was deployed: {reason}")


def _obstacle(env: str, stack: Stack) -> str | None:
    """Return why the stack can't be deployed now, and what to do; None if it can."""
    if stack.busy:
        return f"the stack {stack.name} is {stack.status}. Wait until that ends, then run the same command again."
    if stack.status in HALF_CREATED:
        return (
            f"the first deployment of {stack.name} failed and left resources behind ({stack.status}). "
            "See 'A first deployment failed' in docs/operations.md. Delete it, then run the same command again:\n"
            + "\n".join(f"  {line}" for line in deletion_commands(stack))
        )
    if stack.status == "DELETE_FAILED":
        return (
            f"the deletion of {stack.name} was begun and failed. Finish it (pipeline --env {env} destroy), then "
            "deploy again."
        )
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        return (
            f"the last update of {stack.name} failed, and so did its rollback. Fix the cause that its events name, "
            f"then run:\n  aws cloudformation continue-update-rollback --stack-name {stack.name}"
        )
    return None


def require_free_names(target: Target, templates: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise RefusedError if a table of `templates`, which are those of new stacks, exists already.

    It is left of an earlier deployment that keeps its data, and the stack's creation would fail.
    """
    for template in templates.values():
        for resource in template["Resources"].values():
            name = resource.get("Properties", {}).get("TableName")
            if resource["Type"] in TABLES and isinstance(name, str) and table_exists(target, name):
                raise RefusedError(
                    f"Nothing was deployed: the table {name} exists already, without a stack that it belongs to. See "
                    "'A table exists already' in docs/operations.md: take it into the new stack "
                    "(--import-existing-resources), or delete it."
                )


def table_exists(target: Target, name: str) -> bool:
    """Tell whether a table exists; False also if the caller may not know, because CloudFormation then says so."""
    try:
        with translated(f"look up the table {name}"):
            target.client("dynamodb").describe_table(TableName=name)
    except (NotDeployedError, DeniedError):
        return False
    return True


def deletion_commands(stack: Stack) -> Sequence[str]:
    """Return the commands that delete a stack by hand."""
    name = f"--stack-name {stack.name}"
    return (
        *(
            [f"aws cloudformation update-termination-protection {name} --no-enable-termination-protection"]
            * stack.protected
        ),
        f"aws cloudformation delete-stack {name}",
        f"aws cloudformation wait stack-delete-complete {name}",
    )


def release(target: Target, stack: Stack) -> None:
    """Take the termination protection from a stack."""
    if stack.protected:
        with translated(f"take the termination protection from {stack.name}"):
            target.client("cloudformation").update_termination_protection(
                StackName=stack.name, EnableTerminationProtection=False
            )
