"""How MiniStack is told what to be, and how it tells who it is."""

import contextlib
import http.client
import json
import os
import urllib.request
from collections.abc import Mapping
from typing import Any

from local.connection import ACCESS_KEY_ID, ACCOUNT, HOST, REGION, SECRET_ACCESS_KEY
from local.settings import Model
from local.state import StateFolder

HEALTH_SECONDS = 2.0
MODEL_SECONDS = 120.0
"""Longer than the chatbot waits for an answer: it is the chatbot that gives up, as with Bedrock."""

SERVICES = (
    "apigateway", "bedrock-runtime", "cloudformation", "cloudwatch", "dynamodb", "ecr", "events", "iam", "kms",
    "lambda", "logs", "s3", "sns", "sqs", "ssm", "states", "sts",
)  # fmt: skip
"""Only what the app uses; `ecr`, `kms` and `s3` for the stack that `cdk bootstrap` makes."""


def environment(
    port: int, state: StateFolder, identity: Mapping[str, Any], model: Model | None
) -> dict[str, str]:
    """All that the engine, and every function it runs, gets to see: nothing of the user's environment.

    Functions inherit it, so it can hold no credentials, profile or proxy that leads anywhere else.
    """
    variables = {
        "PATH": os.defpath,
        "HOME": str(state.path),
        "TMPDIR": str(state.tmp),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AUTH": "true",  # signatures and IAM policies are checked
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": HOST,  # in queue URLs
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "MINISTACK_EDITION": json.dumps(identity),  # told in the health answer
        "SERVICES": ",".join(SERVICES),
        "IOT_MTLS_ENABLED": "0",  # no MQTT port
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{state.tmp}/no-docker",  # it must not touch the user's containers
        "S3_DATA_DIR": str(state.tmp / "s3"),
        "STATE_DIR": str(state.tmp / "state"),
    }
    if model:
        variables["MINISTACK_BEDROCK_PROXY_URL"] = model.base
        variables["MINISTACK_BEDROCK_PROXY_TIMEOUT_SECONDS"] = str(MODEL_SECONDS)
    return variables


def identity_on(port: int) -> dict[str, Any]:
    """What one of our engines on this port says of itself; empty for anything else."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, TypeError, KeyError):
        with opener.open(f"http://{HOST}:{port}/_ministack/health", timeout=HEALTH_SECONDS) as answer:
            told = json.loads(json.loads(answer.read())["edition"])
        if isinstance(told, dict) and {"instance", "checkout", "state"} <= told.keys():
            return told
    return {}
