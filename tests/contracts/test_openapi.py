"""docs/openapi.json describes what the API accepts and answers, and is valid by an independent validator."""

import copy
import itertools
import json
import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from contracts.openapi import known_routes, openapi
from contracts.refusals import COMMON_REASONS, GATEWAY_CODES, GATEWAYS_ROUTE, REASONS
from infra.toolchain import use_bundled_node
from services.logger import core as logging
from services.trigger.api import core
from services.trigger.api.refusals import ApiError, Reason
from shared.contracts import v1
from shared.contracts.envelope import TRACEPARENT_PATTERN, Metadata
from shared.contracts.stages import LogRequested, Results
from shared.tests.samples import ANALYSIS, CHAT, ENHANCEMENT

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def document() -> Any:
    return json.loads((ROOT / "docs/openapi.json").read_text("utf-8"))


def operation(document: Any, method: str, path: str) -> Any:
    return document["paths"][path][method.lower()]


def validator(document: Any, schema: Any) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({**schema, "components": document["components"]})


def answered(document: Any, method: str, path: str, status: int) -> jsonschema.Draft202012Validator:
    content = operation(document, method, path)["responses"][str(status)]["content"]
    return validator(document, content["application/json"]["schema"])


def test_document_is_the_one_the_api_makes(document):
    """The committed document is the one that the generator writes."""
    assert document == openapi()


def test_document_is_valid_by_an_independent_validator(document):
    """openapi-spec-validator accepts the document, and refuses a broken copy."""
    from openapi_spec_validator import OpenAPIV31SpecValidator  # noqa: PLC0415 -- slow to import

    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    for path, wrong in (
        (("paths", "/pipeline", "post", "responses"), {"202": {}}),
        (("paths", "/pipeline/{pipeline_id}", "get", "parameters"), []),
        (("components", "schemas", "Refusal", "type"), "shape"),
    ):
        broken = copy.deepcopy(document)
        part = broken
        for name in path[:-1]:
            part = part[name]
        part[path[-1]] = wrong
        assert list(OpenAPIV31SpecValidator(broken).iter_errors())


def test_routes_are_those_of_the_function(document):
    """The document describes every route of the API's function, and no other."""
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == set(known_routes()) == set(REASONS)
    assert described == {
        ("POST", "/pipeline"),
        ("GET", "/pipeline/{pipeline_id}"),
        ("DELETE", "/pipeline/{pipeline_id}"),
        ("GET", "/pipelines"),
        ("GET", "/operator/pipeline/{pipeline_id}"),
        ("GET", "/approvals"),
        ("GET", "/approvals/{pipeline_id}"),
        ("POST", "/approvals/{pipeline_id}"),
    }


def test_every_refusal_of_the_api_is_described(document):
    """Each error code of the API is described with its text, under a route that can answer with it."""
    for route in known_routes():
        responses = operation(document, *route)["responses"]
        for reason in (*REASONS[route], *COMMON_REASONS):
            examples = responses[str(reason.status)]["content"]["application/json"]["examples"]
            assert examples[reason.code]["value"] == {
                "error": {"code": reason.code, "message": reason.example}
            }
    described = {*itertools.chain(*REASONS.values()), *COMMON_REASONS, GATEWAYS_ROUTE}
    assert described == set(Reason)


def test_every_answer_has_a_known_status_and_the_one_shape(document):
    """Each refusal has a known HTTP status, and its examples have the error shape with a sentence."""
    for method, path in known_routes():
        for status, response in operation(document, method, path)["responses"].items():
            HTTPStatus(int(status))
            for example in response["content"]["application/json"].get("examples", {}).values():
                answered(document, method, path, int(status)).validate(example["value"])
                assert example["value"]["error"]["message"].endswith(".")
        assert {str(status) for status in GATEWAY_CODES} <= set(
            operation(document, method, path)["responses"]
        )


def test_the_gateways_own_errors_have_the_one_shape(document):
    """Errors that API Gateway renders from its template have the error shape, too."""
    use_bundled_node()
    from infra.constructs import pipeline_api  # noqa: PLC0415 -- starts Node

    check = answered(document, "POST", "/pipeline", 400)
    check.validate(json.loads(pipeline_api._BAD_BODY))
    assert json.loads(pipeline_api._BAD_BODY)["error"]["code"] == Reason.INVALID_REQUEST.code
    text = pipeline_api._ERROR_BODY.replace("$context.error.responseType", "THROTTLED")
    text = text.replace("$context.error.messageString", '"Too Many Requests"')
    answered(document, "POST", "/pipeline", 429).validate(json.loads(text))


BODIES = {
    "good": ({"user_message": "Hi"}, True),
    "longest": ({"user_message": "x" * 32_768}, True),
    "too long": ({"user_message": "x" * 32_769}, False),
    "blank": ({"user_message": " \n"}, False),
    "number": ({"user_message": 5}, False),
    "missing": ({}, False),
    "stray": ({"user_message": "Hi", "model": "x"}, False),
    "array": ([], False),
}


@pytest.mark.parametrize(("body", "good"), BODIES.values(), ids=BODIES)
def test_the_request_schema_takes_what_the_api_takes(document, body, good):
    """The document's request schema accepts a body exactly if the API's function does."""
    content = operation(document, "POST", "/pipeline")["requestBody"]["content"]
    assert list(content) == ["application/json"]
    assert validator(document, content["application/json"]["schema"]).is_valid(body) is good
    event = {"headers": {"content-type": "application/json"}, "body": json.dumps(body)}
    if good:
        assert core.submission(core.read_request(event), str)
    else:
        with pytest.raises(ApiError):
            core.submission(core.read_request(event), str)


def test_headers_are_those_the_api_reads(document):
    """The headers' patterns are the function's, and the example key is a valid one."""
    _, key, trace = operation(document, "POST", "/pipeline")["parameters"]
    assert (key["name"], key["schema"]["pattern"]) == ("Idempotency-Key", core.IDEMPOTENCY_KEY.pattern)
    assert re.match(key["schema"]["pattern"], key["example"])
    assert (trace["name"], trace["schema"]["pattern"]) == ("traceparent", TRACEPARENT_PATTERN)


def test_every_public_field_of_a_record_is_described(document):
    """The record's schema has exactly the fields that the API shows."""
    assert set(document["components"]["schemas"]["Record"]["properties"]) == set(core.PUBLIC_FIELDS)


def test_records_are_as_described(document):
    """Complete, degraded and failed records of the logger satisfy the record's schema."""
    for fields in (whole(), whole(degraded=True), failed()):
        shown = json.loads(json.dumps(core.public({"pipeline_id": "p-1", "request_hash": "x", **fields})))
        answered(document, "GET", "/pipeline/{pipeline_id}", 200).validate(shown)
    first = {
        "pipeline_id": "p",
        "status": "ACCEPTED",
        "timestamp": "2026-11-23T09:30:00Z",
        "user_message": "?",
    }
    answered(document, "GET", "/pipeline/{pipeline_id}", 200).validate(
        {**first, "accepted_at": first["timestamp"]}
    )


def test_a_record_of_another_shape_is_refused(document):
    """The record's schema refuses a record of another shape."""
    good = json.loads(json.dumps(core.public({"pipeline_id": "p-1", **whole()})))
    check = answered(document, "GET", "/pipeline/{pipeline_id}", 200)
    assert check.is_valid(good)
    wrongs: list[dict[str, Any]] = [
        {"status": "DONE"},
        {"degraded": "log"},
        {"analysis": {}},
        {"execution_time_ms": -1},
    ]
    for wrong in wrongs:
        assert not check.is_valid({**good, **wrong})


METER = v1.Meter(queue_wait_ms=1, work_ms=2, attempt=0, receives=1)


def whole(*, degraded: bool = False) -> dict[str, Any]:
    """Return the logger's record of a successful run, with or without its analysis."""
    missing = v1.StageError(error="Pipeline.Transient")
    results = {
        "analysis": v1.Outcome() if degraded else v1.Outcome(data=ANALYSIS, meter=METER),
        "chat": v1.Outcome(data=CHAT, meter=METER),
        "enhancement": v1.Outcome(data=ENHANCEMENT, meter=METER),
    }
    request = LogRequested(
        user_message="Hi",
        accepted_at=NOW,
        started_at=NOW,
        results=msgspec.convert(msgspec.to_builtins(results), Results),
        errors={"analysis": missing} if degraded else {},
    )
    metadata = Metadata(
        event_id="e", pipeline_id="p-1", schema="log.requested", schema_version=1, occurred_at=NOW,
        correlation_id="p-1",
    )  # fmt: skip
    run = logging.completed(request, metadata, NOW + timedelta(seconds=2), METER)
    return {"status": "SUCCEEDED", **run.fields, **run.first}


def failed() -> dict[str, Any]:
    """Return the logger's record of a failed run."""
    began = int(NOW.timestamp() * 1000)
    change = {
        "executionArn": "arn:aws:states:us-east-1:1:execution:x:p-1", "name": "p-1", "status": "FAILED",
        "startDate": began, "stopDate": began + 5,
        "error": "Pipeline.Permanent", "cause": "no", "input": "{}",
    }  # fmt: skip
    run = logging.failure(msgspec.json.encode(change))
    fields, first = logging.failed_fields(run, logging.failed_stage(run.status, run.error))
    return {"status": "FAILED", **fields, **first}
