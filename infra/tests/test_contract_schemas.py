"""The contracts in draft 4 accept and refuse the same values as the contracts."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.contract_schemas import draft4, request_model, request_schema
from services.trigger.api.core import read_request, submission
from services.trigger.api.refusals import ApiError
from shared.contracts.schemas import closed

pytestmark = pytest.mark.slow


def takes(schema: Any, value: Any) -> bool:
    return bool(jsonschema.Draft4Validator(schema).is_valid(value))


def test_the_model_is_draft_4_without_references():
    """The request model is valid draft 4 without references, as API Gateway requires."""
    model = request_model()
    jsonschema.Draft4Validator.check_schema(model)
    assert "$ref" not in json.dumps(model)
    assert all(choice["additionalProperties"] is False for choice in model.get("anyOf", [model]))


MESSAGES = [
    "Hi",
    "x" * 32_768,
    "é" * 32_768,
    "\N{GRINNING FACE}" * 16_384,
    "",
    " \n",
    "x" * 32_769,
    5,
    None,
    [],
    {},
]
BODIES: list[Any] = [
    *({"user_message": message} for message in MESSAGES),
    {},
    [],
    None,
    "x",
    {"user_message": "x", "y": 1},
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: json.dumps(body)[:40])
def test_the_model_refuses_what_the_function_refuses(body):
    """API Gateway's model and the function accept the same bodies, except for rules that no schema can express."""
    event = {"headers": {"content-type": "application/json"}, "body": json.dumps(body)}
    try:
        submission(read_request(event), str)
        accepted = True
    except ApiError:
        accepted = False
    assert takes(request_model(), body) is accepted


@settings(max_examples=300)
@given(st.text(max_size=20) | st.text(alphabet=" \t\r\n\x0b\x0c\u3000\u2003x", max_size=5))
def test_the_model_refuses_no_message_that_the_function_takes(message):
    """API Gateway's model accepts every message that the function accepts."""
    try:
        submission(
            read_request(
                {
                    "headers": {"content-type": "application/json"},
                    "body": json.dumps({"user_message": message}),
                }
            ),
            str,
        )
    except ApiError:
        return
    assert takes(request_model(), {"user_message": message})


def test_what_draft_4_can_not_say_is_an_error():
    """A type that contains itself, and a keyword newer than draft 4, are refused at synth."""
    tree = {
        "$ref": "#/$defs/T",
        "$defs": {"T": {"type": "object", "properties": {"t": {"$ref": "#/$defs/T"}}}},
    }
    with pytest.raises(ValueError, match="contains itself"):
        draft4(tree)
    with pytest.raises(ValueError, match="propertyNames"):
        draft4({"type": "object", "propertyNames": {"pattern": "^a"}})


PARTS = st.recursive(
    st.one_of(
        st.sampled_from([{"type": kind} for kind in ("string", "integer", "number", "boolean", "null")]),
        st.fixed_dictionaries({"const": st.sampled_from(["a", 1, None])}),
        st.fixed_dictionaries({"type": st.sampled_from(["integer", "number"])}, optional={
            "minimum": st.integers(0, 2), "exclusiveMinimum": st.integers(0, 2),
            "maximum": st.integers(1, 3), "exclusiveMaximum": st.integers(1, 3)}),
        st.just({"$ref": "#/$defs/Shared", "description": "said here"}),
    ),
    lambda inner: st.one_of(
        st.builds(lambda one, other: {"anyOf": [one, other]}, inner, inner),
        st.builds(lambda one: {"type": "object", "properties": {"p": one}, "required": ["p"]}, inner),
        st.builds(lambda one: {"type": "object", "additionalProperties": one}, inner),
        st.builds(lambda one, other: {"type": "array", "prefixItems": [one], "items": other}, inner, inner),
        st.builds(lambda one: {"type": "array", "items": one, "maxItems": 2}, inner),
    ),
    max_leaves=4,
)  # fmt: skip
SHARED = {
    "type": "object",
    "properties": {"n": {"type": "integer", "exclusiveMinimum": 1}},
    "required": ["n"],
}
VALUES = st.recursive(
    st.sampled_from(["a", "", 0, 1, 2, 3, 0.5, None, True, {"n": 2}, {"n": 1}]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["p", "q"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@settings(max_examples=400)
@given(PARTS, VALUES)
def test_the_conversion_changes_no_verdict(part, value):
    """Every schema accepts and refuses the same values after its conversion to draft 4."""
    schema = closed({**part, "$defs": {"Shared": SHARED}})
    assert takes(draft4(schema), value) == jsonschema.Draft202012Validator(schema).is_valid(value)


def test_the_schema_of_a_request_names_its_event():
    """The schema of a POST body is the data of one of its events, with each version under its own name."""
    schema = request_schema()
    assert schema["anyOf"] == [{"$ref": "#/$defs/PipelineRequested"}, {"$ref": "#/$defs/PipelineRequested2"}]
    first, second = (schema["$defs"][name] for name in ("PipelineRequested", "PipelineRequested2"))
    assert "user_message" in first["properties"]
    assert "messages" in second["properties"]
