"""Templates, as CloudFormation gets them, as the model. References are followed within a template."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from infra.doctor.model import (
    Alarm,
    Delivery,
    Function,
    Grant,
    Machine,
    Queue,
    Rule,
    Source,
    State,
    System,
    Target,
)
from infra.doctor.references import last, resolved
from infra.environments import Environment
from infra.rules import Templates


def read(templates: Templates, environment: Environment) -> System:
    """`templates` by stack name."""
    found = {stack: list(resolved(stack, template)) for stack, template in templates.items()}

    def every(*kinds: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for stack, resources in found.items():
            yield from ((stack, name, its) for name, kind, its in resources if kind in kinds)

    queues = [_queue(stack, name, its) for stack, name, its in every("AWS::SQS::Queue")]
    functions = [_function(stack, name, its) for stack, name, its in every("AWS::Lambda::Function")]
    rules = [
        _rule(stack, name, its)
        for stack, name, its in every("AWS::Events::Rule")
        if "EventPattern"
        in its  # a schedule's events are made by the clock: the next one makes up for a lost one
    ]
    machines = [_machine(stack, name, its) for stack, name, its in every("AWS::StepFunctions::StateMachine")]
    monitored = any(stack.endswith("-monitoring") for stack in templates)
    alarms = tuple(alarm(its, name) for _, name, its in every("AWS::CloudWatch::Alarm"))
    return System(
        environment=environment,
        queues={queue.name: queue for queue in queues},
        functions={function.name: function for function in functions},
        sources=tuple(_source(stack, its) for stack, _, its in every("AWS::Lambda::EventSourceMapping")),
        rules={rule.name: rule for rule in rules},
        machines={one.name: one for one in machines},
        grants=tuple(
            grant
            for stack, name, its in every("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::Role")
            for grant in _grants(stack, name, its)
        ),
        deliveries=tuple(
            one for stack, _, its in every("AWS::SQS::QueuePolicy") for one in _deliveries(stack, its)
        ),
        alarms=alarms if monitored or alarms else None,
    )


# --- resources -----------------------------------------------------------------------------------------------


def listed(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def _queue(stack: str, logical: str, its: Mapping[str, Any]) -> Queue:
    redrive = its.get("RedrivePolicy") or {}
    return Queue(
        name=its.get("QueueName", f"{stack}/{logical}"),
        stack=stack,
        visibility_seconds=int(its.get("VisibilityTimeout", 30)),
        retention_seconds=int(its.get("MessageRetentionPeriod", 4 * 86_400)),
        dlq=last(redrive["deadLetterTargetArn"]) if redrive else None,
        receives=int(redrive["maxReceiveCount"]) if redrive else None,
    )


def _function(stack: str, logical: str, its: Mapping[str, Any]) -> Function:
    return Function(
        name=its.get("FunctionName", f"{stack}/{logical}"),
        stack=stack,
        handler=its.get("Handler", ""),
        timeout_seconds=int(its.get("Timeout", 3)),
        role=str(its.get("Role", "")),
        variables={key: str(value) for key, value in its.get("Environment", {}).get("Variables", {}).items()},
    )


def _source(stack: str, its: Mapping[str, Any]) -> Source:
    return Source(
        queue=last(its["EventSourceArn"]),
        function=last(its["FunctionName"]),
        stack=stack,
        batch_size=int(its.get("BatchSize", 10)),
        window_seconds=int(its.get("MaximumBatchingWindowInSeconds", 0)),
        partial_batches="ReportBatchItemFailures" in listed(its.get("FunctionResponseTypes")),
        enabled=bool(its.get("Enabled", True)),
        max_concurrency=(its.get("ScalingConfig") or {}).get("MaximumConcurrency"),
    )


def _rule(stack: str, logical: str, its: Mapping[str, Any]) -> Rule:
    pattern = its.get("EventPattern") or {}
    return Rule(
        name=its.get("Name", f"{stack}/{logical}"),
        stack=stack,
        bus=last(its.get("EventBusName", "default")),
        sources=listed(pattern.get("source")),
        detail_types=listed(pattern.get("detail-type")),
        detail=pattern.get("detail", {}),
        enabled=its.get("State", "ENABLED") != "DISABLED",
        targets=tuple(target(one) for one in its.get("Targets", ())),
    )


def target(its: Mapping[str, Any]) -> Target:
    """Of a rule, as CloudFormation and EventBridge write it."""
    dlq = (its.get("DeadLetterConfig") or {}).get("Arn")
    return Target(
        queue=last(its["Arn"]),
        dlq=last(dlq) if dlq else None,
        max_age_seconds=int((its.get("RetryPolicy") or {}).get("MaximumEventAgeInSeconds", 86_400)),
    )


def _machine(stack: str, logical: str, its: Mapping[str, Any]) -> Machine:
    written = its.get("DefinitionString") or json.dumps(its.get("Definition", {"States": {}}))
    return Machine(
        name=its.get("StateMachineName", f"{stack}/{logical}"),
        stack=stack,
        kind=its.get("StateMachineType", "STANDARD"),
        role=str(its.get("RoleArn", "")),
        states=states(json.loads(written)),
    )


def states(definition: Mapping[str, Any]) -> dict[str, State]:
    """The states of a workflow in Amazon States Language."""
    return {name: _state(name, its) for name, its in definition["States"].items()}


def _state(name: str, its: Mapping[str, Any]) -> State:
    parameters = its.get("Parameters") or {}
    entry = (parameters.get("Entries") or [{}])[0]
    body = parameters.get("MessageBody") or {}
    return State(
        name=name,
        kind=its["Type"],
        resource=its.get("Resource", ""),
        timeout_seconds=its.get("TimeoutSeconds"),
        catches=tuple(error for catch in its.get("Catch", ()) for error in catch["ErrorEquals"]),
        detail_type=entry.get("DetailType") or body.get("detail-type"),
        source=entry.get("Source") or body.get("source"),
        bus=last(entry["EventBusName"]) if "EventBusName" in entry else None,
        queue=last(parameters["QueueUrl"]) if "QueueUrl" in parameters else None,
    )


# --- rights --------------------------------------------------------------------------------------------------


def _grants(stack: str, logical: str, its: Mapping[str, Any]) -> Iterator[Grant]:
    inline = [(f"{stack}/{logical}", one["PolicyDocument"]) for one in its.get("Policies", ())]
    holders = listed(its.get("Roles")) or (f"{stack}/{logical}",)
    own = [(str(holder), its["PolicyDocument"]) for holder in holders if "PolicyDocument" in its]
    for holder, document in (*inline, *own):
        for statement in listed(document["Statement"]):
            if statement["Effect"] == "Allow":
                yield Grant(
                    holder=holder,
                    stack=stack,
                    sid=statement.get("Sid", ""),
                    actions=listed(statement["Action"]),
                    resources=listed(statement["Resource"]),
                    equals={
                        key: listed(value)
                        for key, value in statement.get("Condition", {}).get("StringEquals", {}).items()
                    },
                )


def _deliveries(stack: str, its: Mapping[str, Any]) -> Iterator[Delivery]:
    for statement in listed(its["PolicyDocument"]["Statement"]):
        if statement["Effect"] != "Allow" or "sqs:SendMessage" not in listed(statement["Action"]):
            continue
        principal, condition = statement.get("Principal"), statement.get("Condition", {})
        rules = [
            last(str(arn))
            for test in condition.values()
            for key, value in test.items()
            if key == "aws:SourceArn"
            for arn in listed(value)
        ]
        for url in its["Queues"]:
            queue = last(url)
            if not rules:
                yield Delivery(queue=queue, stack=stack, anybody=principal in ("*", {"AWS": "*"}))
            yield from (Delivery(queue=queue, stack=stack, rule=rule) for rule in rules)


def alarm(its: Mapping[str, Any], logical: str = "") -> Alarm:
    """As CloudFormation and CloudWatch write it."""
    direct = [its] if "MetricName" in its else []
    metrics = direct + [one["MetricStat"]["Metric"] for one in its.get("Metrics", ()) if "MetricStat" in one]
    return Alarm(
        name=str(its.get("AlarmName", logical)),
        watches=frozenset(
            (last(str(dimension["Value"])), metric["MetricName"])
            for metric in metrics
            if metric.get("Namespace") == "AWS/SQS"
            for dimension in metric.get("Dimensions", ())
            if dimension["Name"] == "QueueName"
        ),
        enabled=its.get("ActionsEnabled", True) is not False,
        actions=len(its.get("AlarmActions", ())),
    )
