"""Faults to plant in a copy of the templates, one at a time, and the checks that must find each of them."""

import json

from infra.rules import resources
from infra.tests.planting import ENV, function, mapping, only, queue, rewrite, rule, stack


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


def mistaken_function(templates):
    function(templates, "chatbot")["Environment"]["Variables"]["TASK_SECONDS"] = "5310"


def late_events(templates):
    rule(templates, "chatbot")["Targets"][0].pop("RetryPolicy")


def whole_batches(templates):
    mapping(templates, "chatbot").pop("FunctionResponseTypes")


def asleep(templates):
    mapping(templates, "enhancer")["Enabled"] = False


def shared_queue(templates):
    first = mapping(templates, "enhancer")
    stack(templates, "enhancer")["Resources"]["Second"] = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {**first},
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
    statements[:] = [each for each in statements if each["Effect"] == "Deny"]


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
    failures = only(templates, "logger", "AWS::Events::Rule", Name=f"ai-pipeline-{ENV}-logger-failures")
    failures["EventPattern"]["detail"]["status"].remove("TIMED_OUT")


def sleeping_reconciler(templates):
    name = f"ai-pipeline-{ENV}-logger-reconcile"
    only(templates, "logger", "AWS::Events::Rule", Name=name)["State"] = "DISABLED"


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
        name: resource
        for name, resource in template["Resources"].items()
        if resource["Type"] != "AWS::StepFunctions::StateMachine"
    }


def unlimited(templates):
    mapping(templates, "chatbot").pop("ScalingConfig")


def greedy(templates):
    mapping(templates, "logger")["ScalingConfig"]["MaximumConcurrency"] = 900


def many_waiting(templates):
    function(templates, "trigger", "api")["Environment"]["Variables"]["MAX_WAITING"] = "400"


def alarm_on(templates, queue_name):
    """Return the logical id of the only alarm on a queue's length."""
    (logical_id,) = [
        name
        for name, alarm in resources(stack(templates, "monitoring"), "AWS::CloudWatch::Alarm").items()
        if {"Name": "QueueName", "Value": queue_name} in alarm.get("Dimensions", ())
        and "OldestMessage" not in alarm["MetricName"]
    ]
    return logical_id


def unwatched_dlq(templates):
    stack(templates, "monitoring")["Resources"].pop(alarm_on(templates, f"ai-pipeline-{ENV}-chatbot-dlq"))


def mute_alarm(templates):
    name = alarm_on(templates, f"ai-pipeline-{ENV}-logger-dlq")
    stack(templates, "monitoring")["Resources"][name]["Properties"]["ActionsEnabled"] = False


def delete_records(templates, *, days, functions=("trigger/api", "trigger/starter", "logger/logger")):
    for place in functions:
        part, _, name = place.partition("/")
        variables = function(templates, part, name)["Environment"]["Variables"]
        variables["KEEP_RECORDS_SECONDS"] = str(days * 86_400)
    table = only(templates, "platform", "AWS::DynamoDB::GlobalTable", TableName=f"PipelineLogs-{ENV}")
    table["TimeToLiveSpecification"] = {"AttributeName": "expires_at", "Enabled": True}


def records_gone_too_soon(templates):
    """Let the logger's records be deleted before a parked message can be replayed."""
    delete_records(templates, days=200, functions=("trigger/api", "trigger/starter"))
    delete_records(templates, days=14, functions=("logger/logger",))


def records_of_open_runs_gone(templates):
    """Let a record be deleted while its run may still be open: the starter allows no time for the run."""
    delete_records(templates, days=100)


def records_never_gone(templates):
    delete_records(templates, days=200, functions=("trigger/api", "trigger/starter"))
    delete_records(templates, days=100, functions=("logger/logger", "logger/reconciler"))
    table = only(templates, "platform", "AWS::DynamoDB::GlobalTable", TableName=f"PipelineLogs-{ENV}")
    del table["TimeToLiveSpecification"]


def unwatched_function(templates):
    drop_alarm(templates, "enhancer-errors")


def unwatched_api(templates):
    drop_alarm(templates, "api-failures")


def drop_alarm(templates, name):
    (logical_id,) = [
        logical_id
        for logical_id, alarm in resources(stack(templates, "monitoring"), "AWS::CloudWatch::Alarm").items()
        if alarm["AlarmName"] == f"ai-pipeline-{ENV}-{name}"
    ]
    del stack(templates, "monitoring")["Resources"][logical_id]


def no_monitoring(templates):
    del templates[f"ai-pipeline-{ENV}-monitoring"]


PLANTED = [
    (short_visibility, {"visibility": f"ai-pipeline-{ENV}-analyzer"}),
    (slower_function, {"visibility": f"ai-pipeline-{ENV}-enhancer"}),
    (batching_window, {"visibility": f"ai-pipeline-{ENV}-logger"}),
    (long_visibility, {"task-timeout": "AnalyzeInput"}),
    (short_task, {"task-timeout": "LogResults"}),
    (endless_task, {"task-timeout": "LogResults"}),
    (mistaken_function, {"task-timeout": "CallExistingChatbot"}),
    (late_events, {"event-age": "chatbot-requests"}),
    (whole_batches, {"partial-batch": f"ai-pipeline-{ENV}-chatbot"}),
    (asleep, {"consumers": f"ai-pipeline-{ENV}-enhancer"}),
    (forgetful_dlq, {"dlq-retention": "chatbot-dlq"}),
    (forgetful_rule_dlq, {"dlq-retention": "trigger-rule-dlq"}),
    (records_gone_too_soon, {"records-kept": f"ai-pipeline-{ENV}-logger"}),
    (records_of_open_runs_gone, {"records-kept": f"ai-pipeline-{ENV}-starter"}),
    (records_never_gone, {"records-kept": f"PipelineLogs-{ENV}"}),
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
    (sleeping_reconciler, {"ends-reconciled": f"ai-pipeline-{ENV}-reconciler"}),
    (disabled_rule, {"requests-sent": "CallExistingChatbot"}),
    (other_bus, {"requests-sent": "EnhanceResponse"}),
    (shared_queue, {"consumers": f"ai-pipeline-{ENV}-enhancer"}),
    (unread_version, {"requests-published": "trigger"}),
    (requests_on_another_bus, {"requests-published": "trigger"}),
    (unlimited, {"concurrency": f"ai-pipeline-{ENV}-chatbot"}),
    (greedy, {"concurrency": "all queues"}),
    (many_waiting, {"concurrency": "all queues and the API"}),
    (unwatched_dlq, {"alarms": f"ai-pipeline-{ENV}-chatbot-dlq"}),
    (mute_alarm, {"alarms": f"ai-pipeline-{ENV}-logger-dlq"}),
    (unwatched_function, {"alarms": f"ai-pipeline-{ENV}-enhancer"}),
    (unwatched_api, {"alarms": f"ai-pipeline-{ENV}-api"}),
    (no_monitoring, {"alarms": "monitoring"}),
    # Found by the checks of both ends:
    (sent_to_nobody, {"requests-sent": "AnalyzeInput", "subscriptions": "analyzer"}),
    (heard_twice, {"requests-sent": "AnalyzeInput", "subscriptions": "enhancer"}),
    (wrong_queue, {"requests-sent": "LogResults", "rights-needed": "LogResults"}),
]
