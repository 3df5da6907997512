"""The tables in the templates: who may use which items, and how long they are kept."""

import json
import re

import pytest

from infra.clocks import DLQ_RETENTION_DAYS, LEAST_RECORD_DAYS, PAUSE_DAYS
from infra.doctor.reading import read
from infra.doctor.table import examine
from infra.environments import ENVIRONMENTS
from infra.options import load
from infra.rules import resources, statements
from infra.tests.support import allowed
from services.chatbot.answers import KEPT_SECONDS
from shared.contracts.stages import SERVICES

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]


def test_production_keeps_its_data(synthesised):
    """Prod's tables are kept when their stacks are deleted, protected from deletion, encrypted, and restorable to any
    second.
    """
    templates = synthesised("prod")
    tables = {
        resource["Properties"]["TableName"]: resource
        for template in templates.values()
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::DynamoDB::GlobalTable"
    }
    own = {f"ai-pipeline-prod-{name}" for name in ("operations", "answers", "state")}
    assert set(tables) == {"PipelineLogs", *own}
    for table in tables.values():
        (replica,) = table["Properties"]["Replicas"]
        assert table["DeletionPolicy"] == "RetainExceptOnCreate"
        assert table["Properties"]["BillingMode"] == "PAY_PER_REQUEST"
        assert table["Properties"]["SSESpecification"]["SSEEnabled"] is True
        assert replica["DeletionProtectionEnabled"] is True
        assert replica["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True


def test_answers_are_the_chatbots_alone(synthesised):
    """Only the chatbot may use the stored answers, enhancer and logger the long texts beside them; answers, archived
    messages and state expire by themselves.
    """
    templates = synthesised("prod")
    statement = allowed(templates["ai-pipeline-prod-chatbot"], "dynamodb:PutItem")
    assert set(statement["Action"]) == {f"dynamodb:{name}Item" for name in ("Get", "Put", "Update", "Delete")}
    using = {
        name for name, template in templates.items() if "ai-pipeline-prod-answers" in json.dumps(template)
    }
    assert using == {f"ai-pipeline-prod-{name}" for name in ("chatbot", "enhancer", "logger")}
    for name, actions in (("enhancer", {"GetItem", "PutItem"}), ("logger", {"GetItem"})):
        (right,) = [
            right
            for right in statements(templates[f"ai-pipeline-prod-{name}"])
            if "table/ai-pipeline-prod-answers" in json.dumps(right["Resource"])
        ]
        named = right["Action"] if isinstance(right["Action"], list) else [right["Action"]]
        assert set(named) == {f"dynamodb:{action}" for action in actions}
        keys = right["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        assert keys in ("text#*", ["text#*"])
        assert right["Condition"]["Null"] == {"dynamodb:LeadingKeys": "false"}
    expiring = {
        table["TableName"]: table["TimeToLiveSpecification"]["AttributeName"]
        for template in templates.values()
        for table in resources(template, "AWS::DynamoDB::GlobalTable").values()
        if "TimeToLiveSpecification" in table
    }
    assert expiring == {
        "ai-pipeline-prod-operations": "expires_at",
        "ai-pipeline-prod-answers": "expiration",
        "ai-pipeline-prod-state": "expires_at",
    }


def test_every_function_with_a_queue_may_count_starts(dev):
    """Each function with a queue may update items of the table of state, and for counting nothing else."""
    for part in SERVICES:
        template = dev[f"ai-pipeline-dev-{part}"]
        (right,) = [
            statement
            for policy in resources(template, "AWS::IAM::Policy").values()
            for statement in policy["PolicyDocument"]["Statement"]
            if statement.get("Sid") == "CountStarts"
        ]
        assert right["Action"] == "dynamodb:UpdateItem"
        assert "table/ai-pipeline-dev-state" in json.dumps(right["Resource"])
        keys = right["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        assert keys == [f"starts#{part}#*"]
        assert right["Condition"]["Null"] == {"dynamodb:LeadingKeys": "false"}


def records_table(templates, name):
    platform = templates[f"ai-pipeline-{name}-platform"]
    (table,) = [
        properties
        for properties in resources(platform, "AWS::DynamoDB::GlobalTable").values()
        if properties["TableName"].startswith("PipelineLogs")
    ]
    return table


def test_records_are_kept_for_ever_by_default(dev):
    """Without the option, the table of records deletes nothing, and no function sets a time for deletion."""
    assert "TimeToLiveSpecification" not in records_table(dev, "dev")
    assert "KEEP_RECORDS_SECONDS" not in json.dumps(dev)


@pytest.mark.parametrize("name", ["dev", "local"])
def test_records_can_be_deleted_after_a_time(synthesised, name):
    """With `keep_records_days`, a run's end sets that time, and each earlier write one that no open run exceeds."""
    templates = synthesised(name, keep_records_days="90", budget_usd_per_day="5")
    day = 86_400
    kept = {
        properties["FunctionName"].removeprefix(f"ai-pipeline-{name}-"): int(
            properties["Environment"]["Variables"]["KEEP_RECORDS_SECONDS"]
        )
        for template in templates.values()
        for properties in resources(template, "AWS::Lambda::Function").values()
        if "KEEP_RECORDS_SECONDS" in properties["Environment"]["Variables"]
    }
    (machine,) = resources(
        templates[f"ai-pipeline-{name}-workflow"], "AWS::StepFunctions::StateMachine"
    ).values()
    text = json.dumps(machine["DefinitionString"]).replace("\\", "")
    longest = max(int(seconds) for seconds in re.findall(r'"TimeoutSeconds": (\d+)', text))
    assert kept == {
        "api": (90 + 14 + 14) * day,
        "starter": 90 * day + longest,
        "logger": 90 * day,
        "reconciler": 90 * day,
    }
    table = records_table(templates, name)
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    environment = load(name, {"keep_records_days": "90", "budget_usd_per_day": "5"})
    (outcome,) = [
        outcome for outcome in examine(read(templates, environment)) if outcome.check == "records-kept"
    ]
    assert outcome.findings == ()
    assert len(outcome.passed) == 4


def test_a_record_outlives_what_may_refer_to_it():
    """The shortest time for records exceeds those of parked messages, stored answers and the archive of events."""
    assert LEAST_RECORD_DAYS >= PAUSE_DAYS + DLQ_RETENTION_DAYS
    assert LEAST_RECORD_DAYS * 86_400 >= KEPT_SECONDS
    assert all((environment.archive_days or 0) <= LEAST_RECORD_DAYS for environment in ENVIRONMENTS.values())
