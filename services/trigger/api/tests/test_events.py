"""Events in every legal shape that API Gateway gives them, and bodies that no client should have sent."""

import base64
import json

import pytest

from services.trigger.api.core import read_request
from services.trigger.api.listing import query
from services.trigger.api.refusals import ApiError
from services.trigger.api.routes import routes, status_url
from services.trigger.api.tests.support import answer, get, make_api, post

BODY = json.dumps({"user_message": "hi"})


class Executions:
    def stop_execution(self, **_: str) -> None:
        pass


@pytest.fixture
def table(records, events):
    return routes(make_api(records, events, Executions(), longest_wait=0))


def encoded(body: bytes) -> str:
    return base64.b64encode(body).decode()


def message(text: str) -> str:
    """Return a body with this JSON as the message."""
    return f'{{"user_message": {text}}}'


@pytest.mark.parametrize(
    "event",
    [
        {"headers": {"Content-Type": "application/json", "Idempotency-Key": None, "traceparent": None}},
        {"headers": {"CONTENT-TYPE": "Application/JSON; charset=UTF-8"}},
        {"body": "\ufeff" + BODY},
        {"body": encoded(BODY.encode()), "isBase64Encoded": True},
        {"body": encoded(b"\xef\xbb\xbf" + BODY.encode()), "isBase64Encoded": True},
        {"body": base64.encodebytes(BODY.encode() * 1).decode(), "isBase64Encoded": True},
        {"body": base64.encodebytes(message(f'"{"x" * 200}"').encode()).decode(), "isBase64Encoded": True},
        {"requestContext": None},
        {"multiValueHeaders": None, "queryStringParameters": None, "pathParameters": None},
    ],
)
def test_every_shape_of_an_event_is_read(table, event):
    """Null headers and parts, names in any case, a byte order mark and wrapped base64 are no reason to refuse."""
    assert answer(table, {**post(BODY), **event})[0] == 202


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (message("NaN"), "invalid_json"),
        (message("Infinity"), "invalid_json"),
        (message('"\\ud83d"'), "invalid_json"),
        (message('"\\uffff"'), "invalid_request"),
        (message('"a\\ufffe"'), "invalid_request"),
        (message('"\\u200b\\ufeff"'), "invalid_request"),
        (message('"\\u0000"'), "invalid_request"),
        (message('"\\u2060\\u200e \\n\\u00ad"'), "invalid_request"),
        (message("[" * 100_000 + "]" * 100_000), "invalid_json"),
        (message('"a", "z": ' + "[" * 100_000 + "]" * 100_000), "invalid_json"),
        (message('"a", "z": ' + "9" * 5_000), "invalid_request"),
        (message("1e999"), "invalid_request"),
        (message('"a", "\\ud83d": 1'), "invalid_json"),
        (message('"a", "user_message": {}'), "invalid_request"),
        ("null", "invalid_request"),
        ("[]", "invalid_request"),
        ("", "empty_body"),
        ("\ufeff", "empty_body"),
    ],
)
def test_a_body_that_would_fail_later_is_refused(table, body, code):
    """A body that is valid for some JSON parser only, or that no stage could use, is refused with 400."""
    status, refusal = answer(table, post(body))
    assert (status, refusal["error"]["code"]) == (400, code)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_another_encoding_is_refused(table, encoding):
    """A body in another encoding than UTF-8 is refused, not guessed."""
    event = post(encoded('{"user_message": "é"}'.encode(encoding)), isBase64Encoded=True)
    assert answer(table, event)[1]["error"]["code"] == "invalid_json"


@pytest.mark.parametrize("encoded", [False, True])
def test_a_body_that_is_no_text_is_refused(table, encoded):
    """A test event whose body is an object, not the text of one, is told that the body is no JSON."""
    event = {**post(BODY), "body": {"user_message": "hi"}, "isBase64Encoded": encoded}
    assert answer(table, event)[1]["error"]["code"] == "invalid_json"


@pytest.mark.parametrize("headers", [None, {}, {"Content-Type": None}])
def test_a_test_without_headers_is_told_what_it_lacks(table, headers):
    """The console's test event has null headers: it is answered, with the header that it lacks."""
    status, refusal = answer(table, {**post(BODY), "headers": headers, "multiValueHeaders": None})
    assert status == 415
    assert "Content-Type" in refusal["error"]["message"]


@pytest.mark.parametrize(
    ("values", "wait"),
    [
        (["wait=10", "respond-async"], 10),
        (["respond-async", "wait=10"], 10),
        (["respond-async", "return=minimal"], None),
        ([None, "wait=3"], 3),
    ],
)
def test_preferences_may_stand_in_several_lines(values, wait):
    """All lines of `Prefer` count, though the event's plain headers hold only the last."""
    event = {"headers": {"Prefer": values[-1]}, "multiValueHeaders": {"prefer": values}}
    assert read_request(event).wait == wait


@pytest.mark.parametrize(
    ("name", "values", "status"),
    [
        ("Idempotency-Key", ["key-1", "key-2"], 400),
        ("Idempotency-Key", ["key-1", "key-1"], 202),
        ("Content-Type", ["text/plain", "application/json"], 415),
        ("Content-Type", ["application/json", "application/json"], 202),
        ("traceparent", ["00-" + "1" * 32 + "-" + "2" * 16 + "-01", "x"], 202),
    ],
)
def test_different_values_of_a_header_that_has_one_are_refused(table, name, values, status):
    """Two different keys or content types are refused rather than one being chosen; equal ones count once."""
    event = {**post(BODY, {name: values[-1]}), "multiValueHeaders": {name: values}}
    assert answer(table, event)[0] == status
    event["multiValueHeaders"] = {name: values[:1], name.lower(): values[1:]}
    assert answer(table, event)[0] == status


@pytest.mark.parametrize(
    ("values", "status"), [(["1", "2"], 400), (["2", "2"], 200), (["2"], 200), (None, 200), ([], 200)]
)
def test_different_values_of_a_parameter_are_refused(table, values, status):
    """A query parameter that is given twice is refused unless its values are equal."""
    last = {"limit": values[-1]} if values else None
    event = {"httpMethod": "GET", "resource": "/pipelines", "queryStringParameters": last}
    assert answer(table, {**event, "multiValueQueryStringParameters": {"limit": values}})[0] == status


@pytest.mark.parametrize("form", ["/v1/pipeline/{}", "/v1/pipeline/{}/", "/base/pipeline/{}", "/pipeline/{}"])
@pytest.mark.parametrize("escaped", [False, True])
def test_the_url_of_a_pipeline_is_that_of_its_own_address(table, form, escaped):
    """The answer to a DELETE has the pipeline's URL, also for a path with a slash at its end or an escaped id."""
    pipeline_id = answer(table, post(BODY))[1]["pipeline_id"]
    name = f"%{ord(pipeline_id[0]):02x}{pipeline_id[1:]}" if escaped else pipeline_id
    event = get(pipeline_id)
    event |= {"httpMethod": "DELETE", "headers": {"Host": "h"}}
    event["requestContext"]["path"] = form.format(name)
    expected = "https://h" + form.format(pipeline_id).rstrip("/")
    assert answer(table, event)[1]["status_url"] == expected


def test_the_url_of_a_new_pipeline():
    """The URL of a new pipeline is below the address of the POST, whether that ends in a slash or not."""
    for path in ("/v1/pipeline", "/v1/pipeline/"):
        request = read_request({"headers": None, "requestContext": {"path": path, "domainName": "h"}})
        assert status_url(request, "p-1") == "https://h/v1/pipeline/p-1"


@pytest.mark.parametrize("pipeline_id", ["", "p\n", "é", "x" * 9_000, "\ud83d", "..", "a/b", None])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_id_that_no_pipeline_has_is_not_found(table, pipeline_id, method):
    """An id of another form is never used as a key; it is answered with 404."""
    for resource in ("/pipeline/{pipeline_id}", "/operator/pipeline/{pipeline_id}"):
        event = {**get(pipeline_id, resource=resource), "httpMethod": method}
        assert answer(table, event)[0] == 404


@pytest.mark.parametrize("key", ["", "k\n", "é", "a" * 256, "\ud83d", " k"])
def test_a_key_that_no_header_carries_is_refused(table, key):
    """An idempotency key of other characters, or none, is refused."""
    status, refusal = answer(table, post(BODY, {"Idempotency-Key": key}))
    assert (status, refusal["error"]["code"]) == (400, "invalid_idempotency_key")


@pytest.mark.parametrize(
    ("since", "sorted_as"),
    [
        ("2026-11-23T09:30:00 01:00", "2026-11-23T08:30:00.000Z"),
        ("2026-11-23T09:30:00+01:00", "2026-11-23T08:30:00.000Z"),
        ("2026-11-23T09:30:00", "2026-11-23T09:30:00.000Z"),
        ("2026-11-23 09:30", "2026-11-23T09:30:00.000Z"),
        ("20261123", "2026-11-23T00:00:00.000Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
    ],
)
def test_since_is_read_as_it_arrives(since, sorted_as):
    """A `+` that was not percent-encoded arrives as a blank, and is meant as a plus."""
    assert query({"since": since}).since == sorted_as


@pytest.mark.parametrize(
    "parameters",
    [
        {"since": "0001-01-01T00:00:00+14:00"},
        {"since": "9999-12-31T23:59:59-12:00"},
        {"since": "2016-12-31T23:59:60Z"},
        {"since": "9" * 5_000},
        {"since": "\ud83d"},
        {"limit": "9" * 5_000},
        {"limit": "٣"},
        {"limit": "²"},
        {"limit": "0"},
        {"limit": ""},
        {"next": "\ud83d"},
        {"next": "A" * 9_000},
        {"next": "é"},
        {"next": ""},
        {"status": ""},
        {"x{y}": "1"},
        {"\ud83d": "1"},
    ],
)
def test_a_parameter_that_would_fail_later_is_refused(parameters):
    """A parameter that has no use is refused with 400, whatever its text."""
    with pytest.raises(ApiError) as refusal:
        query(parameters)
    assert refusal.value.reason.status == 400


def test_other_methods_are_unknown(table):
    """A method without a route, such as HEAD, is answered with 404 and no failure."""
    assert answer(table, {"httpMethod": "HEAD", "resource": "/pipelines", "headers": {}})[0] == 404
