"""Alarms and dashboard: what they look at exists, and what they say leads somewhere."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from infra.bundling import ROOT
from infra.environments import ENVIRONMENTS, ContextError, load
from infra.rules import resources
from infra.tests.support import ALARM, anchors
from infra.thresholds import ALARMS, OF_A_BUDGET, Thresholds
from shared.contracts.stages import SERVICES
from shared.metrics import METRICS, NAMESPACE

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]

ON_AWS = [name for name, environment in ENVIRONMENTS.items() if environment.engine is None]


class Series(NamedTuple):
    """A metric that an alarm or a widget asks for; with a search, only the names of its dimensions are known."""

    namespace: str
    name: str
    dimensions: dict[str, str | None]


@pytest.fixture
def dev(synthesised):
    return synthesised("dev")


@pytest.fixture
def monitoring(dev):
    return dev["ai-pipeline-dev-monitoring"]


def filled(value: Any) -> Any:  # noqa: PLR0911 -- a kind of value each
    """A template's value with the functions in it worked out, for a made-up account."""
    match value:
        case {"Ref": name}:
            return {"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "1"}.get(
                name, name
            )
        case {"Fn::GetAtt": [name, _]}:
            return name
        case {"Fn::Join": [separator, parts]}:
            return separator.join(str(filled(part)) for part in parts)
        case {"Fn::Split": [separator, text]}:
            return filled(text).split(separator)
        case {"Fn::Select": [index, items]}:
            return filled(items)[int(index)]
        case dict():
            return {name: filled(inner) for name, inner in value.items()}
        case list():
            return [filled(inner) for inner in value]
    return value


def of_alarms(template: Any) -> Iterator[Series]:
    for alarm in resources(template, ALARM).values():
        parts = [part["MetricStat"]["Metric"] for part in alarm.get("Metrics", []) if "MetricStat" in part]
        for metric in filled(parts or [alarm]):
            dimensions = {pair["Name"]: pair["Value"] for pair in metric["Dimensions"]}
            yield Series(metric["Namespace"], metric["MetricName"], dimensions)


def body(template: Any) -> Any:
    (dashboard,) = resources(template, "AWS::CloudWatch::Dashboard").values()
    return json.loads(filled(dashboard["DashboardBody"]))


SEARCH = re.compile(r"""\{([^}]+)\} MetricName="(\w+)" environment="(\w+)\"""")


def of_widgets(template: Any) -> Iterator[Series]:
    for widget in body(template)["widgets"]:
        for row in widget["properties"].get("metrics", []):
            if isinstance(row[0], str):
                namespace, name, *pairs = (part for part in row if isinstance(part, str))
                yield Series(namespace, name, dict(zip(pairs[::2], pairs[1::2], strict=True)))
            elif "SEARCH" in row[0]["expression"]:
                found = SEARCH.search(row[0]["expression"])
                assert found is not None
                schema, name, environment = found.groups()
                namespace, *names = schema.split(",")
                yield Series(namespace, name, {**dict.fromkeys(names), "environment": environment})


def asked_for(template: Any) -> list[Series]:
    return [*of_alarms(template), *of_widgets(template)]


def test_own_metrics_that_are_looked_at_are_in_the_table(monitoring):
    """Each alarm and widget on the project's namespace names a metric, dimensions and a service that emits it."""
    own = [series for series in asked_for(monitoring) if series.namespace == NAMESPACE]
    for series in own:
        metric = METRICS[series.name]
        assert set(series.dimensions) == set(metric.dimensions)
        assert series.dimensions["environment"] == "dev"
        assert series.dimensions["service"] in (*metric.by, None)
    assert {"RunsSucceeded", "RunTime", "StageFailures", "CostMicroDollars"} <= {
        series.name for series in own
    }


def existing(templates: Any) -> dict[str, set[str]]:
    """The names of what the other stacks own, by the dimension that CloudWatch knows them by."""
    named = {
        "QueueName": ("AWS::SQS::Queue", "QueueName"),
        "FunctionName": ("AWS::Lambda::Function", "FunctionName"),
    }
    found = {
        dimension: {
            properties[name]
            for template in templates.values()
            for properties in resources(template, kind).values()
        }
        for dimension, (kind, name) in named.items()
    }
    (machine,) = resources(templates["ai-pipeline-dev-workflow"], "AWS::StepFunctions::StateMachine").values()
    arn = f"arn:aws:states:us-east-1:1:stateMachine:{machine['StateMachineName']}"
    return {**found, "StateMachineArn": {arn}}


def test_what_is_looked_at_on_aws_is_deployed(dev, monitoring):
    """Each queue, function and state machine that an alarm or a widget names is in a stack, and each is looked at."""
    there = existing(dev)
    seen: dict[str, set[str]] = {dimension: set() for dimension in there}
    for series in asked_for(monitoring):
        if series.namespace != NAMESPACE:
            ((dimension, value),) = series.dimensions.items()
            assert value in there[dimension]
            seen[dimension].add(str(value))
    assert seen == there


def test_metrics_nobody_looks_at_are_few(monitoring):
    """A new metric is shown or alarmed on; the ones that are only counted are named here."""
    shown = {series.name for series in asked_for(monitoring)}
    assert set(METRICS) - shown == {
        "Succeeded",
        "Failed",
        "Batches",
        "ApiReads",
        "ApiCancels",
        "RejectionsNotPublished",
        "AnswerStoreFailures",
        "BudgetSpentPercent",  # these with a budget alone: test_budget.py
        "BudgetPaused",
        "BudgetLooks",
    }


def test_every_alarm_leads_to_its_section(monitoring):
    """The link in an alarm's description is a heading of the runbook that there is."""
    there = anchors((ROOT / "docs" / "operations.md").read_text())
    linked = set()
    for alarm in resources(monitoring, ALARM).values():
        (link,) = re.findall(r"docs/operations\.md#([\w-]+)$", alarm["AlarmDescription"])
        assert link in there
        linked.add(link)
    assert linked == {alarm.anchor for alarm in ALARMS if alarm not in OF_A_BUDGET}


@pytest.mark.parametrize("name", ON_AWS)
def test_alarms_ring_for_what_is_there_alone(synthesised, name):
    """Every alarm is sent to the topic; none rings because nothing was measured, or before anything can be."""
    template = synthesised(name)[f"ai-pipeline-{name}-monitoring"]
    (topic,) = resources(template, "AWS::SNS::Topic")
    for alarm in resources(template, ALARM).values():
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["AlarmActions"] == [{"Ref": topic}]
        assert alarm["AlarmName"].startswith(f"ai-pipeline-{name}-")


@pytest.mark.parametrize("name", ON_AWS)
def test_thresholds_are_the_environments_own(synthesised, name):
    """Each limit of the environment is that of its alarm, in the alarm's unit."""
    limits: Thresholds = ENVIRONMENTS[name].thresholds
    template = synthesised(name)[f"ai-pipeline-{name}-monitoring"]
    set_to = {
        alarm["AlarmName"].removeprefix(f"ai-pipeline-{name}-"): alarm["Threshold"]
        for alarm in resources(template, ALARM).values()
    }
    assert set_to["success-rate"] == limits.success_percent
    assert set_to["run-time"] == limits.run_p95_seconds * 1_000
    assert set_to["run-open"] == limits.run_open_seconds * 1_000
    assert set_to["cost"] == limits.usd_per_hour * 1_000_000
    for service in SERVICES:
        assert set_to[f"{service}-queue-age"] == limits.queue_age_seconds
        assert set_to[f"{service}-parked"] == set_to[f"{service}-rule-delivery"] == 0
        assert set_to[f"{service}-parked-expires"] == (14 - limits.parked_days_left) * 86_400


def test_the_dashboard_asks_three_questions_in_order(monitoring):
    """Health, trouble and cost stand in this order, alarms first, and every row fits the page."""
    widgets = sorted(body(monitoring)["widgets"], key=lambda widget: (widget["y"], widget["x"]))
    headers = [widget["properties"]["markdown"] for widget in widgets if widget["type"] == "text"]
    assert headers == ["# Is it healthy?", "# Where does it hurt?", "# What does it cost?"]
    assert widgets[1]["type"] == "alarm"
    assert len(widgets[1]["properties"]["alarms"]) == len(resources(monitoring, ALARM))
    assert all(widget["x"] + widget["width"] <= 24 for widget in widgets)


def test_the_topic_is_encrypted_and_takes_calls_over_tls_only(monitoring):
    """Alarms get through to a topic with a key of its own, and only this environment's alarms do."""
    (topic,) = resources(monitoring, "AWS::SNS::Topic").values()
    (key,) = resources(monitoring, "AWS::KMS::Key")
    assert topic["KmsMasterKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
    (policy,) = resources(monitoring, "AWS::SNS::TopicPolicy").values()
    said = {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}
    assert said["AllowPublishThroughSSLOnly"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    source = filled(said["SendAlarms"]["Condition"]["ArnLike"]["aws:SourceArn"])
    assert source == "arn:aws:cloudwatch:us-east-1:1:alarm:ai-pipeline-dev-*"


def test_monitoring_is_optional_and_deployed_alone(dev, monitoring, synthesised):
    """It can be left out, the engine's deployment leaves it out, and alone it is the same stack."""
    assert synthesised("dev", only="monitoring") == {"ai-pipeline-dev-monitoring": monitoring}
    without = synthesised("dev", monitoring="false")
    assert without == {name: template for name, template in dev.items() if not name.endswith("-monitoring")}
    assert "ai-pipeline-local-monitoring" not in synthesised("local")
    assert "ai-pipeline-local-monitoring" in synthesised("local", only="monitoring")


def test_an_address_is_told_of_alarms(synthesised):
    """`-c alarm_email` subscribes that address; without it nobody is."""
    template = synthesised("dev", only="monitoring", alarm_email="on-call@example.com")
    (subscription,) = resources(template["ai-pipeline-dev-monitoring"], "AWS::SNS::Subscription").values()
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "on-call@example.com")


@pytest.mark.parametrize("option", [{"monitoring": "maybe"}, {"alarm_email": "on-call"}])
def test_a_wrong_option_is_refused_by_name(option):
    """What is neither yes nor no, and no address, is refused before anything is deployed."""
    with pytest.raises(ContextError, match=next(iter(option))):
        load("dev", option)
