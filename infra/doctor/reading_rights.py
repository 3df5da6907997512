"""Reads what templates say of rights: the statements that allow something, the policies of roles and of queues."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.doctor.model import Delivery, Grant, Policy, Role, Statement
from infra.doctor.policies import overlap
from infra.doctor.references import last, listed

FOR_ALL = "ForAllValues:StringEquals"
SENDING = "sqs:sendmessage"


def grants(stack: str, logical: str, properties: Mapping[str, Any]) -> Iterator[Grant]:
    inline = [(f"{stack}/{logical}", policy["PolicyDocument"]) for policy in properties.get("Policies", ())]
    holders = listed(properties.get("Roles")) or (f"{stack}/{logical}",)
    own = [
        (str(holder), properties["PolicyDocument"]) for holder in holders if "PolicyDocument" in properties
    ]
    for holder, document in (*inline, *own):
        for statement in listed(document["Statement"]):
            if statement["Effect"] == "Allow":
                conditions = statement.get("Condition", {})
                yield Grant(
                    holder=holder,
                    stack=stack,
                    sid=statement.get("Sid", ""),
                    actions=listed(statement["Action"]),
                    resources=listed(statement["Resource"]),
                    values={
                        key: listed(value)
                        for operator in ("StringEquals", FOR_ALL)
                        for key, value in conditions.get(operator, {}).items()
                    },
                    bounded=frozenset(
                        key
                        for key in conditions.get(FOR_ALL, {})
                        if str(conditions.get("Null", {}).get(key)).lower() == "false"
                    ),
                )


def deliveries(stack: str, properties: Mapping[str, Any]) -> Iterator[Delivery]:
    for statement in listed(properties["PolicyDocument"]["Statement"]):
        sends = any(overlap(str(action).lower(), SENDING) for action in listed(statement.get("Action")))
        if statement["Effect"] != "Allow" or not sends:
            continue
        principal, condition = statement.get("Principal"), statement.get("Condition", {})
        named = listed(principal.get("AWS")) if isinstance(principal, Mapping) else (principal,)
        rules = [
            last(str(arn))
            for test in condition.values()
            for key, value in test.items()
            if key == "aws:SourceArn"
            for arn in listed(value)
        ]
        for url in properties["Queues"]:
            queue = last(url)
            if not rules:
                yield Delivery(queue=queue, stack=stack, anybody="*" in named)
            yield from (Delivery(queue=queue, stack=stack, rule=rule) for rule in rules)


def statements(document: Mapping[str, Any]) -> tuple[Statement, ...]:
    """Return the statements of a policy's document."""
    return tuple(
        Statement(
            effect=statement["Effect"],
            actions=tuple(map(str, listed(statement.get("Action")))),
            but_actions=tuple(map(str, listed(statement.get("NotAction")))),
            resources=tuple(map(str, listed(statement.get("Resource")))),
            but_resources=tuple(map(str, listed(statement.get("NotResource")))),
            is_conditional=bool(statement.get("Condition")),
        )
        for statement in listed(document["Statement"])
    )


Found = tuple[str, str, Mapping[str, Any]]
"""A resource of a template: its stack, logical id and properties."""


def roles(written: Sequence[Found], policies: Sequence[Found]) -> dict[str, Role]:
    """Return the roles of templates with the policies that these give them, by stack and logical id."""
    of_role: dict[str, list[Policy]] = {f"{stack}/{logical}": [] for stack, logical, _ in written}
    for stack, logical, properties in policies:
        policy = Policy(
            name=str(
                properties.get("PolicyName") or properties.get("ManagedPolicyName") or f"{stack}/{logical}"
            ),
            arn="" if "PolicyName" in properties else f"{stack}/{logical}",
            statements=statements(properties["PolicyDocument"]),
        )
        for holder in listed(properties.get("Roles")):
            if str(holder) in of_role:
                of_role[str(holder)].append(policy)
    return {role.holder: role for role in (_role(found, of_role) for found in written)}


def _role(found: Found, of_role: Mapping[str, Sequence[Policy]]) -> Role:
    stack, logical, properties = found
    holder = f"{stack}/{logical}"
    own = [
        Policy(name=str(one["PolicyName"]), statements=statements(one["PolicyDocument"]))
        for one in listed(properties.get("Policies"))
    ]
    attached = [
        Policy(name=last(str(arn)), arn=str(arn)) for arn in listed(properties.get("ManagedPolicyArns"))
    ]
    boundary = properties.get("PermissionsBoundary")
    return Role(
        holder=holder,
        policies=(*of_role[holder], *own, *attached),
        boundary=Policy(name=last(str(boundary)), arn=str(boundary)) if boundary else None,
    )
