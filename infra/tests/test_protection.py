"""A first deployment that fails can be repeated: nothing is left in its way, and nothing is protected too early."""

import json

import pytest

from infra.environments import ENVIRONMENTS
from infra.names import Names
from infra.options import load
from infra.rules import resources

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]


def kept(templates):
    """Return the type of each resource that CloudFormation keeps in some case, with its policies."""
    return {
        (resource["Type"], resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        for template in templates.values()
        for resource in template["Resources"].values()
        if resource.get("DeletionPolicy", "Delete") != "Delete"
    }


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_a_failed_creation_leaves_nothing_in_the_way(synthesised, env):
    """A table is kept only once its creation succeeded, and what is always kept has no name to collide with."""
    templates = synthesised(env, monitoring="true", budget_usd_per_day="5")
    tables = {("AWS::DynamoDB::GlobalTable", "RetainExceptOnCreate", "Retain")}
    # Other APIs of the account and region write their logs with the role that this API's deployment set.
    account_role = {("AWS::ApiGateway::Account", "Retain", "Retain"), ("AWS::IAM::Role", "Retain", "Retain")}
    assert kept(templates) == {
        *(tables if ENVIRONMENTS[env].keep_data else ()),
        *(account_role if ENVIRONMENTS[env].api_account_role else ()),
    }
    roles = resources(templates[f"ai-pipeline-{env}-trigger"], "AWS::IAM::Role").values()
    assert not any("RoleName" in role for role in roles)


def protected_tables(template):
    return {
        table["TableName"]
        for table in resources(template, "AWS::DynamoDB::GlobalTable").values()
        if any(replica.get("DeletionProtectionEnabled") for replica in table["Replicas"])
    }


def test_a_first_deployment_is_made_without_protection(tmp_path):
    """`unprotected` takes the protection from the named parts and tables alone, and changes nothing else."""
    from infra import synthesis  # noqa: PLC0415 -- starts Node

    bundles = synthesis.stand_ins(tmp_path / "bundle")
    manifests, templates = {}, {}
    for name, unprotected in (
        ("later", ()),
        ("first", ("platform",)),
        ("table", ("ai-pipeline-prod-state",)),
    ):
        synthesis.synthesise(load("prod"), tmp_path / name, bundles, unprotected=unprotected)
        manifests[name] = json.loads((tmp_path / name / "manifest.json").read_text())["artifacts"]
        templates[name] = synthesis.templates(tmp_path / name)
    platform, chatbot = "ai-pipeline-prod-platform", "ai-pipeline-prod-chatbot"
    assert protected_tables(templates["later"][platform]) == {
        "PipelineLogs",
        "ai-pipeline-prod-operations",
        "ai-pipeline-prod-state",
    }
    assert protected_tables(templates["first"][platform]) == set()
    assert protected_tables(templates["first"][chatbot]) == {"ai-pipeline-prod-answers"}
    assert manifests["later"][platform]["properties"]["terminationProtection"] is True
    assert manifests["first"][platform]["properties"]["terminationProtection"] is False
    text = json.dumps(templates["later"]).replace(
        '"DeletionProtectionEnabled": true', '"DeletionProtectionEnabled": false'
    )
    assert json.loads(text)[platform] == templates["first"][platform]
    assert manifests["table"][platform]["properties"]["terminationProtection"] is True
    assert protected_tables(templates["table"][platform]) == {"PipelineLogs", "ai-pipeline-prod-operations"}
    assert kept(templates["first"]) == kept(templates["later"])


def test_an_unknown_unprotected_part_is_refused(tmp_path):
    """A misspelt part is refused instead of being deployed with protection."""
    from infra import synthesis  # noqa: PLC0415 -- starts Node
    from infra.option_kinds import OptionError  # noqa: PLC0415

    with pytest.raises(OptionError, match=r"'platfrom'.*-c unprotected=NAME"):
        synthesis.synthesise(
            load("prod"), tmp_path / "out", synthesis.stand_ins(tmp_path / "bundle"), unprotected=["platfrom"]
        )


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_table_has_a_name_that_a_deletion_looks_for(synthesised, env):
    """The tables of the templates are those that are looked for after a deletion."""
    templates = synthesised(env, budget_usd_per_day="5", approval="true")
    tables = [
        table["TableName"]
        for template in templates.values()
        for table in resources(template, "AWS::DynamoDB::GlobalTable").values()
    ]
    assert sorted(tables) == sorted(Names(env).tables)
