"""Reading the policies that deployed roles have: inline, attached, and the permissions boundary."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from infra.doctor.model import Policy, Role, System
from infra.doctor.reading_rights import statements
from infra.doctor.references import last
from operations.aws_errors import translated
from operations.target import AT_ONCE, Target

_GONE = "NoSuchEntity"


def read_roles(target: Target, system: System) -> dict[str, Role]:
    """Return the roles of the deployed functions and workflow, by stack and logical id; without those that are gone.

    Raises DeniedError if the caller may not read them.
    """
    names = {part.role: part.role_name for part in system.functions.values()}
    names |= {part.role: part.role_name for part in system.machines.values()}
    target.client("iam")  # made here: the threads share it
    with ThreadPoolExecutor(AT_ONCE) as pool:
        roles = pool.map(lambda holder: _role(target, holder, names[holder]), filter(names.get, names))
        return {role.holder: role for role in roles if role is not None}


def _role(target: Target, holder: str, name: str) -> Role | None:
    client = target.client("iam")
    with translated("read the roles' policies"):
        try:
            described = client.get_role(RoleName=name)["Role"]
            inline = [
                Policy(
                    name=policy,
                    statements=statements(
                        client.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                    ),
                )
                for policy in _pages(client, "list_role_policies", "PolicyNames", RoleName=name)
            ]
            attached = [
                _attached(client, policy["PolicyArn"])
                for policy in _pages(client, "list_attached_role_policies", "AttachedPolicies", RoleName=name)
            ]
            boundary = (described.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn")
            return Role(
                holder=holder,
                name=name,
                policies=(*inline, *attached),
                boundary=_attached(client, boundary) if boundary else None,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == _GONE:
                return None
            raise


def _attached(client: Any, arn: str) -> Policy:
    version = next(
        one["VersionId"]
        for one in _pages(client, "list_policy_versions", "Versions", PolicyArn=arn)
        if one["IsDefaultVersion"]
    )
    document = client.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return Policy(name=last(arn), arn=arn, statements=statements(document))


def _pages(client: Any, operation: str, key: str, **arguments: str) -> Iterator[Any]:
    page: Mapping[str, Any]
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page[key]
