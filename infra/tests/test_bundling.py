"""A bundle holds only what its function needs, as its packages publish it, and is the same wherever it is made."""

import base64
import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointVariantError
from botocore.regions import EndpointResolver

from infra import bundling, byte_code, trust
from infra.bundling import BundlingError, bundles, site_directory
from infra.environments import AWS_ARM, Target, host
from infra.functions import FUNCTIONS, FunctionSpec

pytestmark = [pytest.mark.xdist_group("bundles"), pytest.mark.slow]

UNPACKED_MB = 9
"""Half of it is byte code."""
WITH_BOTO3 = {"chatbot"}
"""Functions whose bundle contains boto3, because Powertools' idempotency imports it."""
each_function = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)


@pytest.fixture(scope="session")
def packed() -> dict[str, Path]:
    return bundles(host())


def files(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def run_alone(program: str, **variables: str) -> None:
    """Run a program that sees no installed package; it must end without a word."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program],
        capture_output=True,
        text=True,
        env={"AWS_DEFAULT_REGION": "us-east-1", "PATH": os.environ["PATH"], **variables},
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0


@each_function
def test_a_handler_imports_from_its_bundle_alone(packed, function):
    """A handler can be imported, and its clients made, with only the bundle and the standard library."""
    program = (
        f"import sys; sys.path.insert(0, {str(packed[function.name])!r})\n"
        f"import {function.module} as module, shared.aws as aws\n"
        "assert callable(module.handler)\n"
        f"for name in {function.aws!r}: aws.client(name)\n"
    )
    run_alone(program)


@each_function
def test_an_initialised_function_collects_its_messages_garbage_only(packed, function):
    """After Lambda's init, clients exist, the objects made so far are frozen, and garbage collection is on."""
    program = (
        f"import sys; sys.path.insert(0, {str(packed[function.name])!r})\n"
        f"import gc, {function.module}, shared.aws as aws\n"
        "assert gc.isenabled() and gc.get_freeze_count() > 10_000 and aws.client.cache_info().currsize > 0\n"
    )
    names = (
        "TABLE_NAME",
        "BUS_NAME",
        "STATE_TABLE",
        "DLQ_URL",
        "STATE_MACHINE_ARN",
        "ANSWERS_TABLE",
        "BUDGET_TABLE",
        "OPERATIONS_TABLE",
        "MAPPING_ID",
    )
    run_alone(
        program,
        AWS_LAMBDA_INITIALIZATION_TYPE="on-demand",
        POWERTOOLS_SERVICE_NAME="test",
        USD_PER_DAY="1",
        **dict.fromkeys(names, "value"),
    )


@each_function
def test_a_bundle_holds_no_ballast(packed, function):
    """A bundle has Amazon's root certificates; it has no tests, caches, other services, or data it never uses."""
    names = files(packed[function.name])
    project = [path for path in names if path.parts[0] in {"shared", "services"}]
    made_here = {Path(bundling.ENDPOINTS), Path(trust.FILE)}
    assert {path.suffix for path in project if path not in made_here} == {".py", ".pyc"}
    assert not {"tests", "evaluation"} & {part for path in names for part in path.parts[:-1]}
    services = {path.parts[1] for path in project if path.parts[0] == "services"}
    assert services == {"__init__.py", "__pycache__", function.service}
    assert Path(trust.FILE) in names
    data = {path.parts[2] for path in names if path.parts[:2] == ("botocore", "data") and len(path.parts) > 3}
    assert data == set(function.aws)
    boto3 = set() if function.name in WITH_BOTO3 else {"boto3", "s3transfer"}
    assert not {path.parts[0] for path in names} & {*boto3, "infra", "local", "cli"}
    assert not any(path.parts[:2] == ("boto3", "data") for path in names)


@each_function
def test_a_bundle_is_small(packed, function):
    """An unpacked bundle, which each cold start loads, is smaller than its budget."""
    folder = packed[function.name]
    size = sum((folder / path).stat().st_size for path in files(folder))
    assert size < UNPACKED_MB * 1_000_000


@each_function
def test_third_party_files_are_those_of_their_wheels(packed, function):
    """Every third-party file of a bundle, except byte code, has the hash that its wheel lists for it."""
    wheels: dict[str, str] = {}
    for record in site_directory(host()).glob("*.dist-info/RECORD"):
        wheels |= {name: recorded for name, recorded, _ in csv.reader(record.read_text().splitlines())}
    folder = packed[function.name]
    third_party = [
        path
        for path in files(folder)
        if path.parts[0] not in {"shared", "services", trust.FILE} and path.suffix != ".pyc"
    ]
    assert len(third_party) > 100
    for path in third_party:
        digest = base64.urlsafe_b64encode(hashlib.sha256((folder / path).read_bytes()).digest())
        assert wheels[str(path)] == f"sha256={digest.decode().rstrip('=')}", path


@each_function
def test_a_bundle_knows_the_endpoints_of_all_regions(packed, function):
    """The bundle's map of endpoints gives the same addresses as botocore's, for each called service and region."""
    whole = json.loads((site_directory(host()) / "botocore" / "data" / "endpoints.json").read_text())
    cut = json.loads((packed[function.name] / bundling.ENDPOINTS).read_text())
    regions = [name for partition in whole["partitions"] for name in partition["regions"]]
    ours, theirs = EndpointResolver(cut), EndpointResolver(whole)
    for service in function.aws:
        name = bundling._ENDPOINT_PREFIXES.get(service, service)
        for region in regions:
            for options in ({}, {"use_fips_endpoint": True}, {"use_dualstack_endpoint": True}):
                expected = resolved(theirs, name, region, options)
                assert resolved(ours, name, region, options) == expected, (name, region, options)


def resolved(resolver: EndpointResolver, service: str, region: str, options: dict[str, bool]) -> Any:
    """Return the endpoint, or the error of a region that has none of this kind."""
    try:
        return resolver.construct_endpoint(service, region, **options)
    except EndpointVariantError as error:
        return str(error)


def test_a_bundle_depends_on_its_sources_alone(packed, tmp_path, monkeypatch):
    """A bundle made again elsewhere is identical, so that an unchanged function is not deployed again."""
    site = site_directory(host())
    monkeypatch.setattr(bundling, "site_directory", lambda _: site)
    monkeypatch.setattr(bundling, "WORK", tmp_path)
    monkeypatch.setattr(byte_code, "CACHE", tmp_path / "byte-code")
    function = FUNCTIONS[0]
    again = bundles(host(), [function])[function.name]

    def digest(folder: Path) -> str:
        content = hashlib.sha256()
        for path in files(folder):
            content.update(str(path).encode() + (folder / path).read_bytes())
        return content.hexdigest()

    assert again != packed[function.name]
    assert digest(again) == digest(packed[function.name])


def test_an_unchanged_bundle_is_not_made_again(packed, monkeypatch):
    """A second synth uses the existing bundles without following any import."""
    monkeypatch.setattr("infra.reachable.reachable", lambda *_: pytest.fail("imports were followed again"))
    assert bundles(host()) == packed


def test_aws_gets_wheels_for_its_own_machines():
    """The compiled package in a bundle for AWS is built for Lambda's Python on arm64 Linux."""
    site = bundling.WORK / "site"
    if not any(site.glob(f"{AWS_ARM.name}-*")):
        pytest.skip("the packages for AWS are not downloaded yet; `make check` does that")
    names = [path.name for path in bundles(AWS_ARM)["analyzer"].glob("msgspec/*.so")]
    assert names == ["_core.cpython-314-aarch64-linux-gnu.so"]


def test_a_missing_network_is_explained(monkeypatch, tmp_path):
    """Bundling for the first time without a network explains what it needs, and leaves no partial files."""
    monkeypatch.setattr(bundling, "WORK", tmp_path)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    nowhere = Target(architecture="arm64", python_version="3.14", platform="aarch64-manylinux_2_28")
    with pytest.raises(BundlingError, match="needs the package index once"):
        site_directory(nowhere)
    assert list((tmp_path / "site").iterdir()) == []


def test_a_missing_handler_is_named(monkeypatch, tmp_path):
    """A missing handler stops the synth with its name, and leaves no partial files."""
    broken = FunctionSpec(name="x", service="trigger", module="services.trigger.nothing", aws=())
    site = site_directory(host())
    monkeypatch.setattr(bundling, "site_directory", lambda _: site)
    monkeypatch.setattr(bundling, "WORK", tmp_path)
    with pytest.raises(BundlingError, match=r"services\.trigger\.nothing does not exist"):
        bundles(host(), [broken])
    assert not (tmp_path / "bundles").exists()
