"""The table PipelineLogs: conditional writes, so that a late or repeated event never overwrites a newer status.

Each write states which earlier statuses it may replace.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from shared.aws import error_code, translated_errors
from shared.contracts.message import ConversationTurn, request_hash
from shared.contracts.record import CANCELLED, FINAL, PACKED, STATUSES, Record, expanded
from shared.contracts.stages import LAST
from shared.contracts.v1 import Status
from shared.dynamodb import CONDITION_FAILED, attributes, to_item

MAY_REPLACE: Mapping[str, tuple[Status, ...]] = {
    "RUNNING": ("ACCEPTED",),
    "SUCCEEDED": ("ACCEPTED", "RUNNING", "FAILED"),
    "FAILED": ("ACCEPTED", "RUNNING", "FAILED"),
}
"""A FAILED run may be redriven and then succeed; only an execution that is expected (`expect`) replaces SUCCEEDED."""

FAILURE_FIELDS = ("error", "cause", "stage", "execution_status")
"""The fields that describe a failure. A later success removes them."""

OWNER_INDEX = "by-owner"
"""The index of the runs that came through the API, by caller (`owner`) and time (`listed_at`)."""
LISTED = (
    "pipeline_id",
    "owner",
    "listed_at",
    "status",
    "accepted_at",
    "started_at",
    "finished_at",
    "execution_time_ms",
    "error",
    "excerpt",
    CANCELLED,
)
"""The fields of a record that the index holds: the keys first; the message is not among them."""


EXPIRES = "expires_at"
"""The attribute with the time, in epoch seconds, after which DynamoDB deletes a record."""
REOPENED_AFTER = "reopened_after"
EXPECTED = "expected_arn"

EARLY_FIELDS = ("ended_by", "end_reason")
"""The fields that tell which stage ended the run early."""
END_FIELDS = ("cost", "metered", EXPIRES, *EARLY_FIELDS)
"""Fields that an execution's end adds. They are removed when the run is restarted or redriven (`reopen`)."""


def spent(record: Record, execution_arn: str) -> int:
    """Return the nano-dollars known to be spent before `execution_arn` runs.

    If that execution is redriven rather than new, only the cost of its failed stage and of writing the record is
    added: the execution's next end counts its other stages again.
    """
    cost, earlier = record.get("cost"), record.get("earlier_nano_usd") or 0
    if cost is None:
        return earlier
    if record.get("execution_arn") != execution_arn:
        return earlier + (cost["nano_usd"] or 0)
    stages = cost.get("stages", {})
    return earlier + sum(stages.get(name, 0) for name in {record.get("stage") or "", LAST.key})


def overtaken(record: Record, after: str | None) -> bool:
    """Return whether the run has succeeded, or was reopened or has failed after the end at `after`."""
    failed_at = record.get("finished_at") if record.get("status") == "FAILED" else None
    later = max(failed_at or "", record.get("reopened_after") or "")
    return record.get("status") == "SUCCEEDED" or (after is not None and later > after)


def _value_of(status: Status) -> str:
    """Return the placeholder of a status in a condition."""
    return f":{status.lower()}"


def _status_in(statuses: Sequence[Status]) -> str:
    """Return the condition that the record has no status yet, or one of `statuses`."""
    return (
        f"attribute_not_exists(#status) OR #status IN ({', '.join(_value_of(status) for status in statuses)})"
    )


def conditionally(operation: Any, **parameters: Any) -> bool:
    """Call `operation` of a DynamoDB client; return whether its condition held.

    Raises TransientError or PermanentError if DynamoDB refuses or fails the call for another reason.
    """
    with translated_errors():
        try:
            operation(**parameters)
        except ClientError as error:
            if error_code(error) == CONDITION_FAILED:
                return False
            raise
    return True


class Records:
    """The table of records. Raises TransientError or PermanentError if DynamoDB refuses or fails a call.

    DynamoDB deletes a record `kept_seconds` after the latest write of `accept` or `advance`; never if that is None. A
    writer of an open run gives a time that includes the longest time for which the run can stay open.
    """

    def __init__(self, client: Any, table: str, kept_seconds: int | None = None) -> None:
        self._client = client
        self._table = table
        self._kept_seconds = kept_seconds

    def _expiry(self) -> dict[str, int]:
        return {EXPIRES: int(time.time()) + self._kept_seconds} if self._kept_seconds else {}

    def get(self, pipeline_id: str) -> Record | None:
        """Return the whole record, read consistently, or None if there is none."""
        with translated_errors():
            answer = self._client.get_item(
                TableName=self._table, Key={"pipeline_id": {"S": pipeline_id}}, ConsistentRead=True
            )
        item = answer.get("Item")
        return expanded(attributes(item)) if item else None

    def accept(
        self,
        pipeline_id: str,
        *,
        user_message: str,
        accepted_at: str,
        history: Sequence[ConversationTurn] = (),
        listed: Mapping[str, str] | None = None,
    ) -> bool:
        """Write a new record as ACCEPTED; `listed` are its fields for the index of callers.

        Returns False if the id already has a record.
        """
        record: Record = {
            "pipeline_id": pipeline_id,
            "timestamp": accepted_at,
            "accepted_at": accepted_at,
            "status": "ACCEPTED",
            "user_message": user_message,
            "request_hash": request_hash(user_message, history),
        }
        return self._conditionally(
            self._client.put_item,
            TableName=self._table,
            Item=to_item({**record, **(listed or {}), **self._expiry()})["M"],
            ConditionExpression="attribute_not_exists(pipeline_id)",
        )

    def withdraw(self, pipeline_id: str) -> bool:
        """Remove a record if its status is still ACCEPTED; return whether it was removed."""
        return self._conditionally(
            self._client.delete_item,
            TableName=self._table,
            Key={"pipeline_id": {"S": pipeline_id}},
            ConditionExpression="#status = :accepted",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":accepted": {"S": "ACCEPTED"}},
        )

    def cancel(self, pipeline_id: str, *, at: str) -> Record | None:
        """Store the time of a cancel request. Returns the updated record; None if the run is over or unknown."""
        with translated_errors():
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key={"pipeline_id": {"S": pipeline_id}},
                    UpdateExpression="SET #at = if_not_exists(#at, :at)",
                    ConditionExpression="#status IN (:accepted, :running)",
                    ExpressionAttributeNames={"#at": CANCELLED, "#status": "status"},
                    ExpressionAttributeValues={
                        ":at": {"S": at},
                        ":accepted": {"S": "ACCEPTED"},
                        ":running": {"S": "RUNNING"},
                    },
                    ReturnValues="ALL_NEW",
                )
            except ClientError as error:
                if error_code(error) == CONDITION_FAILED:
                    return None
                raise
        return expanded(attributes(answer["Attributes"]))

    def advance(
        self,
        pipeline_id: str,
        status: str,
        fields: Mapping[str, Any],
        *,
        first: Mapping[str, Any] | None = None,
    ) -> bool:
        """Set the status and `fields`, and those of `first` that the record lacks. Creates the record if necessary.

        Returns False, and changes nothing, if the record has a status that `status` may not replace. A cancelled run
        does not become RUNNING.

        A failure with `execution_arn` and `started_at` in its fields does not replace the result of an execution that
        started later, and one with `finished_at` must be later than every end that the record knows of: the one it
        holds, and the one that a restart or redrive followed. The ends of a run are told apart by Step Functions' own
        clock, since neither a name nor an ARN is used by one execution only.

        The result of an execution that is expected (`expect`) also replaces a success.
        """
        condition = _status_in(MAY_REPLACE[status])
        if status in FINAL and fields.get("execution_arn"):
            condition = f"{condition} OR {EXPECTED} = :execution_arn"
        if status == "RUNNING":
            condition = f"({condition}) AND attribute_not_exists({CANCELLED})"
        if status == "FAILED" and {"execution_arn", "started_at"} <= fields.keys():
            condition = (
                f"({condition}) AND (attribute_not_exists(#execution_arn) OR #execution_arn = :execution_arn "
                "OR attribute_not_exists(#started_at) OR #started_at <= :started_at)"
            )
        if status == "FAILED" and "finished_at" in fields:
            for earlier in ("finished_at", REOPENED_AFTER):
                condition = f"({condition}) AND (attribute_not_exists({earlier}) OR {earlier} < :finished_at)"
        return self._update(
            pipeline_id,
            {"status": status, **fields, **self._expiry()},
            first=first or {},
            remove=(
                *((*FAILURE_FIELDS, *EARLY_FIELDS, PACKED) if status == "SUCCEEDED" else ()),
                *((EXPECTED,) if status in FINAL else ()),
            ),
            condition=condition,
        )

    def holds_failure(self, pipeline_id: str, execution_arn: str, finished_at: str) -> bool:
        """Return whether the record is FAILED by exactly this end."""
        record = self.get(pipeline_id) or Record()
        held = (record.get("status"), record.get("execution_arn"), record.get("finished_at"))
        return held == ("FAILED", execution_arn, finished_at)

    def expect(self, pipeline_id: str, execution_arn: str) -> bool:
        """Let an execution that is about to start replace the success that the record holds; nothing else changes.

        Returns False if the run has not succeeded.
        """
        return self._conditionally(
            self._client.update_item,
            TableName=self._table,
            Key={"pipeline_id": {"S": pipeline_id}},
            UpdateExpression=f"SET {EXPECTED} = :execution_arn",
            ConditionExpression="#status = :succeeded",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={
                ":execution_arn": {"S": execution_arn},
                ":succeeded": {"S": "SUCCEEDED"},
            },
        )

    def reopen(
        self, pipeline_id: str, *, execution_arn: str, started_at: str, after: str | None = None
    ) -> bool:
        """Set a run to RUNNING again, in this execution, which has been started or redriven.

        `after` is the end of the execution that this one follows: a late event about that end or an earlier one
        changes nothing from now on. Returns False, and changes nothing, if this execution has ended already, if the
        run has been reopened after a later end, or if it has succeeded and the execution is not expected (`expect`).
        The cost until now is kept as `earlier_nano_usd`.
        """
        before = [status for status in STATUSES if status != "SUCCEEDED"]
        earlier = spent(self.get(pipeline_id) or Record(), execution_arn)
        condition = f"{_status_in(before)} OR {EXPECTED} = :execution_arn"
        if after:
            condition = (
                f"({condition}) AND (#status <> {_value_of('FAILED')} "
                f"OR attribute_not_exists(finished_at) OR finished_at <= :{REOPENED_AFTER}) "
                f"AND (attribute_not_exists({REOPENED_AFTER}) OR {REOPENED_AFTER} <= :{REOPENED_AFTER})"
            )
        return self._update(
            pipeline_id,
            {
                "status": "RUNNING",
                "execution_arn": execution_arn,
                "started_at": started_at,
                **({REOPENED_AFTER: after} if after else {}),
                **({"earlier_nano_usd": earlier} if earlier else {}),
            },
            first={},
            remove=(*FAILURE_FIELDS, *END_FIELDS, CANCELLED, EXPECTED),
            condition=condition,
        )

    def close_again(self, pipeline_id: str, opened: Record) -> bool:
        """Undo the reopening that `opened` shows and no execution has followed, so that the end can be recorded anew.

        Returns False if the record has changed since.
        """
        return self._conditionally(
            self._client.update_item,
            TableName=self._table,
            Key={"pipeline_id": {"S": pipeline_id}},
            UpdateExpression=f"REMOVE finished_at, started_at, execution_arn, earlier_nano_usd, {REOPENED_AFTER}",
            ConditionExpression="#status = :running AND execution_arn = :arn AND started_at = :at",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={
                ":running": {"S": "RUNNING"},
                ":arn": {"S": str(opened.get("execution_arn"))},
                ":at": {"S": str(opened.get("started_at"))},
            },
        )

    def _update(
        self,
        pipeline_id: str,
        values: Mapping[str, Any],
        *,
        first: Mapping[str, Any],
        remove: Sequence[str],
        condition: str,
    ) -> bool:
        """Make a conditional UpdateItem; in `condition`, `#name` is an attribute and `:name` its new value."""
        removed = [name for name in remove if name not in values]
        sets = [f"#{name} = :{name}" for name in values]
        sets += [f"#{name} = if_not_exists(#{name}, :{name})" for name in first]
        removes = f" REMOVE {', '.join(f'#{name}' for name in removed)}" if removed else ""
        statuses = {_value_of(status): status for status in STATUSES if _value_of(status) in condition}
        return self._conditionally(
            self._client.update_item,
            TableName=self._table,
            Key={"pipeline_id": {"S": pipeline_id}},
            UpdateExpression=f"SET {', '.join(sets)}{removes}",
            ConditionExpression=condition,
            ExpressionAttributeNames={f"#{name}": name for name in (*values, *first, *removed)},
            ExpressionAttributeValues={
                **{f":{name}": to_item(value) for name, value in {**values, **first}.items()},
                **{name: {"S": status} for name, status in statuses.items()},
            },
        )

    _conditionally = staticmethod(conditionally)
