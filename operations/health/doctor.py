"""The sources of the doctor's model of a system: the code, a folder of templates, or what is deployed."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from infra.doctor.live import (
    QUEUE_ATTRIBUTES,
    live_deliveries,
    live_function,
    live_machine,
    live_queue,
    live_rule,
    live_schedule,
    live_source,
)
from infra.doctor.model import Machine, Rule, Schedule, Source, System
from infra.doctor.reading import alarm, read
from infra.environments import DEFAULT_REGION, ENVIRONMENTS, Environment
from infra.names import Names
from infra.option_kinds import OptionError
from infra.options import load_deployed
from infra.parts import OPTIONAL, PARTS, SWITCHED
from operations.addresses import how_to_deploy
from operations.aws_errors import translated
from operations.errors import DeniedError, InvalidInputError, NotDeployedError
from operations.health.roles import read_roles
from operations.progress import Progress, silent, step
from operations.target import Target

REQUIRED = tuple(part for part in PARTS if part not in OPTIONAL)
_ABSENT = (
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
    "StateMachineDoesNotExist",
)
Named = TypeVar("Named")
Answered = TypeVar("Answered")


def require_known(name: str) -> None:
    """Raise InvalidInputError if the code knows no environment of this name."""
    if name not in ENVIRONMENTS:
        raise InvalidInputError(
            f"There is no environment {name!r}. Give --env with one of: {', '.join(ENVIRONMENTS)}."
        )


def environment(name: str, region: str = DEFAULT_REGION) -> Environment:
    """Return an environment's settings in `region`, with the options of its file.

    Raises InvalidInputError if the code does not know it, or its file is invalid.
    """
    require_known(name)
    try:
        return load_deployed(name, region=region)
    except OptionError as error:
        raise InvalidInputError(str(error)) from error


def synthesised(name: str, progress: Progress = silent, *, region: str = DEFAULT_REGION) -> System:
    """Return the system that the present code describes. Nothing is bundled, since templates contain no code."""
    chosen = environment(name, region)
    with (
        step(progress, "synth", f"synthesising the templates of {name}"),
        tempfile.TemporaryDirectory() as made,
    ):
        from infra import synthesis  # noqa: PLC0415 -- starts Node

        folder = Path(made) / "cdk.out"
        synthesis.synthesise(chosen, folder, synthesis.stand_ins(Path(made) / "bundle"))
        return read(_templates(folder), chosen)


def in_folder(name: str, folder: Path, *, region: str = DEFAULT_REGION) -> System:
    """Return the system of a cloud assembly, e.g. `cdk.out`. Raises InvalidInputError if it has no templates."""
    templates = _templates(folder)
    prefix = Names(name).stack("")
    if not templates:
        raise InvalidInputError(
            f"{folder} contains no *.template.json. Give the folder that `cdk synth` has written."
        )
    if foreign := [stack for stack in templates if not stack.startswith(prefix)]:
        raise InvalidInputError(
            f"The stack {foreign[0]} does not belong to environment {name!r}. Give its --env, or another folder."
        )
    return read(templates, environment(name, region))


def _template(path: Path) -> dict[str, Any]:
    template = json.loads(path.read_text("utf-8"))
    if not isinstance(template, dict):
        raise ValueError(f"{path.name} is not an object")  # noqa: TRY004 -- as if it were no JSON
    return template


def _templates(folder: Path) -> dict[str, Any]:
    suffix = ".template.json"
    try:
        return {path.name.removesuffix(suffix): _template(path) for path in sorted(folder.glob(f"*{suffix}"))}
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            f"The templates in {folder} can't be read ({error}). Write them again with `cdk synth`."
        ) from error


# --- what is deployed ----------------------------------------------------------------------------------------


def deployed(target: Target, progress: Progress = silent) -> System:
    """Return the deployed system: grants and connections from the stacks' templates; queues with their policies,
    functions, mappings, rules, the workflow, the policies of their roles, and alarms as they are in AWS. Raises
    NotDeployedError if a stack is missing.
    """
    names = Names(target.env)
    chosen = environment(target.env, target.region)
    with step(progress, "stacks", "reading the deployed templates"):
        written = read(_deployed_templates(target, names), chosen)
    with step(progress, "resources", "reading the deployed resources"):
        attributes = _kept(written.queues, lambda queue: _attributes(target, queue.name))
        system = replace(
            written,
            queues={name: live_queue(written.queues[name], answer) for name, answer in attributes.items()},
            deliveries=tuple(
                delivery
                for name, answer in attributes.items()
                for delivery in live_deliveries(written.queues[name], answer)
            ),
            functions=_kept(
                written.functions,
                lambda function: live_function(
                    function,
                    target.client("lambda").get_function_configuration(FunctionName=function.name),
                ),
            ),
            sources=tuple(source for name in written.functions for source in _sources(target, written, name)),
            rules=_kept(written.rules, lambda rule: _rule(target, rule)),
            schedules=_kept(written.schedules, lambda schedule: _schedule(target, schedule)),
            machines=_kept(written.machines, lambda machine: _machine(target, machine)),
            concurrency=None if chosen.engine else _concurrency(target),
            alarms=None
            if written.alarms is None
            else tuple(
                alarm(description)
                for page in _pages(target, "cloudwatch", "describe_alarms", AlarmNamePrefix=names.prefix)
                for description in page["MetricAlarms"]
            ),
            written=written,
        )
    with step(progress, "roles", "reading the policies of the roles"):
        try:
            return replace(system, roles=read_roles(target, system))
        except DeniedError as error:
            return replace(system, roles=None, roles_unread=str(error))


def _deployed_templates(target: Target, names: Names) -> dict[str, Any]:
    client, templates = target.client("cloudformation"), {}
    for part in PARTS:
        with translated("read the deployed templates"):
            try:
                body = client.get_template(StackName=names.stack(part))["TemplateBody"]
            except ClientError as error:
                if "does not exist" not in str(error):
                    raise
                continue
        if part in SWITCHED and not target.is_aws and part not in target.addresses.services:
            continue  # the local engine has the template of a deleted stack, too
        templates[names.stack(part)] = json.loads(body) if isinstance(body, str) else body
    if missing := [names.stack(part) for part in REQUIRED if names.stack(part) not in templates]:
        raise NotDeployedError(
            f"Environment {target.env!r} has no such stack: {', '.join(missing)}. "
            f"Run `{how_to_deploy(target.env)}`."
        )
    return templates


def _kept(written: Mapping[str, Named], ask: Callable[[Named], Answered]) -> dict[str, Answered]:
    """Return what is known of each deployed resource, without those that do not exist."""
    deployed_resources = {}
    for name, resource in written.items():
        with _unless_absent(), translated("read the deployed resources"):
            deployed_resources[name] = ask(resource)
    return deployed_resources


@contextmanager
def _unless_absent() -> Iterator[None]:
    """Leave out a resource that does not exist: the check `drift` reports it, as does each check that needs it."""
    try:
        yield
    except (NotDeployedError, ClientError) as error:
        cause = error.__cause__ if isinstance(error, NotDeployedError) else error
        if not isinstance(cause, ClientError) or cause.response["Error"]["Code"] not in _ABSENT:
            raise


def _attributes(target: Target, queue: str) -> Mapping[str, str]:
    client = target.client("sqs")
    url = client.get_queue_url(QueueName=queue)["QueueUrl"]
    answer: Mapping[str, str] = client.get_queue_attributes(QueueUrl=url, AttributeNames=[*QUEUE_ATTRIBUTES])[
        "Attributes"
    ]
    return answer


def _sources(target: Target, written: System, function: str) -> Iterator[Source]:
    stack = written.functions[function].stack
    with _unless_absent():
        for page in _pages(target, "lambda", "list_event_source_mappings", FunctionName=function):
            for mapping in page["EventSourceMappings"]:
                if ":sqs:" in mapping["EventSourceArn"]:
                    yield live_source(stack, mapping)


def _rule(target: Target, rule: Rule) -> Rule:
    client = target.client("events")
    where = {"EventBusName": rule.bus}
    description = client.describe_rule(Name=rule.name, **where)
    targets = client.list_targets_by_rule(Rule=rule.name, **where)["Targets"]  # five at most
    return live_rule(rule, description, targets)


def _schedule(target: Target, schedule: Schedule) -> Schedule:
    client = target.client("events")
    description = client.describe_rule(Name=schedule.name)
    targets = client.list_targets_by_rule(Rule=schedule.name)["Targets"]
    return live_schedule(schedule, description, targets)


def _machine(target: Target, machine: Machine) -> Machine:
    arn = target.addresses["state-machine/arn"]
    return live_machine(machine, target.client("stepfunctions").describe_state_machine(stateMachineArn=arn))


def _concurrency(target: Target) -> int:
    with translated("read the account's settings"):
        answer = target.client("lambda").get_account_settings()
    return int(answer["AccountLimit"]["UnreservedConcurrentExecutions"])


def _pages(target: Target, service: str, operation: str, **arguments: Any) -> Iterator[Mapping[str, Any]]:
    with translated("read the deployed resources"):
        yield from target.client(service).get_paginator(operation).paginate(**arguments)
