"""Alarms and dashboard on the engine: an optional part that is deployed by name."""

import json

import pytest

from local.deploy import deploy, is_current
from shared.contracts.stages import SERVICES
from tests.e2e.conftest import DEPLOYS

pytestmark = [pytest.mark.engine, DEPLOYS]


def test_monitoring_is_deployed_alone_and_tells_what_was_deployed(pipeline):
    """One command adds alarms and dashboard to a running pipeline without them, and they are then current."""
    cloudwatch = pipeline.client("cloudwatch")
    pages = cloudwatch.get_paginator("describe_alarms")
    wanted = {"AlarmNamePrefix": "ai-pipeline-local-"}
    assert [alarm for page in pages.paginate(**wanted) for alarm in page["MetricAlarms"]] == []

    deploy(pipeline.engine)  # another test may have left an older part
    assert deploy(pipeline.engine, "monitoring") == ("monitoring",)
    assert is_current(pipeline.engine)

    alarms = {
        alarm["AlarmName"]: alarm for page in pages.paginate(**wanted) for alarm in page["MetricAlarms"]
    }
    parked = alarms["ai-pipeline-local-chatbot-parked"]
    assert parked["TreatMissingData"] == "notBreaching"
    assert parked["AlarmDescription"].endswith("docs/operations.md#alarm-parked-messages")
    (topic,) = parked["AlarmActions"]
    attributes = pipeline.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    assert attributes["TopicArn"].endswith(":ai-pipeline-local-alarms")
    assert {f"ai-pipeline-local-{service}-queue-age" for service in SERVICES} <= alarms.keys()

    body = json.loads(cloudwatch.get_dashboard(DashboardName="ai-pipeline-local-us-east-1")["DashboardBody"])
    (shown,) = (widget["properties"]["alarms"] for widget in body["widgets"] if widget["type"] == "alarm")
    assert set(shown) == {alarm["AlarmArn"] for alarm in alarms.values()}
    graphed = json.dumps(body)
    assert "AIPipeline" in graphed
    assert "ai-pipeline-local-chatbot-dlq" in graphed
