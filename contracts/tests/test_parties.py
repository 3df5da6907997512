"""The documented publishers and consumers of each event are those of the templates."""

import pytest

from contracts.asyncapi import asyncapi
from contracts.parties import OUTSIDE, PUBLISHERS, WORKFLOW, events, on_the_bus, parties
from infra.names import Names
from infra.rules import resources, statements
from shared.contracts.stages import OPTIONAL, SERVICES

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]
ENV = "dev"
DEPLOYED = (*SERVICES, *(stage.service for stage in OPTIONAL))


@pytest.fixture(scope="module")
def stacks(synthesised):
    templates = synthesised(ENV, approval="true")
    return {part: templates[f"ai-pipeline-{ENV}-{part}"] for part in (*DEPLOYED, WORKFLOW, "platform")}


def publishable(template):
    """Return the detail-types that the roles and policies of a stack may publish."""
    names = set()
    for statement in statements(template):
        if "events:PutEvents" in statement["Action"]:
            types = statement["Condition"]["ForAllValues:StringEquals"]["events:detail-type"]
            names |= {types} if isinstance(types, str) else set(types)
    return names


def heard(template):
    """Return the detail-types that the rules of a stack deliver."""
    rules = resources(template, "AWS::Events::Rule").values()
    return {name for rule in rules for name in rule.get("EventPattern", {}).get("detail-type", ())}


@pytest.mark.parametrize(
    "kind", [kind for kind in events() if on_the_bus(kind)], ids=lambda k: k.detail_type()
)
def test_publishers_and_consumers_are_those_of_the_templates(stacks, kind):
    """Exactly the documented publishers may publish an event, and exactly the documented consumers receive it."""
    name = kind.detail_type()
    documented = parties(name)
    allowed = {part for part in (*DEPLOYED, WORKFLOW) if name in publishable(stacks[part])}
    assert allowed == set(documented.publishers) - set(OUTSIDE)
    assert {part for part in DEPLOYED if name in heard(stacks[part])} == set(documented.consumers) - set(
        OUTSIDE
    )
    assert (name in publishable(stacks["platform"])) is (PUBLISHERS in documented.publishers)


def test_what_bypasses_the_bus_is_on_no_rule(stacks):
    """A stage request that is sent to a queue is neither published on the bus nor delivered by it."""
    for kind in events():
        if not on_the_bus(kind):
            for template in stacks.values():
                assert kind.detail_type() not in publishable(template) | heard(template)


def test_channels_have_the_names_of_the_deployment():
    """The addresses in the AsyncAPI document are the names of the bus and the queue."""
    names = Names(ENV)
    addresses = {channel["address"].replace("{env}", ENV) for channel in asyncapi()["channels"].values()}
    assert addresses == {names.bus, names.queue("logger"), names.queue("approval")}
