"""Child processes reach the engine and no other AWS."""

import os

import botocore.session

from local.connection import Connection

ENGINE = Connection(endpoint_url="http://127.0.0.1:4566")
USER = {
    "PATH": "/usr/bin",
    "HOME": "/home/me",
    "AWS_PROFILE": "prod",
    "AWS_ACCESS_KEY_ID": "AKIAREAL",
    "AWS_SESSION_TOKEN": "secret",
    "AWS_ENDPOINT_URL_SQS": "https://elsewhere",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/token",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2",
    "CDK_DEFAULT_ACCOUNT": "123456789012",
    "HTTPS_PROXY": "http://proxy",
}


def test_leads_nowhere_else() -> None:
    """Every user variable that could lead to a real account is removed or replaced."""
    seen = ENGINE.environment(USER)
    theirs = {value for name, value in USER.items() if name.startswith(("AWS_", "CDK_"))}
    assert not theirs & set(seen.values())
    assert {name for name in seen if name.startswith(("AWS_", "CDK_"))} == {
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION",
        "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED",
    }  # fmt: skip
    assert seen["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert seen["NO_PROXY"] == seen["no_proxy"] == "127.0.0.1,localhost"
    kept = ENGINE.environment({"NO_PROXY": "intranet.example"})
    assert kept["NO_PROXY"] == "intranet.example,127.0.0.1,localhost"


def test_the_model_servers_key_stays_here() -> None:
    """The CDK CLI and what it starts do not get the model server's key."""
    seen = ENGINE.environment({"MODEL_KEY": "sk-1", "PIPELINE_MODEL_KEY": "sk-2", "PATH": "/usr/bin"})
    assert not {"sk-1", "sk-2"} & set(seen.values())


def test_boto3_takes_it(monkeypatch) -> None:
    """boto3 reaches the engine through these variables."""
    for name, value in ENGINE.variables().items():
        monkeypatch.setenv(name, value)
    client = botocore.session.Session().create_client("sqs")
    assert (client.meta.endpoint_url, client.meta.region_name) == ("http://127.0.0.1:4566", "us-east-1")
