"""The workflow in Amazon States Language, built from the stage table. Pure: names in, a dictionary out.

Only what two independent interpreters and AWS run alike is used, so that the tests run what is deployed.
The critical stage has no Catch: the execution fails at that state, which is what RedriveExecution needs.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared import dynamodb
from shared.contracts.envelope import SOURCE
from shared.contracts.record import ANALYSIS_JSON, ERRORS_JSON, METERS_JSON
from shared.contracts.stages import RETRY, STAGES, Stage
from shared.errors import DATA_LIMIT_ERROR, HEARTBEAT_ERROR, NEVER_RETRIED, TASK_ERROR, TIMEOUT_ERROR
from shared.records import MAY_REPLACE

State = dict[str, Any]

STORE_ANSWER: Final = "StoreAnswer"
ALREADY_STORED: Final = "AnswerAlreadyStored"
STORE_TIMEOUT_SECONDS: Final = 60
CONDITION_FAILED: Final = f"DynamoDB.{dynamodb.CONDITION_FAILED}"
CATCH_ALL: Final = "States.ALL"
_TIMEOUTS: Final = (TIMEOUT_ERROR, HEARTBEAT_ERROR)


def definition(
    *,
    bus_name: str,
    queue_urls: Mapping[str, str],
    table_name: str,
    stages: Sequence[Stage] = STAGES,
) -> dict[str, Any]:
    """`queue_urls` holds, by service, the queue of each stage that is reached `via` its queue."""
    states: dict[str, State] = {}
    following = [stage.state for stage in stages[1:]]
    for stage, after in zip(stages, [*following, None], strict=True):
        states[stage.state] = _task(stage, after, bus_name=bus_name, queue_urls=queue_urls)
    states[STORE_ANSWER] = _store_answer(table_name, stages)
    states[ALREADY_STORED] = {"Type": "Succeed"}
    return {
        "Comment": "Each stage is asked by an event or a message and answers with its task token.",
        "StartAt": stages[0].state,
        "TimeoutSeconds": longest_seconds(stages),
        "States": states,
    }


def longest_seconds(stages: Sequence[Stage] = STAGES) -> int:
    """The longest an execution can take: every stage uses all its tries, each just short of its timeout."""
    waits = sum(RETRY.interval_seconds * RETRY.backoff_rate**retry for retry in range(RETRY.max_attempts))
    tries = 1 + RETRY.max_attempts
    stored = STORE_TIMEOUT_SECONDS * tries + waits
    return int(sum(stage.timeout_seconds * tries + waits for stage in stages) + stored)


def _task(stage: Stage, after: str | None, *, bus_name: str, queue_urls: Mapping[str, str]) -> State:
    state: State = {"Type": "Task", "Comment": (stage.request.__doc__ or "").strip()}
    if stage.via == "bus":
        state |= _publish(stage, bus_name)
    else:
        state |= _send(stage, queue_urls[stage.service])
    state |= {
        "TimeoutSeconds": stage.timeout_seconds,
        "ResultPath": f"$.results.{stage.key}" if after else f"$.{stage.key}",
        "Retry": _retry(),
    }
    if not stage.critical:
        state["Catch"] = _catch(stage, after or STORE_ANSWER)
    return state | ({"Next": after} if after else {"End": True})


def _publish(stage: Stage, bus_name: str) -> State:
    return {
        "Resource": "arn:aws:states:::events:putEvents.waitForTaskToken",
        "Parameters": {
            "Entries": [
                {
                    "EventBusName": bus_name,
                    "Source": SOURCE,
                    "DetailType": stage.request.detail_type(),
                    "Detail": _detail(stage),
                }
            ]
        },
    }


def _send(stage: Stage, queue_url: str) -> State:
    """The message has the shape EventBridge delivers, so that the worker knows no difference."""
    return {
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {
            "QueueUrl": queue_url,
            "MessageBody": {
                "source": SOURCE,
                "detail-type": stage.request.detail_type(),
                "detail": _detail(stage),
            },
        },
    }


def _detail(stage: Stage) -> State:
    """The envelope of a stage request. The event's id tells executions and attempts apart."""
    return {
        "metadata": {
            "event_id.$": f"States.Format('{{}}-{stage.state}-{{}}', $$.Execution.Name, $$.State.RetryCount)",
            "pipeline_id.$": "$.metadata.pipeline_id",
            "schema": stage.request.NAME,
            "schema_version": stage.request.VERSION,
            "occurred_at.$": "$$.State.EnteredTime",
            "correlation_id.$": "$.metadata.correlation_id",
            "causation_id.$": "$.metadata.causation_id",
            "execution_arn.$": "$$.Execution.Id",
            "attempt.$": "$$.State.RetryCount",
            "traceparent.$": "$.metadata.traceparent",
        },
        "data": {f"{name}.$": path for name, path in stage.inputs.items()},
        "task_token.$": "$$.Task.Token",
    }


def _retry(*never: str) -> list[State]:
    """The first retrier that matches decides, so what must not be retried stands first.

    A timeout is not retried: it would turn a backlog into a storm. `States.TaskFailed` is everything else,
    `EventBridge.FailedEntry` and the services' own errors included.
    """
    return [
        {"ErrorEquals": [*(never or NEVER_RETRIED), *_TIMEOUTS], "MaxAttempts": 0},
        {
            "ErrorEquals": [TASK_ERROR],
            "IntervalSeconds": RETRY.interval_seconds,
            "BackoffRate": RETRY.backoff_rate,
            "MaxAttempts": RETRY.max_attempts,
        },
    ]


def _catch(stage: Stage, goes_to: str) -> list[State]:
    """`States.ALL` stands alone and does not cover a result that is too large."""
    return [
        {"ErrorEquals": [errors], "ResultPath": f"$.errors.{stage.key}", "Next": goes_to}
        for errors in (DATA_LIMIT_ERROR, CATCH_ALL)
    ]


def _store_answer(table_name: str, stages: Sequence[Stage]) -> State:
    """Stores the answer without the logger. The record lacks what only code can work out, and says so.

    `expanded` reads it. The texts of the answers are not in any JSON: within JSON, every quote escaped twice, the
    longest would break the limit.
    """
    *done, last = stages
    meters = ", ".join(f"$.results.{stage.key}.meter" for stage in done)
    attributes: State = {
        "status": {"S": "SUCCEEDED"},
        "user_message": {"S.$": "$.request.user_message"},
        "final_response": {"S.$": "$.results.chat.data.text"},
        "finished_at": {"S.$": "$$.State.EnteredTime"},
        "execution_arn": {"S.$": "$$.Execution.Id"},
        "correlation_id": {"S.$": "$.metadata.correlation_id"},
        "degraded": {"L": [{"S": last.key}]},
        ANALYSIS_JSON: {"S.$": "States.JsonToString($.results.analysis.data)"},
        METERS_JSON: {"S.$": f"States.JsonToString(States.Array({meters}))"},
        ERRORS_JSON: {"S.$": "States.JsonToString($.errors)"},
    }
    first: State = {name: {"S.$": "$.metadata.accepted_at"} for name in ("timestamp", "accepted_at")}
    before = {f":before{index}": {"S": status} for index, status in enumerate(MAY_REPLACE["SUCCEEDED"])}
    sets = [f"#{name} = :{name}" for name in attributes]
    sets += [f"#{name} = if_not_exists(#{name}, :{name})" for name in first]
    return {
        "Type": "Task",
        "Comment": "The logger failed: the answer is stored all the same, unless a later truth stands.",
        "Resource": "arn:aws:states:::dynamodb:updateItem",
        "Parameters": {
            "TableName": table_name,
            "Key": {"pipeline_id": {"S.$": "$.metadata.pipeline_id"}},
            "UpdateExpression": f"SET {', '.join(sets)}",
            "ConditionExpression": f"attribute_not_exists(#status) OR #status IN ({', '.join(before)})",
            "ExpressionAttributeNames": {f"#{name}": name for name in (attributes | first)},
            "ExpressionAttributeValues": {
                **{f":{name}": value for name, value in (attributes | first).items()},
                **before,
            },
        },
        "TimeoutSeconds": STORE_TIMEOUT_SECONDS,
        "ResultPath": None,
        "Retry": _retry(CONDITION_FAILED),
        "Catch": [{"ErrorEquals": [CONDITION_FAILED], "ResultPath": f"$.{last.key}", "Next": ALREADY_STORED}],
        "End": True,
    }
