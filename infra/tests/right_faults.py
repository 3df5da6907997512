"""Faults in the rights of roles, to plant in a copy of the templates, and the checks that must find each of them."""

from infra.tests.planting import ENV, deny, function, grant, statement


def no_right_to_answer(templates):
    statement(templates, "chatbot", "AnswerTasks")["Action"] = "states:SendTaskFailure"


def no_right_to_count(templates):
    statement(templates, "trigger", "CountStarts")["Resource"] = "arn:aws:dynamodb:eu-west-1:1:table/other"


def uncounted_starts(templates):
    function(templates, "enhancer")["Environment"]["Variables"].pop("STATE_TABLE")


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


def single_valued(templates):
    """Compare keys that AWS types as lists as if they had one value."""
    condition = statement(templates, "workflow", "PublishEvents")["Condition"]
    condition["StringEquals"] = condition.pop("ForAllValues:StringEquals")


def keys_may_be_absent(templates):
    statement(templates, "analyzer", "PublishEvents")["Condition"].pop("Null")


def idle_right(templates):
    grant(
        templates,
        "analyzer",
        Action="dynamodb:DeleteItem",
        Resource=f"arn:aws:dynamodb:eu-west-1:1:table/PipelineLogs-{ENV}",
    )


def denied_model(templates):
    deny(templates, "chatbot", Action="bedrock:*", Resource="*")


def denied_but_for_its_queue(templates):
    deny(templates, "analyzer", NotAction=["logs:*", "sqs:*", "xray:*"], Resource="*")


def denied_requests(templates):
    deny(templates, "workflow", Action="sqs:Send*", Resource=f"arn:aws:sqs:*:*:ai-pipeline-{ENV}-*")


PLANTED = [
    (no_right_to_answer, {"rights-needed": f"ai-pipeline-{ENV}-chatbot"}),
    (no_right_to_count, {"rights-needed": f"ai-pipeline-{ENV}-starter"}),
    (uncounted_starts, {"rights-needed": f"ai-pipeline-{ENV}-enhancer"}),
    (no_right_to_send, {"rights-needed": "LogResults"}),
    (wildcard_action, {"rights-narrow": "UseTheTable"}),
    (wildcard_resource, {"rights-narrow": "AskTheModel"}),
    (wildcard_in_an_arn, {"rights-narrow": "UseTheTable"}),
    (any_event, {"rights-narrow": "PublishEvents"}),
    (single_valued, {"rights-narrow": "PublishEvents"}),
    (keys_may_be_absent, {"rights-narrow": "PublishEvents"}),
    (idle_right, {"rights-used": f"ai-pipeline-{ENV}-analyzer"}),
    (denied_model, {"rights-needed": f"ai-pipeline-{ENV}-chatbot"}),
    (denied_but_for_its_queue, {"rights-needed": f"ai-pipeline-{ENV}-analyzer"}),
    (denied_requests, {"rights-needed": f"ai-pipeline-{ENV}-workflow"}),
]
