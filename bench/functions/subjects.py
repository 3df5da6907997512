"""The subjects of the measurements: the six functions from their bundles, and the yardsticks, with their events."""

import itertools
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.functions.runtime import Function
from bench.functions.tls import SecureAws, answering
from bench.goals import BARE, COMPILED, CONVENTIONAL, YARDSTICKS
from bench.probing import DATA
from bench.shipped import compiled, installed, unpacked, zips
from infra.environments import Sizing
from infra.functions import API, FUNCTIONS, STARTER
from shared.contracts.record import accepted_event_id
from shared.contracts.stages import BY_SERVICE, STAGES
from shared.tests.fakes import sqs_record, stage_event

RUNTIME_CLIENT: Final = ("awslambdaric",)
"""What Lambda provides beside a function, with byte code."""
PACKAGES: Final = {
    BARE: ("boto3",),
    CONVENTIONAL: ("aws-lambda-powertools", "aws-xray-sdk", "boto3", "pydantic"),
}
_NUMBERS = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A handler, the folders it can import from, and `event(n)`, which makes a new event with n messages."""

    name: str
    handler: str
    folders: tuple[Path, ...]
    event: Callable[[int], Any]

    def start(
        self, aws: SecureAws, preexec: Callable[[], None] | None = None, memory_mb: int | None = None
    ) -> Function:
        """Start its process, with `memory_mb` if that is not the default size. It trusts what it trusts on AWS."""
        own = {
            "AWS_ENDPOINT_URL": aws.endpoint,
            "AWS_CA_BUNDLE": str(aws.botocores if self.name in YARDSTICKS else aws.amazons),
            **({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb)} if memory_mb else {}),
        }
        return Function(self.folders, self.handler, {**environment_of(self.name), **own}, preexec)


@contextmanager
def subjects(
    scratch: Path, yardsticks: Collection[str] = YARDSTICKS
) -> Iterator[tuple[dict[str, Subject], SecureAws]]:
    """Yield these yardsticks and all functions by name, and an AWS that answers at once.

    The functions run from the zip files of the synthesised app.
    """
    client = compiled(installed(scratch / "runtime-client", RUNTIME_CLIENT))
    packed = zips(scratch)
    with answering(scratch) as aws:
        all_subjects = [_yardstick(name, scratch, client) for name in yardsticks]
        for spec in FUNCTIONS:
            if spec.scheduled:  # nobody waits for it
                continue
            folder = unpacked(packed[spec.name], scratch / spec.name)
            all_subjects.append(
                Subject(
                    name=spec.name, handler=spec.handler, folders=(folder, client), event=events(spec.name)
                )
            )
        yield {subject.name: subject for subject in all_subjects}, aws


def events(name: str) -> Callable[[int], Any]:
    """Return the function that makes events for the Lambda function `name`."""
    if name == API.name:
        return lambda _: _request()
    return lambda count: {"Records": [_record(name) for _ in range(count)]}


def _record(name: str) -> dict[str, Any]:
    number = next(_NUMBERS)
    if name == STARTER.name:
        body = stage_event(
            "pipeline.requested.v1",
            {"user_message": f"What is queue {number}?"},
            token=None,
            **{**_ids(number), "event_id": accepted_event_id(f"pipeline-{number}")},
        )
    else:
        stage = BY_SERVICE.get(name, STAGES[0])
        data = json.loads(json.dumps(DATA[stage.service]))
        if "user_message" in data:
            data["user_message"] = f"What is queue {number}?"
        body = stage_event(stage.request.detail_type(), data, token=f"token-{number}", **_ids(number))
    body = {"version": "0", "id": f"id-{number}", "account": "000000000000", "time": "2026-11-22T10:00:00Z",
            "region": "us-east-1", "resources": [], **body}  # fmt: skip
    return sqs_record(body, sent_ms=int(time.time() * 1000))


def _ids(number: int) -> dict[str, Any]:
    return {"event_id": f"event-{number}", "pipeline_id": f"pipeline-{number}"}


def _request() -> dict[str, Any]:
    """Return the event that API Gateway sends for POST /pipeline."""
    return {
        "resource": "/pipeline",
        "path": "/pipeline",
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json", "Host": "api"},
        "queryStringParameters": None,
        "pathParameters": None,
        "requestContext": {
            "accountId": "000000000000",
            "stage": "v1",
            "path": "/v1/pipeline",
            "domainName": "api",
            "requestId": f"request-{next(_NUMBERS)}",
            "identity": {"userArn": "arn:aws:iam::000000000000:user/bench"},
        },
        "body": json.dumps({"user_message": f"What is queue {next(_NUMBERS)}?"}),
        "isBase64Encoded": False,
    }


def _yardstick(name: str, scratch: Path, client: Path) -> Subject:
    """Return a yardstick with its whole packages: without byte code, as the usual tools pack them, or with it."""
    plain = name.removesuffix(COMPILED)
    module = plain.partition(" ")[0]
    folder = scratch / f"yardstick-{name.replace(' ', '-')}"
    folder.mkdir()
    shutil.copy(Path(__file__).parent / "yardsticks" / f"{module}.py", folder)
    installed(folder, PACKAGES.get(plain, ()))
    if name != plain:
        compiled(folder)
    return Subject(name=name, handler=f"{module}.handler", folders=(folder, client), event=events(name))


def environment_of(name: str) -> dict[str, str]:
    """Return the environment variables of the function or yardstick `name`, without its AWS."""
    return {
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_FUNCTION_NAME": re.sub(r"\W+", "-", name),
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(Sizing().memory_mb),
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_XRAY_CONTEXT_MISSING": "IGNORE_ERROR",
        "DLQ_URL": "https://sqs.us-east-1.amazonaws.com/000000000000/dlq",
        "STATE_TABLE": "state",
        "BUS_NAME": "bus",
        "TABLE_NAME": "table",
        "ANSWERS_TABLE": "answers",
        "STATE_MACHINE_ARN": "arn:aws:states:us-east-1:000000000000:stateMachine:machine",
        "POWERTOOLS_SERVICE_NAME": name,
        "POWERTOOLS_METRICS_NAMESPACE": "AIPipeline",
        "POWERTOOLS_TRACE_DISABLED": "false",
        "TZ": os.environ.get("TZ", "UTC"),
    }
