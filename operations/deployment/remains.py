"""What of an environment is in the account although its stacks are not: what a deletion keeps or can't reach."""

from collections.abc import Callable, Iterator

from msgspec import Struct

from infra.functions import ALL_FUNCTIONS
from infra.names import Names
from infra.parts import SWITCHED, TRIGGER
from operations.aws_errors import translated
from operations.deployment.stacks import deletion_commands, read_stacks, table_exists
from operations.errors import DeniedError, NotDeployedError
from operations.target import Target
from shared.contracts.stages import SERVICES

_EXECUTION_LOGS = "API-Gateway-Execution-Logs_"


class Remnant(Struct, frozen=True, kw_only=True):
    """Something that is left. `why` completes its line; `commands` remove it."""

    what: str
    why: str
    commands: tuple[str, ...]


def remains(target: Target) -> tuple[Remnant, ...]:
    """Return what of the target's environment is still in its account and region.

    What the caller has no right to look for is named as such.
    """
    found: list[Remnant] = []
    for what, look in _LOOKS.items():
        try:
            found += look(target)
        except DeniedError as error:
            found.append(Remnant(what=what, why=f"not looked for: {error}", commands=()))
    return tuple(found)


def _stacks(target: Target) -> Iterator[Remnant]:
    for stack in read_stacks(target).values():
        yield Remnant(
            what=f"stack {stack.name}",
            why=f"not deleted: {stack.status}",
            commands=tuple(deletion_commands(stack)),
        )


def _tables(target: Target) -> Iterator[Remnant]:
    for table in Names(target.env).tables:
        if table_exists(target, table):
            yield Remnant(
                what=f"table {table}",
                why="kept with its items, whose storage is billed",
                commands=(
                    f"aws dynamodb update-table --table-name {table} --no-deletion-protection-enabled",
                    f"aws dynamodb delete-table --table-name {table}",
                ),
            )


def _queues(target: Target) -> Iterator[Remnant]:
    names = Names(target.env)
    for service in (*SERVICES, *SWITCHED):
        for queue in (names.queue(service), names.dlq(service), names.rule_dlq(service)):
            try:
                with translated("look up the queues"):
                    url = target.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
            except NotDeployedError:
                continue
            yield Remnant(
                what=f"queue {queue}",
                why="left of a stack",
                commands=(f"aws sqs delete-queue --queue-url {url}",),
            )


def _parameters(target: Target) -> Iterator[Remnant]:
    with translated("look up the parameters"):
        pages = target.client("ssm").get_paginator("get_parameters_by_path")
        for page in pages.paginate(Path=Names(target.env).parameter(""), Recursive=True):
            for parameter in page["Parameters"]:
                yield Remnant(
                    what=f"parameter {parameter['Name']}",
                    why="left of a stack",
                    commands=(f"aws ssm delete-parameter --name {parameter['Name']}",),
                )


def _log_groups(target: Target) -> Iterator[Remnant]:
    names = Names(target.env)
    groups = [
        *(f"/aws/lambda/{names.function(spec.name)}" for spec in ALL_FUNCTIONS),
        f"/aws/vendedlogs/states/{names.state_machine}",
        f"/aws/apigateway/{names.prefix}-api",
    ]
    present = {group for prefix in groups for group in _groups(target, prefix)}
    for group in groups:
        if group in present:
            yield _log_group(group, "written after its stack was deleted, or kept by hand")


def _execution_logs(target: Target) -> Iterator[Remnant]:
    """Yield the logs that API Gateway wrote by itself for APIs that no longer exist."""
    groups = list(_groups(target, _EXECUTION_LOGS))
    if not groups:
        return
    with translated("look up the APIs"):
        pages = target.client("apigateway").get_paginator("get_rest_apis").paginate()
        apis = {api["id"] for page in pages for api in page["items"]}
    for group in groups:
        if group.removeprefix(_EXECUTION_LOGS).split("/")[0] not in apis:
            yield _log_group(group, "logs of an API that no longer exists, of this environment or of another")


def _groups(target: Target, prefix: str) -> Iterator[str]:
    with translated("look up the log groups"):
        pages = target.client("logs").get_paginator("describe_log_groups")
        for page in pages.paginate(logGroupNamePrefix=prefix):
            yield from (group["logGroupName"] for group in page["logGroups"])


def _log_group(group: str, why: str) -> Remnant:
    return Remnant(
        what=f"log group {group}", why=why, commands=(f"aws logs delete-log-group --log-group-name {group}",)
    )


def _account_role(target: Target) -> Iterator[Remnant]:
    """Yield the role with which API Gateway writes the logs of all APIs, if this environment has set it."""
    with translated("look up API Gateway's role"):
        arn = target.client("apigateway").get_account().get("cloudwatchRoleArn") or ""
    name = arn.rsplit("/", 1)[-1]
    # CloudFormation begins the name with the stack's, of which it keeps 24 characters at least.
    if name.startswith(Names(target.env).stack(TRIGGER)[:24]):
        yield Remnant(
            what=f"role {name}",
            why="with it, API Gateway writes the logs of all APIs in this account and region; keep it for them",
            commands=(
                "aws apigateway update-account --patch-operations op=replace,path=/cloudwatchRoleArn,value=",
                f"aws iam detach-role-policy --role-name {name} --policy-arn {_policy(arn)}",
                f"aws iam delete-role --role-name {name}",
            ),
        )


def _policy(role_arn: str) -> str:
    partition = role_arn.split(":")[1]
    return f"arn:{partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"


_LOOKS: dict[str, Callable[[Target], Iterator[Remnant]]] = {
    "stacks": _stacks,
    "tables": _tables,
    "queues": _queues,
    "parameters": _parameters,
    "log groups": _log_groups,
    "logs of APIs": _execution_logs,
    "API Gateway's role": _account_role,
}
