"""The doctor finds each fault that is planted, by the check that is meant, and nothing in the project as it is."""

import copy
from dataclasses import replace

import pytest

from infra.doctor.checks import capacity
from infra.doctor.checks.capacity import Intent
from infra.doctor.reading import read
from infra.doctor.table import CHECKS, examine
from infra.environments import ENVIRONMENTS, load
from infra.tests.faults import ENV, PLANTED, idle_right, missing_state_machine, mute_alarm, no_monitoring

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]


def found(templates, intent=None):
    """The findings by check."""
    system = read(templates, load(ENV))
    return {one.check: one.findings for one in examine(system, intent) if one.findings}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_project_is_in_order(synthesised, name):
    """No check finds anything in any environment's templates, and each has looked at something."""
    outcomes = examine(read(synthesised(name), load(name)))
    assert [finding for outcome in outcomes for finding in outcome.findings] == []
    assert [one.check for one in outcomes] == [check.name for check in CHECKS]
    assert all(outcome.passed or outcome.skipped for outcome in outcomes)


@pytest.mark.parametrize(("plant", "meant"), PLANTED, ids=[plant.__name__ for plant, _ in PLANTED])
def test_a_planted_fault_is_found(synthesised, plant, meant):
    """The check that is meant names the place; no other check has anything to say."""
    templates = copy.deepcopy(dict(synthesised(ENV)))
    plant(templates)
    by_check = found(templates)
    assert by_check.keys() == meant.keys()
    for check, where in meant.items():
        assert any(where in finding.where for finding in by_check[check])
    for findings in by_check.values():
        assert all(finding.what and finding.why and finding.fix for finding in findings)


@pytest.mark.parametrize("plant", [mute_alarm, no_monitoring, idle_right])
def test_what_only_may_do_harm_is_a_warning(synthesised, plant):
    """An alarm that tells nobody, or a right that nobody uses, fails no deployment: only --strict minds."""
    templates = copy.deepcopy(dict(synthesised(ENV)))
    plant(templates)
    assert {one.severity for findings in found(templates).values() for one in findings} == {"warning"}


def test_a_missing_state_machine_is_no_silence(synthesised):
    """A check that has nothing to look at says so; it does not pass."""
    templates = copy.deepcopy(dict(synthesised(ENV)))
    missing_state_machine(templates)
    assert {"task-timeout", "redrivable", "degrades", "requests-sent"} <= found(templates).keys()


def test_without_templates_nothing_is_proven():
    """An empty folder is not in order."""
    outcomes = {one.check: one for one in examine(read({}, load(ENV)))}
    silent = {name for name, one in outcomes.items() if not one.findings}
    assert silent <= {"alarms", "quotas", "concurrency", "state-size", "failures-heard"}


def test_callbacks_on_everything_are_the_engines_alone(synthesised):
    """What is allowed on the local engine because of its IAM is not allowed on AWS."""
    aws_like = replace(load("local"), iam=load(ENV).iam)
    outcomes = {one.check: one for one in examine(read(synthesised("local"), aws_like))}
    assert any("SendTask" in finding.what for finding in outcomes["rights-narrow"].findings)


@pytest.mark.parametrize(
    ("rate", "region", "short"),
    [
        (75, None, set()),
        (76, None, {"SendTask*"}),
        (125, "us-east-1", set()),
        (126, "us-east-1", {"SendTask*"}),
        (301, "eu-west-1", {"SendTask*", "StartExecution"}),
    ],
)
def test_the_quota_that_binds_first_is_named(synthesised, rate, region, short):
    """Four callbacks a run: 300 of them a second carry 75 requests, 500 carry 125; then StartExecution binds."""
    found_at = found(synthesised(ENV), Intent(rate=rate, region=region))
    assert {finding.where for finding in found_at.get("quotas", ())} == short
    assert all(finding.severity == "warning" for finding in found_at.get("quotas", ()))


def test_a_rate_that_the_queues_do_not_let_through(synthesised):
    """250 chatbots of four seconds answer 62 requests a second; more is an error, whatever the account's quotas."""
    at = found(synthesised(ENV), Intent(rate=63))["concurrency"]
    assert [(finding.where, finding.severity) for finding in at] == [(f"ai-pipeline-{ENV}-chatbot", "error")]
    assert capacity.TYPICAL_SECONDS["chatbot"] * 62 <= 250 < capacity.TYPICAL_SECONDS["chatbot"] * 63


def test_a_state_that_grows_is_noticed(synthesised, monkeypatch):
    """More than nine tenths of Step Functions' limit is too near."""
    monkeypatch.setattr("infra.doctor.checks.workflow.largest_run_bytes", lambda: 240_000)
    assert found(synthesised(ENV)).keys() == {"state-size"}


def test_an_alarm_on_metric_math_counts(synthesised):
    """CDK writes an alarm on several metrics in another form; it watches all the same."""
    metric = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Dimensions": [{"Name": "QueueName", "Value": f"ai-pipeline-{ENV}-logger-dlq"}],
    }
    math = {"Metrics": [{"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}]}
    resource = {"Type": "AWS::CloudWatch::Alarm", "Properties": {**math, "AlarmActions": ["arn"]}}
    templates = {**synthesised(ENV), f"ai-pipeline-{ENV}-monitoring": {"Resources": {"A": resource}}}
    missing = {finding.where for finding in found(templates)["alarms"]}
    assert f"ai-pipeline-{ENV}-logger-dlq" not in missing
    assert f"ai-pipeline-{ENV}-logger" in missing


def test_an_inference_profile_and_an_existing_chatbot_are_in_order(synthesised):
    """The chatbot's settings change its rights; none of them is wider than its reason."""
    for options in (
        {"model_id": "us.amazon.nova-2-lite-v1:0"},
        {"chatbot_function_arn": "arn:aws:lambda:us-east-1:111122223333:function:existing"},
    ):
        assert found(synthesised(ENV, **options)) == {}
