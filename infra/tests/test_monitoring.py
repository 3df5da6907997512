"""Alarms and dashboard: their metrics and resources exist, and alarms link to sections of the runbook."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from infra.bundling import ROOT
from infra.environments import ENVIRONMENTS
from infra.functions import ALL_FUNCTIONS
from infra.rules import resources
from infra.tests.support import ALARM, anchors
from infra.thresholds import ALARMS, OF_A_BUDGET, Thresholds
from shared.contracts.stages import SERVICES
from shared.metrics import METRICS, NAMESPACE, OF_THE_APPROVAL

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]

ON_AWS = [name for name, environment in ENVIRONMENTS.items() if environment.engine is None]


class Series(NamedTuple):
    """A metric that an alarm or a widget reads. For a search only the names of its dimensions are known."""

    namespace: str
    name: str
    dimensions: dict[str, str | None]


@pytest.fixture
def monitoring(dev):
    return dev["ai-pipeline-dev-monitoring"]


def filled(value: Any) -> Any:  # noqa: PLR0911 -- one return for each kind of value
    """Return a template's value with its functions evaluated, for an invented account."""
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
                match = SEARCH.search(row[0]["expression"])
                assert match is not None
                schema, name, environment = match.groups()
                namespace, *names = schema.split(",")
                yield Series(namespace, name, {**dict.fromkeys(names), "environment": environment})


def asked_for(template: Any) -> list[Series]:
    return [*of_alarms(template), *of_widgets(template)]


def test_own_metrics_that_are_looked_at_are_in_the_table(monitoring):
    """Alarms and widgets on the project's metrics use names, dimensions and services of the metrics table."""
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
    """Return the names of the other stacks' resources, by the dimension that identifies them in CloudWatch."""
    named = {
        "QueueName": ("AWS::SQS::Queue", "QueueName"),
        "FunctionName": ("AWS::Lambda::Function", "FunctionName"),
        "ApiName": ("AWS::ApiGateway::RestApi", "Name"),
        "Stage": ("AWS::ApiGateway::Stage", "StageName"),
    }
    names = {
        dimension: {
            properties[name]
            for template in templates.values()
            for properties in resources(template, kind).values()
        }
        for dimension, (kind, name) in named.items()
    }
    (machine,) = resources(templates["ai-pipeline-dev-workflow"], "AWS::StepFunctions::StateMachine").values()
    arn = f"arn:aws:states:us-east-1:1:stateMachine:{machine['StateMachineName']}"
    return {**names, "StateMachineArn": {arn}}


@pytest.mark.parametrize("options", [{}, {"budget_usd_per_day": "5", "approval": "true"}])
def test_what_is_looked_at_on_aws_is_deployed(synthesised, options):
    """Alarms and widgets name exactly the queues, functions, API and state machine that the stacks contain."""
    templates = synthesised("dev", **options)
    deployed = existing(templates)
    watched: dict[str, set[str]] = {dimension: set() for dimension in deployed}
    for series in asked_for(templates["ai-pipeline-dev-monitoring"]):
        if series.namespace != NAMESPACE:
            for dimension, value in series.dimensions.items():
                assert value in deployed[dimension]
                watched[dimension].add(str(value))
    assert watched == deployed


@pytest.mark.parametrize("options", [{}, {"budget_usd_per_day": "5"}])
def test_every_function_and_the_api_have_an_alarm_on_failures(synthesised, options):
    """Each deployed function has an alarm on its errors, and the API's stage one on answers of 5xx, in sums."""
    templates = synthesised("dev", **options)
    alarms = filled(list(resources(templates["ai-pipeline-dev-monitoring"], ALARM).values()))
    failing = {
        pair["Value"]: alarm
        for alarm in alarms
        if alarm.get("Namespace") == "AWS/Lambda" and alarm["MetricName"] == "Errors"
        for pair in alarm["Dimensions"]
    }
    assert failing.keys() == existing(templates)["FunctionName"]
    (api,) = [alarm for alarm in alarms if alarm.get("Namespace") == "AWS/ApiGateway"]
    assert api["MetricName"] == "5XXError"
    assert api["Dimensions"] == [
        {"Name": "ApiName", "Value": "ai-pipeline-dev-api"},
        {"Name": "Stage", "Value": "v1"},
    ]
    for alarm in (*failing.values(), api):
        assert (alarm["Statistic"], alarm["Period"]) == ("Sum", 300)
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    scheduled = {f"ai-pipeline-dev-{spec.name}" for spec in ALL_FUNCTIONS if spec.scheduled}
    limit = ENVIRONMENTS["dev"].thresholds.function_errors
    for name, alarm in failing.items():
        assert alarm["Threshold"] == (0 if name in scheduled else limit)


@pytest.mark.parametrize("budget", [None, "5"])
@pytest.mark.parametrize("name", ON_AWS)
def test_no_message_is_deleted_without_an_alarm_days_before(synthesised, name, budget):
    """However long a message waited before SQS moved it to the DLQ, an alarm rings days before SQS deletes it.

    SQS deletes a moved message by its whole age, while the DLQ's metric counts from the move.
    """
    options = {"budget_usd_per_day": budget} if budget else {}
    templates = synthesised(name, **options)
    limits = ENVIRONMENTS[name].thresholds
    prefix, day = f"ai-pipeline-{name}-", 86_400
    limit_of = {
        alarm["AlarmName"].removeprefix(prefix): alarm["Threshold"]
        for alarm in resources(templates[f"{prefix}monitoring"], ALARM).values()
    }
    kept = {
        properties["QueueName"].removeprefix(prefix): properties.get("MessageRetentionPeriod", 4 * day)
        for template in templates.values()
        for properties in resources(template, "AWS::SQS::Queue").values()
    }
    for service in SERVICES:
        parked, waiting = limit_of[f"{service}-parked-expires"], limit_of.get(f"{service}-waiting-expires")
        assert parked > day
        for waited in range(0, kept[service] + 1, day // 4):
            rings_at = [waited + parked] + ([waiting] if waiting is not None and waited >= waiting else [])
            assert min(rings_at) <= kept[f"{service}-dlq"] - limits.parked_days_left * day, (service, waited)


def test_every_metric_is_read(synthesised):
    """Every metric of the table is read by an alarm or a widget: the guard's if there is a budget, those of the
    approval if people approve answers.
    """
    plain, budgeted, approving = (
        {series.name for series in asked_for(synthesised("dev", **options)["ai-pipeline-dev-monitoring"])}
        for options in ({}, {"budget_usd_per_day": "5"}, {"approval": "true"})
    )
    guards = {"BudgetSpentPercent", "BudgetPaused", "BudgetLooks"}
    of_approval = {metric.name for metric in OF_THE_APPROVAL}
    assert set(METRICS) - plain == guards | of_approval
    assert (budgeted - plain, approving - plain) == (guards, of_approval)


def test_every_alarm_leads_to_its_section(monitoring):
    """The link in an alarm's description points to an existing heading of the runbook."""
    headings = anchors((ROOT / "docs" / "operations.md").read_text())
    linked = set()
    for alarm in resources(monitoring, ALARM).values():
        (link,) = re.findall(r"docs/operations\.md#([\w-]+)$", alarm["AlarmDescription"])
        assert link in headings
        linked.add(link)
    assert linked == {alarm.anchor for alarm in ALARMS if alarm not in OF_A_BUDGET}


@pytest.mark.parametrize("name", ON_AWS)
def test_alarms_ring_for_what_is_there_alone(synthesised, name):
    """Every alarm notifies the topic, and none rings because of missing data."""
    template = synthesised(name)[f"ai-pipeline-{name}-monitoring"]
    (topic,) = resources(template, "AWS::SNS::Topic")
    for alarm in resources(template, ALARM).values():
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["AlarmActions"] == [{"Ref": topic}]
        assert alarm["AlarmName"].startswith(f"ai-pipeline-{name}-")


@pytest.mark.parametrize("name", ON_AWS)
def test_thresholds_are_the_environments_own(synthesised, name):
    """Each alarm has the threshold of its environment, in the alarm's unit."""
    limits: Thresholds = ENVIRONMENTS[name].thresholds
    template = synthesised(name)[f"ai-pipeline-{name}-monitoring"]
    thresholds = {
        alarm["AlarmName"].removeprefix(f"ai-pipeline-{name}-"): alarm["Threshold"]
        for alarm in resources(template, ALARM).values()
    }
    assert thresholds["success-rate"] == limits.success_percent
    assert thresholds["run-time"] == limits.run_p95_seconds * 1_000
    assert thresholds["run-open"] == limits.run_open_seconds * 1_000
    assert thresholds["cost"] == limits.usd_per_hour * 1_000_000
    assert thresholds["api-failures"] == limits.api_failures
    assert thresholds["chatbot-errors"] == limits.function_errors
    for service in SERVICES:
        assert thresholds[f"{service}-queue-age"] == limits.queue_age_seconds
        assert thresholds[f"{service}-parked"] == thresholds[f"{service}-rule-delivery"] == 0
        waited = limits.waiting_days if service == "trigger" else 4
        assert thresholds[f"{service}-parked-expires"] == (14 - waited - limits.parked_days_left) * 86_400


def test_the_dashboard_asks_three_questions_in_order(monitoring):
    """The dashboard shows health, failures and cost in this order, alarms first, and every row fits the page."""
    widgets = sorted(body(monitoring)["widgets"], key=lambda widget: (widget["y"], widget["x"]))
    headers = [widget["properties"]["markdown"] for widget in widgets if widget["type"] == "text"]
    assert headers == ["# Is it healthy?", "# Where does it fail or wait?", "# What does it cost?"]
    assert widgets[1]["type"] == "alarm"
    assert len(widgets[1]["properties"]["alarms"]) == len(resources(monitoring, ALARM))
    assert all(widget["x"] + widget["width"] <= 24 for widget in widgets)


def test_the_topic_is_encrypted_and_takes_calls_over_tls_only(monitoring):
    """The topic has its own key, refuses calls without TLS, and accepts only this environment's alarms."""
    (topic,) = resources(monitoring, "AWS::SNS::Topic").values()
    (key,) = resources(monitoring, "AWS::KMS::Key")
    assert topic["KmsMasterKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
    (policy,) = resources(monitoring, "AWS::SNS::TopicPolicy").values()
    by_sid = {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}
    assert by_sid["AllowPublishThroughSSLOnly"]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    source = filled(by_sid["SendAlarms"]["Condition"]["ArnLike"]["aws:SourceArn"])
    assert source == "arn:aws:cloudwatch:us-east-1:1:alarm:ai-pipeline-dev-*"


def test_monitoring_is_optional_and_deployed_alone(dev, monitoring, synthesised):
    """Monitoring can be left out, is left out on the engine, and is the same stack if deployed alone."""
    assert synthesised("dev", only="monitoring") == {"ai-pipeline-dev-monitoring": monitoring}
    without = synthesised("dev", monitoring="false")
    assert without == {name: template for name, template in dev.items() if not name.endswith("-monitoring")}
    assert "ai-pipeline-local-monitoring" not in synthesised("local")
    assert "ai-pipeline-local-monitoring" in synthesised("local", only="monitoring")


def test_an_address_is_told_of_alarms(synthesised):
    """The option `alarm_email` subscribes that address to the topic."""
    template = synthesised("dev", only="monitoring", alarm_email="on-call@example.com")
    (subscription,) = resources(template["ai-pipeline-dev-monitoring"], "AWS::SNS::Subscription").values()
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "on-call@example.com")
