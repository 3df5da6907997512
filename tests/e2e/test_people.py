"""The API on the engine: waiting for results, listing one's own pipelines, cancelling, and arbitrary clients."""

import json
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings

from tests.e2e.conftest import Deployment, eventually
from tests.e2e.support import complete, empty

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

DOCUMENT = json.loads((Path(__file__).resolve().parents[2] / "docs/openapi.json").read_text("utf-8"))
MAY_CALL = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
OPERATIONS = [f"{method.upper()} {path}" for path, item in DOCUMENT["paths"].items() for method in item]
CLIENTS, EACH = 8, 6

MakeUser = Callable[..., Credentials]


# --- waiting ---------------------------------------------------------------------------------------------


def test_clients_that_wait_get_their_results(pipeline: Deployment):
    """Of many clients with `Prefer: wait`, each gets 200 with its own answer, or 202 and the answer later."""

    def ask(number: int) -> tuple[str, Any]:
        text = f"waiting {number} {uuid.uuid4().hex}"
        return text, pipeline.call("POST", "/pipeline", {"user_message": text}, {"Prefer": "wait=20"})

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(ask, range(CLIENTS * EACH)))
    for text, answer in answers:
        assert answer.status in (200, 202)
        assert answer.headers["Preference-Applied"] == "wait=20"
        record = answer.body if answer.status == 200 else pipeline.finished(answer.body["pipeline_id"])
        assert complete(record)
        assert record["user_message"] == text
    assert any(answer.status == 200 for _, answer in answers)
    items = pipeline.client("dynamodb").scan(TableName="ai-pipeline-local-state")["Items"]
    windows = [item for item in items if item["id"]["S"].startswith("waiting#")]
    assert windows
    assert {item["waiting"]["N"] for item in windows} == {"0"}


def test_without_the_table_nobody_waits_and_nothing_is_lost(pipeline: Deployment):
    """An API that may not use its state accepts a request, and answers at once without `Preference-Applied`."""
    with pipeline.denied("api", "dynamodb:UpdateItem"):
        answer = pipeline.call("POST", "/pipeline", {"user_message": "no place"}, {"Prefer": "wait=20"})
    assert answer.status == 202
    assert "Preference-Applied" not in answer.headers
    assert complete(pipeline.finished(answer.body["pipeline_id"]))


def test_who_does_not_wait_long_enough_gets_202(pipeline: Deployment):
    """A caller whose wait ends before the run gets 202 with the run's address, where GET can wait as well."""
    with pipeline.stopped("analyzer"):
        answer = pipeline.call("POST", "/pipeline", {"user_message": "slow"}, {"Prefer": "wait=1"})
        assert (answer.status, answer.body["status"]) == (202, "ACCEPTED")
    shown = pipeline.call("GET", f"/pipeline/{answer.body['pipeline_id']}", headers={"Prefer": "wait=20"})
    assert shown.status == 200
    assert complete(pipeline.finished(answer.body["pipeline_id"]))


# --- listing ---------------------------------------------------------------------------------------------


def test_a_caller_lists_its_own(pipeline: Deployment, user: MakeUser):
    """A caller lists only its own pipelines, in pages, newest first, filtered by status."""
    alice, bob = user(MAY_CALL), user(MAY_CALL)
    ids = [
        pipeline.call("POST", "/pipeline", {"user_message": f"mine {number}"}, signed_by=alice).body[
            "pipeline_id"
        ]
        for number in range(5)
    ]
    other = pipeline.call("POST", "/pipeline", {"user_message": "not yours"}, signed_by=bob).body[
        "pipeline_id"
    ]
    for pipeline_id in (*ids, other):
        assert complete(pipeline.finished(pipeline_id))

    def pages(parameters: str, who: Credentials) -> list[dict[str, Any]]:
        items, more = [], ""
        for _ in range(20):
            answer = pipeline.call("GET", f"/pipelines?{parameters}{more}", signed_by=who)
            assert answer.status == 200, answer.body
            items += answer.body["pipelines"]
            if "next" not in answer.body:
                return items
            more = f"&next={answer.body['next']}"
        raise AssertionError("the list has no end")

    listed = eventually(
        lambda: (items := pages("limit=2&status=SUCCEEDED", alice)) and len(items) == 5 and items
    )
    assert sorted(item["pipeline_id"] for item in listed) == sorted(ids)
    assert [item["accepted_at"] for item in listed] == sorted(
        (item["accepted_at"] for item in listed), reverse=True
    )
    assert [item["pipeline_id"] for item in pages("", bob)] == [other]
    assert pages("status=FAILED", alice) == []
    assert pages("since=2999-01-01", alice) == []
    refused = pipeline.call("GET", "/pipelines?status=DONE", signed_by=alice)
    assert (refused.status, refused.body["error"]["code"]) == (400, "invalid_parameter")
    assert pipeline.call("GET", "/pipelines", signed_by=user()).status == 403


def test_nobody_reads_what_is_another_s(pipeline: Deployment, user: MakeUser):
    """Another caller's pipeline is refused with 403; one that was published may be read by every caller."""
    alice, bob = user(MAY_CALL), user(MAY_CALL)
    accepted = pipeline.call("POST", "/pipeline", {"user_message": "mine"}, signed_by=alice)
    mine = f"/pipeline/{accepted.body['pipeline_id']}"
    assert pipeline.call("GET", mine, signed_by=alice).body["user_message"] == "mine"
    refused = pipeline.call("GET", mine, headers={"Prefer": "wait=20"}, signed_by=bob)
    assert (refused.status, refused.body["error"]["code"]) == (403, "not_owner")
    (published,) = pipeline.publish({"data": {"user_message": "anybody's"}})
    assert complete(pipeline.finished(published))
    assert pipeline.call("GET", f"/pipeline/{published}", signed_by=bob).status == 200


def test_a_key_names_one_pipeline(pipeline: Deployment):
    """A request that is repeated with its key gets the same pipeline, whose id depends on a stored secret."""
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first, again = (pipeline.call("POST", "/pipeline", {"user_message": "once"}, key) for _ in range(2))
    assert first.body["pipeline_id"] == again.body["pipeline_id"]
    item = pipeline.client("dynamodb").get_item(
        TableName="ai-pipeline-local-state", Key={"id": {"S": "secret#idempotency"}}
    )["Item"]
    assert len(bytes.fromhex(item["value"]["S"])) == 32
    assert complete(pipeline.finished(first.body["pipeline_id"]))


# --- cancelling ------------------------------------------------------------------------------------------


def cancelled(record: dict[str, Any]) -> bool:
    return (record["status"], record["error"]) == ("FAILED", "Pipeline.Cancelled")


def test_a_running_pipeline_is_cancelled_between_stages(pipeline: Deployment):
    """A run that is cancelled while its chat request waits stays cancelled, no stage follows, and nothing is parked.

    On AWS the task is settled by then, and the worker, which asks first, does not call the model (a test of the
    worker shows this). The engine keeps the task tokens of a stopped execution alive: here the model is asked, and
    its answer is discarded.
    """
    text = f"cancel me {uuid.uuid4().hex}"
    with pipeline.stopped("chatbot") as queue:
        pipeline_id = pipeline.call("POST", "/pipeline", {"user_message": text}).body["pipeline_id"]

        def waits() -> bool:
            answer = pipeline.client("sqs").get_queue_attributes(
                QueueUrl=queue, AttributeNames=["ApproximateNumberOfMessages"]
            )
            return bool(int(answer["Attributes"]["ApproximateNumberOfMessages"]))

        eventually(waits)
        answer = pipeline.call("DELETE", f"/pipeline/{pipeline_id}")
        assert (answer.status, answer.body["pipeline_id"]) == (202, pipeline_id)
        record = pipeline.finished(pipeline_id)
        assert cancelled(record)
        assert record["stage"] == "chat"
        assert record["cancel_requested_at"] <= record["finished_at"]
        again = pipeline.call("DELETE", f"/pipeline/{pipeline_id}")
        assert (again.status, again.body["error"]) == (200, "Pipeline.Cancelled")
    eventually(lambda: not waits())
    assert eventually(lambda: pipeline.asked(text)) == 1
    eventually(lambda: empty(pipeline, queue))  # then the callback has been sent
    assert cancelled(pipeline.record(pipeline_id))
    assert "enhancement" not in pipeline.record(pipeline_id)
    assert pipeline.parked("chatbot") == []


def test_what_has_not_begun_is_cancelled_when_it_begins(pipeline: Deployment):
    """A run that is cancelled before its start ends as FAILED when it is started, and the model is not asked."""
    text = f"never mind {uuid.uuid4().hex}"
    with pipeline.stopped("trigger"), pipeline.stopped("analyzer"):
        pipeline_id = pipeline.call("POST", "/pipeline", {"user_message": text}).body["pipeline_id"]
        answer = pipeline.call("DELETE", f"/pipeline/{pipeline_id}")
        assert (answer.status, answer.body["status"]) == (202, "ACCEPTED")
    assert cancelled(pipeline.finished(pipeline_id))
    assert pipeline.asked(text) == 0


def test_nobody_cancels_what_is_over_or_another_s(pipeline: Deployment, user: MakeUser):
    """Cancelling gets 409 for a finished pipeline, 403 for another caller's, and 404 for an unknown id."""
    pipeline_id = pipeline.call("POST", "/pipeline", {"user_message": "done"}).body["pipeline_id"]
    assert pipeline.call("DELETE", f"/pipeline/{pipeline_id}", signed_by=user(MAY_CALL)).status == 403
    assert complete(pipeline.finished(pipeline_id))
    answer = pipeline.call("DELETE", f"/pipeline/{pipeline_id}")
    assert (answer.status, answer.body["error"]["code"]) == (409, "already_over")
    assert pipeline.call("DELETE", "/pipeline/nowhere").status == 404


# --- any client ------------------------------------------------------------------------------------------


class Signed(requests.auth.AuthBase):
    """Signs each request when it is sent."""

    def __init__(self, pipeline: Deployment, who: Credentials | None = None) -> None:
        self._pipeline = pipeline
        self._who = who or pipeline.credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        headers = dict(request.headers.items())
        signed = AWSRequest(request.method, request.url, data=request.body, headers=headers)
        SigV4Auth(self._who, "execute-api", self._pipeline.connection.region).add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request


@cache
def documented() -> Mapping[str, Any]:
    """Return the document's operations by method and path. schemathesis takes seconds to import."""
    import schemathesis  # noqa: PLC0415

    results: Any = schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
    operations = [result.ok() for result in results]
    return {f"{operation.method.upper()} {operation.path}": operation for operation in operations}


def validate(case: Any, answer: requests.Response) -> None:
    """Raise an error if the answer to `case` is a 5xx or is not as documented."""
    from schemathesis import checks  # noqa: PLC0415

    promised = [
        checks.not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]
    case.validate_response(answer, checks=promised)


@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_no_client_gets_an_answer_outside_the_document(pipeline: Deployment, name: str, mode: str):
    """For any request, valid or not by the OpenAPI document, no answer is a 5xx and every answer is as documented."""
    from schemathesis import GenerationMode  # noqa: PLC0415

    signed = Signed(pipeline)
    session = requests.Session()
    seen: list[int] = []

    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(documented()[name].as_strategy(generation_mode=GenerationMode(mode)))
    def send(case: Any) -> None:
        answer = case.call(base_url=pipeline.addresses["api/url"], session=session, auth=signed, timeout=40)
        seen.append(answer.status_code)
        validate(case, answer)

    send()
    assert seen


class Client:
    """Calls the document's operations as one caller, and fails on an undocumented answer."""

    def __init__(self, pipeline: Deployment, who: Credentials) -> None:
        self._url = pipeline.addresses["api/url"]
        self._signed = Signed(pipeline, who)
        self._session = requests.Session()

    def call(self, operation: str, **parts: Any) -> tuple[int, Any]:
        case = documented()[operation].Case(**parts)
        answer = case.call(base_url=self._url, session=self._session, auth=self._signed, timeout=40)
        validate(case, answer)
        return answer.status_code, answer.json()

    def listed(self) -> set[str]:
        ids: set[str] = set()
        query: dict[str, Any] = {"limit": 10}
        for _ in range(100):
            status, page = self.call("GET /pipelines", query=query)
            assert status == 200
            ids |= {item["pipeline_id"] for item in page["pipelines"]}
            if "next" not in page:
                return ids
            query["next"] = page["next"]
        raise AssertionError("the list has no end")


def test_the_api_keeps_its_word_under_load(pipeline: Deployment, user: MakeUser):
    """Under load, all answers are as documented, and each run is answered, or cancelled only where requested."""
    who = user(MAY_CALL)

    def work(number: int) -> dict[str, bool]:
        """Start pipelines as one client. Return by pipeline whether its cancellation was accepted."""
        client, mine = Client(pipeline, who), {}
        for turn in range(EACH):
            body = {"user_message": f"load {number} {turn} {uuid.uuid4().hex}"}
            waits = {"Prefer": "wait=5"} if turn % 2 else {}
            status, accepted = client.call(
                "POST /pipeline", body=body, headers=waits, media_type="application/json"
            )
            assert status in (200, 202)
            path = {"pipeline_id": accepted["pipeline_id"]}
            mine[accepted["pipeline_id"]] = False
            if (number + turn) % 3 == 0:
                status, _ = client.call("DELETE /pipeline/{pipeline_id}", path_parameters=path)
                assert status in (200, 202, 409)
                mine[accepted["pipeline_id"]] = status != 409
            status, shown = client.call(
                "GET /pipeline/{pipeline_id}", path_parameters=path, headers={"Prefer": "wait=5"}
            )
            assert (status, shown["pipeline_id"]) == (200, accepted["pipeline_id"])
            assert client.call("GET /pipelines", query={"limit": 3})[0] == 200
        return mine

    with ThreadPoolExecutor(CLIENTS * 2) as pool:
        asked = {key: value for mine in pool.map(work, range(CLIENTS * 2)) for key, value in mine.items()}
    assert len(asked) == CLIENTS * 2 * EACH
    for pipeline_id, may_be_cancelled in asked.items():
        record = pipeline.finished(pipeline_id)
        assert complete(record) or (may_be_cancelled and cancelled(record)), record
    eventually(lambda: Client(pipeline, who).listed() == set(asked))
