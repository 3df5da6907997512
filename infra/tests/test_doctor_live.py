"""The doctor on deployed resources: a change by hand is reported by `drift` and by the checks it concerns."""

import json
from dataclasses import replace

import pytest

from infra.doctor.live import live_queue, live_source
from infra.doctor.reading import read
from infra.doctor.table import examine
from infra.options import load
from infra.tests.planting import ENV

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]


@pytest.fixture
def running(synthesised):
    """A model of deployed resources that are as their templates say."""
    written = read(synthesised(ENV), load(ENV))
    return replace(written, written=written)


def drift(system):
    """Return the findings of the check `drift`, and the names of all checks with findings."""
    findings = {outcome.check: outcome.findings for outcome in examine(system) if outcome.findings}
    return findings.get("drift", ()), findings.keys()


def test_a_deployment_as_written_is_in_order(running):
    """A deployment that is as its templates say has no drift, and every part was compared."""
    last = examine(running)[-1]
    assert (last.check, last.findings) == ("drift", ())
    assert len(last.passed) > 30


def test_what_was_changed_by_hand_is_named_with_both_values(running):
    """A visibility timeout changed by hand is reported with both values, and by the check `visibility`."""
    name = f"ai-pipeline-{ENV}-logger"
    attributes = {
        "VisibilityTimeout": "20",
        "MessageRetentionPeriod": "345600",
        "RedrivePolicy": json.dumps(
            {"deadLetterTargetArn": f"arn:aws:sqs:eu-west-1:1:{name}-dlq", "maxReceiveCount": 5}
        ),
    }
    queues = {**running.queues, name: live_queue(running.queues[name], attributes)}
    (finding,), checks = drift(replace(running, queues=queues))
    assert (finding.where, finding.severity) == (f"queue {name}", "warning")
    assert "visibility seconds is 20, the template says 180" in finding.what
    assert checks == {"visibility", "drift"}


def test_what_is_gone_is_an_error(running):
    """A rule deleted by hand is an error of `drift`, and its request reaches nobody."""
    rules = {name: rule for name, rule in running.rules.items() if "chatbot" not in name}
    (finding,), checks = drift(replace(running, rules=rules))
    assert (finding.where, finding.severity) == (f"rule ai-pipeline-{ENV}-chatbot-requests", "error")
    assert checks == {"requests-sent", "drift"}


def test_a_mapping_that_no_template_has_is_found(running):
    """A second consumer of a queue, added by hand, is reported."""
    answer = {
        "EventSourceArn": f"arn:aws:sqs:eu-west-1:1:ai-pipeline-{ENV}-logger",
        "FunctionArn": "arn:aws:lambda:eu-west-1:1:function:somebody-elses",
        "State": "Enabled",
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 2},
    }
    extra = live_source("by hand", answer)
    (finding,), checks = drift(replace(running, sources=(*running.sources, extra)))
    assert finding.where == f"mapping ai-pipeline-{ENV}-logger → somebody-elses"
    assert checks == {"consumers", "drift"}


def test_a_disabled_mapping_is_asleep(running):
    """Only a mapping whose state says that it works, or soon will, counts as enabled."""
    arns = {"EventSourceArn": "arn:aws:sqs:r:1:q", "FunctionArn": "arn:aws:lambda:r:1:function:f:live"}
    assert [
        live_source("s", {**arns, "State": state}).enabled
        for state in ("Enabled", "Updating", "Disabling", "Disabled")
    ] == [True, True, False, False]
    assert live_source("s", {**arns, "State": "Enabled"}).function == "f"
