"""Conversations: what a run was asked and answered, and a message that continues it."""

from collections.abc import Sequence
from typing import Any

import msgspec

from operations.errors import InvalidInputError
from operations.json_text import loosely
from operations.runs.executions import describe
from operations.runs.journey import Journey, read_journey
from operations.runs.records import read_record
from operations.target import Target
from shared.contracts import limits
from shared.contracts.message import check_conversation, check_message, request_hash
from shared.contracts.record import Record
from shared.contracts.v1 import Turn

UNKNOWN = (
    "What preceded this run's message is not known any more: it was in the run's execution, kept for 90 days."
)


def read_history(target: Target, journey: Journey) -> tuple[Turn, ...] | None:
    """Return the messages that preceded a run's own; None if they are not known.

    They are in the input of its execution, which begins after the request was accepted and is kept for 90 days. The
    record tells for longer whether there were any.
    """
    arn = journey.execution_arn or target.addresses.execution_arn(journey.pipeline_id)
    execution = describe(target, arn)
    history = None if execution is None else history_of(execution.input)
    if history is None and journey.user_message is not None:
        record = read_record(target, journey.pipeline_id) or Record()
        if record.get("request_hash") == request_hash(journey.user_message):
            return ()
    return history


def history_of(state: str) -> tuple[Turn, ...] | None:
    """Return the history in the input of an execution; None if the input is not that of a run."""
    whole: Any = loosely(state)
    request = whole.get("request") if isinstance(whole, dict) else None
    if not isinstance(request, dict):
        return None
    try:
        return msgspec.convert(request.get("history") or (), tuple[Turn, ...])
    except msgspec.ValidationError:
        return None


def continued(history: Sequence[Turn], journey: Journey, message: str) -> tuple[Turn, ...]:
    """Return the conversation of a run, continued with a message.

    The oldest exchanges are left out if it would be longer than a conversation may be, and of a long answer what
    follows the part that a run's state holds. Raises InvalidInputError if not even the last exchange has room.
    """
    if not journey.user_message or not journey.final_response:
        raise InvalidInputError("This run has no answer yet, so its conversation can't be continued.")
    try:
        check_message(message)
    except ValueError as error:
        raise InvalidInputError(str(error)) from error
    last = (
        Turn(role="user", text=journey.user_message),
        Turn(role="assistant", text=limits.beginning(journey.final_response)),
    )
    turns = (*history, *last, Turn(role="user", text=message))
    while len(turns) > 1:
        try:
            if len(turns) <= limits.TURNS:
                check_conversation(turns)
                return turns
        except ValueError:
            pass
        turns = turns[2:]
    raise InvalidInputError(
        f"With the last question and its answer the message has more than {limits.MESSAGE_CHARS:,} characters, which "
        "is the most for a conversation. Shorten it, or ask it without them as a new question."
    )


def follow_up(target: Target, pipeline_id: str, message: str) -> tuple[Turn, ...]:
    """Return a run's conversation, continued with a message; without what preceded the run if that is unknown."""
    journey = read_journey(target, pipeline_id)
    return continued(read_history(target, journey) or (), journey, message)


def repeated(target: Target, pipeline_id: str, message: str | None = None) -> tuple[Turn, ...]:
    """Return the conversation that a run was asked, to ask it again; with another last message if one is given.

    Raises InvalidInputError if it is not known any more: without it the message would ask something else.
    """
    journey = read_journey(target, pipeline_id)
    text = journey.user_message if message is None else message
    if text is None:
        raise InvalidInputError(
            f"The message of run {pipeline_id} is not recorded, so it can't be asked again."
        )
    history = read_history(target, journey)
    if history is None:
        raise InvalidInputError(f"{UNKNOWN} Ask the message as a new question.")
    return (*history, Turn(role="user", text=text))
