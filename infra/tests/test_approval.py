"""The approval is deployed with its option and not without it."""

import json
from dataclasses import replace

import pytest

from infra import synthesis
from infra.clocks import DEADLINE_MARGIN_SECONDS
from infra.doctor.reading import read
from infra.doctor.table import examine
from infra.options import load
from infra.rules import resources

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]

PARTS = ("workflow", "trigger")


def only(synthesised, part, **options):
    (template,) = synthesised("dev", only=part, **options).values()
    return template


@pytest.mark.parametrize("part", PARTS)
def test_without_the_option_nothing_of_it_is_deployed(synthesised, part):
    """An environment without the approval has no state, right, route or variable of it."""
    assert "pproval" not in json.dumps(only(synthesised, part)["Resources"])
    assert "approval" not in [stage.key for stage in load("dev").stages]


def test_the_state_outlives_the_deadline(synthesised):
    """The workflow waits for the approval until its deadline and a margin, in which the sweep decides."""
    workflow = only(synthesised, "workflow", approval="true", approval_hours="48")
    (machine,) = resources(workflow, "AWS::StepFunctions::StateMachine").values()
    text = "".join(part for part in machine["DefinitionString"]["Fn::Join"][1] if isinstance(part, str))
    _, _, state = text.partition('"AwaitApproval": {')
    assert (
        f'"TimeoutSeconds": {48 * 3_600 + DEADLINE_MARGIN_SECONDS}' in state.partition('"LogResults": {')[0]
    )


def test_the_token_stays_in_its_table(synthesised):
    """The index that lists waiting runs does not hold the token, and items are deleted in the end."""
    (table,) = resources(
        only(synthesised, "approval", approval="true"), "AWS::DynamoDB::GlobalTable"
    ).values()
    (index,) = table["GlobalSecondaryIndexes"]
    assert index["Projection"]["ProjectionType"] == "INCLUDE"
    assert not {"task_token", "answer", "user_message"} & set(index["Projection"]["NonKeyAttributes"])
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_only_those_with_the_right_may_decide(synthesised):
    """The policies for deciders allow the routes and the table of the approval, and no policy for others does."""
    trigger = resources(only(synthesised, "trigger", approval="true"), "AWS::IAM::ManagedPolicy").values()
    allowed = [
        json.dumps(policy["ManagedPolicyName"])
        for policy in trigger
        if "approvals" in json.dumps(policy["PolicyDocument"])
    ]
    assert len(allowed) == 1
    assert "ai-pipeline-dev-api-approver" in allowed[0]
    (approvers,) = resources(
        only(synthesised, "approval", approval="true"), "AWS::IAM::ManagedPolicy"
    ).values()
    actions = {
        action
        for statement in approvers["PolicyDocument"]["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert actions == {
        "dynamodb:GetItem",
        "dynamodb:UpdateItem",
        "dynamodb:Query",
        "states:SendTaskSuccess",
        "ssm:GetParametersByPath",
    }


def test_what_was_switched_off_can_still_be_decided(tmp_path):
    """While runs need the approval that was switched off, the workflow and the API keep their rights to it, the
    workflow has no such state, the logger tells its failures from the chatbot's, and no alarm rings for the wait.
    """
    kept = replace(load("dev"), removed_queues=("approval",))
    texts = {}
    for part in ("workflow", "trigger", "logger"):
        synthesis.synthesise(kept, tmp_path / part, synthesis.stand_ins(tmp_path / "bundle"), only=part)
        (template,) = synthesis.templates(tmp_path / part).values()
        texts[part] = json.dumps(template["Resources"])
    assert ":ai-pipeline-dev-approval" in texts["workflow"]
    assert "AwaitApproval" not in texts["workflow"]
    assert "ai-pipeline-dev-approvals" in texts["trigger"]
    assert "ANY_OPTIONAL" in texts["logger"]
    waits = load("dev", {"approval": "true"}).limits
    assert kept.limits == waits
    assert waits.run_open_seconds > kept.approval_hours * 3_600 < waits.run_p95_seconds


def test_the_doctor_knows_that_runs_wait(synthesised):
    """Clocks, rights, queues and workflow fit together; only the number of runs that wait for days is warned of."""
    options = {"approval": "true"}
    outcomes = examine(read(synthesised("dev", **options), load("dev", options)))
    (finding,) = [finding for outcome in outcomes for finding in outcome.findings]
    assert finding.severity == "warning"
    assert finding.where == "open executions that wait for a person:"
