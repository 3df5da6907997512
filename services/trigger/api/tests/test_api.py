"""The API: which requests are accepted, how others are refused, and what an Idempotency-Key promises."""

import base64
import json
from functools import partial
from typing import Any

import pytest

from services.trigger.api import core
from services.trigger.api import handler as api
from services.trigger.api.core import public, read_request
from services.trigger.api.routes import routes, status_url
from services.trigger.api.tests.support import ALICE, answer, get, make_api, post
from shared.contracts.envelope import traceparent_of
from shared.contracts.record import accepted_event_id
from shared.tests.fakes import client_error


@pytest.fixture
def call(records, events):
    """Send a request to the API; return status and body."""
    return partial(answer, routes(make_api(records, events)))


def test_request_is_recorded_and_published(call, records, events):
    """A valid POST answers 202 with a status URL, writes an ACCEPTED record and publishes one event."""
    status, body = call(post({"user_message": "Hello"}))
    assert (status, body["status"]) == (202, "ACCEPTED")
    assert body["status_url"] == f"https://api.example/v1/pipeline/{body['pipeline_id']}"
    assert records.get(body["pipeline_id"])["status"] == "ACCEPTED"
    (detail,) = events.details("pipeline.requested.v1")
    assert detail["data"] == {"user_message": "Hello"}
    assert detail["metadata"]["pipeline_id"] == body["pipeline_id"]
    assert detail["metadata"]["event_id"] == accepted_event_id(body["pipeline_id"])


def test_status_url_follows_a_configured_address():
    """If an API URL is configured, the status URL uses it instead of the request's host."""
    event = post({"user_message": "x"})
    event["requestContext"]["apiId"] = "abc"
    url = status_url(read_request(event), "p-1", "http://127.0.0.1:4566/restapis/{api_id}/v1/_user_request_")
    assert url == "http://127.0.0.1:4566/restapis/abc/v1/_user_request_/pipeline/p-1"


def test_accepted_pipeline_can_be_read_at_once(call):
    """GET shows a pipeline from the moment its POST was answered."""
    _, accepted = call(post({"user_message": "Hello"}))
    status, body = call(get(accepted["pipeline_id"]))
    assert (status, body["status"], body["user_message"]) == (200, "ACCEPTED", "Hello")
    assert "request_hash" not in body


def test_two_posts_are_two_pipelines(call):
    """Without a key, the same message sent twice starts two pipelines."""
    first, second = call(post({"user_message": "x"}))[1], call(post({"user_message": "x"}))[1]
    assert first["pipeline_id"] != second["pipeline_id"]


def test_same_key_and_body_is_the_same_pipeline(call, records, events):
    """A repeated POST with the same key answers with the same id and its current status, and starts nothing new."""
    key = {"Idempotency-Key": "order-1"}
    _, first = call(post({"user_message": "x"}, key))
    records.advance(first["pipeline_id"], "RUNNING", {})
    status, second = call(post({"user_message": "x"}, key))
    assert (status, second["pipeline_id"], second["status"]) == (202, first["pipeline_id"], "RUNNING")
    assert len(events.entries) == 1


def test_same_key_other_body_is_a_conflict(call):
    """One key names one request: another body is refused with 409."""
    key = {"Idempotency-Key": "order-1"}
    call(post({"user_message": "x"}, key))
    status, body = call(post({"user_message": "y"}, key))
    assert (status, body["error"]["code"]) == (409, "idempotency_conflict")


def test_key_belongs_to_its_caller(call):
    """The same key of another caller names another pipeline."""
    key = {"Idempotency-Key": "order-1"}
    _, mine = call(post({"user_message": "x"}, key))
    status, other = call(post({"user_message": "y"}, key, who="arn:aws:iam::000000000000:user/bob"))
    assert status == 202
    assert other["pipeline_id"] != mine["pipeline_id"]


def test_sessions_of_a_role_are_one_caller(call):
    """A retry after a new login of the same role is a repeated request."""
    role = "arn:aws:sts::000000000000:assumed-role/team"
    key = {"Idempotency-Key": "k"}
    first = call(post({"user_message": "x"}, key, who=f"{role}/monday"))[1]
    second = call(post({"user_message": "x"}, key, who=f"{role}/tuesday"))[1]
    assert first["pipeline_id"] == second["pipeline_id"]


def test_lost_publication_is_made_up_for(call, events):
    """If publishing failed, a repeat with the key publishes: the request is not stuck as ACCEPTED."""
    key = {"Idempotency-Key": "k"}
    events.error = client_error("InternalException", "PutEvents", 500)
    status, body = call(post({"user_message": "x"}, key))
    assert (status, body["error"]["code"]) == (503, "unavailable")
    events.error = None
    assert call(post({"user_message": "x"}, key))[0] == 202
    assert len(events.details("pipeline.requested.v1")) == 1


def test_unpublished_request_without_key_leaves_no_record(call, records, events):
    """If publishing fails without a key, the record is removed, as the caller got no id for it."""
    events.error = client_error("InternalException", "PutEvents", 500)
    assert call(post({"user_message": "x"}))[0] == 503
    assert records._client.scan(TableName="PipelineLogs")["Count"] == 0


BAD = {
    "not JSON": (post("{"), 400, "invalid_json"),
    "empty": (post(""), 400, "empty_body"),
    "null": (post("null"), 400, "invalid_request"),
    "array": (post([]), 400, "invalid_request"),
    "missing": (post({}), 400, "invalid_request"),
    "number": (post({"user_message": 5}), 400, "invalid_request"),
    "blank": (post({"user_message": " \n "}), 400, "invalid_request"),
    "too long": (post({"user_message": "x" * 32_769}), 400, "invalid_request"),
    "unknown field": (post({"user_message": "x", "model": "y"}), 400, "unknown_field"),
    "no content type": (post({"user_message": "x"}, {"Content-Type": ""}), 415, "unsupported_media_type"),
    "form": (
        post("a=b", {"Content-Type": "application/x-www-form-urlencoded"}),
        415,
        "unsupported_media_type",
    ),
    "too large": (post({"user_message": "x" * 262_144}), 413, "body_too_large"),
    "bad key": (post({"user_message": "x"}, {"Idempotency-Key": "a b"}), 400, "invalid_idempotency_key"),
    "bad base64": (post("***", isBase64Encoded=True), 400, "invalid_json"),
    "unknown id": (get("nobody"), 404, "not_found"),
    "impossible id": (get("../etc"), 404, "not_found"),
    "unknown route": ({"httpMethod": "PUT", "resource": "/pipeline"}, 404, "not_found"),
}


@pytest.mark.parametrize(("event", "status", "code"), BAD.values(), ids=BAD)
def test_bad_requests_get_a_status_a_code_and_a_sentence(call, events, event, status, code):
    """Every kind of bad input has its status, code and sentence; nothing is published."""
    got, body = call(event)
    assert (got, body["error"]["code"]) == (status, code)
    assert body["error"]["message"].endswith((".", "}."))
    assert events.entries == []


def test_encoded_body_is_read(call):
    """A body that API Gateway encodes in base64 is the same request."""
    encoded = base64.b64encode('{"user_message": "héllo"}'.encode()).decode()
    assert call(post(encoded, isBase64Encoded=True))[0] == 202


def test_content_type_may_have_parameters(call):
    """`application/json; charset=utf-8` is JSON; header names are case-insensitive."""
    event = post({"user_message": "x"})
    event["headers"] = {"content-type": "Application/JSON; charset=utf-8"}
    assert call(event)[0] == 202


def test_unexpected_error_is_500_without_details(call, records, monkeypatch):
    """A bug answers 500 in the API's own shape and reveals no internals."""
    monkeypatch.setattr(records, "get", lambda _: 1 / 0)
    status, body = call(get("p"))
    assert (status, body["error"]["code"]) == (500, "internal")
    assert "division" not in json.dumps(body)


def test_response_carries_cors_and_is_not_cached():
    """Every answer, an error too, can be read by a browser of the allowed origin and is never cached."""
    got = api.respond(503, {"a": 1}, "https://app.example")
    assert got["headers"]["Access-Control-Allow-Origin"] == "https://app.example"
    assert got["headers"]["Cache-Control"] == "no-store"
    assert got["headers"]["Retry-After"] == "2"
    assert got["statusCode"] == 503


def test_every_event_has_a_trace_the_callers_if_there_is_one(call, events):
    """The event has the caller's W3C trace context, or the run's own if the caller's is missing or invalid."""
    good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    call(post({"user_message": "x"}, {"traceparent": good}))
    call(post({"user_message": "x"}, {"traceparent": "junk\n"}))
    call(post({"user_message": "x"}))
    carried, *made = (detail["metadata"] for detail in events.details("pipeline.requested.v1"))
    assert carried["traceparent"] == good
    assert [metadata["traceparent"] for metadata in made] == [
        traceparent_of(metadata["pipeline_id"]) for metadata in made
    ]


def test_a_repeated_request_is_in_the_same_trace(call, events):
    """A repeated request with the same key, before the run has started, is published with the same trace."""
    for _ in range(2):
        call(post({"user_message": "x"}, {"Idempotency-Key": "order-1"}))
    first, again = (detail["metadata"]["traceparent"] for detail in events.details("pipeline.requested.v1"))
    assert first == again


def test_ids_can_name_an_execution():
    """Ids derived from a key are valid pipeline ids."""
    assert core.PIPELINE_ID.match(core.keyed_id(b"secret", ALICE, "k" * 255))


TURNS = [
    {"role": "user", "text": "Who are you?"},
    {"role": "assistant", "text": "A pipeline."},
    {"role": "user", "text": "Since when?"},
]


def test_a_conversation_is_published_as_the_second_version(call, records, events):
    """A POST with `messages` records the last of them, and publishes them all."""
    status, body = call(post({"messages": TURNS}))
    assert status == 202
    (detail,) = events.details("pipeline.requested.v2")
    assert detail["data"] == {"messages": TURNS}
    assert (detail["metadata"]["schema"], detail["metadata"]["schema_version"]) == ("pipeline.requested", 2)
    assert records.get(body["pipeline_id"])["user_message"] == "Since when?"


def test_a_message_is_published_as_the_first_version(call, events):
    """A request with `user_message` is published as version 1."""
    call(post({"user_message": "Hello"}))
    assert [entry["DetailType"] for entry in events.entries] == ["pipeline.requested.v1"]


def test_a_key_names_the_whole_conversation(call):
    """The same message after another history is another request: its key is refused."""
    key = {"Idempotency-Key": "k"}
    first = call(post({"messages": TURNS}, key))
    assert call(post({"messages": TURNS}, key))[1]["pipeline_id"] == first[1]["pipeline_id"]
    assert call(post({"messages": TURNS[-1:]}, key))[0] == 409
    assert call(post({"user_message": "Since when?"}, key))[0] == 409


def test_a_message_and_a_conversation_of_it_are_one_request(call):
    """The same message sent as `messages` with the same key is a repeated request, and starts nothing new."""
    key = {"Idempotency-Key": "k"}
    first = call(post({"user_message": "Hello"}, key))
    again = call(post({"messages": [{"role": "user", "text": "Hello"}]}, key))
    assert (again[0], again[1]["pipeline_id"]) == (202, first[1]["pipeline_id"])


WRONG: dict[str, tuple[Any, str]] = {
    "both": ({"user_message": "x", "messages": TURNS}, "not both"),
    "neither": ({}, "user_message"),
    "not a list": ({"messages": "Hi"}, "$.messages"),
    "empty": ({"messages": []}, "length >= 1"),
    "ends with the assistant": ({"messages": TURNS[:2]}, "must end with a message of the user"),
    "begins with the assistant": ({"messages": TURNS[1:]}, "`messages[0]` must be the user's"),
    "twice the user": ({"messages": [TURNS[0], TURNS[2], TURNS[0]]}, "`messages[1]` must be the assistant's"),
    "no role": ({"messages": [{"text": "x"}]}, "role"),
    "system": ({"messages": [{"role": "system", "text": "x"}]}, "$.messages[0].role"),
    "blank turn": ({"messages": [TURNS[0], {"role": "assistant", "text": " "}, TURNS[2]]}, "[1].text"),
    "unknown field": ({"messages": [{**TURNS[0], "name": "x"}]}, "messages[0].name"),
    "too many": ({"messages": TURNS[:2] * 11 + TURNS[2:]}, "length <= 21"),
    "too long together": (
        {"messages": [{**turn, "text": "x" * 12_000} for turn in TURNS]},
        "at most 32,768 characters together",
    ),
}


@pytest.mark.parametrize(("body", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_conversation_is_refused_with_the_place(call, events, body, says):
    """Each rule for a conversation has its own sentence, which says where it is broken."""
    status, answer = call(post(body))
    assert status == 400
    assert says in answer["error"]["message"]
    assert events.entries == []


def test_the_result_of_a_stage_that_this_release_lacks_is_shown():
    """A stage's result is shown also if the stage was removed since or is newer; no other field of a record is."""
    record = {"pipeline_id": "p", "weighing": {"grams": 5}, "owner": "x", "mood": "calm"}
    shown = public({**record, "stages": {"weighing": {}, "owner": {}}, "errors": {"signing": {}}})
    assert shown.keys() == {"pipeline_id", "weighing", "stages", "errors"}
    assert public(record).keys() == {"pipeline_id"}
