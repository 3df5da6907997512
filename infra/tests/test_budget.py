"""A budget in the templates: nothing of it without one; with one, all that it needs and no right more."""

import json
import re

import pytest

from infra.bundling import ROOT
from infra.clocks import PAUSE_DAYS
from infra.doctor.reading import read
from infra.doctor.table import examine
from infra.environments import ContextError, load
from infra.rules import broken_rules, resources, statements
from infra.tests.support import ALARM, anchors
from infra.thresholds import ALARMS
from shared.budget import INDEX

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]

TRIGGER = "ai-pipeline-dev-trigger"
BUDGET = {"budget_usd_per_day": "2.5"}


@pytest.fixture
def dev(synthesised):
    return synthesised("dev", **BUDGET)


def test_without_a_budget_there_is_nothing_of_it(synthesised):
    """No index, no guard, no variable, no right, no alarm: an environment without one is as it was."""
    text = json.dumps(synthesised("dev"))
    assert "budget" not in text.lower().replace("docs/operations.md#", "")
    assert INDEX not in text
    assert "COUNTS_DAYS" not in text
    assert "UpdateEventSourceMapping" not in text


def test_the_guard_may_switch_one_mapping_alone(dev):
    """The right names the mapping that feeds the starter, of the same template; reading the day is one index."""
    ((name, mapping),) = resources(dev[TRIGGER], "AWS::Lambda::EventSourceMapping").items()
    (switch,) = [one for one in statements(dev[TRIGGER]) if one.get("Sid") == "SwitchTheStarter"]
    assert switch["Action"] == ["lambda:GetEventSourceMapping", "lambda:UpdateEventSourceMapping"]
    (resource,) = switch["Resource"]
    assert resource["Fn::Join"][1][-2:] == [":event-source-mapping:", {"Ref": name}]
    assert "Starter" in json.dumps(mapping["FunctionName"])
    (day,) = [one for one in statements(dev[TRIGGER]) if one.get("Sid") == "ReadTheDay"]
    assert day["Action"] == ["dynamodb:Query"]
    assert json.dumps(day["Resource"]).endswith(f':table/PipelineLogs-dev/index/{INDEX}"]]}}]')


def test_a_message_may_wait_longer_than_any_pause(dev, synthesised):
    """The starter's queue keeps messages as long as SQS can, and an alarm rings days before it deletes one."""
    queue = "ai-pipeline-dev-trigger"
    (work,) = [q for q in resources(dev[TRIGGER], "AWS::SQS::Queue").values() if q["QueueName"] == queue]
    assert work["MessageRetentionPeriod"] == PAUSE_DAYS * 86_400
    (rings,) = [
        alarm
        for alarm in resources(dev["ai-pipeline-dev-monitoring"], ALARM).values()
        if alarm["AlarmName"].endswith("trigger-waiting-expires")
    ]
    assert rings["Threshold"] <= (PAUSE_DAYS - 3) * 86_400
    (without,) = [
        q
        for q in resources(synthesised("dev")[TRIGGER], "AWS::SQS::Queue").values()
        if q["QueueName"] == queue
    ]
    assert "MessageRetentionPeriod" not in without


def test_records_count_and_the_guard_looks_every_minute(dev):
    """The index of days, the logger that fills it and the schedule come together."""
    (table,) = [
        its
        for its in resources(dev["ai-pipeline-dev-platform"], "AWS::DynamoDB::GlobalTable").values()
        if its["TableName"] == "PipelineLogs-dev"
    ]
    assert INDEX in [index["IndexName"] for index in table["GlobalSecondaryIndexes"]]
    (logger,) = resources(dev["ai-pipeline-dev-logger"], "AWS::Lambda::Function").values()
    assert logger["Environment"]["Variables"]["COUNTS_DAYS"] == "true"
    (rule,) = [
        its for its in resources(dev[TRIGGER], "AWS::Events::Rule").values() if "ScheduleExpression" in its
    ]
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 minute)", "ENABLED")


def test_every_alarm_is_there_and_silence_of_the_guard_rings(dev):
    """With a budget all alarms of the table exist, each leading to its section; a guard that says nothing rings."""
    alarms = resources(dev["ai-pipeline-dev-monitoring"], ALARM).values()
    linked = {re.findall(r"docs/operations\.md#([\w-]+)$", alarm["AlarmDescription"])[0] for alarm in alarms}
    assert linked == {alarm.anchor for alarm in ALARMS} <= anchors((ROOT / "docs/operations.md").read_text())
    missing = {
        alarm["AlarmName"].removeprefix("ai-pipeline-dev-"): alarm["TreatMissingData"] for alarm in alarms
    }
    assert [name for name, treated in missing.items() if treated != "notBreaching"] == ["budget-guard"]
    assert missing["budget-guard"] == "breaching"


@pytest.mark.parametrize("name", ["dev", "local"])
def test_the_parts_fit_with_a_budget(synthesised, name):
    """Neither a rule nor the doctor finds anything in a deployment with a budget."""
    made, environment = synthesised(name, **BUDGET), load(name, BUDGET)
    assert broken_rules(made, environment) == []
    assert [finding for outcome in examine(read(made, environment)) for finding in outcome.findings] == []


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "five", "1e-9"])
def test_what_is_no_amount_is_refused(value):
    """A budget that would never or always be spent, or is no number, is refused by its option's name."""
    with pytest.raises(ContextError, match="budget_usd_per_day"):
        load("dev", {"budget_usd_per_day": value})


def test_off_takes_a_budget_away():
    """What an environment sets, an option can take back."""
    assert load("dev", BUDGET).budget_usd_per_day == 2.5
    assert load("dev", {"budget_usd_per_day": "off"}).budget_usd_per_day is None
