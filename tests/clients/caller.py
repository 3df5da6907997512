"""Calls the API through the client that openapi-python-client generates, and prints what it got as JSON.

    caller.py MESSAGE_TO_CANCEL

The environment holds API_URL, AWS_REGION and the caller's credentials.
"""

import json
import os
import sys
import time
from collections.abc import Generator

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from pipeline_client import Client
from pipeline_client.api.default import cancel_pipeline, get_pipeline, list_pipelines, request_pipeline
from pipeline_client.models import (
    Accepted,
    PipelineRequested,
    PipelineRequested2,
    Record,
    RecordStatus,
    Refusal,
    Turn,
    TurnRole,
)
from pipeline_client.types import UNSET, Response, Unset

PATIENCE_SECONDS = 60


class Signed(httpx.Auth):
    """Signs each request with AWS Signature Version 4."""

    requires_request_body = True

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        credentials = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
        signed = AWSRequest(request.method, str(request.url), data=request.content)
        SigV4Auth(credentials, "execute-api", os.environ["AWS_REGION"]).add_auth(signed)
        request.headers.update(dict(signed.headers))
        yield request


client = Client(
    base_url=os.environ["API_URL"],
    timeout=httpx.Timeout(30),
    raise_on_unexpected_status=True,
    httpx_args={"auth": Signed(), "trust_env": False},
)


def accepted(answer: Accepted | Record | Refusal | None) -> str:
    assert isinstance(answer, Accepted), answer
    return answer.pipeline_id


def refused(answer: Response[Accepted | Record | Refusal] | Response[Record | Refusal]) -> list[object]:
    assert isinstance(answer.parsed, Refusal), answer
    return [int(answer.status_code), answer.parsed.error.code]


def finished(pipeline_id: str) -> Record:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        record = get_pipeline.sync(pipeline_id, client=client)
        assert isinstance(record, Record), record
        if record.status in (RecordStatus.SUCCEEDED, RecordStatus.FAILED):
            return record
        time.sleep(0.1)
    raise AssertionError(f"{pipeline_id} did not finish")


def pages(limit: int) -> list[list[str]]:
    found: list[list[str]] = []
    following: str | Unset = UNSET
    while True:
        page = list_pipelines.sync(client=client, limit=limit, next_=following)
        assert not isinstance(page, Refusal), page
        assert page is not None
        found.append([listed.pipeline_id for listed in page.pipelines])
        if not isinstance(page.next_, str):
            return found
        following = page.next_


message = PipelineRequested(user_message="What is a queue?")
conversation = PipelineRequested2(
    messages=[
        Turn(role=TurnRole.USER, text="What is a queue?"),
        Turn(role=TurnRole.ASSISTANT, text="A line."),
        Turn(role=TurnRole.USER, text="And a bus?"),
    ]
)
first = accepted(request_pipeline.sync(client=client, body=message, idempotency_key="order-1"))
repeated = accepted(request_pipeline.sync(client=client, body=message, idempotency_key="order-1"))
second = accepted(request_pipeline.sync(client=client, body=conversation))
answers = [finished(pipeline_id).final_response for pipeline_id in (first, second)]
waited = request_pipeline.sync(client=client, body=message, prefer="wait=20")
assert isinstance(waited, Record), waited
doomed = accepted(request_pipeline.sync(client=client, body=PipelineRequested(user_message=sys.argv[1])))
cancelled = accepted(cancel_pipeline.sync(doomed, client=client))
failed = finished(cancelled)
blank = request_pipeline.sync_detailed(client=client, body=PipelineRequested(user_message=" "))
json.dump(
    {
        "ids": [first, second, waited.pipeline_id, doomed],
        "repeated": repeated,
        "answers": answers,
        "waited": [waited.status, waited.final_response],
        "cancelled": [cancelled, failed.status, failed.error],
        "pages": pages(limit=3),
        "blank": refused(blank),
        "unknown": refused(get_pipeline.sync_detailed("nobody-has-this-id", client=client)),
        "too late": refused(cancel_pipeline.sync_detailed(first, client=client)),
    },
    sys.stdout,
)
