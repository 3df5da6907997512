"""The publisher kit: the unchanged examples run with only the publisher's policy, which allows nothing more."""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from contracts.examples import event_examples
from contracts.parties import PUBLISHERS, events, parties
from infra.toolchain import bundled_node
from local.tests.fakes import executable
from shared.contracts.schemas import event_schema
from tests.e2e.conftest import Deployment
from tests.e2e.support import complete

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]

ROOT = Path(__file__).resolve().parents[2]
KIT = ROOT / "examples" / "publish"
POLICY = "ai-pipeline-local-publisher-us-east-1"
AWKWARD = 'Is "this" a \'test\'?\n\\ $HOME `id` {"a": 1} \N{GRINNING FACE} é'


@pytest.fixture(scope="module")
def publisher(pipeline: Deployment) -> Iterator[Credentials]:
    """Create an IAM user with only the deployment's managed policy for publishers."""
    iam = pipeline.client("iam")
    name = f"publisher-{uuid.uuid4().hex[:8]}"
    (arn,) = [
        policy["Arn"]
        for policy in iam.list_policies(Scope="Local")["Policies"]
        if policy["PolicyName"] == POLICY
    ]
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn=arn)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    yield Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.detach_user_policy(UserName=name, PolicyArn=arn)
    iam.delete_user(UserName=name)


# --- the examples ------------------------------------------------------------------------------------------


AWS_CLI_STAND_IN = """
# Takes exactly the call of the example, and makes it with botocore, which checks its parameters as the CLI does.
import argparse, json, boto3
parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("service", choices=["events"])
parser.add_argument("operation", choices=["put-events"])
parser.add_argument("--entries", type=json.loads, required=True)
parser.add_argument("--output", choices=["json"], required=True)
answer = boto3.client("events").put_events(Entries=parser.parse_args().entries)
answer.pop("ResponseMetadata")
print(json.dumps(answer))
"""


def command(tool: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Return an example's command, and the folders to put in front of PATH."""
    if tool == "boto3":
        return [sys.executable, str(KIT / "python_boto3.py")], {}
    if tool == "node":
        node = bundled_node()
        assert node is not None
        return [str(node), str(KIT / "node_sdk.mjs")], {}
    if tool == "aws stand-in":
        executable(folder / "aws", AWS_CLI_STAND_IN)
        return [str(KIT / "aws_cli.sh")], {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    if not shutil.which("aws"):
        pytest.skip("the AWS CLI is not installed here; its stand-in takes the same call")
    return [str(KIT / "aws_cli.sh")], {}


@pytest.fixture(params=["aws", "aws stand-in", "boto3", "node"])
def example(request: Any, pipeline: Deployment, publisher: Credentials, tmp_path: Path):
    """Run an example with the publisher's credentials, as a user of this engine would."""
    words, path = command(request.param, tmp_path)
    connection = pipeline.connection
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYENV_ROOT") if name in os.environ},
        **path,
        "AWS_ACCESS_KEY_ID": publisher.access_key,
        "AWS_SECRET_ACCESS_KEY": publisher.secret_key,
        "AWS_REGION": connection.region,
        "AWS_DEFAULT_REGION": connection.region,
        "AWS_ENDPOINT_URL": connection.endpoint_url,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONUTF8": "1",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*words, *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    return run


def test_an_example_asks_and_is_answered(pipeline: Deployment, example):
    """An example prints the run's id, and its message arrives unchanged."""
    done = example(pipeline.addresses["bus/name"], AWKWARD)
    assert done.returncode == 0, done.stderr
    record = pipeline.finished(done.stdout.strip())
    assert complete(record)
    assert record["user_message"] == AWKWARD


def test_an_example_repeated_with_its_own_id_is_one_run(pipeline: Deployment, example):
    """An example that is repeated with the same pipeline id starts one run."""
    name = f"kit-{uuid.uuid4().hex}"
    for _ in range(2):
        done = example(pipeline.addresses["bus/name"], "Once, please", name)
        assert (done.returncode, done.stdout.strip()) == (0, name), done.stderr
    assert complete(pipeline.finished(name))
    machine = pipeline.addresses["state-machine/arn"]
    runs = pipeline.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    assert [run["name"] for run in runs].count(name) == 1


def test_an_example_says_when_nothing_was_published(example):
    """When the bus refuses the publisher, an example ends with an error and prints no id."""
    done = example("another-bus", "Hello?")
    assert done.returncode != 0
    assert "AccessDenied" in done.stderr
    assert done.stdout.strip() == ""


# --- the policy --------------------------------------------------------------------------------------------


MAY = [kind for kind in events() if PUBLISHERS in parties(kind.detail_type()).publishers]
MAY_NOT = [kind for kind in events() if kind not in MAY]


def entry(pipeline: Deployment, detail_type: str, detail: Any, **changed: str) -> dict[str, str]:
    return {
        "EventBusName": pipeline.addresses["bus/name"],
        "Source": "ai.pipeline",
        "DetailType": detail_type,
        "Detail": json.dumps(detail),
        **changed,
    }


def refused(pipeline: Deployment, publisher: Credentials, *entries: dict[str, str]) -> bool:
    """Tell whether IAM refuses the whole call."""
    with pytest.raises(ClientError) as caught:
        pipeline.client("events", publisher).put_events(Entries=list(entries))
    return bool(caught.value.response["Error"]["Code"] == "AccessDeniedException")


@pytest.mark.parametrize("kind", MAY, ids=lambda kind: kind.detail_type())
def test_a_publisher_may_ask(pipeline: Deployment, publisher: Credentials, kind):
    """The managed policy allows every version of pipeline.requested, and the documented example runs."""
    assert kind.NAME == "pipeline.requested"
    detail = event_examples(event_schema(kind))[0]
    answer = pipeline.client("events", publisher).put_events(
        Entries=[entry(pipeline, kind.detail_type(), detail)]
    )
    assert complete(pipeline.finished(answer["Entries"][0]["EventId"]))


@pytest.mark.parametrize("kind", MAY_NOT, ids=lambda kind: kind.detail_type())
def test_a_publisher_can_forge_nothing(pipeline: Deployment, publisher: Credentials, kind):
    """A forged stage request, outcome or rejection is refused by IAM."""
    for detail in event_examples(event_schema(kind)):
        assert refused(pipeline, publisher, entry(pipeline, kind.detail_type(), detail))


def test_a_forgery_does_not_slip_through_among_requests(pipeline: Deployment, publisher: Credentials):
    """When one of several entries is forged, none of them is published."""
    name = f"bait-{uuid.uuid4().hex}"
    asks = entry(
        pipeline,
        "pipeline.requested.v1",
        {"metadata": {"pipeline_id": name}, "data": {"user_message": "x"}},
    )
    forged = entry(pipeline, "analysis.requested.v1", {"data": {}})
    assert refused(pipeline, publisher, asks, forged)
    assert refused(pipeline, publisher, forged, asks)
    assert pipeline.record(name) == {}
    assert pipeline.parked("analyzer") == []


def test_a_publisher_is_bound_to_source_and_bus(pipeline: Deployment, publisher: Credentials):
    """A publisher can use no other source, no other bus, and no request without a source."""
    detail = {"data": {"user_message": "x"}}
    for changed in ({"Source": "someone.else"}, {"EventBusName": "default"}):
        assert refused(pipeline, publisher, entry(pipeline, "pipeline.requested.v1", detail, **changed))
    nameless = entry(pipeline, "pipeline.requested.v1", detail)
    del nameless["Source"]
    assert refused(pipeline, publisher, nameless)


def test_a_publisher_has_no_other_way_to_a_stage(pipeline: Deployment, publisher: Credentials):
    """A publisher has no access to queues, state machine, functions and records."""
    calls = (
        ("sqs", "send_message", {"QueueUrl": pipeline.addresses["services/analyzer/queue-url"], "MessageBody": "{}"}),
        ("stepfunctions", "start_execution", {"stateMachineArn": pipeline.addresses["state-machine/arn"]}),
        ("lambda", "invoke", {"FunctionName": "ai-pipeline-local-analyzer"}),
        ("dynamodb", "scan", {"TableName": pipeline.addresses["table/name"]}),
    )  # fmt: skip
    for service, operation, parameters in calls:
        with pytest.raises(ClientError, match=r"AccessDenied|not authorized"):
            getattr(pipeline.client(service, publisher), operation)(**parameters)


# --- the documents -----------------------------------------------------------------------------------------


def test_a_real_record_is_as_the_openapi_document_says(pipeline: Deployment):
    """POST, GET and a refusal of the deployed API have the documented shapes."""
    document = json.loads((ROOT / "docs/openapi.json").read_text("utf-8"))

    def check(body: Any, method: str, path: str, status: int) -> None:
        response = document["paths"][path][method]["responses"][str(status)]
        schema = response["content"]["application/json"]["schema"]
        jsonschema.validate(body, {**schema, "components": document["components"]})

    accepted = pipeline.call("POST", "/pipeline", {"user_message": "Are you as you are described?"})
    check(accepted.body, "post", "/pipeline", accepted.status)
    pipeline.finished(accepted.body["pipeline_id"])
    shown = pipeline.call("GET", f"/pipeline/{accepted.body['pipeline_id']}")
    check(shown.body, "get", "/pipeline/{pipeline_id}", shown.status)
    for refusal in (
        pipeline.call("POST", "/pipeline", {"user_message": 5}),
        pipeline.call("POST", "/pipeline", "x", {"Content-Type": "text/plain"}),
        pipeline.call("POST", "/pipeline", {"user_message": "x"}, signed_by=False),
    ):
        check(refusal.body, "post", "/pipeline", refusal.status)
