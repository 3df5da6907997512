"""The doctor finds each planted fault with the intended check, and nothing in the project as it is."""

import copy
from dataclasses import replace

import pytest

from infra.doctor.checks import capacity
from infra.doctor.checks.capacity import Intent
from infra.doctor.reading import read
from infra.doctor.table import CHECKS, examine
from infra.environments import ENVIRONMENTS
from infra.models import FAMILY
from infra.options import load
from infra.tests import faults, right_faults
from infra.tests.faults import missing_state_machine, mute_alarm, no_monitoring, records_never_gone
from infra.tests.planting import ENV
from infra.tests.right_faults import idle_right
from infra.tests.support import APPLICATION
from shared.contracts.stages import STAGES

PLANTED = [*faults.PLANTED, *right_faults.PLANTED]
pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]


def findings_of(templates, intent=None):
    """Return the findings by check."""
    outcomes = examine(read(templates, load(ENV)), intent)
    return {outcome.check: outcome.findings for outcome in outcomes if outcome.findings}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_project_is_in_order(synthesised, name):
    """No check has findings on any environment's templates, and each has compared something or was skipped."""
    outcomes = examine(read(synthesised(name), load(name)))
    assert [finding for outcome in outcomes for finding in outcome.findings] == []
    assert [outcome.check for outcome in outcomes] == [check.name for check in CHECKS]
    assert all(outcome.passed or outcome.skipped for outcome in outcomes)


@pytest.mark.parametrize(("plant", "expected"), PLANTED, ids=[plant.__name__ for plant, _ in PLANTED])
def test_a_planted_fault_is_found(synthesised, plant, expected):
    """The intended checks, and no others, report a planted fault and name its place."""
    templates = copy.deepcopy(dict(synthesised(ENV)))
    plant(templates)
    by_check = findings_of(templates)
    assert by_check.keys() == expected.keys()
    for check, where in expected.items():
        assert any(where in finding.where for finding in by_check[check])
    for findings in by_check.values():
        assert all(finding.what and finding.why and finding.fix for finding in findings)


@pytest.mark.parametrize("plant", [mute_alarm, no_monitoring, idle_right, records_never_gone])
def test_what_only_may_do_harm_is_a_warning(synthesised, plant):
    """What only may do harm, e.g. a mute alarm or an unused right, is a warning, which fails with --strict only."""
    templates = copy.deepcopy(dict(synthesised(ENV)))
    plant(templates)
    by_check = findings_of(templates)
    assert {finding.severity for findings in by_check.values() for finding in findings} == {"warning"}


def test_a_missing_state_machine_is_no_silence(synthesised):
    """A check that finds nothing to compare reports that instead of passing."""
    templates = copy.deepcopy(dict(synthesised(ENV)))
    missing_state_machine(templates)
    assert {"task-timeout", "redrivable", "degrades", "requests-sent"} <= findings_of(templates).keys()


def test_without_templates_nothing_is_proven():
    """Without templates only the checks that do not depend on them have no findings."""
    outcomes = examine(read({}, load(ENV)))
    silent = {outcome.check for outcome in outcomes if not outcome.findings}
    assert silent <= {"alarms", "quotas", "concurrency", "state-size", "failures-heard", "ends-reconciled"}


def test_callbacks_on_everything_are_the_engines_alone(synthesised):
    """Rights that only the local engine's IAM makes necessary are findings on AWS."""
    aws_like = replace(load("local"), iam=load(ENV).iam)
    outcomes = {outcome.check: outcome for outcome in examine(read(synthesised("local"), aws_like))}
    assert any("SendTask" in finding.what for finding in outcomes["rights-narrow"].findings)


@pytest.mark.parametrize(
    ("rate", "region", "short"),
    [
        (300 / len(STAGES), None, set()),
        (300 / len(STAGES) + 1, None, {"SendTask*"}),
        (500 / len(STAGES), "us-east-1", set()),
        (500 / len(STAGES) + 1, "us-east-1", {"SendTask*"}),
        (301, "eu-west-1", {"SendTask*", "StartExecution"}),
    ],
)
def test_the_quota_that_binds_first_is_named(synthesised, rate, region, short):
    """A rate above a quota is reported with its quota: of 300 or 500 callbacks/s, each stage of a run takes one."""
    by_check = findings_of(synthesised(ENV), Intent(rate=rate, region=region))
    assert {finding.where for finding in by_check.get("quotas", ())} == short
    assert all(finding.severity == "warning" for finding in by_check.get("quotas", ()))


def test_a_rate_that_the_queues_do_not_let_through(synthesised):
    """A rate above the concurrency of a queue is an error: 250 chatbots of four seconds answer 62 requests/s."""
    findings = findings_of(synthesised(ENV), Intent(rate=63))["concurrency"]
    assert [(finding.where, finding.severity) for finding in findings] == [
        (f"ai-pipeline-{ENV}-chatbot", "error")
    ]
    assert capacity.TYPICAL_SECONDS["chatbot"] * 62 <= 250 < capacity.TYPICAL_SECONDS["chatbot"] * 63


def test_the_accounts_own_concurrency_decides(synthesised):
    """A new account's ten concurrent executions are too few for the rate, which is an error; enough are none."""
    system = read(synthesised(ENV), load(ENV))

    def found(concurrency, rate=10):
        outcomes = examine(replace(system, concurrency=concurrency), Intent(rate=rate))
        return [finding for outcome in outcomes for finding in outcome.findings]

    (finding,) = found(10)
    assert (finding.check, finding.where, finding.severity) == (
        "concurrency", "all queues and the API", "error",
    )  # fmt: skip
    # 10/s x (4 s for the chatbot, 0.2 s for the start, each other stage and each of four calls of the API), and two
    # who wait
    assert f"need {40 + 2 * (len(STAGES) + 4) + 2} concurrent executions" in finding.what
    assert "this account has 10" in finding.what
    (finding,) = found(100)
    assert finding.severity == "warning"
    assert found(1_000) == []


def test_callers_who_wait_are_counted(synthesised):
    """The number of callers who may wait is part of what all functions may take."""
    by_check = {outcome.check: outcome for outcome in examine(read(synthesised(ENV), load(ENV)))}
    queues = sum(source.max_concurrency or 0 for source in read(synthesised(ENV), load(ENV)).sources)
    waiting, calls = load(ENV).max_waiting, 8
    assert f"all queues and the API together: {queues + waiting + calls} ≤ 1,000" in (
        by_check["concurrency"].comparisons
    )


def test_a_state_that_grows_is_noticed(synthesised, monkeypatch):
    """A largest run of more than nine tenths of Step Functions' limit is reported."""
    monkeypatch.setattr("infra.doctor.checks.workflow.largest_run_bytes", lambda: 240_000)
    assert findings_of(synthesised(ENV)).keys() == {"state-size"}


def test_an_alarm_on_metric_math_counts(synthesised):
    """An alarm on an expression of metrics, which CDK writes in another form, watches its queue too."""
    metric = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateNumberOfMessagesVisible",
        "Dimensions": [{"Name": "QueueName", "Value": f"ai-pipeline-{ENV}-logger-dlq"}],
    }
    math = {"Metrics": [{"Id": "m", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}]}
    resource = {"Type": "AWS::CloudWatch::Alarm", "Properties": {**math, "AlarmActions": ["arn"]}}
    templates = {**synthesised(ENV), f"ai-pipeline-{ENV}-monitoring": {"Resources": {"A": resource}}}
    missing = {finding.where for finding in findings_of(templates)["alarms"]}
    assert f"ai-pipeline-{ENV}-logger-dlq" not in missing
    assert f"ai-pipeline-{ENV}-logger" in missing


def test_an_inference_profile_and_an_existing_chatbot_are_in_order(synthesised):
    """The rights that follow from the chatbot's settings have no findings."""
    for options in (
        {"model_id": "us.amazon.nova-2-lite-v1:0"},
        {"model_id": "global.amazon.nova-2-lite-v1:0", "model_id_complex": f"us.{FAMILY}"},
        {"model_id": APPLICATION, "model_behind": f"us.{FAMILY}"},
        {"chatbot_function_arn": "arn:aws:lambda:us-east-1:111122223333:function:existing"},
    ):
        assert findings_of(synthesised(ENV, **options)) == {}
