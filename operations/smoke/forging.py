"""What IAM says about forged events: nobody but the workflow may publish a stage request.

A function's role trusts Lambda alone, so nobody can act in its place: IAM's simulator evaluates its policies instead.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from infra.functions import FUNCTIONS
from infra.names import Names
from operations.aws_errors import translated
from operations.errors import DeniedError, OperationError
from operations.smoke.trial import Trial
from operations.smoke.verdicts import Check, failed, not_possible, passed
from operations.target import Target
from shared.contracts.envelope import SOURCE
from shared.contracts.stages import ANSWERING
from shared.contracts.v1 import PipelineCompleted
from shared.contracts.v2 import PipelineRequested

PUT_EVENTS = "events:PutEvents"
SPELLINGS = ("string", "stringList")
"""The types of a condition key in IAM's simulator: with a single value, and with a list of values."""
FIX = (
    "Compare the statement PublishEvents with infra/constructs/publishing.py, look for other policies of the role, "
    "and deploy again."
)

Ask = Callable[[Sequence[Mapping[str, Any]]], str]
"""Asks the simulator for its decision on PutEvents in a context."""


def forging(trial: Trial) -> Iterator[Check]:
    subjects = ("policy for publishers", "no forged events")
    if not trial.target.is_aws:
        for subject in subjects:
            yield not_possible(
                subject,
                "The local engine's simulator ignores condition keys. Its tests make the calls instead.",
            )
        return
    for subject, judge in zip(subjects, (_publisher, _roles), strict=True):
        try:
            yield judge(trial.target, subject)
        except DeniedError as error:
            yield not_possible(subject, f"The caller may not ask IAM's simulator. {error}")
        except OperationError as error:
            yield failed(subject, str(error), fix="Run the step again.", evidence="simulation")


def context(detail_type: str, spelling: str) -> list[Mapping[str, Any]]:
    """Return the simulator's context of one event."""
    return [
        {"ContextKeyName": key, "ContextKeyType": spelling, "ContextKeyValues": [value]}
        for key, value in (("events:source", SOURCE), ("events:detail-type", detail_type))
    ]


def _publisher(target: Target, subject: str) -> Check:
    """Judge the managed policy for publishers, which need not be attached to anybody yet."""
    with translated("read the policy for publishers"):
        documents = list(_publishing_policies(target))
    if len(documents) != 1:
        return failed(
            subject,
            f"The platform's stack has {len(documents)} managed policies that allow {PUT_EVENTS}, not one.",
            fix="Deploy the platform again.",
            evidence="simulation",
        )
    bus = _bus_arn(target)

    def ask(entries: Sequence[Mapping[str, Any]]) -> str:
        return _decision(
            target,
            "simulate_custom_policy",
            PolicyInputList=documents,
            ResourceArns=[bus],
            ContextEntries=entries,
        )

    problems = [
        *_wrong(ask, PipelineRequested.detail_type(), allowed=True),
        *_wrong(ask, ANSWERING.request.detail_type(), allowed=False),
        *_without_keys(ask),
    ]
    if problems:
        return failed(
            subject, f"The policy for publishers: {'; '.join(problems)}.", fix=FIX, evidence="simulation"
        )
    return passed(
        subject,
        "The policy for publishers allows a request for a run and denies a stage request, whether the condition keys "
        "have single values or lists, and denies an event without them.",
        evidence="simulation",
    )


def _roles(target: Target, subject: str) -> Check:
    bus, problems = _bus_arn(target), []
    roles = dict(_all_roles(target))
    for holder, role in roles.items():
        foreign = PipelineCompleted if holder == "workflow" else ANSWERING.request

        def ask(entries: Sequence[Mapping[str, Any]], role: str = role) -> str:
            return _decision(
                target,
                "simulate_principal_policy",
                PolicySourceArn=role,
                ResourceArns=[bus],
                ContextEntries=entries,
            )

        found = [*_wrong(ask, foreign.detail_type(), allowed=False), *_without_keys(ask)]
        problems += [f"{holder} ({problem})" for problem in found]
    if problems:
        return failed(subject, f"Too much is allowed: {'; '.join(problems)}.", fix=FIX, evidence="simulation")
    return passed(
        subject,
        f"IAM denies a foreign event, and an event without source or detail-type, to the roles of "
        f"{', '.join(roles)}.",
        evidence="simulation",
    )


def _wrong(ask: Ask, detail_type: str, *, allowed: bool) -> Iterator[str]:
    for spelling in SPELLINGS:
        decision = ask(context(detail_type, spelling))
        if (decision == "allowed") is not allowed:
            values = "single values" if spelling == "string" else "lists"
            yield f"{detail_type} is {decision} if the condition keys have {values}"


def _without_keys(ask: Ask) -> Iterator[str]:
    if ask([]) == "allowed":
        yield "an event without source and detail-type is allowed"


def _decision(target: Target, operation: str, **arguments: Any) -> str:
    with translated("ask IAM's simulator"):
        answer = getattr(target.client("iam"), operation)(ActionNames=[PUT_EVENTS], **arguments)
    return str(answer["EvaluationResults"][0]["EvalDecision"])


def _publishing_policies(target: Target) -> Iterator[str]:
    """Yield the documents of the platform's managed policies that allow PutEvents."""
    stack = Names(target.env).stack("platform")
    iam = target.client("iam")
    resources = target.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    for resource in resources:
        if resource["ResourceType"] == "AWS::IAM::ManagedPolicy":
            arn = resource["PhysicalResourceId"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
            if PUT_EVENTS in json.dumps(document):
                yield document if isinstance(document, str) else json.dumps(document)


def _all_roles(target: Target) -> Iterator[tuple[str, str]]:
    """Yield the roles of all functions and of the workflow."""
    names = Names(target.env)
    for function in FUNCTIONS:
        yield function.name, function_configuration(target, names.function(function.name))["Role"]
    with translated("read the workflow's role"):
        machine = target.client("stepfunctions").describe_state_machine(
            stateMachineArn=target.addresses.state_machine_arn
        )
    yield "workflow", str(machine["roleArn"])


def function_configuration(target: Target, name: str) -> Mapping[str, Any]:
    with translated(f"read the function {name}"):
        configuration: Mapping[str, Any] = target.client("lambda").get_function_configuration(
            FunctionName=name
        )
    return configuration


def _bus_arn(target: Target) -> str:
    with translated("read the bus"):
        return str(target.client("events").describe_event_bus(Name=target.addresses.bus_name)["Arn"])
