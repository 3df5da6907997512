"""The supported regions have every service that is deployed, and one account can hold an environment in several."""

import json
import re
from pathlib import Path

import botocore.session
import pytest

from infra import options
from infra.option_kinds import OptionError
from infra.options import load, load_deployed
from infra.regions import PARTITIONS, SUPPORTED, WITHOUT_SCHEMAS, partition_of

ROOT = Path(__file__).resolve().parents[2]
AWS_ENVIRONMENTS = ("dev", "staging", "prod")
SCHEMA_TYPES = {"AWS::EventSchemas::Registry", "AWS::EventSchemas::Schema"}
GLOBAL_NAMES = {
    "AWS::CloudFront::Function": "Name",
    "AWS::CloudWatch::Dashboard": "DashboardName",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::S3::Bucket": "BucketName",
}
"""Types of resources whose names are not regional, with the property that names them."""


@pytest.fixture
def everything(synthesised):
    """The templates of dev with all optional parts, in a region that has every service."""
    return synthesised("dev", budget_usd_per_day="5", alarm_email="a@example.com")


def types_of(templates):
    return {
        resource["Type"] for template in templates.values() for resource in template["Resources"].values()
    }


@pytest.mark.synth
@pytest.mark.xdist_group("synth")
def test_the_supported_regions_have_every_type_of_resource(everything):
    """Each region of a supported partition has all deployed types, but the schema registry where that lacks."""
    from cfnlint.helpers import REGIONS  # type: ignore[import-untyped]  # noqa: PLC0415 -- takes seconds
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]  # noqa: PLC0415

    session = botocore.session.Session()
    partitions = {region: session.get_partition_for_region(region) for region in REGIONS}
    assert all(partition_of(region) == partition for region, partition in partitions.items())
    expected = {region for region, partition in partitions.items() if partition in PARTITIONS}
    lacking = {
        region: types_of(everything) - set(PROVIDER_SCHEMA_MANAGER.get_resource_types(region))
        for region in expected
    }
    assert set(SUPPORTED) == expected
    assert {region: types for region, types in lacking.items() if types} == dict.fromkeys(
        WITHOUT_SCHEMAS, SCHEMA_TYPES
    )


@pytest.mark.synth
@pytest.mark.xdist_group("synth")
def test_no_template_names_a_partition(everything):
    """Templates name the partition by CloudFormation's pseudo parameter, so that they also fit GovCloud."""
    assert [name for name, template in everything.items() if "arn:aws" in json.dumps(template)] == []


@pytest.mark.parametrize("region", ["cn-north-1", "us-iso-east-1", "us-isof-south-1", "eusc-de-east-1"])
def test_a_region_of_another_partition_is_refused(region):
    """A partition that is not supported is refused, also for a chatbot function that needs no model there."""
    function = f"arn:{partition_of(region)}:lambda:{region}:111122223333:function:mine"
    with pytest.raises(OptionError, match=f"{region} lies in the partition {partition_of(region)}"):
        load("dev", {"chatbot_function_arn": function}, region=region)


@pytest.mark.parametrize(("region", "trusted"), [("eu-central-2", True), ("us-gov-west-1", False)])
def test_only_known_authorities_are_trusted_alone(region, trusted):
    """Functions trust Amazon's authorities alone only where AWS's endpoints are known to have their certificates."""
    given = {"model_id": "company.model-v1:0"}
    assert load("dev", given, region=region).trusts_amazon_only is trusted
    assert not load("local").trusts_amazon_only


@pytest.mark.synth
@pytest.mark.xdist_group("synth")
def test_a_region_without_a_registry_gets_none(synthesised):
    """Where EventBridge has no schema registry, the platform is deployed without one and needs no option."""
    (platform,) = synthesised("dev", only="platform", region="il-central-1").values()
    assert not types_of({"platform": platform}) & SCHEMA_TYPES


@pytest.mark.synth
@pytest.mark.xdist_group("synth")
def test_a_resource_that_a_region_lacks_fails_the_check(synthesised, tmp_path):
    """cfn-lint finds a schema registry in a template for a region that has none, and accepts it elsewhere."""
    from infra.check import lint  # noqa: PLC0415 -- starts Node

    (platform,) = synthesised("dev", only="platform").values()
    path = tmp_path / "platform.template.json"
    path.write_text(json.dumps(platform))
    assert lint({path: ["eu-west-1"]}) == []
    assert all("AWS::EventSchemas::" in finding for finding in lint({path: ["eu-west-1", "ca-west-1"]}))
    assert lint({path: ["ca-west-1"]})


@pytest.mark.parametrize("region", sorted(WITHOUT_SCHEMAS))
def test_asking_for_a_registry_where_there_is_none_is_refused(region):
    """The option is refused in a region without a schema registry, and may be stated as off."""
    with pytest.raises(OptionError, match=f"{region}.*Leave it out"):
        load("dev", {"schema_registry": "true"}, region=region)
    stated = {"schema_registry": "false", "model_id": "global.amazon.nova-2-lite-v1:0"}
    assert not load("dev", stated, region=region).schema_registry


def test_a_file_may_ask_for_a_registry_in_some_regions(tmp_path, monkeypatch):
    """A registry that the file asks for everywhere is refused only in the regions that have none."""
    monkeypatch.setattr(options, "FOLDER", tmp_path)
    (tmp_path / "dev.toml").write_text("schema_registry = true\n")
    assert load_deployed("dev", region="eu-west-1").schema_registry
    with pytest.raises(OptionError, match="ca-west-1"):
        load_deployed("dev", region="ca-west-1")
    (tmp_path / "dev.toml").write_text("[regions.ca-west-1]\nschema_registry = true\n")
    with pytest.raises(OptionError, match=r"environments/dev\.toml.*ca-west-1"):
        load_deployed("dev", region="eu-west-1")


@pytest.mark.synth
@pytest.mark.xdist_group("synth")
@pytest.mark.parametrize("name", [*AWS_ENVIRONMENTS, "local"])
def test_a_name_that_is_global_contains_the_region(synthesised, name):
    """The same environment fits into two regions of an account: each name that is global has the region in it."""
    named = [
        resource["Properties"][GLOBAL_NAMES[resource["Type"]]]
        for template in synthesised(name, monitoring="true", budget_usd_per_day="5").values()
        for resource in template["Resources"].values()
        if GLOBAL_NAMES.get(resource["Type"], "") in resource.get("Properties", {})
    ]
    assert len(named) >= 3  # two policies and the dashboard
    assert all({"Ref": "AWS::Region"} in name["Fn::Join"][1] for name in named)


def test_the_documentation_names_the_supported_regions():
    """The page on deploying lists exactly the supported regions, and those without a schema registry."""
    page = (ROOT / "environments" / "README.md").read_text()
    regions, without = re.findall(r"(?:^> .+\n)+", page, re.MULTILINE)
    assert re.findall(r"[a-z]{2}(?:-[a-z]+)+-\d", regions) == list(SUPPORTED)
    assert re.findall(r"[a-z]{2}-[a-z]+-\d", without) == sorted(WITHOUT_SCHEMAS)


@pytest.mark.synth
@pytest.mark.xdist_group("synth")
def test_each_region_is_linted_once_for_each_environment():
    """Every environment is checked for every supported region, in as few groups as its options allow."""
    from infra.check import region_groups  # noqa: PLC0415 -- starts Node

    for name in AWS_ENVIRONMENTS:
        groups = region_groups(name)
        assert sorted(region for _, regions in groups for region in regions) == sorted(SUPPORTED)
        assert {environment.schema_registry for environment, _ in groups} == {True, False}
    assert len(region_groups("local")) == 1


@pytest.mark.synth
@pytest.mark.xdist_group("synth")
def test_options_of_one_region_make_a_group_of_their_own(tmp_path, monkeypatch):
    """A region whose options change the templates is checked apart from the others."""
    from infra.check import region_groups  # noqa: PLC0415 -- starts Node

    monkeypatch.setattr(options, "FOLDER", tmp_path)
    (tmp_path / "dev.toml").write_text("[regions.eu-west-1]\nlog_retention_days = 90\n")
    assert [regions for _, regions in region_groups("dev") if "eu-west-1" in regions] == [["eu-west-1"]]
