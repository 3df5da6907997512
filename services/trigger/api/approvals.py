"""The routes of the answers that wait for a person's approval. Imported at the first request for one of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from services.trigger.api.core import PIPELINE_ID, Request, posted
from services.trigger.api.refusals import ApiError, Reason
from shared.contracts import limits
from shared.contracts.approval import REASON_CHARS
from shared.waiting import AlreadyDecided, Item, NotWaiting, RunEnded, Verdict
from shared.waiting.store import Waiting

DECISIONS: dict[str, Literal["approved", "rejected", "edited"]] = {
    "approve": "approved",
    "reject": "rejected",
    "edit": "edited",
}


class DecisionRequested(Struct, frozen=True, kw_only=True):
    """A decision on an answer. `text` is what the caller gets instead: needed to edit, possible to reject."""

    decision: Literal["approve", "reject", "edit"]
    reason: Annotated[
        str,
        Meta(max_length=REASON_CHARS, description="Why, which the caller sees; needed to reject."),
    ] = ""
    text: Annotated[str, Meta(min_length=1, max_length=limits.ANSWER_CHARS)] | None = None


class Inbox:
    """The waiting answers. IAM decides who may call these routes; the decision names the caller."""

    def __init__(self, waiting: Waiting, rejected_text: str) -> None:
        self._waiting = waiting
        self._rejected_text = rejected_text

    def listed(self) -> dict[str, Any]:
        items = [item for item in self._waiting.listed() if item.state == "waiting"]
        return {"approvals": [shown(item) for item in items]}

    def read(self, request: Request) -> dict[str, Any]:
        with _refusing():
            return shown(self._waiting.read(_id(request)))

    def decide(self, request: Request) -> dict[str, Any]:
        """Take the decision in a POST. Raises ApiError (400, 404, 409, 413, 415)."""
        asked = posted(request, lambda _: DecisionRequested)
        if asked.decision == "reject" and not asked.reason.strip():
            raise ApiError(Reason.INVALID_REQUEST, problem="to reject an answer, `reason` is needed")
        text = asked.text or (self._rejected_text if asked.decision == "reject" else None)
        try:
            verdict = Verdict(
                decision=DECISIONS[asked.decision], by=request.caller, reason=asked.reason, text=text
            )
        except ValueError as error:
            raise ApiError(Reason.INVALID_REQUEST, problem=str(error)) from error
        with _refusing():
            return shown(self._waiting.decide(_id(request), verdict))


def shown(item: Item) -> dict[str, Any]:
    """Return an item as the API shows it: fields without a value are left out."""
    fields: dict[str, Any] = msgspec.to_builtins(item)
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _id(request: Request) -> str:
    if not PIPELINE_ID.fullmatch(request.pipeline_id):
        raise ApiError(Reason.NOT_WAITING)
    return request.pipeline_id


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except NotWaiting as error:
        raise ApiError(Reason.NOT_WAITING) from error
    except AlreadyDecided as error:
        raise ApiError(
            Reason.ALREADY_DECIDED, who=error.item.decided_by, decision=error.item.decision
        ) from error
    except RunEnded as error:
        raise ApiError(Reason.RUN_ENDED) from error
