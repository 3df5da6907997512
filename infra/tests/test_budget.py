"""The daily budget in the templates: nothing without one; with one, all that it needs and no further right."""

import json
import re

import pytest

from infra.bundling import ROOT
from infra.clocks import PAUSE_DAYS
from infra.doctor.reading import read
from infra.doctor.table import examine
from infra.option_kinds import OptionError
from infra.options import load
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
    """An environment without a budget has no index, guard, variable, right or alarm for one."""
    text = json.dumps([template["Resources"] for template in synthesised("dev").values()])
    assert "budget" not in text.lower().replace("docs/operations.md#", "")
    assert INDEX not in text
    assert "COUNTS_DAYS" not in text
    assert "UpdateEventSourceMapping" not in text


def test_the_guard_may_switch_one_mapping_alone(dev):
    """The guard's rights name the mapping that feeds the starter, in the same template, and the index of days."""
    ((name, mapping),) = resources(dev[TRIGGER], "AWS::Lambda::EventSourceMapping").items()
    (switch,) = [allowed for allowed in statements(dev[TRIGGER]) if allowed.get("Sid") == "SwitchTheStarter"]
    (day,) = [allowed for allowed in statements(dev[TRIGGER]) if allowed.get("Sid") == "ReadTheDay"]
    assert switch["Action"] == ["lambda:GetEventSourceMapping", "lambda:UpdateEventSourceMapping"]
    (resource,) = switch["Resource"]
    assert resource["Fn::Join"][1][-2:] == [":event-source-mapping:", {"Ref": name}]
    assert "Starter" in json.dumps(mapping["FunctionName"])
    assert day["Action"] == ["dynamodb:Query"]
    assert json.dumps(day["Resource"]).endswith(f':table/PipelineLogs-dev/index/{INDEX}"]]}}]')


def test_a_message_may_wait_longer_than_any_pause(dev, synthesised):
    """The starter's queue keeps messages for SQS's maximum, and an alarm rings days before SQS deletes one."""
    queue = "ai-pipeline-dev-trigger"
    (work,) = [
        properties
        for properties in resources(dev[TRIGGER], "AWS::SQS::Queue").values()
        if properties["QueueName"] == queue
    ]
    assert work["MessageRetentionPeriod"] == PAUSE_DAYS * 86_400
    (expiry,) = [
        alarm
        for alarm in resources(dev["ai-pipeline-dev-monitoring"], ALARM).values()
        if alarm["AlarmName"].endswith("trigger-waiting-expires")
    ]
    assert expiry["Threshold"] <= (PAUSE_DAYS - 3) * 86_400
    (without,) = [
        properties
        for properties in resources(synthesised("dev")[TRIGGER], "AWS::SQS::Queue").values()
        if properties["QueueName"] == queue
    ]
    assert without["MessageRetentionPeriod"] == work["MessageRetentionPeriod"]


def test_taking_a_budget_away_enables_the_starter(dev, synthesised):
    """The template with a budget leaves the mapping to the guard; the one without says that it is enabled, which is a
    change that CloudFormation makes, and keeps the mapping.
    """
    ((name, budgeted),) = resources(dev[TRIGGER], "AWS::Lambda::EventSourceMapping").items()
    ((same, free),) = resources(synthesised("dev")[TRIGGER], "AWS::Lambda::EventSourceMapping").items()
    assert name == same
    assert "Enabled" not in budgeted
    assert free == {**budgeted, "Enabled": True}


def test_records_count_and_the_guard_looks_every_minute(dev):
    """With a budget there are the index of days, a logger that fills it, and a schedule that starts the guard."""
    (table,) = [
        properties
        for properties in resources(dev["ai-pipeline-dev-platform"], "AWS::DynamoDB::GlobalTable").values()
        if properties["TableName"] == "PipelineLogs-dev"
    ]
    assert INDEX in [index["IndexName"] for index in table["GlobalSecondaryIndexes"]]
    writers = resources(dev["ai-pipeline-dev-logger"], "AWS::Lambda::Function").values()
    assert {writer["FunctionName"].rpartition("-")[2] for writer in writers} == {"logger", "reconciler"}
    assert all(writer["Environment"]["Variables"]["COUNTS_DAYS"] == "true" for writer in writers)
    (rule,) = [
        properties
        for properties in resources(dev[TRIGGER], "AWS::Events::Rule").values()
        if "ScheduleExpression" in properties
    ]
    assert (rule["ScheduleExpression"], rule["State"]) == ("rate(1 minute)", "ENABLED")


def test_every_alarm_is_there_and_silence_of_the_guard_rings(dev):
    """With a budget all alarms of the table exist, each links to its section, and a silent guard rings."""
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
    """Neither the rules nor the doctor have findings on a deployment with a budget."""
    templates, environment = synthesised(name, **BUDGET), load(name, BUDGET)
    assert broken_rules(templates, environment) == []
    assert [
        finding for outcome in examine(read(templates, environment)) for finding in outcome.findings
    ] == []


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "five", "1e-9"])
def test_what_is_no_amount_is_refused(value):
    """A budget that is zero, negative, infinite, too small or not a number is refused with the option's name."""
    with pytest.raises(OptionError, match="budget_usd_per_day"):
        load("dev", {"budget_usd_per_day": value})


def test_off_takes_a_budget_away():
    """The option `off` removes a budget."""
    assert load("dev", BUDGET).budget_usd_per_day == 2.5
    assert load("dev", {"budget_usd_per_day": "off"}).budget_usd_per_day is None
