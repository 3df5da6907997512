"""Builds the workflow's definition in Amazon States Language from the stage table. It is pure: names in, a dict out.

It uses only features that AWS and two independent interpreters run in the same way, so that tests run the deployed
definition. A critical stage has no Catch: the execution fails at its state, from which RedriveExecution continues.
A Choice state follows only a stage that may end the run, as each transition costs money.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from shared import dynamodb
from shared.contracts.envelope import SOURCE
from shared.contracts.record import ERRORS_JSON, METERS_JSON, METERS_OF, as_json
from shared.contracts.stages import (
    ANSWERING,
    EARLY_ANSWER,
    LEAST_TASK_SECONDS,
    RETRY,
    STAGES,
    Stage,
    choosing,
)
from shared.errors import DATA_LIMIT_ERROR, HEARTBEAT_ERROR, NEVER_RETRIED, TASK_ERROR, TIMEOUT_ERROR
from shared.records import MAY_REPLACE

State = dict[str, Any]
TaskSeconds = Callable[[str], int]

STORE_ANSWER: Final = "StoreAnswer"
WHICH_ANSWER: Final = "WhichAnswer"
"""The state that tells early answers from the chatbot's, if the logger failed and a stage may end the run."""
ALREADY_STORED: Final = "AnswerAlreadyStored"
STORE_TIMEOUT_SECONDS: Final = 60
CONDITION_FAILED: Final = f"DynamoDB.{dynamodb.CONDITION_FAILED}"
CATCH_ALL: Final = "States.ALL"
_TIMEOUTS: Final = (TIMEOUT_ERROR, HEARTBEAT_ERROR)


def least_seconds(service: str) -> int:  # noqa: ARG001 -- every service's
    """Return the timeout of a service's task in an environment whose functions run for half a minute at most."""
    return LEAST_TASK_SECONDS


def definition(
    *,
    bus_name: str,
    queue_urls: Mapping[str, str],
    table_name: str,
    partition: str = "aws",
    stages: Sequence[Stage] = STAGES,
    task_seconds: TaskSeconds = least_seconds,
) -> dict[str, Any]:
    """Return the definition. `queue_urls` holds, by service, the queue of each stage whose `via` is "queue".

    `partition` is that of the region; `task_seconds` returns the timeout of a service's task.
    """
    states: dict[str, State] = {}
    following = [stage.state for stage in stages[1:]]
    choosing_stages, ending_stages = choosing(stages), [stage for stage in stages if stage.may_end]
    for stage, after in zip(stages, [*following, None], strict=True):
        state = _task(
            stage,
            after,
            bus_name=bus_name,
            queue_urls=queue_urls,
            seconds=task_seconds(stage.service),
            store=WHICH_ANSWER if ending_stages else STORE_ANSWER,
        )
        if stage in choosing_stages and after:
            states[stage.state] = state | {"Next": stage.choice}
            states[stage.choice] = _choice([stage], lambda _: stages[-1].state, after)
        else:
            states[stage.state] = state
    if ending_stages:
        states[WHICH_ANSWER] = _choice(ending_stages, _storing, STORE_ANSWER)
    for stage in ending_stages:
        states[_storing(stage)] = _store_answer(table_name, stages, ended_by=stage)
    states[STORE_ANSWER] = _store_answer(table_name, stages)
    states[ALREADY_STORED] = {"Type": "Succeed"}
    for state in states.values():
        if "Resource" in state:  # so far the name of a service's API
            state["Resource"] = f"arn:{partition}:states:::{state['Resource']}"
    return {
        "Comment": "Each stage gets a request with a task token and reports its outcome with that token.",
        "StartAt": stages[0].state,
        "TimeoutSeconds": longest_seconds(stages, task_seconds),
        "States": states,
    }


def longest_seconds(stages: Sequence[Stage] = STAGES, task_seconds: TaskSeconds = least_seconds) -> int:
    """Return the state machine's timeout in seconds.

    It is the time that an execution takes if each attempt of each stage uses its whole timeout, with the pauses
    between attempts and the time to store the answer.
    """
    waits = sum(RETRY.interval_seconds * RETRY.backoff_rate**retry for retry in range(RETRY.max_attempts))
    attempts = 1 + RETRY.max_attempts
    stored = STORE_TIMEOUT_SECONDS * attempts + waits
    return int(sum(task_seconds(stage.service) * attempts + waits for stage in stages) + stored)


def _task(
    stage: Stage, after: str | None, *, bus_name: str, queue_urls: Mapping[str, str], seconds: int, store: str
) -> State:
    state: State = {"Type": "Task", "Comment": (stage.request.__doc__ or "").strip()}
    if stage.via == "bus":
        state |= _publish(stage, bus_name)
    else:
        state |= _send(stage, queue_urls[stage.service])
    state |= {
        "TimeoutSeconds": seconds,
        "ResultPath": f"$.results.{stage.key}" if after else f"$.{stage.key}",
        "Retry": _retry(),
    }
    if not stage.critical:
        state["Catch"] = _catch(stage, after or store)
    return state | ({"Next": after} if after else {"End": True})


def _early(stage: Stage, part: str) -> str:
    return f"$.results.{stage.key}.data.{EARLY_ANSWER}.{part}"


def _choice(stages: Sequence[Stage], goes_to: Callable[[Stage], str], otherwise: str) -> State:
    """Return the state that looks for an early answer. An answer that is null or absent has no text."""
    return {
        "Type": "Choice",
        "Choices": [
            {"Variable": _early(stage, "text"), "IsPresent": True, "Next": goes_to(stage)} for stage in stages
        ],
        "Default": otherwise,
    }


def _storing(stage: Stage) -> str:
    """Return the name of the state that stores the stage's early answer without the logger."""
    return f"{STORE_ANSWER}Of{stage.state}"


def _publish(stage: Stage, bus_name: str) -> State:
    return {
        "Resource": "events:putEvents.waitForTaskToken",
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
    """Send a message in the form in which EventBridge delivers an event, so that the worker reads both alike."""
    return {
        "Resource": "sqs:sendMessage.waitForTaskToken",
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
    """Return the envelope of a stage request. Each attempt of each execution has its own event id."""
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
    """Return a state's retriers. The first one that matches an error decides, so the one without retries comes first.

    A timeout is not retried, because retries would make a backlog longer. `States.TaskFailed` covers all other
    errors, including `EventBridge.FailedEntry` and the services' own errors.
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
    """Return a stage's catchers. `States.ALL` must stand alone, and does not cover a result that is too large."""
    return [
        {"ErrorEquals": [errors], "ResultPath": f"$.errors.{stage.key}", "Next": goes_to}
        for errors in (DATA_LIMIT_ERROR, CATCH_ALL)
    ]


def _store_answer(table_name: str, stages: Sequence[Stage], *, ended_by: Stage | None = None) -> State:
    """Return the state that stores the answer without the logger: that of the stage that ended the run, if one did.

    The record that it writes lacks what only code can compute, and names the logger's stage as degraded; `expanded`
    (shared/contracts/record.py) reads it. The answer's text is in no JSON attribute: there every quote would be
    escaped twice, and the longest answer would exceed the limit of the state.
    """
    *done, last = stages
    meters = ", ".join(f"$.results.{stage.key}.meter" for stage in done)
    attributes: State = {
        "status": {"S": "SUCCEEDED"},
        "user_message": {"S.$": "$.request.user_message"},
        "final_response": {
            "S.$": _early(ended_by, "text")
            if ended_by
            else f"$.results.{ANSWERING.key}.data.{ANSWERING.answer}"
        },
        "finished_at": {"S.$": "$$.State.EnteredTime"},
        "execution_arn": {"S.$": "$$.Execution.Id"},
        "correlation_id": {"S.$": "$.metadata.correlation_id"},
        "degraded": {"L": [{"S": last.key}]},
        **{
            as_json(stage.key): {"S.$": f"States.JsonToString($.results.{stage.key}.data)"}
            for stage in done
            if not stage.answer
        },
        METERS_JSON: {"S.$": f"States.JsonToString(States.Array({meters}))"},
        METERS_OF: {"L": [{"S": stage.key} for stage in done]},
        ERRORS_JSON: {"S.$": "States.JsonToString($.errors)"},
    }
    if ended_by:
        attributes |= {"ended_by": {"S": ended_by.key}, "end_reason": {"S.$": _early(ended_by, "reason")}}
    first: State = {name: {"S.$": "$.metadata.accepted_at"} for name in ("timestamp", "accepted_at")}
    before = {f":before{index}": {"S": status} for index, status in enumerate(MAY_REPLACE["SUCCEEDED"])}
    sets = [f"#{name} = :{name}" for name in attributes]
    sets += [f"#{name} = if_not_exists(#{name}, :{name})" for name in first]
    return {
        "Type": "Task",
        "Comment": "The logger failed. The answer is stored here, unless the record already has one.",
        "Resource": "dynamodb:updateItem",
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
