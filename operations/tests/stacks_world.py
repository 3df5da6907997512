"""A stand-in for CloudFormation, whose stacks can be in any state and fail as a test wants."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from operations.target import Target
from operations.tests.world import shared_session

Resource = Mapping[str, Any]


@dataclass
class FakeStack:
    """A stack. `ids` are its resources' physical ids by logical id; others have an invented one.

    `stuck` gives a reason for each logical id whose deletion fails.
    """

    template: dict[str, Any] = field(default_factory=lambda: {"Resources": {}})
    status: str = "CREATE_COMPLETE"
    protected: bool = False
    ids: dict[str, str] = field(default_factory=dict)
    stuck: dict[str, str] = field(default_factory=dict)
    looks_until_gone: int = 1
    changed_at: datetime | None = None


class FakeCloudFormation:
    """The client. `calls` logs what changes something; `on_delete` is called before a stack is deleted."""

    meta = SimpleNamespace(endpoint_url="https://cloudformation.us-east-1.amazonaws.com")

    def __init__(self) -> None:
        self.stacks: dict[str, FakeStack] = {}
        self.calls: list[tuple[str, str]] = []
        self.on_delete: Any = lambda _name: None

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:
        stack = self._stack("DescribeStacks", StackName)
        if stack.status == "DELETE_IN_PROGRESS":
            stack.looks_until_gone -= 1
            if stack.looks_until_gone < 0 and stack.stuck:
                stack.status = "DELETE_FAILED"
            elif stack.looks_until_gone < 0:
                del self.stacks[StackName]
                raise _absent("DescribeStacks", StackName)
        description = {
            "StackName": StackName,
            "StackStatus": stack.status,
            "EnableTerminationProtection": stack.protected,
            **({"LastUpdatedTime": stack.changed_at} if stack.changed_at else {}),
        }
        return {"Stacks": [description]}

    def get_template(self, *, StackName: str) -> dict[str, Any]:
        return {"TemplateBody": self._stack("GetTemplate", StackName).template}

    def update_termination_protection(self, *, StackName: str, EnableTerminationProtection: bool) -> None:
        stack = self._stack("UpdateTerminationProtection", StackName)
        stack.protected = EnableTerminationProtection
        self.calls.append(("protect" if EnableTerminationProtection else "release", StackName))

    def delete_stack(self, *, StackName: str) -> None:
        stack = self._stack("DeleteStack", StackName)
        if stack.protected:
            raise _refused(
                "DeleteStack", f"Stack [{StackName}] cannot be deleted while TerminationProtection is enabled"
            )
        self.on_delete(StackName)
        stack.status, stack.looks_until_gone = "DELETE_IN_PROGRESS", 1
        self.calls.append(("delete", StackName))

    def get_paginator(self, operation: str) -> "_Pages":
        return _Pages(
            {"list_stack_resources": self._resources, "describe_stack_events": self._events}[operation]
        )

    def _resources(self, StackName: str) -> dict[str, Any]:
        stack = self._stack("ListStackResources", StackName)
        return {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": logical_id,
                    "PhysicalResourceId": stack.ids.get(logical_id, f"{StackName}-{logical_id}"),
                    "ResourceType": resource["Type"],
                    "ResourceStatus": "CREATE_COMPLETE",
                }
                for logical_id, resource in stack.template["Resources"].items()
            ]
        }

    def _events(self, StackName: str) -> dict[str, Any]:
        stack = self._stack("DescribeStackEvents", StackName)
        failures = [
            {"LogicalResourceId": name, "ResourceStatus": "DELETE_FAILED", "ResourceStatusReason": reason}
            for name, reason in stack.stuck.items()
        ]
        begun = {"LogicalResourceId": StackName, "ResourceStatus": "DELETE_IN_PROGRESS"}
        older = {
            "LogicalResourceId": "Older",
            "ResourceStatus": "DELETE_FAILED",
            "ResourceStatusReason": "long ago",
        }
        return {"StackEvents": [*failures, begun, older]}

    def _stack(self, operation: str, name: str) -> FakeStack:
        if name not in self.stacks:
            raise _absent(operation, name)
        return self.stacks[name]


@dataclass
class _Pages:
    page: Any

    def paginate(self, **arguments: Any) -> Iterator[Any]:
        yield self.page(**arguments)


def _absent(operation: str, name: str) -> ClientError:
    return _refused(operation, f"Stack with id {name} does not exist")


def _refused(operation: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": "ValidationError", "Message": message}}, operation)


class _Session:
    """A session with the stand-in; every other client is moto's."""

    def __init__(self, cloudformation: FakeCloudFormation) -> None:
        self._cloudformation = cloudformation

    def create_client(self, service: str, **options: Any) -> Any:
        if service == "cloudformation":
            return self._cloudformation
        return shared_session().create_client(service, **options)


def account_target(env: str, cloudformation: FakeCloudFormation) -> Target:
    return Target(env=env, session=_Session(cloudformation))


@pytest.fixture
def cloudformation() -> FakeCloudFormation:
    return FakeCloudFormation()


@pytest.fixture
def dev_account(aws: None, cloudformation: FakeCloudFormation) -> Target:
    """Return the environment dev in moto's account, with the stand-in for CloudFormation."""
    return account_target("dev", cloudformation)
