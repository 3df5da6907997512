"""Set-up of all tests: dummy credentials, and no network except loopback."""

import functools
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import pytest
from hypothesis import HealthCheck, settings
from moto import mock_aws
from moto.core.config import default_user_config
from pytest_socket import disable_socket, socket_allow_hosts

from shared.records import Records
from shared.tests.fakes import FakeEvents, create_records_table, create_state_table

DUMMY_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "TMPDIR": tempfile.gettempdir(),  # the shell may name a folder that does not exist, which Node would use
    "POWERTOOLS_SERVICE_NAME": "test",
    "POWERTOOLS_METRICS_NAMESPACE": "AIPipeline",
}
for name in list(os.environ):
    if name.startswith(("AWS_", "GIT_", "CDK_")) or name.lower().endswith("_proxy") or name == "PIPELINE_ENV":
        del os.environ[name]
os.environ.update(DUMMY_ENVIRONMENT)

# A process reads botocore's megabytes of JSON once, not for each session; boto3's default session serves all tests.
botocore.session.create_loader = functools.cache(botocore.loaders.create_loader)
default_user_config["core"]["reset_boto3_session"] = False

# Property-based tests use the same examples every time; PROPERTY_EXAMPLES=5000 searches for new ones. There is no
# deadline: a slow machine must not fail a test.
examples = int(os.environ.get("PROPERTY_EXAMPLES", "0"))
settings.register_profile(
    "project",
    max_examples=examples or 40,
    derandomize=not examples,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("project")

pytest_plugins = ["infra.tests.synthesised"]

UNIT_FOLDERS = ("shared", "services")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Write each test's group, or its file, into its id, where `--dist loadgroup` reads what runs in one process.

    pytest-xdist 3.8 writes the group into an attribute that pytest 9.2 no longer reads. The groups with the longest
    time limits begin first, so that no process ends with one of them alone.
    """
    if not config.getoption("loadgroup", default=False):
        return
    groups: dict[pytest.Item, str] = {}
    limits: dict[str, float] = {}
    for item in items:
        mark, limit = item.get_closest_marker("xdist_group"), item.get_closest_marker("timeout")
        group = mark.args[0] if mark else item.path.relative_to(config.rootpath).as_posix()
        groups[item] = group
        limits[group] = max(limits.get(group, 0.0), limit.args[0] if limit else 0.0)
        item._id = type(item._id).parse(f"{item.nodeid}@{group}")
        if not item.nodeid.endswith(f"@{group}"):
            raise RuntimeError("The id of a test can't be given its group, so groups would be spread.")
    items.sort(key=lambda item: -limits[groups[item]])


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Forbid network connections in tests of `shared` and `services`; allow only loopback in all other tests."""
    top = item.path.relative_to(item.config.rootpath).parts[0]
    if top in UNIT_FOLDERS:
        disable_socket(allow_unix_socket=True)
    else:
        socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)


@pytest.fixture
def events() -> FakeEvents:
    """Return a bus that keeps the published events."""
    return FakeEvents()


@pytest.fixture
def records() -> Iterator[Records]:
    """Yield an empty PipelineLogs table on moto's DynamoDB."""
    with mock_aws():
        client = boto3.client("dynamodb")
        create_records_table(client)
        yield Records(client, "PipelineLogs")


@pytest.fixture
def state_table() -> Iterator[Any]:
    """Yield the client of moto's DynamoDB, with an empty table of short-lived state."""
    with mock_aws():
        client = boto3.client("dynamodb")
        create_state_table(client)
        yield client
