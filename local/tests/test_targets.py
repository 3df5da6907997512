import os
from datetime import UTC, datetime

import pytest

from local.connection import Connection
from local.engine import Engine, Running
from local.settings import Model
from local.targets import find_target, local_target
from operations.errors import InvalidInputError, NotDeployedError, UnreachableError
from operations.target import Target, aws_target
from operations.tests.world import client
from shared.contracts.stages import SERVICES


def test_a_deployment_is_read_with_every_address(target: Target):
    """A deployment's addresses can be read by their names."""
    addresses = target.addresses
    assert addresses.table_name == "PipelineLogs"
    assert addresses.services == tuple(sorted(SERVICES))
    assert addresses.dlq_url("analyzer").endswith("ai-pipeline-local-analyzer-dlq")
    assert addresses.execution_arn("p-1").endswith(":execution:ai-pipeline-local:p-1")


def test_nothing_deployed_says_what_to_run(nowhere: Target):
    """For an environment without a deployment, the error says which command makes one."""
    with pytest.raises(NotDeployedError, match="Run `pipeline up`"):
        _ = nowhere.addresses


def test_a_missing_part_is_named(target: Target):
    """If one stack is missing, the error names that part, and other addresses can be read."""
    client("ssm").delete_parameter(Name="/ai-pipeline/local/api/url")
    with pytest.raises(NotDeployedError, match="'trigger' is not deployed"):
        _ = target.addresses.api_url
    assert target.addresses.bus_name


def test_a_local_target_ignores_the_users_aws_settings(monkeypatch, tmp_path):
    """The shell's profile, config file and endpoint do not change where a local target leads."""
    config = tmp_path / "config"
    config.write_text("[profile real]\nregion = eu-west-1\nendpoint_url = https://real.example\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "real")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://other.example")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    target = local_target(Connection(endpoint_url="http://127.0.0.1:4566"))
    for service in ("sqs", "ssm", "dynamodb", "events", "stepfunctions"):
        assert target.client(service).meta.endpoint_url == "http://127.0.0.1:4566"
    assert target.credentials().access_key == "test"
    assert target.region == "us-east-1"


@pytest.mark.parametrize(
    "name",
    [
        "AWS_DEFAULTS_MODE", "AWS_STS_REGIONAL_ENDPOINTS", "AWS_REQUEST_CHECKSUM_CALCULATION",
        "AWS_RESPONSE_CHECKSUM_VALIDATION", "AWS_ACCOUNT_ID_ENDPOINT_MODE", "AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS",
        "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES", "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", "AWS_USE_FIPS_ENDPOINT",
        "AWS_USE_DUALSTACK_ENDPOINT", "AWS_CA_BUNDLE", "AWS_DATA_PATH", "AWS_ENDPOINT_URL_SQS", "AWS_SDK_UA_APP_ID",
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", ["true", "of another program's"])
def test_an_invalid_aws_setting_stops_no_local_client(monkeypatch, name, value):
    """A variable of the shell that botocore reads, whatever its value, neither stops nor redirects a client."""
    monkeypatch.setenv(name, value)
    target = local_target(Connection(endpoint_url="http://127.0.0.1:4566"))
    assert target.client("sqs").meta.endpoint_url == "http://127.0.0.1:4566"


def test_loopback_is_never_reached_through_a_proxy(monkeypatch):
    """The shell's proxy is not used for loopback addresses, but for all others."""
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    target = local_target(Connection(endpoint_url="http://127.0.0.1:4566"))
    assert target.proxies("http://127.0.0.1:4566/x") == {}
    assert target.proxies("https://api.example/x")["https"] == "http://proxy.example:3128"


def test_without_an_engine_there_is_no_local_target(tmp_path):
    """For `local` without a running engine, the error says how to start one."""
    with pytest.raises(UnreachableError, match="Start it"):
        find_target("local", engine=Engine(state=tmp_path))


def test_aws_says_account_and_region(aws):
    """An AWS target names its account and region."""
    known = aws_target("dev", region="eu-central-1").describe()
    assert (known.account, known.region, known.endpoint) == ("123456789012", "eu-central-1", None)
    assert known.is_aws


def test_an_endpoint_from_the_shell_shows(aws, monkeypatch):
    """A target made in a shell with AWS_ENDPOINT_URL shows that endpoint."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert aws_target("dev", region="us-east-1").endpoint == "http://127.0.0.1:9"


def test_an_unknown_profile_is_a_wrong_input(tmp_path, monkeypatch):
    """A profile that does not exist is refused as invalid input."""
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    with pytest.raises(InvalidInputError, match="nope"):
        aws_target("dev", region="us-east-1", profile="nope").describe()


def test_no_region_asks_for_one(monkeypatch):
    """Without a region, the error names the option --region."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION", raising=False)
    with pytest.raises(InvalidInputError, match="--region"):
        aws_target("dev").client("ssm")


def test_no_region_is_told_before_aws_is_asked(monkeypatch):
    """Describing a target without a region is refused, although STS would answer without one."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION", raising=False)
    with pytest.raises(InvalidInputError, match="--region"):
        aws_target("dev").describe()


@pytest.mark.parametrize(("option", "expected"), [(None, "eu-west-1"), ("eu-north-1", "eu-north-1")])
def test_the_region_is_found_as_the_aws_cli_finds_it(monkeypatch, option, expected):
    """--region takes precedence over `AWS_REGION`, and that over `AWS_DEFAULT_REGION`."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-2")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert aws_target("dev", region=option).region == expected


@pytest.mark.parametrize(
    ("model", "stand_in"),
    [
        (None, "canned answer"),
        (Model(url="http://127.0.0.1:1/v1", name="llama3.2"), "llama3.2"),
    ],
)
def test_a_target_on_the_engine_knows_what_answers_there(tmp_path, monkeypatch, model, stand_in):
    """A local target says what answers in the place of Bedrock's models; a target on AWS that they do themselves."""
    running = Running(
        instance="i",
        pid=1,
        started_at=datetime.now(UTC),
        port=1,
        checkout=tmp_path,
        state=tmp_path,
        model=model,
    )
    engine = Engine(state=tmp_path)
    engine.running = lambda **_: running  # type: ignore[method-assign]
    assert find_target("local", engine=engine).stand_in == stand_in
    assert aws_target("dev", region="us-east-1").stand_in is None
