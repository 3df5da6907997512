"""The project's rules for its templates, as code: each yields sentences that say what breaks it.

They read templates as CloudFormation gets them, so that no construct can go around them.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from infra.constructs.work_queue import DLQ_RETENTION_DAYS, MAX_RECEIVES, VISIBILITY_FACTOR
from infra.environments import Environment
from infra.names import Names
from shared.contracts.stages import STAGES

Template = Mapping[str, Any]
Templates = Mapping[str, Template]
Rule = Callable[[Templates, Environment], Iterator[str]]

UNBOUNDED: Final = frozenset(
    {
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
        "xray:GetSamplingRules",
        "xray:GetSamplingTargets",
        "xray:PutTelemetryRecords",
        "xray:PutTraceSegments",
    }
)
"""Actions that IAM knows no resource for: only they may be allowed on `*`."""

CALLBACKS: Final = frozenset({"states:SendTaskFailure", "states:SendTaskHeartbeat", "states:SendTaskSuccess"})


def broken_rules(templates: Templates, environment: Environment) -> list[str]:
    return [finding for rule in RULES for finding in rule(templates, environment)]


def resources(template: Template, kind: str) -> dict[str, dict[str, Any]]:
    """The properties of a template's resources of one CloudFormation type, by logical id."""
    found: dict[str, dict[str, Any]] = {
        name: resource.get("Properties", {})
        for name, resource in template.get("Resources", {}).items()
        if resource["Type"] == kind
    }
    return found


def statements(template: Template) -> Iterator[dict[str, Any]]:
    """The Allow statements of every policy, actions and resources always as lists."""
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
    """The logical id a Ref or Fn::GetAtt points to."""
    if isinstance(reference, dict):
        return str(reference.get("Ref") or reference.get("Fn::GetAtt", [""])[0])
    return str(reference)


def stacks_meet_by_name(templates: Templates, _: Environment) -> Iterator[str]:
    for stack, template in templates.items():
        text = json.dumps(template)
        if any("Export" in output for output in template.get("Outputs", {}).values()):
            yield f"{stack} exports an output"
        for tie in ("Fn::ImportValue", "Fn::GetStackOutput"):
            if tie in text:
                yield f"{stack} reads another stack with {tie}"


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
                yield f"{stack}/{name} is not encrypted"
            if environment.tls_only and name not in tls_only:
                yield f"{stack}/{name} takes calls without TLS"
            retention = queue.get("MessageRetentionPeriod", 0)
            if "RedrivePolicy" not in queue and retention != DLQ_RETENTION_DAYS * 86_400:
                yield f"{stack}/{name} is a DLQ and keeps messages for {retention} s, not 14 days"


def clocks_fit(templates: Templates, environment: Environment) -> Iterator[str]:
    """Visibility covers six tries of the function; a task's timeout covers every receive of its message."""
    names = Names(environment.name)
    for stack, template in templates.items():
        functions = resources(template, "AWS::Lambda::Function")
        queues = resources(template, "AWS::SQS::Queue")
        for mapping in resources(template, "AWS::Lambda::EventSourceMapping").values():
            queue = queues[_target(mapping["EventSourceArn"])]
            timeout = functions[_target(mapping["FunctionName"])]["Timeout"]
            needed = VISIBILITY_FACTOR * timeout + mapping.get("MaximumBatchingWindowInSeconds", 0)
            if queue["VisibilityTimeout"] < needed:
                yield f"{stack}: visibility {queue['VisibilityTimeout']} s is below {needed} s"
            receives = queue.get("RedrivePolicy", {}).get("maxReceiveCount", 0)
            if receives < MAX_RECEIVES:
                yield f"{stack}: a message is received {receives} times, not {MAX_RECEIVES}"
            for stage in STAGES:
                longest = queue["VisibilityTimeout"] * receives
                if stack == names.stack(stage.service) and stage.timeout_seconds <= longest:
                    yield f"{stage.state} times out after {stage.timeout_seconds} s, its message lives {longest} s"
            if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
                yield f"{stack}: one bad message fails its whole batch"


def rights_are_narrow(templates: Templates, environment: Environment) -> Iterator[str]:
    unbounded = UNBOUNDED if environment.iam.callbacks_by_machine else UNBOUNDED | CALLBACKS
    for stack, template in templates.items():
        for statement in statements(template):
            if any("*" in action for action in statement["Action"]):
                yield f"{stack} allows {statement['Action']}"
            if "*" in statement["Resource"] and (wide := set(statement["Action"]) - unbounded):
                yield f"{stack} allows {', '.join(sorted(wide))} on everything"
            if "events:PutEvents" in statement["Action"]:
                test = statement.get("Condition", {}).get("StringEquals", {})
                if not {"events:source", "events:detail-type"} <= test.keys():
                    yield f"{stack} may publish any event"


def methods_ask_who_calls(templates: Templates, _: Environment) -> Iterator[str]:
    for stack, template in templates.items():
        for method in resources(template, "AWS::ApiGateway::Method").values():
            wanted = "NONE" if method["HttpMethod"] == "OPTIONS" else "AWS_IAM"
            if method["AuthorizationType"] != wanted:
                yield f"{stack}: {method['HttpMethod']} is authorised by {method['AuthorizationType']}"


def rules_lose_nothing(templates: Templates, _: Environment) -> Iterator[str]:
    for stack, template in templates.items():
        for name, rule in resources(template, "AWS::Events::Rule").items():
            if not all("DeadLetterConfig" in target for target in rule["Targets"]):
                yield f"{stack}/{name} loses events it can't deliver"
            if not {"source", "detail-type"} <= rule["EventPattern"].keys():
                yield f"{stack}/{name} matches events of any source or type"


RULES: Final[tuple[Rule, ...]] = (
    stacks_meet_by_name,
    queues_are_safe,
    clocks_fit,
    rights_are_narrow,
    methods_ask_who_calls,
    rules_lose_nothing,
)
