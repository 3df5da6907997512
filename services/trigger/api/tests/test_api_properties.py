"""Properties of the API: every request gets a well-formed answer, and every accepted one can be started."""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from moto import mock_aws

from services.trigger.api.core import read_request
from services.trigger.api.handler import answer, respond
from services.trigger.api.routes import routes
from services.trigger.api.tests.support import make_api
from services.trigger.starter.core import execution_input
from shared.contracts.envelope import Delivery, Detail
from shared.contracts.limits import STATE_BYTES
from shared.contracts.reading import read, read_metadata, read_upcast, sent_as
from shared.contracts.v2 import PipelineRequested
from shared.records import Records
from shared.tests.fakes import FakeEvents, create_records_table
from shared.tests.strategies import JSON, SAID, TEXT, nearly, turns

pytestmark = pytest.mark.slow

CLIENT_ERRORS = (400, 404, 409, 413, 415)


@pytest.fixture(scope="module")
def table() -> Iterator[Records]:
    """One table for all examples, as each pipeline has its own id."""
    with mock_aws():
        client = boto3.client("dynamodb")
        create_records_table(client)
        yield Records(client, "PipelineLogs")


def posted(body: str, **changes: Any) -> dict[str, Any]:
    return {
        "httpMethod": "POST",
        "resource": "/pipeline",
        "headers": {"content-type": "application/json", "host": "api.example"},
        "body": body,
        "requestContext": {"identity": {"userArn": "arn:aws:iam::000000000000:user/alice"}},
        **changes,
    }


def answered(table: Records, event: Mapping[str, Any]) -> int:
    """Return the answer's status, after checking that it is no 500 and that an accepted request can be started."""
    events = FakeEvents()
    api = make_api(table, events)
    status, body, _ = answer(routes(api), read_request(event))
    said = json.loads(respond(status, body, "*")["body"])
    if status == 202:
        (entry,) = events.entries
        assert started(entry)["metadata"]["pipeline_id"] == said["pipeline_id"]
        assert table.get(said["pipeline_id"])
    elif status != 200:
        assert status in CLIENT_ERRORS, body
        assert said["error"].keys() == {"code", "message"}
        assert events.entries == []
    return status


def started(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the execution's input that the starter makes from a published event, within the limit of a state."""
    delivery = Delivery(
        source=entry["Source"], detail_type=entry["DetailType"], detail=msgspec.Raw(entry["Detail"].encode())
    )
    kind = sent_as(delivery.detail_type, PipelineRequested)
    detail = read(entry["Detail"], Detail)
    state = execution_input(
        read_upcast(detail, kind, PipelineRequested), read_metadata(delivery, detail, kind)
    )
    assert len(state.encode()) < STATE_BYTES
    return dict(json.loads(state))


BODIES = st.one_of(
    TEXT,
    JSON.map(json.dumps),
    nearly({"user_message": "Hi"}).map(json.dumps),
    turns().flatmap(lambda said: nearly({"messages": said})).map(json.dumps),
)
HEADERS = st.dictionaries(
    st.sampled_from(["Content-Type", "content-type", "Idempotency-Key", "traceparent", "Host", "x"]),
    st.none() | TEXT | st.just("application/json"),
)


@given(body=BODIES)
@example('{"user_message": "\\ud800"}')
@example("[" * 100_000)
@example('{"messages": [], "user_message": null}')
def test_any_body_is_answered(table, body):
    """Every body is accepted or refused with a reason; none is answered with 500."""
    answered(table, posted(body))


@given(said=turns())
def test_every_conversation_that_keeps_its_contract_is_accepted(table, said):
    """The API accepts every request that the contract allows, and the starter can start it."""
    turns_ = [{"role": turn.role, "text": turn.text} for turn in said]
    assert answered(table, posted(json.dumps({"messages": turns_}))) == 202


@given(text=SAID, escaped=st.booleans(), encoded=st.booleans())
def test_every_message_that_keeps_its_contract_is_accepted(table, text, escaped, encoded):
    """A message is accepted however its JSON is escaped and encoded."""
    body = json.dumps({"user_message": text}, ensure_ascii=escaped)
    if encoded:
        body = base64.b64encode(body.encode()).decode()
    assert answered(table, posted(body, isBase64Encoded=encoded)) == 202


@given(body=BODIES, headers=st.none() | HEADERS, encoded=st.booleans(), context=st.none() | JSON)
def test_any_request_is_answered(table, body, headers, encoded, context):
    """Any headers and any caller identity get a well-formed answer."""
    event = posted(body, headers=headers, isBase64Encoded=encoded)
    if not isinstance(context, dict):
        event["requestContext"] = None
    answered(table, event)


@given(
    method=TEXT | st.sampled_from(["GET", "POST"]),
    parameters=st.none() | st.dictionaries(TEXT, TEXT),
    id_=TEXT,
)
def test_any_address_is_answered(table, method, parameters, id_):
    """Any method and any id get a well-formed answer, and no unknown pipeline is found."""
    resource = "/pipeline/{pipeline_id}"
    event = {"httpMethod": method, "resource": resource, "pathParameters": parameters}
    assert answered(table, event) == 404
    assert answered(table, {**event, "httpMethod": "GET", "pathParameters": {"pipeline_id": id_}}) == 404
