"""The runs that wait for a person: each one's item, with its task token, and the decision that is taken once.

Only this module and the worker see the token. It never leaves the table: readers get an `Item`, which has none. A
decision is written first, under the condition that there is none, and sent to Step Functions then; if the sender dies
in between, `repair` sends the stored decision. So two people, a repetition and a sweep at the same time are one
decision.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Struct

from shared.aws import translated_errors
from shared.contracts import v1
from shared.contracts.approval import Approval
from shared.contracts.record import iso
from shared.dynamodb import attributes, to_item
from shared.errors import PermanentError, TokenSettled, TransientError
from shared.records import conditionally
from shared.worker.outcome import NOT_CARRIED, Callback, Held

OPEN_INDEX: Final = "by-open"
"""The index of the items that are not settled, by the time of their request."""
OPEN: Final = "yes"
EXPIRES: Final = "expires_at"
LISTED: Final = ("state", "deadline_at", "execution_arn", "excerpt", "decision", "reminders", "decided_at")
"""The fields of an item that the index holds beside its keys: neither the texts nor the token."""
EXCERPT_CHARS: Final = 120
KEPT_AFTER_SECONDS: Final = 30 * 24 * 3_600
"""For how long an item is kept after its deadline."""

State = Literal["waiting", "decided", "settled", "closed"]
Decision = Literal["approved", "rejected", "edited", "failed"]

EXPIRED_CAUSE: Final = "Nobody decided on the answer before its deadline."


class Item(Struct, frozen=True, kw_only=True):
    """A run that waits, or waited, for a decision; without its task token.

    `decided`: a decision is stored and is on its way to Step Functions. `settled`: it has arrived. `closed`: the run
    ended before a decision could reach it, because it was cancelled or timed out.
    """

    pipeline_id: str
    state: State
    asked_at: datetime
    deadline_at: datetime
    execution_arn: str | None = None
    excerpt: str = ""
    user_message: str | None = None
    answer: str | None = None
    is_cut: bool = False
    """Whether `answer` is only the beginning of a long answer."""
    decision: Decision | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str = ""
    text: str | None = None
    """What the caller gets instead of the answer."""
    reminders: int = 0


class Verdict(Struct, frozen=True, kw_only=True):
    """What somebody wants to decide. `text` is the caller's answer after `rejected` and `edited`."""

    decision: Decision
    by: str
    reason: str = ""
    text: str | None = None

    def __post_init__(self) -> None:
        if (self.text is not None) != (self.decision in ("rejected", "edited")):
            raise ValueError("a text belongs to an answer that is rejected or edited, and to no other")
        if self.text is not None:
            v1.EarlyAnswer(text=self.text, reason=self.reason or self.decision)


class NotWaiting(PermanentError):  # noqa: N818 -- as the project's other errors
    """No run waits, or waited, under this id."""


class AlreadyDecided(PermanentError):  # noqa: N818 -- as the project's other errors
    """Somebody else has decided, or somebody decided otherwise; `item` says who and how."""

    def __init__(self, item: Item) -> None:
        who, at = item.decided_by, item.decided_at
        super().__init__(f"{who} has already decided: {item.decision}" + (f", at {iso(at)}." if at else "."))
        self.item = item


class RunEnded(PermanentError):  # noqa: N818 -- as the project's other errors
    """The run ended before the decision: it was cancelled or timed out. Nothing waits for it any more."""


class Waiting:
    """The table of waiting runs. Raises TransientError or PermanentError if DynamoDB refuses or fails a call."""

    def __init__(
        self, client: Any, table: str, callback: Callback, *, now: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._table = table
        self._callback = callback
        self._now = now

    # --- a run begins to wait ---

    def holding(self, fields: Mapping[str, Any], *, seconds: float) -> Held:
        """Return the outcome of a stage's run that waits for `seconds` at most; `fields` are its item's."""
        return Held(keep=partial(self._keep, fields, seconds))

    def _keep(self, fields: Mapping[str, Any], seconds: float, token: str, meter: v1.Meter) -> None:
        """Store a waiting run. A redelivery stores nothing; a newer task's token replaces an older one's.

        Raises TokenSettled if the task is over.
        """
        now = self._now()
        item = {
            **fields,
            "state": "waiting",
            "open": OPEN,
            "asked_at": _text(now),
            "deadline_at": _text(now + seconds),
            "excerpt": " ".join(str(fields["user_message"])[: 2 * EXCERPT_CHARS].split())[:EXCERPT_CHARS],
            "meter": msgspec.json.encode(meter).decode(),
            "task_token": token,
            EXPIRES: int(now + seconds + KEPT_AFTER_SECONDS),
        }
        put = partial(conditionally, self._client.put_item, TableName=self._table, Item=to_item(item)["M"])
        if put(ConditionExpression="attribute_not_exists(pipeline_id)"):
            return
        stored = self._read(str(fields["pipeline_id"])) or {}
        held = stored.get("task_token")
        if held == token and stored.get("state") in ("waiting", "decided"):
            if stored["state"] == "decided":
                self._send(stored, repair=True)
            return
        if self._callback.is_settled(token):
            raise TokenSettled("The task is over.")
        values = {":token": {"S": held}} if held else {}
        replaces = "task_token = :token" if held else "attribute_not_exists(task_token)"
        if not put(ConditionExpression=replaces, **({"ExpressionAttributeValues": values} if values else {})):
            raise TransientError("Another attempt of this stage is stored at the same time.")

    # --- a decision ---

    def decide(self, pipeline_id: str, verdict: Verdict) -> Item:
        """Take a decision once and send it. The same decision of the same person again is sent again, if need be.

        Raises NotWaiting, AlreadyDecided or RunEnded.
        """
        stored = self._read(pipeline_id)
        if stored is None:
            raise NotWaiting(f"No run waits for a decision under the id {pipeline_id}.")
        is_taken = stored["state"] == "waiting" and self._take(stored, verdict)
        stored = self._read(pipeline_id) or stored
        item = _item(stored)
        if (item.decision, item.decided_by, item.text) != (verdict.decision, verdict.by, verdict.text):
            if item.state == "closed" and item.decision is None:
                raise RunEnded(_ENDED)
            raise AlreadyDecided(item)
        if item.state == "decided":
            self._send(stored, repair=not is_taken)
            item = self.read(pipeline_id)
        if item.state == "closed":
            raise RunEnded(_ENDED)
        return item

    def repair(self, pipeline_id: str) -> None:
        """Send a decision that is stored and may not have been sent."""
        stored = self._read(pipeline_id)
        if stored is not None and stored["state"] == "decided":
            self._send(stored, repair=True)

    def close_if_over(self, pipeline_id: str) -> bool:
        """Close the item of a run that does not wait any more; return whether it was closed."""
        stored = self._read(pipeline_id)
        if (
            stored is None
            or stored["state"] != "waiting"
            or not self._callback.is_settled(stored["task_token"])
        ):
            return False
        return self._end(stored, "closed")

    def remind(self, item: Item) -> bool:
        """Count a reminder; return whether nobody else has counted it meanwhile."""
        return conditionally(
            self._client.update_item,
            TableName=self._table,
            Key={"pipeline_id": {"S": item.pipeline_id}},
            UpdateExpression="SET reminders = :number",
            ConditionExpression="#state = :waiting AND asked_at = :asked",
            ExpressionAttributeNames={"#state": "state"},
            ExpressionAttributeValues={
                ":number": {"N": str(item.reminders + 1)},
                ":waiting": {"S": "waiting"},
                ":asked": {"S": iso(item.asked_at)},
            },
        )

    def _take(self, stored: Mapping[str, Any], verdict: Verdict) -> bool:
        values = {
            "decision": verdict.decision,
            "decided_by": verdict.by,
            "decided_at": _text(self._now()),
            "reason": verdict.reason,
            **({} if verdict.text is None else {"text": verdict.text}),
        }
        return conditionally(
            self._client.update_item,
            TableName=self._table,
            Key={"pipeline_id": {"S": stored["pipeline_id"]}},
            UpdateExpression="SET #state = :decided, " + ", ".join(f"#{name} = :{name}" for name in values),
            ConditionExpression="#state = :waiting AND task_token = :token",
            ExpressionAttributeNames={"#state": "state", **{f"#{name}": name for name in values}},
            ExpressionAttributeValues={
                ":waiting": {"S": "waiting"},
                ":decided": {"S": "decided"},
                ":token": {"S": stored["task_token"]},
                **{f":{name}": to_item(value) for name, value in values.items()},
            },
        )

    def _send(self, stored: Mapping[str, Any], *, repair: bool) -> None:
        """Send a stored decision. If the task is over, a repair takes it that the decision had arrived before."""
        end: State = "settled"
        try:
            if stored["decision"] == "failed":
                self._callback.fail(stored["task_token"], PermanentError.NAME, EXPIRED_CAUSE)
            else:
                self._callback.succeed(stored["task_token"], _output(stored))
        except TokenSettled:
            end = "settled" if repair else "closed"
        self._end(stored, end)

    def _end(self, stored: Mapping[str, Any], state: State) -> bool:
        """Store that nothing waits any more, and forget the token, unless a newer task has taken the item's place."""
        return conditionally(
            self._client.update_item,
            TableName=self._table,
            Key={"pipeline_id": {"S": stored["pipeline_id"]}},
            UpdateExpression="SET #state = :state REMOVE task_token, #open",
            ConditionExpression="task_token = :token",
            ExpressionAttributeNames={"#state": "state", "#open": "open"},
            ExpressionAttributeValues={":state": {"S": state}, ":token": {"S": stored["task_token"]}},
        )

    # --- reading ---

    def read(self, pipeline_id: str) -> Item:
        """Return an item. Raises NotWaiting."""
        stored = self._read(pipeline_id)
        if stored is None:
            raise NotWaiting(f"No run waits for a decision under the id {pipeline_id}.")
        return _item(stored)

    def listed(self) -> Iterator[Item]:
        """Yield the items that are not settled, the oldest first, without their texts."""
        start: dict[str, Any] = {}
        while True:
            with translated_errors():
                page = self._client.query(
                    TableName=self._table,
                    IndexName=OPEN_INDEX,
                    KeyConditionExpression="#open = :open",
                    ExpressionAttributeNames={"#open": "open"},
                    ExpressionAttributeValues={":open": {"S": OPEN}},
                    **start,
                )
            yield from (_item(attributes(item)) for item in page.get("Items", ()))
            if not page.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _read(self, pipeline_id: str) -> dict[str, Any] | None:
        with translated_errors():
            answer = self._client.get_item(
                TableName=self._table, Key={"pipeline_id": {"S": pipeline_id}}, ConsistentRead=True
            )
        item = answer.get("Item")
        return attributes(item) if item else None


_ENDED: Final = (
    "The run does not wait for this decision any more: it was cancelled, it timed out, or the decision has reached "
    "it already. `pipeline show` tells how it ended."
)


def _item(stored: Mapping[str, Any]) -> Item:
    """Return the item in what is stored; unknown fields, and the token, are left out."""
    try:
        return msgspec.convert(stored, Item)
    except msgspec.ValidationError as error:
        raise PermanentError(f"The item of a waiting run is damaged: {error}") from error


def _text(seconds: float) -> str:
    return iso(datetime.fromtimestamp(seconds, UTC))


def _output(stored: Mapping[str, Any]) -> str:
    """Return the stage's result and meter, as a worker sends them."""
    item = _item(stored)
    reason = item.reason or str(item.decision)
    result = Approval(
        decision=item.decision,  # type: ignore[arg-type]  # a failure is no result
        decided_by=str(item.decided_by),
        decided_at=item.decided_at or item.asked_at,
        asked_at=item.asked_at,
        reason=item.reason,
        early_answer=UNSET if item.text is None else v1.EarlyAnswer(text=item.text, reason=reason),
    )
    meter = msgspec.Raw(str(stored.get("meter") or "null").encode())
    return msgspec.json.encode({"data": result, "meter": meter}).decode().translate(NOT_CARRIED)
