"""The Lambda handler of the starter: for pipeline.requested events, starts one execution per pipeline id."""

from typing import Any

from botocore.exceptions import ClientError
from msgspec import Struct

from services.trigger.cancelling import stop
from services.trigger.starter import core
from shared.aws import client, error_code, translated_errors
from shared.contracts.envelope import Metadata, trace_id
from shared.contracts.message import request_hash
from shared.contracts.record import CANCELLED, iso
from shared.contracts.v2 import PipelineRequested
from shared.errors import ContractViolation
from shared.metrics import RUNS_STARTED
from shared.observability import emit
from shared.records import Records
from shared.runtime import Routes, queue_handler
from shared.settings import load
from shared.worker import Route


class StarterSettings(Struct, frozen=True, kw_only=True):
    """The environment of the starter's function. `keep_records_seconds`: see `Records`."""

    table_name: str
    state_machine_arn: str
    keep_records_seconds: int | None = None


class Starter:
    """Starts executions. The pipeline's id is the execution's name, so Step Functions refuses a second start."""

    def __init__(self, connection: Any, records: Records, state_machine_arn: str) -> None:
        self._client = connection
        self._records = records
        self._state_machine_arn = state_machine_arn

    def start(self, request: PipelineRequested, metadata: Metadata) -> None:
        """Start an execution, unless the request is a repeated one, and set the record to RUNNING.

        Stops the execution if the run was cancelled before it started. Step Functions remembers a name for 90 days;
        after that, the record tells that the id was used.

        Raises ContractViolation if the pipeline id was used before for another message or history.
        """
        requested = request_hash(request.user_message, request.history)
        name = metadata.pipeline_id
        if core.may_be_old(metadata) and self._was_started(name, requested):
            return
        started = self._start_execution(name, core.execution_input(request, metadata))
        if started:
            emit(RUNS_STARTED)
        else:
            record = self._records.get(name) or {}
            recorded = record.get("request_hash")
            if recorded is None or "execution_arn" not in record:
                # The starter died after StartExecution and before it wrote, or it got no answer from StartExecution.
                started, recorded = self._describe_execution(name)
            if recorded != requested:
                raise _used_before()
        if not self._mark_running(request.user_message, requested, metadata, started):
            self._stop_if_cancelled(name)

    def _was_started(self, name: str, requested: str) -> bool:
        """Return whether the record says that this request was started. Raises ContractViolation for another one."""
        record = self._records.get(name) or {}
        recorded = record.get("request_hash")
        if recorded is None or "execution_arn" not in record:
            return False
        if recorded != requested:
            raise _used_before()
        return True

    def _start_execution(self, name: str, state: str) -> dict[str, str]:
        """Return the record's fields for the new execution; none if an execution of this name exists."""
        with translated_errors():
            try:
                answer = self._client.start_execution(
                    stateMachineArn=self._state_machine_arn, name=name, input=state
                )
            except ClientError as error:
                if error_code(error) == "ExecutionAlreadyExists":
                    return {}
                raise
        return {"execution_arn": str(answer["executionArn"]), "started_at": iso(answer["startDate"])}

    def _describe_execution(self, name: str) -> tuple[dict[str, str], str]:
        """Return the record's fields for an existing execution, and the hash of its request."""
        arn = self._arn(name)
        with translated_errors():
            execution = self._client.describe_execution(executionArn=arn)
        requested = core.asked_hash(str(execution.get("input") or ""), name)
        return {"execution_arn": arn, "started_at": iso(execution["startDate"])}, requested

    def _stop_if_cancelled(self, name: str) -> None:
        """Stop the execution of a run that was cancelled before it started; its end is recorded as usual."""
        record = self._records.get(name) or {}
        if CANCELLED in record and record["status"] == "ACCEPTED":
            stop(self._client, self._arn(name))

    def _arn(self, name: str) -> str:
        return f"{self._state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"

    def _mark_running(self, text: str, digest: str, metadata: Metadata, started: dict[str, str]) -> bool:
        accepted_at = iso(metadata.occurred_at)
        return self._records.advance(
            metadata.pipeline_id,
            "RUNNING",
            started,
            first={
                "timestamp": accepted_at,
                "accepted_at": accepted_at,
                "user_message": text,
                "request_hash": digest,
                "trace_id": trace_id(metadata.traceparent, metadata.pipeline_id),
            },
        )


def _used_before() -> ContractViolation:
    return ContractViolation(
        "$.detail.metadata.pipeline_id", "The pipeline id was used before for another message"
    )


def routes() -> Routes:
    settings = load(StarterSettings)
    starter = Starter(
        client("stepfunctions"),
        Records(client("dynamodb"), settings.table_name, settings.keep_records_seconds),
        settings.state_machine_arn,
    )
    return {
        PipelineRequested.detail_type(): Route(request=PipelineRequested, run=starter.start),
    }


handler = queue_handler("trigger", routes)
