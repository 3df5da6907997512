"""The schemas in EventBridge's registry take the events of the handbook and refuse others."""

from typing import Any

import jsonschema
import pytest

from contracts.examples import delivered, event_examples
from infra.contract_schemas import published, registered
from shared.contracts.schemas import event_schema


def takes(schema: Any, value: Any) -> bool:
    return bool(jsonschema.Draft4Validator(schema).is_valid(value))


@pytest.mark.parametrize("kind", published(), ids=lambda kind: kind.detail_type())
def test_registered_schemas_take_the_events(kind):
    """A registered schema is valid draft 4, takes the event as EventBridge delivers it, and refuses another."""
    schema = registered(kind)
    jsonschema.Draft4Validator.check_schema(schema)
    for example in event_examples(event_schema(kind)):
        event = delivered(example, kind.detail_type())
        assert takes(schema, event)
        assert not takes(schema, {**event, "detail-type": "another.v1"})
        assert not takes(schema, {**event, "detail": {**example, "data": {}}})
        assert not takes(schema, {**event, "detail": {**example, "stray": 1}})
