"""Reads CloudFormation templates into the model. References within a template are resolved."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from infra.doctor.model import (
    Alarm,
    Function,
    Machine,
    Queue,
    Rule,
    Schedule,
    Source,
    State,
    System,
    Target,
)
from infra.doctor.reading_rights import deliveries, grants, roles
from infra.doctor.references import last, listed, resolved
from infra.environments import Environment
from infra.rules import Templates


def read(templates: Templates, environment: Environment) -> System:
    """Return the model of `templates`, which are given by stack name."""
    by_stack = {stack: list(resolved(stack, template)) for stack, template in templates.items()}

    def every(*kinds: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for stack, resources in by_stack.items():
            yield from ((stack, name, properties) for name, kind, properties in resources if kind in kinds)

    queues = [_queue(stack, name, properties) for stack, name, properties in every("AWS::SQS::Queue")]
    functions = [
        _function(stack, name, properties) for stack, name, properties in every("AWS::Lambda::Function")
    ]
    rules = [
        _rule(stack, name, properties)
        for stack, name, properties in every("AWS::Events::Rule")
        if "EventPattern" in properties
    ]
    schedules = [
        Schedule(
            name=properties.get("Name", f"{stack}/{name}"),
            stack=stack,
            enabled=properties.get("State") != "DISABLED",
            functions=tuple(last(str(aim["Arn"])) for aim in listed(properties.get("Targets"))),
        )
        for stack, name, properties in every("AWS::Events::Rule")
        if "ScheduleExpression" in properties
    ]
    machines = [
        _machine(stack, name, properties)
        for stack, name, properties in every("AWS::StepFunctions::StateMachine")
    ]
    monitored = any(stack.endswith("-monitoring") for stack in templates)
    alarms = tuple(alarm(properties, name) for _, name, properties in every("AWS::CloudWatch::Alarm"))
    return System(
        environment=environment,
        queues={queue.name: queue for queue in queues},
        functions={function.name: function for function in functions},
        sources=tuple(
            _source(stack, properties) for stack, _, properties in every("AWS::Lambda::EventSourceMapping")
        ),
        rules={rule.name: rule for rule in rules},
        machines={machine.name: machine for machine in machines},
        grants=tuple(
            grant
            for stack, name, properties in every(
                "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::Role"
            )
            for grant in grants(stack, name, properties)
        ),
        deliveries=tuple(
            delivery
            for stack, _, properties in every("AWS::SQS::QueuePolicy")
            for delivery in deliveries(stack, properties)
        ),
        roles=roles(
            list(every("AWS::IAM::Role")), list(every("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"))
        ),
        expiring={
            properties["TableName"]: expiry["AttributeName"]
            for _, _, properties in every("AWS::DynamoDB::GlobalTable", "AWS::DynamoDB::Table")
            if (expiry := properties.get("TimeToLiveSpecification", {})).get("Enabled")
        },
        apis=tuple(
            properties.get("Name", f"{stack}/{name}")
            for stack, name, properties in every("AWS::ApiGateway::RestApi")
        ),
        schedules={schedule.name: schedule for schedule in schedules},
        alarms=alarms if monitored or alarms else None,
    )


# --- resources -----------------------------------------------------------------------------------------------


def _queue(stack: str, logical: str, properties: Mapping[str, Any]) -> Queue:
    redrive = properties.get("RedrivePolicy") or {}
    return Queue(
        name=properties.get("QueueName", f"{stack}/{logical}"),
        stack=stack,
        visibility_seconds=int(properties.get("VisibilityTimeout", 30)),
        retention_seconds=int(properties.get("MessageRetentionPeriod", 4 * 86_400)),
        dlq=last(redrive["deadLetterTargetArn"]) if redrive else None,
        receives=int(redrive["maxReceiveCount"]) if redrive else None,
    )


def _function(stack: str, logical: str, properties: Mapping[str, Any]) -> Function:
    return Function(
        name=properties.get("FunctionName", f"{stack}/{logical}"),
        stack=stack,
        handler=properties.get("Handler", ""),
        timeout_seconds=int(properties.get("Timeout", 3)),
        role=str(properties.get("Role", "")),
        variables={
            key: str(value) for key, value in properties.get("Environment", {}).get("Variables", {}).items()
        },
    )


def _source(stack: str, properties: Mapping[str, Any]) -> Source:
    return Source(
        queue=last(properties["EventSourceArn"]),
        function=last(properties["FunctionName"]),
        stack=stack,
        batch_size=int(properties.get("BatchSize", 10)),
        window_seconds=int(properties.get("MaximumBatchingWindowInSeconds", 0)),
        partial_batches="ReportBatchItemFailures" in listed(properties.get("FunctionResponseTypes")),
        enabled=bool(properties.get("Enabled", True)),
        max_concurrency=(properties.get("ScalingConfig") or {}).get("MaximumConcurrency"),
    )


def _rule(stack: str, logical: str, properties: Mapping[str, Any]) -> Rule:
    pattern = properties.get("EventPattern") or {}
    return Rule(
        name=properties.get("Name", f"{stack}/{logical}"),
        stack=stack,
        bus=last(properties.get("EventBusName", "default")),
        sources=listed(pattern.get("source")),
        detail_types=listed(pattern.get("detail-type")),
        detail=pattern.get("detail", {}),
        enabled=properties.get("State", "ENABLED") != "DISABLED",
        targets=tuple(target(each) for each in properties.get("Targets", ())),
    )


def target(properties: Mapping[str, Any]) -> Target:
    """Return one target of a rule; CloudFormation and EventBridge write it in the same form."""
    dlq = (properties.get("DeadLetterConfig") or {}).get("Arn")
    return Target(
        queue=last(properties["Arn"]),
        dlq=last(dlq) if dlq else None,
        max_age_seconds=int((properties.get("RetryPolicy") or {}).get("MaximumEventAgeInSeconds", 86_400)),
    )


def _machine(stack: str, logical: str, properties: Mapping[str, Any]) -> Machine:
    definition = properties.get("DefinitionString") or json.dumps(
        properties.get("Definition", {"States": {}})
    )
    return Machine(
        name=properties.get("StateMachineName", f"{stack}/{logical}"),
        stack=stack,
        kind=properties.get("StateMachineType", "STANDARD"),
        role=str(properties.get("RoleArn", "")),
        states=states(json.loads(definition)),
    )


def states(definition: Mapping[str, Any]) -> dict[str, State]:
    """Return the states of a workflow in Amazon States Language, by name."""
    return {name: _state(name, state) for name, state in definition["States"].items()}


def _state(name: str, state: Mapping[str, Any]) -> State:
    parameters = state.get("Parameters") or {}
    entry = (parameters.get("Entries") or [{}])[0]
    body = parameters.get("MessageBody") or {}
    return State(
        name=name,
        kind=state["Type"],
        resource=state.get("Resource", ""),
        timeout_seconds=state.get("TimeoutSeconds"),
        catches=tuple(error for catch in state.get("Catch", ()) for error in catch["ErrorEquals"]),
        detail_type=entry.get("DetailType") or body.get("detail-type"),
        source=entry.get("Source") or body.get("source"),
        bus=last(entry["EventBusName"]) if "EventBusName" in entry else None,
        queue=last(parameters["QueueUrl"]) if "QueueUrl" in parameters else None,
    )


# --- alarms --------------------------------------------------------------------------------------------------


_IDENTIFIED_BY = {"AWS/SQS": "QueueName", "AWS/Lambda": "FunctionName", "AWS/ApiGateway": "ApiName"}
"""The dimension that names the resource of a metric, by the metric's namespace."""


def alarm(properties: Mapping[str, Any], logical: str = "") -> Alarm:
    """Return an alarm; CloudFormation and CloudWatch write it in the same form."""
    direct = [properties] if "MetricName" in properties else []
    metrics = direct + [
        query["MetricStat"]["Metric"] for query in properties.get("Metrics", ()) if "MetricStat" in query
    ]
    return Alarm(
        name=str(properties.get("AlarmName", logical)),
        watches=frozenset(
            (last(str(dimension["Value"])), metric["MetricName"])
            for metric in metrics
            for dimension in metric.get("Dimensions", ())
            if dimension["Name"] == _IDENTIFIED_BY.get(metric.get("Namespace"))
        ),
        enabled=properties.get("ActionsEnabled", True) is not False,
        actions=len(properties.get("AlarmActions", ())),
    )
