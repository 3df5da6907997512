"""Who may publish which event, decided by the templates' own conditions in either way that AWS may give the keys."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from infra.rules import resources, statements
from shared.contracts.stages import STAGES
from shared.contracts.upcasting import EVENTS, readable
from shared.contracts.v1 import ContractRejected, PipelineCompleted, PipelineFailed
from shared.contracts.v2 import PipelineRequested

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]

Context = Mapping[str, str | Sequence[str]]
"""A request's condition keys: a text for a key with a single value, a list for a key with several."""

REQUESTS = frozenset(kind.detail_type() for kind in readable(PipelineRequested))
REJECTIONS = frozenset({ContractRejected.detail_type()})
OUTCOMES = frozenset({PipelineCompleted.detail_type(), PipelineFailed.detail_type()})
STAGE_REQUESTS = frozenset(
    kind.detail_type() for stage in STAGES if stage.via == "bus" for kind in readable(stage.request)
)
MAY_PUBLISH = {
    ("platform", "publisher"): REQUESTS,
    ("trigger", "Api"): REQUESTS,
    ("trigger", "Starter"): REJECTIONS,
    **{
        (stage.service, stage.service.title()): REJECTIONS
        | (OUTCOMES if stage.service == "logger" else set())
        for stage in STAGES
    },
    ("logger", "Reconciler"): frozenset({PipelineFailed.detail_type()}),
    ("workflow", "Pipeline"): STAGE_REQUESTS,
}
"""The events that each role and policy may publish, by stack and by the beginning of its logical id or name."""
ALL_EVENTS = sorted(kind.detail_type() for kind in EVENTS)


def allows(condition: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Evaluate a statement's conditions as IAM documents it. An operator that a test does not need is an error.

    Without `ForAllValues`, a key with a list of values never matches: AWS does not say what happens then.
    """
    return all(
        _holds(operator, context.get(key), [values] if isinstance(values, str) else values)
        for operator, keys in condition.items()
        for key, values in keys.items()
    )


def _holds(operator: str, actual: str | Sequence[str] | None, expected: Sequence[str]) -> bool:
    match operator:
        case "Null":
            return (not actual) is (expected == ["true"])
        case "StringEquals":
            return isinstance(actual, str) and actual in expected
        case "ForAllValues:StringEquals":
            values = [actual] if isinstance(actual, str) else actual or ()
            return all(value in expected for value in values)
    raise AssertionError(f"the evaluator does not know {operator}")


def conditions(template: Any, part: str) -> Mapping[str, Any]:
    """Return the conditions under which one role, or a managed policy, may publish."""
    policies = {
        **resources(template, "AWS::IAM::Policy"),
        **resources(template, "AWS::IAM::ManagedPolicy"),
    }
    (condition,) = [
        statement["Condition"]
        for name, policy in policies.items()
        if name.lower().startswith(part.lower())
        for statement in statements({"Resources": {name: {"Type": "AWS::IAM::Policy", "Properties": policy}}})
        if "events:PutEvents" in statement["Action"]
    ]
    return dict(condition)


def asked(detail_type: str, source: str = "ai.pipeline") -> list[Context]:
    """Return the ways in which AWS may describe one event: each key with a single value, or with a list."""
    return [
        {"events:source": source, "events:detail-type": detail_type},
        {"events:source": [source], "events:detail-type": [detail_type]},
        {"events:source": source, "events:detail-type": [detail_type]},
        {"events:source": [source], "events:detail-type": detail_type},
    ]


@pytest.fixture(params=MAY_PUBLISH, ids=lambda key: key[1].lower())
def publisher(request, synthesised):
    """Return a publisher's conditions, and the detail-types that it may publish."""
    stack, part = request.param
    return conditions(synthesised("dev")[f"ai-pipeline-dev-{stack}"], part), MAY_PUBLISH[request.param]


def test_every_publisher_is_examined(synthesised):
    """No statement of any template allows PutEvents apart from those of the table above."""
    granting = [
        statement
        for template in synthesised("dev").values()
        for statement in statements(template)
        if "events:PutEvents" in statement["Action"]
    ]
    assert len(granting) == len(MAY_PUBLISH)


@pytest.mark.parametrize("name", ALL_EVENTS)
def test_its_own_events_are_allowed_and_all_others_denied(publisher, name):
    """Each publisher may publish exactly its own events, whether AWS gives the keys single values or lists."""
    condition, own = publisher
    assert [allows(condition, context) for context in asked(name)] == [name in own] * 4


def test_a_forged_event_beside_an_allowed_one_denies_the_call(publisher):
    """A list of values that contains a foreign source or detail-type is denied, even if others in it are allowed."""
    condition, own = publisher
    mine, other = min(own), min(set(ALL_EVENTS) - own)
    for sources, types in (
        (["ai.pipeline"], [mine, other]),
        (["ai.pipeline", "somebody.else"], [mine]),
        (["somebody.else"], [mine]),
    ):
        assert not allows(condition, {"events:source": sources, "events:detail-type": types})


@pytest.mark.parametrize("empty", [None, []], ids=["absent", "empty"])
@pytest.mark.parametrize("key", ["events:source", "events:detail-type"])
def test_an_absent_key_is_denied(publisher, key, empty):
    """A request without a source or detail-type, or with an empty list of them, is denied."""
    condition, own = publisher
    for context in asked(min(own)):
        changed = {name: value for name, value in context.items() if name != key}
        assert not allows(condition, changed if empty is None else {**changed, key: empty})
    assert not allows(condition, {})
