"""Resolves references within a template to names and ARNs; region and account are placeholders."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from infra.rules import Template

_PSEUDO: Final = {
    "AWS::Partition": "aws",
    "AWS::Region": "region",
    "AWS::AccountId": "account",
    "AWS::URLSuffix": "amazonaws.com",
}
_NAMES: Final = {
    "AWS::SQS::Queue": "QueueName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Events::Rule": "Name",
    "AWS::Events::EventBus": "Name",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
    "AWS::DynamoDB::GlobalTable": "TableName",
    "AWS::DynamoDB::Table": "TableName",
}
_ARNS: Final = {
    "AWS::SQS::Queue": "sqs:region:account:{}",
    "AWS::Lambda::Function": "lambda:region:account:function:{}",
    "AWS::Events::Rule": "events:region:account:rule/{}",
    "AWS::Events::EventBus": "events:region:account:event-bus/{}",
    "AWS::StepFunctions::StateMachine": "states:region:account:stateMachine:{}",
    "AWS::DynamoDB::GlobalTable": "dynamodb:region:account:table/{}",
    "AWS::DynamoDB::Table": "dynamodb:region:account:table/{}",
}
_PLACEHOLDER: Final = re.compile(r"\$\{([A-Za-z0-9:.]+)\}")

Resource = tuple[str, str, dict[str, Any]]
"""A resource's logical id, type, and properties with references resolved."""


def last(address: str) -> str:
    """Return the name at the end of an ARN or a queue's URL."""
    return re.split(r"[:/]", address)[-1]


def listed(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def queue_arn(name: str) -> str:
    return "arn:aws:" + _ARNS["AWS::SQS::Queue"].format(name)


def bus_arn(name: str) -> str:
    return "arn:aws:" + _ARNS["AWS::Events::EventBus"].format(name)


def table_arn(name: str) -> str:
    return "arn:aws:" + _ARNS["AWS::DynamoDB::Table"].format(name)


def resolved(stack: str, template: Template) -> Iterator[Resource]:
    """Yield the resources of a template."""
    references = _References(stack, template.get("Resources", {}))
    for logical, resource in references.resources.items():
        yield logical, resource["Type"], references.plain(resource.get("Properties", {}))


class _References:
    def __init__(self, stack: str, resources: Mapping[str, Any]) -> None:
        self.stack = stack
        self.resources = resources

    def plain(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.plain(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            if resolve := _FUNCTIONS.get(function):
                return resolve(self, argument)
        return {key: self.plain(inner) for key, inner in value.items()}

    def ref(self, logical: str) -> str:
        if logical in _PSEUDO:
            return _PSEUDO[logical]
        kind = self._kind(logical)
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.region.amazonaws.com/account/{self._name(logical)}"
        return self._arn(logical) if kind == "AWS::StepFunctions::StateMachine" else self._name(logical)

    def attribute(self, argument: Any) -> str:
        path = argument if isinstance(argument, str) else ".".join(argument)
        logical, _, attribute = path.partition(".")
        return self._arn(logical) if attribute == "Arn" else self._name(logical)

    def join(self, argument: Any) -> str:
        separator, parts = argument
        return str(separator).join(str(self.plain(part)) for part in parts)

    def substitute(self, argument: Any) -> str:
        text, variables = argument if isinstance(argument, list) else (argument, {})
        known = {key: str(self.plain(variable)) for key, variable in variables.items()}

        def value(name: str) -> str:
            return known.get(name) or (self.attribute(name) if "." in name else self.ref(name))

        return _PLACEHOLDER.sub(lambda match: value(match[1]), text)

    def split(self, argument: Any) -> list[str]:
        separator, text = argument
        return str(self.plain(text)).split(separator)

    def select(self, argument: Any) -> Any:
        index, items = argument
        return self.plain(items)[int(index)]

    def _kind(self, logical: str) -> str:
        return str(self.resources.get(logical, {}).get("Type", ""))

    def _name(self, logical: str) -> str:
        """Return the physical name, or stack and logical id if CloudFormation generates the name."""
        properties = self.resources.get(logical, {}).get("Properties", {})
        name = properties.get(_NAMES.get(self._kind(logical), ""))
        return f"{self.stack}/{logical}" if name is None else str(self.plain(name))

    def _arn(self, logical: str) -> str:
        pattern = _ARNS.get(self._kind(logical))
        return f"arn:aws:{pattern.format(self._name(logical))}" if pattern else f"{self.stack}/{logical}"


_FUNCTIONS: Final = {
    "Ref": _References.ref,
    "Fn::GetAtt": _References.attribute,
    "Fn::Join": _References.join,
    "Fn::Select": _References.select,
    "Fn::Split": _References.split,
    "Fn::Sub": _References.substitute,
}
