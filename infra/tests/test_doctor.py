"""The doctor finds each fault that is planted, by the check that is meant, and nothing in the project as it is."""

import copy
import json
from dataclasses import replace

import pytest

from infra.doctor.checks import capacity
from infra.doctor.checks.capacity import Intent
from infra.doctor.live import live_queue, live_source
from infra.doctor.reading import read
from infra.doctor.table import CHECKS, examine
from infra.environments import ENVIRONMENTS, load
from infra.rules import resources

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]
ENV = "dev"


def stack(templates, part):
    return templates[f"ai-pipeline-{ENV}-{part}"]


def only(templates, part, kind, **having):
    """The one resource of this type in a stack that has these properties."""
    (found,) = [
        its
        for its in resources(stack(templates, part), kind).values()
        if all(its.get(key) == value for key, value in having.items())
    ]
    return found


def queue(templates, part, suffix=""):
    return only(templates, part, "AWS::SQS::Queue", QueueName=f"ai-pipeline-{ENV}-{part}{suffix}")


def mapping(templates, part):
    return only(templates, part, "AWS::Lambda::EventSourceMapping")


def rule(templates, part):
    return only(templates, part, "AWS::Events::Rule", Name=f"ai-pipeline-{ENV}-{part}-requests")


def function(templates, part, name=None):
    return only(templates, part, "AWS::Lambda::Function", FunctionName=f"ai-pipeline-{ENV}-{name or part}")


def statement(templates, part, sid):
    (found,) = [
        one
        for policy in resources(stack(templates, part), "AWS::IAM::Policy").values()
        for one in policy["PolicyDocument"]["Statement"]
        if one.get("Sid") == sid
    ]
    return found


def grant(templates, part, **more):
    (policy,) = resources(stack(templates, part), "AWS::IAM::Policy").values()
    policy["PolicyDocument"]["Statement"].append({"Effect": "Allow", "Sid": "Planted", **more})


def rewrite(templates, old, new):
    """Changes the text of the state machine's definition, which CDK joins from pieces."""
    machine = only(templates, "workflow", "AWS::StepFunctions::StateMachine")
    before = json.dumps(machine["DefinitionString"])
    after = before.replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1], 1)
    assert after != before
    machine["DefinitionString"] = json.loads(after)


# --- the faults ----------------------------------------------------------------------------------------------


def short_visibility(templates):
    queue(templates, "analyzer")["VisibilityTimeout"] = 60


def slower_function(templates):
    function(templates, "enhancer")["Timeout"] = 31


def batching_window(templates):
    mapping(templates, "logger")["MaximumBatchingWindowInSeconds"] = 5


def long_visibility(templates):
    queue(templates, "analyzer")["VisibilityTimeout"] = 600


def short_task(templates):
    rewrite(
        templates,
        '"TimeoutSeconds": 960, "ResultPath": "$.log"',
        '"TimeoutSeconds": 900, "ResultPath": "$.log"',
    )


def endless_task(templates):
    rewrite(templates, '"TimeoutSeconds": 960, "ResultPath": "$.log", ', '"ResultPath": "$.log", ')


def late_events(templates):
    rule(templates, "chatbot")["Targets"][0].pop("RetryPolicy")


def whole_batches(templates):
    mapping(templates, "chatbot").pop("FunctionResponseTypes")


def asleep(templates):
    mapping(templates, "enhancer")["Enabled"] = False


def shared_queue(templates):
    found = mapping(templates, "enhancer")
    stack(templates, "enhancer")["Resources"]["Second"] = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {**found},
    }


def no_dlq(templates):
    queue(templates, "logger").pop("RedrivePolicy")


def few_receives(templates):
    queue(templates, "logger")["RedrivePolicy"]["maxReceiveCount"] = 3


def forgetful_dlq(templates):
    queue(templates, "chatbot", "-dlq").pop("MessageRetentionPeriod")


def forgetful_rule_dlq(templates):
    queue(templates, "trigger", "-rule-dlq")["MessageRetentionPeriod"] = 345_600


def no_rule_dlq(templates):
    rule(templates, "trigger")["Targets"][0].pop("DeadLetterConfig")


def closed_queue(templates):
    template = stack(templates, "analyzer")
    (name,) = [
        name
        for name, policy in resources(template, "AWS::SQS::QueuePolicy").items()
        if "GetQueueAttributes" in json.dumps(policy)
    ]
    statements = template["Resources"][name]["Properties"]["PolicyDocument"]["Statement"]
    statements[:] = [one for one in statements if one["Effect"] == "Deny"]


def open_queue(templates):
    for policy in resources(stack(templates, "logger"), "AWS::SQS::QueuePolicy").values():
        policy["PolicyDocument"]["Statement"].append(
            {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}
        )


def parked_elsewhere(templates):
    variables = function(templates, "analyzer")["Environment"]["Variables"]
    variables["DLQ_URL"] = f"https://sqs.eu-west-1.amazonaws.com/1/ai-pipeline-{ENV}-enhancer-dlq"


def catch_on_the_critical_state(templates):
    rewrite(
        templates,
        '"ResultPath": "$.results.chat", ',
        '"ResultPath": "$.results.chat", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "StoreAnswer"}], ',
    )


def fail_state(templates):
    rewrite(templates, '"States": {', '"States": {"GiveUp": {"Type": "Fail"}, ')


def uncaught_extra(templates):
    rewrite(templates, '"ErrorEquals": ["States.ALL"]', '"ErrorEquals": ["States.Timeout"]')


def unheard_failures(templates):
    failures = only(templates, "logger", "AWS::Events::Rule")
    failures["EventPattern"]["detail"]["status"].remove("TIMED_OUT")


def sent_to_nobody(templates):
    rule(templates, "analyzer")["EventPattern"]["detail-type"] = ["analysis.requested.v2"]


def disabled_rule(templates):
    rule(templates, "chatbot")["State"] = "DISABLED"


def other_bus(templates):
    rule(templates, "enhancer")["EventBusName"] = "ai-pipeline-prod-bus"


def requests_on_another_bus(templates):
    rule(templates, "trigger")["EventBusName"] = "default-of-somebody"


def heard_twice(templates):
    rule(templates, "enhancer")["EventPattern"]["detail-type"].append("analysis.requested.v1")


def unread_version(templates):
    rule(templates, "trigger")["EventPattern"]["detail-type"].remove("pipeline.requested.v2")


def wrong_queue(templates):
    rewrite(templates, f"/ai-pipeline-{ENV}-logger", f"/ai-pipeline-{ENV}-loger")


def missing_state_machine(templates):
    template = stack(templates, "workflow")
    template["Resources"] = {
        name: its
        for name, its in template["Resources"].items()
        if its["Type"] != "AWS::StepFunctions::StateMachine"
    }


def no_right_to_answer(templates):
    statement(templates, "chatbot", "AnswerTasks")["Action"] = "states:SendTaskFailure"


def no_right_to_send(templates):
    statement(templates, "workflow", "SendStageRequests")["Resource"] = "arn:aws:sqs:eu-west-1:1:other"


def wildcard_action(templates):
    statement(templates, "logger", "UseTheTable")["Action"] = "dynamodb:*"


def wildcard_resource(templates):
    statement(templates, "chatbot", "AskTheModel")["Resource"] = "*"


def wildcard_in_an_arn(templates):
    statement(templates, "logger", "UseTheTable")["Resource"] = "arn:aws:dynamodb:eu-west-1:1:table/*"


def any_event(templates):
    statement(templates, "workflow", "PublishEvents").pop("Condition")


def idle_right(templates):
    grant(
        templates,
        "analyzer",
        Action="dynamodb:DeleteItem",
        Resource=f"arn:aws:dynamodb:eu-west-1:1:table/PipelineLogs-{ENV}",
    )


def unlimited(templates):
    mapping(templates, "chatbot").pop("ScalingConfig")


def greedy(templates):
    mapping(templates, "logger")["ScalingConfig"]["MaximumConcurrency"] = 900


def alarm_on(templates, queue_name):
    """The logical id of the one alarm on a queue's own metric."""
    (found,) = [
        name
        for name, its in resources(stack(templates, "monitoring"), "AWS::CloudWatch::Alarm").items()
        if {"Name": "QueueName", "Value": queue_name} in its.get("Dimensions", ())
        and "OldestMessage" not in its["MetricName"]
    ]
    return found


def unwatched_dlq(templates):
    stack(templates, "monitoring")["Resources"].pop(alarm_on(templates, f"ai-pipeline-{ENV}-chatbot-dlq"))


def mute_alarm(templates):
    name = alarm_on(templates, f"ai-pipeline-{ENV}-logger-dlq")
    stack(templates, "monitoring")["Resources"][name]["Properties"]["ActionsEnabled"] = False


def no_monitoring(templates):
    del templates[f"ai-pipeline-{ENV}-monitoring"]


PLANTED = [
    (short_visibility, {"visibility": f"ai-pipeline-{ENV}-analyzer"}),
    (slower_function, {"visibility": f"ai-pipeline-{ENV}-enhancer"}),
    (batching_window, {"visibility": f"ai-pipeline-{ENV}-logger"}),
    (long_visibility, {"task-timeout": "AnalyzeInput"}),
    (short_task, {"task-timeout": "LogResults"}),
    (endless_task, {"task-timeout": "LogResults"}),
    (late_events, {"event-age": "chatbot-requests"}),
    (whole_batches, {"partial-batch": f"ai-pipeline-{ENV}-chatbot"}),
    (asleep, {"consumers": f"ai-pipeline-{ENV}-enhancer"}),
    (forgetful_dlq, {"dlq-retention": "chatbot-dlq"}),
    (forgetful_rule_dlq, {"dlq-retention": "trigger-rule-dlq"}),
    (few_receives, {"dead-letters": f"ai-pipeline-{ENV}-logger"}),
    (no_dlq, {"dead-letters": f"ai-pipeline-{ENV}-logger"}),
    (no_rule_dlq, {"rule-dlq": "trigger-requests"}),
    (closed_queue, {"deliveries": "analyzer-requests"}),
    (open_queue, {"deliveries": f"ai-pipeline-{ENV}-logger"}),
    (parked_elsewhere, {"parking": f"ai-pipeline-{ENV}-analyzer"}),
    (catch_on_the_critical_state, {"redrivable": "CallExistingChatbot"}),
    (fail_state, {"redrivable": "GiveUp"}),
    (uncaught_extra, {"degrades": "AnalyzeInput"}),
    (unheard_failures, {"failures-heard": f"ai-pipeline-{ENV}"}),
    (disabled_rule, {"requests-sent": "CallExistingChatbot"}),
    (other_bus, {"requests-sent": "EnhanceResponse"}),
    (shared_queue, {"consumers": f"ai-pipeline-{ENV}-enhancer"}),
    (unread_version, {"requests-published": "trigger"}),
    (requests_on_another_bus, {"requests-published": "trigger"}),
    (no_right_to_answer, {"rights-needed": f"ai-pipeline-{ENV}-chatbot"}),
    (no_right_to_send, {"rights-needed": "LogResults"}),
    (wildcard_action, {"rights-narrow": "UseTheTable"}),
    (wildcard_resource, {"rights-narrow": "AskTheModel"}),
    (wildcard_in_an_arn, {"rights-narrow": "UseTheTable"}),
    (any_event, {"rights-narrow": "PublishEvents"}),
    (idle_right, {"rights-used": f"ai-pipeline-{ENV}-analyzer"}),
    (unlimited, {"concurrency": f"ai-pipeline-{ENV}-chatbot"}),
    (greedy, {"concurrency": "all queues"}),
    (unwatched_dlq, {"alarms": f"ai-pipeline-{ENV}-chatbot-dlq"}),
    (mute_alarm, {"alarms": f"ai-pipeline-{ENV}-logger-dlq"}),
    (no_monitoring, {"alarms": "monitoring"}),
    # Seen from both of their ends:
    (sent_to_nobody, {"requests-sent": "AnalyzeInput", "subscriptions": "analyzer"}),
    (heard_twice, {"requests-sent": "AnalyzeInput", "subscriptions": "enhancer"}),
    (wrong_queue, {"requests-sent": "LogResults", "rights-needed": "LogResults"}),
]


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
    assert all(outcome.held or outcome.skipped for outcome in outcomes)


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
        assert all(finding.what and finding.why and finding.mend for finding in findings)


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


# --- what runs -----------------------------------------------------------------------------------------------


@pytest.fixture
def running(synthesised):
    """A deployment that runs as its templates say."""
    written = read(synthesised(ENV), load(ENV))
    return replace(written, written=written)


def drift(system):
    """What the check `drift` finds, and by which checks anything is found."""
    outcomes = {one.check: one.findings for one in examine(system) if one.findings}
    return outcomes.get("drift", ()), outcomes.keys()


def test_a_deployment_as_written_is_in_order(running):
    """Nothing has drifted; the check has compared every part."""
    last = examine(running)[-1]
    assert (last.check, last.findings) == ("drift", ())
    assert len(last.held) > 30


def test_what_was_changed_by_hand_is_named_with_both_values(running):
    """A queue's visibility, set on the console: the clock no longer fits, and the template says otherwise."""
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
    """A rule that somebody has deleted: the request it delivered reaches nobody."""
    rules = {key: its for key, its in running.rules.items() if "chatbot" not in key}
    (finding,), checks = drift(replace(running, rules=rules))
    assert (finding.where, finding.severity) == (f"rule ai-pipeline-{ENV}-chatbot-requests", "error")
    assert checks == {"requests-sent", "drift"}


def test_a_mapping_that_no_template_has_is_found(running):
    """A second consumer, added by hand, takes part of the messages."""
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
    """Lambda's own states are read: only a mapping that works, or soon will, counts."""
    arns = {"EventSourceArn": "arn:aws:sqs:r:1:q", "FunctionArn": "arn:aws:lambda:r:1:function:f:live"}
    assert [
        live_source("s", {**arns, "State": state}).enabled
        for state in ("Enabled", "Updating", "Disabling", "Disabled")
    ] == [True, True, False, False]
    assert live_source("s", {**arns, "State": "Enabled"}).function == "f"
