"""How MiniStack is configured, and how a running engine identifies itself."""

import contextlib
import http.client
import json
import os
import urllib.request
from collections.abc import Mapping
from typing import Any

from local.connection import ACCESS_KEY_ID, ACCOUNT, HOST, NO_OTHER_CREDENTIALS, REGION, SECRET_ACCESS_KEY
from local.settings import Model
from local.state import StateFolder

HEALTH_SECONDS = 2.0
MODEL_SECONDS = 960.0
"""Longer than the chatbot waits for an answer, so that the chatbot gives up first, as with Bedrock."""

SERVICES = (
    "apigateway", "bedrock-runtime", "cloudformation", "cloudwatch", "dynamodb", "ecr", "events", "iam", "kms",
    "lambda", "logs", "s3", "sns", "sqs", "ssm", "states", "sts",
)  # fmt: skip
"""The AWS services that the app uses, and `ecr`, `kms` and `s3` for the stack that `cdk bootstrap` creates."""


def environment(
    port: int, state: StateFolder, identity: Mapping[str, Any], model: Model | None
) -> dict[str, str]:
    """Return the whole environment of the engine's process, without any variable of the user's.

    Functions inherit it, so it must hold no credentials, profile or proxy that could lead them to a real account, nor
    a model server's key.
    """
    variables = {
        "PATH": os.defpath,
        "HOME": str(state.path),
        "TMPDIR": str(state.tmp),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        **NO_OTHER_CREDENTIALS,
        "AUTH": "true",  # signatures and IAM policies are checked
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": HOST,  # in queue URLs
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "MINISTACK_EDITION": json.dumps(identity),  # part of the health answer
        "SERVICES": ",".join(SERVICES),
        "IOT_MTLS_ENABLED": "0",  # no MQTT port
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{state.tmp}/no-docker",  # the engine must not touch the user's containers
        "S3_DATA_DIR": str(state.tmp / "s3"),
        "STATE_DIR": str(state.tmp / "state"),
        "PIPELINE_ENGINE_STDIN": "1",  # the process reads its instructions there
    }
    if model:
        variables["MINISTACK_BEDROCK_PROXY_URL"] = model.base
        variables["MINISTACK_BEDROCK_PROXY_TIMEOUT_SECONDS"] = str(MODEL_SECONDS)
    return variables


def identity_on(port: int, seconds: float = HEALTH_SECONDS) -> dict[str, Any]:
    """Return the identity of our engine on this port; empty if another program or none answers there in time."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, TypeError, KeyError):
        with opener.open(f"http://{HOST}:{port}/_ministack/health", timeout=seconds) as answer:
            identity = json.loads(json.loads(answer.read())["edition"])
        if isinstance(identity, dict) and {"instance", "checkout", "state"} <= identity.keys():
            return identity
    return {}
