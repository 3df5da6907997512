"""The project's rules for its templates. Each rule is a function that yields one sentence per violation.

Rules read the finished templates, so that no construct can bypass them. The doctor (`infra/doctor`) checks whether
the parts fit together.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from infra.environments import Environment

Template = Mapping[str, Any]
Templates = Mapping[str, Template]
Rule = Callable[[Templates, Environment], Iterator[str]]


def broken_rules(templates: Templates, environment: Environment) -> list[str]:
    return [finding for rule in RULES for finding in rule(templates, environment)]


def resources(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of a template's resources of one CloudFormation type, by logical id."""
    properties: dict[str, dict[str, Any]] = {
        name: resource.get("Properties", {})
        for name, resource in template.get("Resources", {}).items()
        if resource["Type"] == kind
    }
    return properties


def statements(template: Template) -> Iterator[dict[str, Any]]:
    """Yield the Allow statements of every policy, with actions and resources always as lists."""
    documents = [
        policy["PolicyDocument"]
        for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
        for policy in resources(template, kind).values()
    ]
    for role in resources(template, "AWS::IAM::Role").values():
        documents += [policy["PolicyDocument"] for policy in role.get("Policies", [])]
    for document in documents:
        for statement in document["Statement"]:
            if statement["Effect"] == "Allow":
                yield {
                    **statement,
                    "Action": _listed(statement["Action"]),
                    "Resource": _listed(statement["Resource"]),
                }


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _target(reference: Any) -> str:
    """Return the logical id to which a Ref or Fn::GetAtt refers."""
    if isinstance(reference, dict):
        return str(reference.get("Ref") or reference.get("Fn::GetAtt", [""])[0])
    return str(reference)


def stacks_meet_by_name(templates: Templates, _: Environment) -> Iterator[str]:
    for stack, template in templates.items():
        text = json.dumps(template)
        if any("Export" in output for output in template.get("Outputs", {}).values()):
            yield f"{stack} exports an output; publish an SSM parameter instead"
        for function in ("Fn::ImportValue", "Fn::GetStackOutput"):
            if function in text:
                yield f"{stack} reads another stack with {function}; refer to it by name (infra/names.py) instead"


def queues_are_safe(templates: Templates, environment: Environment) -> Iterator[str]:
    for stack, template in templates.items():
        tls_only = {
            _target(reference)
            for policy in resources(template, "AWS::SQS::QueuePolicy").values()
            for statement in policy["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Deny" and "aws:SecureTransport" in json.dumps(statement)
            for reference in policy["Queues"]
        }
        for name, queue in resources(template, "AWS::SQS::Queue").items():
            if not queue.get("SqsManagedSseEnabled"):
                yield f"The queue {stack}/{name} is not encrypted; use WorkQueue"
            if environment.tls_only and name not in tls_only:
                yield f"The queue {stack}/{name} accepts calls without TLS; use WorkQueue"


def methods_authorise_callers(templates: Templates, _: Environment) -> Iterator[str]:
    for stack, template in templates.items():
        for method in resources(template, "AWS::ApiGateway::Method").values():
            required = "NONE" if method["HttpMethod"] == "OPTIONS" else "AWS_IAM"
            if method["AuthorizationType"] != required:
                yield (
                    f"{stack}: the API method {method['HttpMethod']} is authorised by "
                    f"{method['AuthorizationType']}; it must be {required}"
                )


def logs_are_deleted_in_time(templates: Templates, _: Environment) -> Iterator[str]:
    """Require a log group with a retention for everything that writes logs: AWS creates a missing one without."""
    for stack, template in templates.items():
        groups = resources(template, "AWS::Logs::LogGroup")
        for name, group in groups.items():
            if "RetentionInDays" not in group:
                yield f"The log group {stack}/{name} keeps its lines for ever; use log_group"
        for writer, group_id in _written_to(template, groups):
            if group_id is None:
                yield f"{stack}/{writer} writes into a log group that is not in its stack; add it with log_group"


def _written_to(template: Template, groups: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Yield each resource that writes logs, with the logical id of its log group; None if there is no such group."""

    def group_in(reference: Any) -> str | None:
        text = json.dumps(reference)
        return next((group for group in groups if f'"{group}"' in text), None)

    for name, function in resources(template, "AWS::Lambda::Function").items():
        yield name, group_in(function.get("LoggingConfig"))
    for name, machine in resources(template, "AWS::StepFunctions::StateMachine").items():
        yield name, group_in(machine.get("LoggingConfiguration"))
    for name, stage in resources(template, "AWS::ApiGateway::Stage").items():
        yield name, group_in(stage.get("AccessLogSetting"))
        if any(setting.get("LoggingLevel", "OFF") != "OFF" for setting in stage.get("MethodSettings", ())):
            parts = ["API-Gateway-Execution-Logs_", stage["RestApiId"], f"/{stage['StageName']}"]
            created_before = template["Resources"][name].get("DependsOn", ())
            yield (
                name,
                next(
                    (
                        group
                        for group, properties in groups.items()
                        if properties["LogGroupName"] == {"Fn::Join": ["", parts]} and group in created_before
                    ),
                    None,
                ),
            )


RULES: Final[tuple[Rule, ...]] = (
    stacks_meet_by_name,
    queues_are_safe,
    methods_authorise_callers,
    logs_are_deleted_in_time,
)
