"""The answers that wait for a person's approval: list them, read one, and decide, once and by name."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property

from msgspec import Struct

from operations.aws_errors import translated
from operations.errors import (
    DeniedError,
    InvalidInputError,
    NotDeployedError,
    NotFoundError,
    OperationError,
    RefusedError,
)
from operations.target import Target
from shared.contracts.approval import REASON_CHARS
from shared.errors import PermanentError, PipelineError
from shared.waiting import OPEN, OPEN_INDEX, AlreadyDecided, Item, NotWaiting, RunEnded, Verdict
from shared.waiting.store import Waiting
from shared.worker.outcome import Callback

TABLE, REJECTED_TEXT = "approvals/table", "approvals/rejected-text"
NO_REASON = "a reason is needed, which the caller sees, e.g. --reason 'The figures are wrong.'"


class Inbox(Struct, frozen=True, kw_only=True):
    """How many answers wait for a person, and since when the oldest does. `more`: more than could be counted at once.

    The runs of these answers are open by intent.
    """

    waiting: int
    more: bool = False
    oldest_at: datetime | None = None


def read_inbox(target: Target) -> Inbox | None:
    """Return what waits, from one page of the index; None if there is no approval, or the caller may not list it."""
    if (table := target.addresses.values.get(TABLE)) is None:
        return None
    try:
        with translated("list what waits for approval"):
            page = target.client("dynamodb").query(
                TableName=table,
                IndexName=OPEN_INDEX,
                ProjectionExpression="#state, asked_at",
                KeyConditionExpression="#open = :open",
                ExpressionAttributeNames={"#open": "open", "#state": "state"},
                ExpressionAttributeValues={":open": {"S": OPEN}},
            )
    except (DeniedError, NotDeployedError):  # the table may just have been deleted
        return None
    asked = [item["asked_at"]["S"] for item in page["Items"] if item["state"]["S"] == "waiting"]
    return Inbox(
        waiting=len(asked),
        more="LastEvaluatedKey" in page,
        oldest_at=datetime.fromisoformat(min(asked)) if asked else None,
    )


class Approvals:
    """The waiting answers of a deployment. Raises NotDeployedError if the approval is not switched on there."""

    def __init__(self, target: Target) -> None:
        self._target = target

    @property
    def is_on(self) -> bool:
        """Whether the approval is deployed."""
        return TABLE in self._target.addresses.values

    @cached_property
    def _waiting(self) -> Waiting:
        table = self._target.addresses.values.get(TABLE)
        if table is None:
            raise NotDeployedError(
                f"The approval is not switched on in environment {self._target.env!r}. "
                "Set the option approval=true and deploy."
            )
        return Waiting(self._target.client("dynamodb"), table, Callback(self._target.client("stepfunctions")))

    def listed(self) -> list[Item]:
        """Return the answers that nobody has decided on, the oldest first, without their texts."""
        with _told("list what waits for approval"):
            return [item for item in self._waiting.listed() if item.state == "waiting"]

    def read(self, pipeline_id: str) -> Item:
        """Return a run's item, also after a decision. Raises NotFoundError."""
        with _told("read what waits for approval"):
            return self._waiting.read(pipeline_id)

    def approve(self, pipeline_id: str, *, reason: str = "") -> Item:
        return self._decide(pipeline_id, "approved", reason, None)

    def reject(self, pipeline_id: str, *, reason: str, text: str | None = None) -> Item:
        """Reject an answer: the caller gets `text` instead, or the deployment's own text, and sees the reason."""
        if not reason.strip():
            raise InvalidInputError(f"To reject an answer, {NO_REASON}.")
        waiting = self._waiting  # an environment without the approval has no such text
        return self._decide(
            pipeline_id, "rejected", reason, text or self._target.addresses[REJECTED_TEXT], waiting
        )

    def edit(self, pipeline_id: str, *, text: str, reason: str = "") -> Item:
        """Give the caller `text` instead of the answer."""
        return self._decide(pipeline_id, "edited", reason, text)

    def _decide(
        self, pipeline_id: str, decision: str, reason: str, text: str | None, waiting: Waiting | None = None
    ) -> Item:
        if len(reason) > REASON_CHARS:
            raise InvalidInputError(
                f"The reason has {len(reason):,} characters. Shorten it to {REASON_CHARS} or less."
            )
        waiting = waiting or self._waiting
        try:
            verdict = Verdict(
                decision=decision,  # type: ignore[arg-type]  # one of this class's own words
                by=self._target.describe().caller,
                reason=reason,
                text=text,
            )
        except ValueError as error:
            raise InvalidInputError(f"The text can't be an answer: {error}.") from error
        with _told("decide"):
            return waiting.decide(pipeline_id, verdict)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Translate the errors of the waiting runs into those of operations."""
    try:
        yield
    except NotWaiting as error:
        raise NotFoundError(f"{error} `pipeline approvals` lists those that do.") from error
    except (AlreadyDecided, RunEnded) as error:
        raise RefusedError(f"Nothing was changed. {error}") from error
    except PermanentError as error:
        raise OperationError(f"Could not {what}: {error}") from error
    except PipelineError as error:
        raise OperationError(f"Could not {what}: {error}. Try again.") from error
