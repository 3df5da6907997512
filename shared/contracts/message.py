"""The rules for messages and conversations that a type can't state, and the hash that identifies a request."""

import hashlib
import re
from collections.abc import Sequence
from typing import Protocol

import msgspec

from shared.contracts import limits

VISIBLE = re.compile(
    r"[^\s\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""A character that is seen: no blank or filler, no control character, and none that only joins or varies others."""


_NOT_CARRIED = re.compile("[\ud800-\udfff\ufffe\uffff]")


class ConversationTurn(Protocol):
    """One message of a conversation: its role and its text."""

    @property
    def role(self) -> str: ...

    @property
    def text(self) -> str: ...


def check_message(text: str) -> None:
    """Check a single message. Raises ValueError with a sentence that says which rule the message breaks."""
    _check_text("user_message", text)
    _check_size("`user_message`", (text,))


def check_conversation(turns: Sequence[ConversationTurn]) -> None:
    """Check that user and assistant alternate, the user first and last, within the bounds of one message together.

    Bedrock accepts no other order. Raises ValueError with a sentence that says which rule is broken.
    """
    for index, turn in enumerate(turns):
        role = "assistant" if index % 2 else "user"
        if turn.role != role:
            raise ValueError(
                f"`messages` must alternate, the user first: `messages[{index}]` must be the {role}'s"
            )
        _check_text(f"messages[{index}].text", turn.text)
    if len(turns) % 2 == 0:
        raise ValueError("`messages` must end with a message of the user")
    if sum(len(turn.text) for turn in turns) > limits.MESSAGE_CHARS:
        raise ValueError(f"`messages` must be at most {limits.MESSAGE_CHARS:,} characters together")
    _check_size("`messages` together", [turn.text for turn in turns])


def check_early_answer(text: str) -> None:
    """Check the text with which a stage ends a run early. Raises ValueError with a sentence on the broken rule."""
    _check_text("early_answer.text", text)
    if (size := len(msgspec.json.encode(text))) > limits.EARLY_JSON_BYTES:
        raise ValueError(
            f"`early_answer.text` must be at most {limits.EARLY_JSON_BYTES:,} bytes of JSON, got {size:,}"
        )


def _check_text(name: str, text: str) -> None:
    if not VISIBLE.search(text):
        raise ValueError(f"`{name}` must not be blank")
    if _NOT_CARRIED.search(text):
        # SQS refuses or replaces them, so the stages would read another text than was recorded.
        raise ValueError(f"`{name}` must not contain U+FFFE, U+FFFF or half a character (a lone surrogate)")


def _check_size(name: str, texts: Sequence[str]) -> None:
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    if size > limits.MESSAGE_BYTES:
        raise ValueError(f"{name} must be at most {limits.MESSAGE_BYTES:,} bytes of UTF-8, got {size:,}")
    if sum(len(msgspec.json.encode(text)) for text in texts) > limits.MESSAGE_JSON_BYTES:
        raise ValueError(f"{name} holds too many control characters")


def request_hash(user_message: str, history: Sequence[ConversationTurn] = ()) -> str:
    """Return a hash that is equal for two requests only if message and history are the same.

    With a history, the hashed bytes begin with one that no UTF-8 text contains, so no message has the hash of a
    conversation.
    """
    if not history:
        return hashlib.sha256(_bytes(user_message)).hexdigest()
    digest = hashlib.sha256(b"\xff")
    for role, text in (*((turn.role, _bytes(turn.text)) for turn in history), ("user", _bytes(user_message))):
        digest.update(b"%s %d " % (role.encode(), len(text)) + text)
    return digest.hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
