"""The rules for a message and for a conversation that a type cannot state, and what tells two of them apart."""

import hashlib
from collections.abc import Sequence
from typing import Protocol

import msgspec

from shared.contracts import limits


class Said(Protocol):
    """A turn of a conversation."""

    @property
    def role(self) -> str: ...

    @property
    def text(self) -> str: ...


def check_message(text: str) -> None:
    """Raises ValueError with a sentence that says which rule the message breaks."""
    _check_not_blank("user_message", text)
    _check_size("`user_message`", (text,))


def check_conversation(turns: Sequence[Said]) -> None:
    """The user begins, the assistant answers, the user has the last word; all of it within one message's bounds.

    Bedrock takes no other order. Raises ValueError with a sentence that says which rule is broken.
    """
    for index, turn in enumerate(turns):
        whose = "assistant" if index % 2 else "user"
        if turn.role != whose:
            raise ValueError(
                f"`messages` must alternate, the user first: `messages[{index}]` must be the {whose}'s"
            )
        _check_not_blank(f"messages[{index}].text", turn.text)
    if len(turns) % 2 == 0:
        raise ValueError("`messages` must end with a message of the user")
    if sum(len(turn.text) for turn in turns) > limits.MESSAGE_CHARS:
        raise ValueError(f"`messages` must be at most {limits.MESSAGE_CHARS:,} characters together")
    _check_size("`messages` together", [turn.text for turn in turns])


def _check_not_blank(name: str, text: str) -> None:
    if not text or text.isspace():
        raise ValueError(f"`{name}` must not be blank")


def _check_size(what: str, texts: Sequence[str]) -> None:
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    if size > limits.MESSAGE_BYTES:
        raise ValueError(f"{what} must be at most {limits.MESSAGE_BYTES:,} bytes of UTF-8, got {size:,}")
    if sum(len(msgspec.json.encode(text)) for text in texts) > limits.MESSAGE_JSON_BYTES:
        raise ValueError(f"{what} holds too many control characters")


def request_hash(user_message: str, history: Sequence[Said] = ()) -> str:
    """Tells whether two requests ask the same, without comparing texts.

    With a history it begins with a byte that no message has, so that no message can pass for a conversation.
    """
    if not history:
        return hashlib.sha256(_bytes(user_message)).hexdigest()
    found = hashlib.sha256(b"\xff")
    for role, text in (*((turn.role, _bytes(turn.text)) for turn in history), ("user", _bytes(user_message))):
        found.update(b"%s %d " % (role.encode(), len(text)) + text)
    return found.hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
