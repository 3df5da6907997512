"""The engine's IAM gets an event's source and detail-type, and an unexpected MiniStack is refused."""

import json
import sys
import types
from typing import Any

import pytest

from local.engine_iam import OtherIamError, add_event_keys

BUS = "arn:aws:events:us-east-1:000000000000:event-bus/mine"
OTHER_BUS = "arn:aws:events:us-east-1:000000000000:event-bus/theirs"

APP = """
def handle_request(service, action, body, resources):
    from actions import request_tag_context
    from evaluator import enforce
    context = request_tag_context(service, action, body, {})
    for resource in resources:
        if denied := enforce("key", action, service, "us-east-1", resource_arn=resource, service_context=context):
            return denied
"""
ACTIONS = """
import json
def request_tag_context(service, iam_action, body, params):
    return {"aws:tagkeys": None}
def eventbridge_resource_arns(body, region, account_id):
    names = [entry.get("EventBusName", "default") for entry in json.loads(body)["Entries"]]
    return [f"arn:aws:events:{region}:{account_id}:event-bus/{name}" for name in names]
"""
EVALUATOR = """
from dataclasses import dataclass, field
seen = []
@dataclass
class EvalContext:
    principal_arn: str
    principal_type: str
    principal_account: str
    action: str
    resource_arn: str
    region: str
    service_context: dict = field(default_factory=dict)
def holds(operator, actual, values):
    if operator == "Null":
        return actual is not None
    return actual is None or actual in ([values] if isinstance(values, str) else values)
def _conditions_met(conditions, ctx):
    return all(holds(operator, ctx.service_context.get(key), values)
               for operator, test in conditions.items() for key, values in test.items())
def enforce(access_key_id, iam_action, service, region, resource_arn="*", service_context=None):
    seen.append((iam_action, resource_arn, service_context))
    return "denied" if service_context.get("events:detail-type") == "forged.v1" else None
"""


def module(name: str, source: str) -> types.ModuleType:
    stand_in = types.ModuleType(name)
    exec(source, vars(stand_in))  # noqa: S102 -- the sources above
    return stand_in


@pytest.fixture
def ministack(monkeypatch: pytest.MonkeyPatch):
    """A minimal MiniStack to which the event keys are added."""
    app, actions, evaluator = module("app", APP), module("actions", ACTIONS), module("evaluator", EVALUATOR)
    add_event_keys(app, actions, evaluator)
    monkeypatch.setitem(sys.modules, "actions", actions)
    monkeypatch.setitem(sys.modules, "evaluator", evaluator)
    return types.SimpleNamespace(ask=app.handle_request, seen=evaluator.seen)


def put(*entries: dict[str, Any]) -> bytes:
    return json.dumps({"Entries": entries}).encode()


def entry(detail_type: str, source: str = "ai.pipeline", bus: str = "mine") -> dict[str, Any]:
    return {"EventBusName": bus, "Source": source, "DetailType": detail_type, "Detail": "{}"}


def keys(seen: list[Any]) -> list[tuple[str, Any, Any]]:
    return [
        (arn, context.get("events:source"), context.get("events:detail-type")) for _, arn, context in seen
    ]


def test_each_entry_is_judged_by_what_it_says(ministack):
    """Each distinct entry of a call is evaluated once, with its source and detail-type and the call's other keys."""
    body = put(entry("a.v1"), entry("b.v1", "other"), entry("a.v1"))
    assert ministack.ask("events", "events:PutEvents", body, [BUS]) is None
    assert keys(ministack.seen) == [(BUS, "ai.pipeline", "a.v1"), (BUS, "other", "b.v1")]
    assert all("aws:tagkeys" in context for _, _, context in ministack.seen)


def test_one_forged_entry_denies_the_call(ministack):
    """A call with one forged event among allowed ones is denied."""
    body = put(entry("a.v1"), entry("forged.v1"), entry("b.v1"))
    assert ministack.ask("events", "events:PutEvents", body, [BUS]) == "denied"


def test_entries_of_two_buses_are_judged_each_by_its_own(ministack):
    """The entries for one bus do not count for another bus."""
    body = put(entry("a.v1"), entry("b.v1", bus="theirs"))
    ministack.ask("events", "events:PutEvents", body, [BUS, OTHER_BUS])
    assert keys(ministack.seen) == [(BUS, "ai.pipeline", "a.v1"), (OTHER_BUS, "ai.pipeline", "b.v1")]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"{}", b'{"Entries": 5}', b'{"Entries": [5]}'],
    ids=lambda body: body.decode() or "empty",
)
def test_a_malformed_call_says_nothing_and_breaks_nothing(ministack, body):
    """A call that can't be parsed has neither key, so a policy that names them does not allow it."""
    assert ministack.ask("events", "events:PutEvents", body, [BUS]) is None
    assert keys(ministack.seen) == [(BUS, None, None)]


def test_fields_that_are_missing_are_no_keys(ministack):
    """An entry without a source gets no `events:source`, so that the policy's `Null` condition denies it."""
    ministack.ask("events", "events:PutEvents", put({"EventBusName": "mine", "DetailType": "a.v1"}), [BUS])
    assert keys(ministack.seen) == [(BUS, None, "a.v1")]


def test_other_calls_are_left_alone(ministack):
    """A later call of another action gets no key of an earlier event."""
    ministack.ask("events", "events:PutEvents", put(entry("a.v1")), [BUS])
    ministack.ask("sqs", "sqs:SendMessage", put(entry("a.v1")), ["queue"])
    assert ministack.seen[-1] == ("sqs:SendMessage", "queue", {"aws:tagkeys": None})


IMPORT = "    from actions import request_tag_context\n"
CHANGES = {
    "no function": (
        "actions",
        "def request_tag_context(",
        "def tag_context(",
        "it has no request_tag_context",
    ),
    "another parameter": ("evaluator", "service_context=None):", "context=None):", "enforce() takes"),
    "imported once": (
        "app",
        "def handle_request",
        f"{IMPORT.strip()}\ndef handle_request",
        "when it is loaded",
    ),
    "called elsewhere": ("app", IMPORT, "    request_tag_context = print\n", "no function of the app passes"),
    "other conditions": ("evaluator", "    return all(", "    return any(", "the wrong decision on"),
    "absent keys pass": (
        "evaluator",
        "return actual is not None",
        "return True",
        "the wrong decision on None",
    ),
}


@pytest.mark.parametrize(("place", "old", "new", "message"), CHANGES.values(), ids=CHANGES)
def test_another_ministack_is_noticed(monkeypatch, place, old, new, message):
    """A MiniStack version that would let a forged event pass is refused, and the error says where it differs."""
    sources = {"app": APP, "actions": ACTIONS, "evaluator": EVALUATOR}
    assert old in sources[place]
    sources[place] = sources[place].replace(old, new)
    monkeypatch.setitem(sys.modules, "actions", module("actions", ACTIONS))
    modules = [module(name, sources[name]) for name in ("app", "actions", "evaluator")]
    with pytest.raises(OtherIamError, match=message.replace("(", r"\(").replace(")", r"\)")):
        add_event_keys(*modules)
