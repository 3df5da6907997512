"""The policies that roles have: what they deny, and how they differ from those in the templates."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from infra.doctor.findings import BY_HAND, Passed, Problem, Result, Skipped
from infra.doctor.model import Policy, Role, Statement, System

SAME: Final = "same as in its template"
CHANGED: Final = (
    "Undo the change by hand, or make it in the code as well: a later deployment may overwrite it."
)
"""What to do about what was changed."""

_PARTITION: Final = re.compile(r"^arn:[^:]*:")
_REGION_AND_ACCOUNT: Final = re.compile(r"^arn:\*:([^:]*):[^:]*:[^:]*:")
_SHOWN = 6
"""Actions that one finding names."""


# --- the check `rights-needed` -----------------------------------------------------------------------------


def denied(system: System) -> Result:
    """Check that no Deny and no boundary takes away what a role is granted."""
    if system.roles is None:
        yield _unread(system)
        return
    for holder, role in system.roles.items():
        rights = sorted(
            {
                (action, resource)
                for grant in system.grants_of(holder)
                for action in grant.actions
                for resource in grant.resources
            }
        )
        problems = [*_denials(role, rights)]
        yield from problems
        if not problems:
            yield Passed("no Deny takes a right of its role away", _name(role))


def _denials(role: Role, rights: list[tuple[str, str]]) -> Iterator[Problem]:
    for policy in (*role.policies, *([role.boundary] if role.boundary else [])):
        if lost := [right for right in rights if _denies(policy, right)]:
            yield Problem(
                where=_name(role),
                what=f"An explicit Deny in {_called(role, policy)} takes away, at least in part: "
                f"{_actions(lost)}.",
                fix=f"Remove it, if nobody needs it: {_removal(role, policy)}",
            )
    if (
        role.boundary is None or not role.boundary.statements
    ):  # a template names it, and the account has its content
        return
    if lost := [right for right in rights if not _allows(role.boundary, right)]:
        yield Problem(
            where=_name(role),
            what=f"Its permissions boundary {role.boundary.name} does not allow {_actions(lost)}.",
            fix=f"Allow it there, or remove the boundary: {_removal(role, role.boundary)}",
        )


def _actions(lost: list[tuple[str, str]]) -> str:
    names = sorted({action for action, _ in lost})
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _denies(policy: Policy, right: tuple[str, str]) -> bool:
    """Return whether a policy denies a right whatever the circumstances: a condition may never hold."""
    return any(
        one.effect == "Deny" and not one.is_conditional and _concerns(one, right) for one in policy.statements
    )


def _allows(policy: Policy, right: tuple[str, str]) -> bool:
    return any(one.effect == "Allow" and _concerns(one, right) for one in policy.statements)


def _concerns(statement: Statement, right: tuple[str, str]) -> bool:
    action, resource = right[0].lower(), _placeless(right[1])
    named = [pattern.lower() for pattern in (statement.actions or statement.but_actions)]
    if any(overlap(pattern, action) for pattern in named) is not bool(statement.actions):
        return False
    if statement.but_resources:
        return not any(_covers(_placeless(pattern), resource) for pattern in statement.but_resources)
    return any(overlap(_placeless(pattern), resource) for pattern in statement.resources)


def _placeless(resource: str) -> str:
    """Return a resource with any region and account; any resource for one whose ARN the template does not know."""
    if not resource.startswith("arn:"):
        return "*"
    return _REGION_AND_ACCOUNT.sub(r"arn:*:\1:*:*:", _PARTITION.sub("arn:*:", resource))


def _covers(pattern: str, resource: str) -> bool:
    regex = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(regex, resource, re.DOTALL) is not None


def overlap(one: str, other: str) -> bool:
    """Return whether some text matches both patterns, in which `*` is any text and `?` any letter."""

    @cache
    def meet(i: int, j: int) -> bool:
        if i == len(one):
            return other[j:].strip("*") == ""
        if j == len(other):
            return one[i:].strip("*") == ""
        if "*" in (one[i], other[j]):
            return meet(i + 1, j) or meet(i, j + 1)
        return (one[i] == other[j] or "?" in (one[i], other[j])) and meet(i + 1, j + 1)

    return meet(0, 0)


# --- the check `drift` -------------------------------------------------------------------------------------


def changed(system: System) -> Result:
    """Compare the policies that roles have with those in the stacks' templates."""
    if system.roles is None:
        yield _unread(system)
        return
    before = (system.written.roles if system.written else None) or {}
    for holder, role in system.roles.items():
        written = before.get(holder)
        if written is None:
            continue
        problems = [*_changes(written, role)]
        yield from problems
        if not problems:
            yield Passed(SAME, f"role {_name(role)}")


def _changes(written: Role, role: Role) -> Iterator[Problem]:
    where = f"role {_name(role)}"
    kept = {policy.name: policy for policy in role.policies}
    for policy in written.policies:
        actual = next((kept[name] for name in kept if _is(policy, name)), None)
        if actual is None:
            yield Problem(
                where=where,
                what=f"It lacks {_called(role, policy)}, which is in its template.",
                fix=BY_HAND,
            )
        elif policy.statements and not _alike(policy.statements, actual.statements):
            yield Problem(
                where=where,
                what=f"Its policy {policy.name} was changed after its deployment.",
                fix=CHANGED,
                severity="warning",
            )
    for name, policy in kept.items():
        if not any(_is(known, name) for known in written.policies):
            denies = (
                ", and denies something" if any(one.effect == "Deny" for one in policy.statements) else ""
            )
            yield Problem(
                where=where,
                what=f"It has {_called(role, policy)}, which no template contains{denies}.",
                fix=f"Remove it, or add it to a template: {_removal(role, policy)}",
                severity="warning",
            )
    if written.boundary and (role.boundary is None or role.boundary.name != written.boundary.name):
        yield Problem(
            where=where,
            what=f"It lacks the permissions boundary {written.boundary.name}, which is in its template.",
            fix="Deploy the stack again. CloudFormation's drift detection shows what else is different.",
        )
    elif role.boundary and not written.boundary:
        yield Problem(
            where=where,
            what=f"It has {_called(role, role.boundary)}, which no template contains.",
            fix=f"Remove it, if your organisation does not want it: {_removal(role, role.boundary)}",
            severity="warning",
        )


def _is(written: Policy, name: str) -> bool:
    """Return whether a policy of a template has this name, which CloudFormation may have made of its logical id."""
    stack, slash, logical = written.name.partition("/")
    return name.startswith(f"{stack}-{logical}") if slash else name == written.name


def _alike(written: tuple[Statement, ...], actual: tuple[Statement, ...]) -> bool:
    left = list(actual)
    for statement in written:
        fitting = next((one for one in left if _fits(statement, one)), None)
        if fitting is None:
            return False
        left.remove(fitting)
    return not left


def _fits(written: Statement, actual: Statement) -> bool:
    """Return whether two statements say the same, as far as a template knows its resources' ARNs."""
    if (written.effect, written.is_conditional) != (actual.effect, actual.is_conditional):
        return False
    if (set(written.actions), set(written.but_actions)) != (set(actual.actions), set(actual.but_actions)):
        return False
    if not all(resource == "*" or resource.startswith("arn:") for resource in written.resources):
        return True
    before, after = (set(map(_placeless, one.resources)) for one in (written, actual))
    return before == after and set(written.but_resources) == set(actual.but_resources)


# --- words -------------------------------------------------------------------------------------------------


def _unread(system: System) -> Skipped:
    return Skipped(f"the policies of the roles, which could not be read: {system.roles_unread}")


def _name(role: Role) -> str:
    return role.name or role.holder


def _called(role: Role, policy: Policy) -> str:
    kind = (
        "permissions boundary"
        if policy is role.boundary
        else "attached policy"
        if policy.arn
        else "inline policy"
    )
    return f"the {kind} {policy.name}"


def _removal(role: Role, policy: Policy) -> str:
    """Return the command that takes a policy from its role."""
    if policy is role.boundary:
        return f"aws iam delete-role-permissions-boundary --role-name {_name(role)}"
    if policy.arn:
        return f"aws iam detach-role-policy --role-name {_name(role)} --policy-arn {policy.arn}"
    return f"aws iam delete-role-policy --role-name {_name(role)} --policy-name {policy.name}"
