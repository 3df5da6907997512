"""Plans that correct the data of parked messages: of one, or of all of a cause that have the same fault."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from msgspec.structs import replace
from starlette.responses import Response

from console.pages import message as message_page
from console.text import editable
from console.views import Ask
from operations.dlq.causes import has_alike, key_of, of_cause
from operations.dlq.contract import correction, problems_of_correction
from operations.dlq.corrections import Step, fits, steps_of
from operations.dlq.messages import Parked, data_of, violation
from operations.dlq.plan import Action, Decision, Planned
from operations.dlq.plans import Plan, replay_plan
from operations.dlq.replay import plan as decided
from operations.dlq.snapshot import Snapshot
from operations.errors import InvalidInputError, OperationError
from operations.json_text import parse, written

NO_MESSAGE = (
    "The run would be restarted from the user's message: only `user_message` and `history` can be corrected."
)


def edit_plan(ask: Ask, snapshot: Snapshot, item: Planned) -> Plan | Response:
    """Return the plan of a correction; the message's page, with the reason, if there can be none.

    With `same`, the correction is made in every message of the same cause that has the same fault.
    """
    message, text = item.message, ask.form.get("data", "")
    original = message_page.editable_data(message)
    if original is None:
        raise InvalidInputError(
            "The data of this message can't be corrected here. Replay or archive the message."
        )

    def again(error: str) -> Response:
        return message_page.shown(ask, snapshot, item, text=text, error=error, status=HTTPStatus.BAD_REQUEST)

    data, _ = correction(text)
    if data is None or problems_of_correction(message, text):
        return again("The correction breaks the contract, so nothing was sent.")
    if data == parse(original):
        return again("The data was not changed, so there is nothing to send.")
    try:
        if ask.form.get("same"):
            return _of_all(ask, snapshot, item, data)
        return _of_one(ask, snapshot, message, data)
    except InvalidInputError as error:
        return again(str(error))


def for_others(ask: Ask, plan: Plan) -> str:
    """Return the corrected data of a plan for one message, if other messages of its cause may have the same fault."""
    try:
        snapshot = ask.desk.shelf.shown(ask.target).snapshot if plan.data is not None else None
    except OperationError:  # a plan can be read while its environment is not reachable
        return ""
    item = snapshot.find(plan.lines[0].message_id) if snapshot else None
    if not snapshot or not item or not violation(item.message) or not has_alike(snapshot.planned, item):
        return ""
    return editable(written(plan.data, indent=2))


def _of_one(ask: Ask, snapshot: Snapshot, message: Parked, data: Mapping[str, Any]) -> Plan:
    (planned,) = decided(ask.target, [message], edited=True)
    if _lacks_message(planned, data):
        raise InvalidInputError(NO_MESSAGE)
    return replay_plan([planned], snapshot, data=data)


def _of_all(ask: Ask, snapshot: Snapshot, item: Planned, data: Mapping[str, Any]) -> Plan:
    if violation(item.message) is None:
        raise InvalidInputError(
            "This message keeps its contract: there is no fault by which others are found."
        )
    steps = steps_of(data_of(item.message), data)
    return replay_plan(list(_corrected(ask, snapshot, item, steps)), snapshot, steps=steps)


def _corrected(ask: Ask, snapshot: Snapshot, item: Planned, steps: tuple[Step, ...]) -> Iterator[Planned]:
    """Yield each message of the cause with what is done with it; those that the steps do not mend are left."""
    alike = of_cause(snapshot.planned, key_of(item))
    found = list(fits([one.message for one in alike], item.message, steps))
    mended = [fit.message for fit in found if fit.data is not None]
    decisions = {one.message.id: one for one in decided(ask.target, mended, edited=True)}
    for one, fit in zip(alike, found, strict=True):
        planned = decisions.get(one.message.id)
        if planned is None or fit.data is None:
            yield _left(one, fit.reason)
        else:
            yield _left(planned, NO_MESSAGE) if _lacks_message(planned, fit.data) else planned


def _lacks_message(planned: Planned, data: Mapping[str, Any]) -> bool:
    return planned.decision.action is Action.RESTART and not isinstance(data.get("user_message"), str)


def _left(planned: Planned, reason: str) -> Planned:
    return replace(planned, decision=Decision(action=Action.LEAVE, reason=reason))
