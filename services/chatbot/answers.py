"""Stores each answer before the callback, so that it is paid for once and recalled when it is requested again.

The key is the run's id, the stage, the message and its history, so that redelivery, retry, redrive and restart
find the answer. The analysis is not part of the key: it only selects the model's settings, and may differ after a
restart.
"""

import time
from typing import Any

import msgspec
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyAlreadyInProgressError,
    IdempotencyInconsistentStateError,
    IdempotencyItemNotFoundError,
    IdempotencyPersistenceLayerError,
)
from aws_lambda_powertools.utilities.idempotency.serialization.base import BaseIdempotencySerializer

from services.chatbot.backends import Backend
from services.chatbot.core import shortened
from shared.aws import translated_errors
from shared.contracts import limits
from shared.contracts.envelope import Metadata
from shared.contracts.message import request_hash
from shared.contracts.v1 import ChatAnswer, ChatRequested, Usage
from shared.errors import InProgress, ModelTimedOut, PermanentError, PipelineError, TransientError
from shared.metrics import ANSWER_STORE_FAILURES, ANSWERS_BLOCKED, ANSWERS_RECALLED
from shared.observability import emit, logger
from shared.worker import Billed, Paid

STAGE = "chat"
_NONE = Usage(input_tokens=0, output_tokens=0)
KEPT_SECONDS = 30 * 24 * 3_600
"""Longer than a parked message or a failed execution can be replayed (14 days each)."""
IN_PROGRESS = "Another delivery of this request is waiting for the model."
TIMED_OUT = "timed out"
"""What a claim holds in place of the answer, if the call for it gave none in time."""
ASKED = (
    "An earlier delivery of this message got no answer in time. The call may be billed all the same, so it is not "
    "repeated."
)


class _Serializer(BaseIdempotencySerializer):
    def to_dict(self, data: ChatAnswer) -> dict[str, Any]:
        return dict(msgspec.to_builtins(data))

    def from_dict(self, data: dict[str, Any]) -> ChatAnswer:
        """Return a stored answer. Raises PermanentError for one that only a later release reads: it is paid for."""
        try:
            return msgspec.convert(data, ChatAnswer)
        except msgspec.ValidationError as error:
            raise PermanentError(
                "The stored answer has a shape that this release can't read. Deploy the release that stored it."
            ) from error


class _Store(DynamoDBPersistenceLayer):
    """Marks the claim on an answer whose call timed out, so that a redelivery sees that the call was made."""

    def delete_record(self, data: dict[str, Any], exception: Exception) -> None:
        if not isinstance(exception, ModelTimedOut):
            super().delete_record(data, exception)
        elif key := self._get_hashed_idempotency_key(data=data):
            self.client.update_item(
                TableName=self.table_name,
                Key=self._get_key(key),
                UpdateExpression="SET #until = :now, #answer = :none",
                ExpressionAttributeNames={"#until": self.in_progress_expiry_attr, "#answer": self.data_attr},
                ExpressionAttributeValues={
                    ":now": {"N": str(round(time.time() * 1_000))},
                    ":none": {"S": TIMED_OUT},
                },
            )


class _Call:
    """Stands in for Lambda's context, from which Powertools reads how long a claim on an answer is valid.

    That is the longest time that a call can take. An older claim belongs to a worker that died.
    """

    def __init__(self, milliseconds: int) -> None:
        self._milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


class StoredAnswers:
    """Asks `backend` once for each run and message; `timeout_seconds` is the chatbot function's own timeout."""

    def __init__(self, backend: Backend, connection: Any, *, table: str, timeout_seconds: int) -> None:
        self._backend = backend
        self._store = _Store(table_name=table, boto3_client=connection)
        self._config = IdempotencyConfig(
            expires_after_seconds=KEPT_SECONDS,
            hash_function="sha256",
            lambda_context=_Call(timeout_seconds * 1_000),  # type: ignore[arg-type]  # the one method that is used
        )
        self._store.configure(self._config, key_prefix=STAGE)

    def ask(self, request: ChatRequested, metadata: Metadata) -> Paid[ChatAnswer]:
        """Return the answer, paid for now or recalled; `billed` says which.

        An answer that was paid for is returned even if it can't be stored. Raises InProgress while another delivery
        is waiting for the model, the backend's errors, or TransientError if the table fails before that.
        """
        bought: list[ChatAnswer] = []
        failed: list[PipelineError] = []

        def pay(*, key: dict[str, str]) -> ChatAnswer:  # noqa: ARG001 -- Powertools reads it
            try:
                bought.append(self._kept(self._backend.ask(request, metadata), metadata))
            except PipelineError as error:
                failed.append(error)
                raise
            return bought[0]

        once = idempotent_function(
            pay,
            data_keyword_argument="key",
            persistence_store=self._store,
            config=self._config,
            output_serializer=_Serializer(),
            key_prefix=STAGE,
        )
        try:
            answer: ChatAnswer = once(key=_key(request, metadata))
        except (IdempotencyAlreadyInProgressError, IdempotencyInconsistentStateError) as error:
            raise InProgress(IN_PROGRESS) from error
        except IdempotencyPersistenceLayerError as error:
            self._note(error)
            if bought:
                return paid(bought[0])
            if failed:
                raise failed[0] from error
            raise TransientError("The table of stored answers can't be reached.") from error
        if bought:
            return paid(answer)
        return _recalled(answer)

    def _kept(self, answer: ChatAnswer, metadata: Metadata) -> ChatAnswer:
        """Return an answer that fits the execution's state, after storing the whole of a longer one.

        An answer that can't be stored is cut and marked: it is paid for.
        """
        beginning = limits.beginning(answer.text)
        if beginning == answer.text:
            return answer
        from shared.contracts.packing import storable  # noqa: PLC0415 -- only long answers need it
        from shared.texts import Texts  # noqa: PLC0415 -- only long answers need it

        whole = storable(answer.text)
        cut = answer.truncated or len(whole) < len(answer.text)
        try:
            stored = Texts(self._store.client, self._store.table_name).keep(
                metadata.pipeline_id, STAGE, whole
            )
        except PipelineError as error:
            self._note(error)
            return shortened(answer)
        return msgspec.structs.replace(answer, text=beginning, truncated=cut, whole=stored)

    def recall(
        self, request: ChatRequested, metadata: Metadata, sent_ms: int | None = None
    ) -> Paid[ChatAnswer] | None:
        """Return the stored answer, or None; never asks the model.

        `sent_ms` is when the message was sent that is delivered again. Raises InProgress while another delivery is
        waiting for the model, and ModelTimedOut if one of the same message has waited in vain, which it could not
        report: the call timed out after the message was sent.
        """
        with translated_errors():
            try:
                record = self._store.get_record(_key(request, metadata))
            except IdempotencyItemNotFoundError:
                return None
        if record is not None and record.status == "COMPLETED":
            return _recalled(_Serializer().from_dict(record.response_json_as_dict() or {}))
        until = (record and record.in_progress_expiry_timestamp) or 0
        if record is not None and record.response_data == TIMED_OUT:
            if sent_ms is not None and until >= sent_ms:
                raise ModelTimedOut(ASKED)
        elif until > time.time() * 1_000:
            raise InProgress(IN_PROGRESS)
        return None

    @staticmethod
    def _note(error: Exception) -> None:
        emit(ANSWER_STORE_FAILURES)
        logger().error(
            "the table of stored answers failed", extra={"error": type(error.__cause__ or error).__name__}
        )


def paid(answer: ChatAnswer, *, recalled: bool = False) -> Paid[ChatAnswer]:
    """Return an answer with its billed usage. `recalled`: an earlier delivery, attempt or execution paid for it."""
    counts = {name: count or 0 for name, count in msgspec.structs.asdict(answer.usage or _NONE).items()}
    billed = Billed(**counts, model_id=answer.model_id, recalled=recalled)
    if answer.blocked and not recalled:
        emit(ANSWERS_BLOCKED)
    return Paid(result=answer, billed=billed)


def _recalled(answer: ChatAnswer) -> Paid[ChatAnswer]:
    emit(ANSWERS_RECALLED)
    return paid(answer, recalled=True)


def _key(request: ChatRequested, metadata: Metadata) -> dict[str, str]:
    return {
        "pipeline_id": metadata.pipeline_id,
        "stage": STAGE,
        "input": request_hash(request.user_message, request.history),
    }
