"""The request model of the API in the engine's API Gateway.

The engine deploys the model but not the validator, so by default only the function checks requests. These tests add
the validator to the deployed method by hand, so that the model is checked first, as on AWS.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.conftest import Deployment, eventually
from tests.e2e.support import BAD_REQUESTS, complete

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

REFUSED = {name: case for name, case in BAD_REQUESTS.items() if name != "content type"}
"""The engine checks a body of any content type by the model for JSON; AWS leaves others to the function."""


@pytest.fixture(scope="module")
def checked(pipeline: Deployment) -> Iterator[Deployment]:
    """Yield the deployed API with a working validator."""
    gateway = pipeline.client("apigateway")
    api_id = pipeline.addresses["api/url"].split("/restapis/")[1].split("/")[0]
    (resource,) = [
        resource
        for resource in gateway.get_resources(restApiId=api_id)["items"]
        if resource["path"] == "/pipeline"
    ]
    validator = gateway.create_request_validator(
        restApiId=api_id, name="by hand", validateRequestBody=True, validateRequestParameters=True
    )
    where = {"restApiId": api_id, "resourceId": resource["id"], "httpMethod": "POST"}

    def put(value: str) -> None:
        operation = {"op": "replace", "path": "/requestValidatorId", "value": value}
        gateway.update_method(**where, patchOperations=[operation])

    assert gateway.get_method(**where)["requestModels"] == {"application/json": "PipelineRequest"}
    put(validator["id"])
    yield pipeline
    put("")


def test_a_good_body_passes_the_model(checked: Deployment):
    """The shortest, the longest and a Chinese message pass the model and run."""
    for message in ("?", "x" * 32_768, "\N{GRINNING FACE}" * 16_384, "你好,这是什么?"):
        answer = checked.call("POST", "/pipeline", {"user_message": message})
        assert answer.status == 202
        assert complete(checked.finished(answer.body["pipeline_id"]))


@pytest.mark.parametrize(("body", "headers", "status"), REFUSED.values(), ids=REFUSED)
def test_a_bad_body_is_refused_in_the_apis_own_shape(
    checked: Deployment, body: Any, headers: dict[str, str], status: int
):
    """API Gateway refuses a bad body with 400, a code, a sentence, and the headers that a browser needs."""
    answer = checked.call("POST", "/pipeline", body, headers)
    assert answer.status == 400
    assert answer.body["error"]["code"] == "invalid_request"
    assert "user_message" in answer.body["error"]["message"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_the_function_is_not_asked_about_a_bad_body(checked: Deployment):
    """A body that the model refuses does not invoke the function."""
    logs = checked.client("logs")

    def answered(status: int) -> int:
        events = logs.filter_log_events(logGroupName="/aws/lambda/ai-pipeline-local-api")["events"]
        return sum(f'"http_status":{status}' in event["message"] for event in events)

    accepted, refused = answered(202), answered(400)
    assert checked.call("POST", "/pipeline", {"user_message": 5}).status == 400
    assert checked.call("POST", "/pipeline", {"user_message": "And this?"}).status == 202
    assert eventually(lambda: answered(202) == accepted + 1)
    assert answered(400) == refused
