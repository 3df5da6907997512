"""What a deployment would change, from a comparison of its templates with the deployed ones."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from infra.names import Names
from infra.parts import PARTS, SWITCHED
from infra.recorded import options_of
from infra.replacement import replaces
from operations.deployment.stacks import Stack, read_template
from operations.target import Target

LOST = {
    "AWS::DynamoDB::GlobalTable": "its items",
    "AWS::DynamoDB::Table": "its items",
    "AWS::SQS::Queue": "its messages",
    "AWS::Events::Archive": "its events",
    "AWS::ApiGateway::RestApi": "its address",
}
"""What is lost with a resource of a type that cannot be deployed again."""
_COMPARED = ("Outputs", "Parameters", "Conditions", "Mappings")
_ATTRIBUTES = ("DeletionPolicy", "UpdateReplacePolicy", "DependsOn", "Condition")
Template = Mapping[str, Any]
Kind = Literal["added", "changed", "replaced", "removed"]


class ResourceChange(Struct, frozen=True, kw_only=True):
    """The change of one resource. `name` is its physical name, or its logical id if it has none.

    `properties` are the names of the changed properties. `loss` says what is lost with the old resource, if anything.
    """

    kind: Kind
    type: str
    name: str
    properties: tuple[str, ...] = ()
    loss: str | None = None


class OptionChange(Struct, frozen=True, kw_only=True):
    """An option whose value changes. `before` is null if the deployed version recorded none."""

    name: str
    before: str | None
    after: str


class StackChange(Struct, frozen=True, kw_only=True):
    """What a deployment changes in one stack. `others` are changes beside resources, as phrases."""

    stack: str
    part: str
    status: Literal["new", "changed", "unchanged"]
    resources: tuple[ResourceChange, ...] = ()
    options: tuple[OptionChange, ...] = ()
    others: tuple[str, ...] = ()


class Changes(Struct, frozen=True, kw_only=True):
    """What a deployment changes. `left` are deployed stacks that the app no longer has; they stay as they are.

    `leaving` are those of stages that are switched off: they are deleted as soon as no open run needs them.
    """

    stacks: tuple[StackChange, ...]
    left: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        return all(stack.status == "unchanged" for stack in self.stacks)

    @property
    def options(self) -> tuple[OptionChange, ...]:
        """The options that change, each once."""
        return tuple({change.name: change for stack in self.stacks for change in stack.options}.values())

    @property
    def losses(self) -> tuple[ResourceChange, ...]:
        return tuple(change for stack in self.stacks for change in stack.resources if change.loss)


def find_changes(
    target: Target,
    templates: Mapping[str, Template],
    stacks: Mapping[str, Stack],
    *,
    protected: Collection[str],
    alone: bool = False,
) -> Changes:
    """Return what the deployment of `templates` (by part) changes. `stacks` are those that exist, by part.

    `protected` are the parts that get termination protection. `alone`: only these parts are deployed, so that others
    are not left behind.
    """
    found = tuple(
        _compared(target, part, templates[part], stacks.get(part), protected=part in protected)
        for part in PARTS
        if part in templates
    )
    gone = {} if alone else {part: stack.name for part, stack in stacks.items() if part not in templates}
    return Changes(
        stacks=found,
        left=tuple(name for part, name in gone.items() if part not in SWITCHED),
        leaving=tuple(name for part, name in gone.items() if part in SWITCHED),
    )


def _compared(
    target: Target, part: str, template: Template, stack: Stack | None, *, protected: bool
) -> StackChange:
    name = Names(target.env).stack(part)
    before = read_template(target, stack) if stack else {}
    new = _plain(template)
    if stack is None or not before:
        resources = tuple(_changes(target.env, {}, new))
        return StackChange(stack=name, part=part, status="new", resources=resources)
    old = _plain(before)
    resources = tuple(sorted(_changes(target.env, old, new), key=_importance))
    known = options_of(before)
    options = tuple(
        OptionChange(name=option, before=known.get(option), after=value)
        for option, value in options_of(template).items()
        if known and known.get(option) != value
    )
    others = [f"{section} change" for section in _COMPARED if old.get(section, {}) != new.get(section, {})]
    if stack.protected != protected:
        others.append(f"termination protection: {_switch(on=stack.protected)} → {_switch(on=protected)}")
    return StackChange(
        stack=name,
        part=part,
        status="changed" if resources or options or others else "unchanged",
        resources=resources,
        options=options,
        others=tuple(others),
    )


def _plain(template: Template) -> Template:
    """Return the template as CloudFormation gives it back: each character outside ASCII is a question mark there."""
    plain: Template = json.loads(re.sub(r"[^\x00-\x7f]", "?", json.dumps(template, ensure_ascii=False)))
    return plain


def _changes(env: str, before: Template, after: Template) -> Iterator[ResourceChange]:
    old, new = before.get("Resources", {}), after.get("Resources", {})
    for logical_id in sorted({*old, *new}):
        if logical_id not in old:
            yield _change(env, "added", logical_id, new[logical_id])
        elif logical_id not in new:
            yield _change(env, "removed", logical_id, old[logical_id])
        elif old[logical_id]["Type"] != new[logical_id]["Type"]:
            yield _change(env, "replaced", logical_id, old[logical_id], ("Type",))
        elif properties := tuple(_differing(old[logical_id], new[logical_id])):
            kind: Kind = "replaced" if _replaced(old[logical_id], new[logical_id]) else "changed"
            yield _change(env, kind, logical_id, old[logical_id], properties)


def _importance(change: ResourceChange) -> int:
    return ("removed", "replaced", "changed", "added").index(change.kind)


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the properties and attributes that differ. A resource's metadata changes nothing in AWS."""
    before, after = old.get("Properties", {}), new.get("Properties", {})
    yield from (name for name in sorted({*before, *after}) if before.get(name) != after.get(name))
    yield from (name for name in _ATTRIBUTES if old.get(name) != new.get(name))


def _replaced(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    before, after = old.get("Properties", {}), new.get("Properties", {})
    return before != after and replaces(str(old["Type"]), before, after)


def _change(
    env: str, kind: Kind, logical_id: str, resource: Mapping[str, Any], properties: Sequence[str] = ()
) -> ResourceChange:
    name = next(
        (
            value
            for key, value in resource.get("Properties", {}).items()
            if isinstance(value, str)
            and key.endswith("Name")
            and resource["Type"].endswith(key.removesuffix("Name"))
        ),
        logical_id,
    )
    # The guard of the daily budget computes what its table holds from the records.
    lost = LOST.get(resource["Type"]) if name != Names(env).budget_table else None
    return ResourceChange(
        kind=kind,
        type=resource["Type"],
        name=name,
        properties=tuple(properties),
        loss=_loss(kind, lost, resource) if lost and kind in ("replaced", "removed") else None,
    )


def _loss(kind: Kind, lost: str, resource: Mapping[str, Any]) -> str:
    policy = resource.get("UpdateReplacePolicy" if kind == "replaced" else "DeletionPolicy", "Delete")
    return (
        f"{lost} are lost"
        if policy in ("Delete", "Snapshot")
        else "it is kept, but no longer part of the deployment"
    )


def _switch(*, on: bool) -> str:
    return "on" if on else "off"
