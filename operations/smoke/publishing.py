"""The step `put-events`: each role publishes one event of its own, and none can forge another's."""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from operations.asking.publish import Draft, publish
from operations.aws_errors import translated
from operations.dlq.queues import find_queues, held
from operations.errors import OperationError
from operations.smoke.forging import forging
from operations.smoke.trial import AGAIN, Trial
from operations.smoke.verdicts import Check, failed, not_possible, passed
from shared.contracts.envelope import SOURCE, Event
from shared.contracts.record import iso
from shared.contracts.stages import BY_SERVICE, SERVICES, STAGES
from shared.contracts.v1 import ContractRejected, PipelineCompleted
from shared.contracts.v2 import PipelineRequested

API, WORKFLOW, COMPLETED = (
    "api publishes pipeline.requested",
    "workflow publishes stage requests",
    "logger publishes pipeline.completed",
)
DELETE_SECONDS = 30.0
"""How long a parked message may take to be found in its DLQ and deleted."""


def put_events(trial: Trial) -> Iterator[Check]:
    deaf = trial.deafness  # who is to hear the run's end must listen before the run begins
    yield trial.attempt(API, lambda: _api(trial))
    yield trial.attempt(WORKFLOW, lambda: _workflow(trial))
    if deaf is None:
        yield trial.attempt(COMPLETED, lambda: _completed(trial))
        yield from _rejections(trial)
    else:
        for subject in (COMPLETED, *map(_rejection, SERVICES)):
            yield deaf(subject)
    yield from forging(trial)


def _rejection(service: str) -> str:
    return f"{service} publishes contract.rejected"


def _api(trial: Trial) -> Check:
    run = trial.api_run
    if run.record is not None:
        return passed(API, f"POST /pipeline was accepted, and the run {run.pipeline_id} was started.")
    return failed(
        API,
        f"POST /pipeline was accepted, but the run {run.pipeline_id} did not end within {trial.patience:.0f} s.",
        fix=f"{trial.why_not_started} {_denied(trial)}",
    )


def _workflow(trial: Trial) -> Check:
    """Judge the state machine's role by a run: each stage on the bus was requested if it did its work."""
    run = trial.bus_run
    record: Mapping[str, Any] = run.record or {}
    on_the_bus = [stage.key for stage in STAGES if stage.via == "bus"]
    done = [key for key in on_the_bus if key in (record.get("stages") or {})]
    if done == on_the_bus:
        return passed(WORKFLOW, f"The run {run.pipeline_id} requested {', '.join(done)}, and each was done.")
    text = f"The run {run.pipeline_id} did not end within {trial.patience:.0f} s."
    if record:
        errors: dict[str, Any] = dict(record.get("errors") or {})
        if record.get("status") == "FAILED":
            errors[str(record.get("stage"))] = {"Error": record.get("error"), "Cause": record.get("cause")}
        missing = (
            f"{key} ({errors[key].get('Error')}: {errors[key].get('Cause')})" if key in errors else key
            for key in on_the_bus
            if key not in done
        )
        text = f"In the run {run.pipeline_id} these stages were not done: {'; '.join(missing)}."
    return failed(
        WORKFLOW,
        text,
        fix=f"See why: `pipeline --env {trial.target.env} show {run.pipeline_id}`. {_denied(trial)}",
    )


def _completed(trial: Trial) -> Check:
    run, name = trial.bus_run, PipelineCompleted.detail_type()
    if not run.is_answered:
        return not_possible(
            COMPLETED, f"The run {run.pipeline_id} has not succeeded; only then is it announced."
        )
    if trial.wait(lambda: trial.listener.heard(name, pipeline_id=run.pipeline_id)):
        return passed(COMPLETED, f"{name} of the run {run.pipeline_id} arrived at a subscriber of the bus.")
    return failed(
        COMPLETED,
        f"The run {run.pipeline_id} succeeded, but no {name} arrived within {trial.patience:.0f} s.",
        fix=f"See the logger's lines: `pipeline --env {trial.target.env} logs {run.pipeline_id}`. {_denied(trial)}",
    )


# --- contract.rejected ---------------------------------------------------------------------------------------


def _rejections(trial: Trial) -> Iterator[Check]:
    """Send each service an event that breaks its contract, and wait for the rejections.

    The messages that the services park are deleted again, also after an interruption.
    """
    sent: dict[str, str] = {}
    for service in SERVICES:
        try:
            sent[service] = _send_invalid(trial, service)
        except OperationError as error:
            yield failed(
                _rejection(service), f"No invalid event could be sent to the {service}. {error}", fix=AGAIN
            )
    until = time.monotonic() + trial.patience
    remaining = dict(sent)
    try:
        for service, event_id in sent.items():
            yield trial.attempt(_rejection(service), partial(_rejected, trial, service, event_id, until))
            del remaining[service]
    finally:
        for service, event_id in remaining.items():
            _delete_parked(trial, service, event_id)


def _rejected(trial: Trial, service: str, event_id: str, until: float) -> Check:
    subject, name = _rejection(service), ContractRejected.detail_type()
    seconds = max(0.0, until - time.monotonic())
    event = trial.wait(lambda: trial.listener.heard(name, rejected_event_id=event_id), seconds=seconds)
    was_parked = _delete_parked(trial, service, event_id)
    if event:
        left = "" if was_parked else " Its message was not found in the DLQ; if it is there, archive it."
        return passed(subject, f"The {service} rejected an invalid event, and {name} arrived.{left}")
    if was_parked:
        return failed(
            subject,
            f"The {service} parked an invalid event, but {name} did not arrive in {trial.patience:.0f} s.",
            fix=f"See the metric RejectionsNotPublished in the log of its function. {_denied(trial)}",
        )
    return failed(
        subject,
        f"The {service} neither parked nor rejected an invalid event in {trial.patience:.0f} s.",
        fix=f"See why it does not work: `pipeline --env {trial.target.env} doctor --live`, and the log of its "
        "function.",
    )


def _send_invalid(trial: Trial, service: str) -> str:
    """Send a service an event without data, as its publishers reach it, and return the event's id."""
    stage = BY_SERVICE.get(service)
    kind: type[Event] = stage.request if stage else PipelineRequested
    detail = {"metadata": _metadata(f"{trial.name}-invalid", kind), "data": {}}
    if stage is None or stage.via == "bus":
        return publish(trial.target, Draft(detail_type=kind.detail_type(), detail=detail)).event_id
    event_id = str(uuid.uuid4())
    body = {
        "version": "0",
        "id": event_id,
        "source": SOURCE,
        "account": "",
        "time": iso(datetime.now(UTC)),
        "region": trial.target.region,
        "resources": [],
        "detail-type": kind.detail_type(),
        "detail": detail,
    }
    with translated(f"send a message to the {service}"):
        trial.target.client("sqs").send_message(
            QueueUrl=trial.target.addresses.queue_url(service), MessageBody=json.dumps(body)
        )
    return event_id


def _metadata(pipeline_id: str, kind: type[Event]) -> Mapping[str, Any]:
    return {
        "event_id": pipeline_id,
        "pipeline_id": pipeline_id,
        "schema": kind.NAME,
        "schema_version": kind.VERSION,
        "occurred_at": iso(datetime.now(UTC)),
        "correlation_id": pipeline_id,
    }


def _delete_parked(trial: Trial, service: str, event_id: str) -> bool:
    """Delete the invalid event from the service's DLQs, and return whether it was found there."""
    queues = find_queues(trial.target, [service])

    def deleted() -> bool:
        for queue in queues:
            with held(trial.target, queue) as items:
                for item in items:
                    if item.message.event_id == event_id:
                        item.delete()
                        return True
        return False

    try:
        if trial.stop.requested:
            return deleted()
        return bool(trial.wait(deleted, seconds=DELETE_SECONDS))
    except OperationError:
        return False


def _denied(trial: Trial) -> str:
    return (
        "If the cause is a denied PutEvents, compare the conditions of the role's statement PublishEvents with "
        f"infra/constructs/publishing.py: `pipeline --env {trial.target.env} doctor --live`."
    )
