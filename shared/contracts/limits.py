"""The bounds that keep the state of every execution below Step Functions' limit of 256 KiB.

The state holds the conversation once (a single message is the shortest conversation), the answer twice (from the
chatbot and, formatted, from the enhancer), and a little more. Of an answer that is longer than its bound, the state
holds the beginning and a reference (`shared/texts.py`). Each part has its own bound here;
`tests/contracts/test_state_size.py` adds them up.
"""

from typing import Final

STATE_BYTES: Final = 262_144
"""Step Functions' hard limit for the input, output and result of a state."""

MESSAGE_CHARS: Final = 32_768
MESSAGE_BYTES: Final = 65_536
"""UTF-8 bytes of `user_message`."""
MESSAGE_JSON_BYTES: Final = 98_304
"""Bytes of `user_message` as JSON. Only a message full of control characters (six bytes each in JSON) reaches this
bound before the other two."""

TURNS: Final = 21
"""Messages of a conversation, the last one included: ten exchanges and a question. The bounds of one message apply to
all of them together."""

ANSWER_CHARS: Final = 16_384
ANSWER_BYTES: Final = 32_768
"""UTF-8 bytes of the chatbot's answer in the state."""
EARLY_JSON_BYTES: Final = 32_768
"""Bytes, as JSON, of the answer with which a stage ends a run early: the state may hold it beside the chatbot's."""
EARLY_REASON_CHARS: Final = 256


def beginning(text: str) -> str:
    """Return an answer, or as much of it as the state has room for."""
    return text[:ANSWER_CHARS].encode("utf-8", "ignore")[:ANSWER_BYTES].decode("utf-8", "ignore")


WHOLE_CHARS: Final = 1_048_576
WHOLE_BYTES: Final = 1_048_576
"""UTF-8 bytes of the chatbot's whole answer, twice of what 128,000 tokens usually have; a longer one is cut and
marked as truncated."""
PACKED_BYTES: Final = 262_144
"""Bytes of a long text as it is stored, compressed. With the longest message, the beginning of the text and all other
fields, it fits into a record, an item of DynamoDB with at most 400 KB."""
FALLBACKS: Final = 4
"""Models that may be asked in the place of one that does not answer."""
MODEL_ID_CHARS: Final = 256
FAILURE_CHARS: Final = 192
"""Characters of the reason why a model did not answer."""
DECORATION_BYTES: Final = 4_096
"""UTF-8 bytes that the enhancer may add to an answer."""

QUESTIONS: Final = 10
QUESTION_CHARS: Final = 200
CODE_SPANS: Final = 16
REASONS: Final = 12

ERROR_CHARS: Final = 256
"""Step Functions' limit for the error of SendTaskFailure."""
CAUSE_CHARS: Final = 1_024
"""Far below Step Functions' 32,768: a cause is also stored in the state, the record and an SQS attribute."""

PIPELINE_ID_PATTERN: Final = r"^[A-Za-z0-9_-]{1,64}$"
"""A pipeline id is also an execution name (at most 80 characters), which leaves room for a restart's suffix."""

IDEMPOTENCY_KEY_PATTERN: Final = r"^[\x21-\x7e]{1,255}$"
"""Visible ASCII, which an HTTP header carries unchanged."""

ID_CHARS: Final = 256
"""Characters of the other ids in an event's metadata, which every event of a run repeats."""

REQUEST_BODY_BYTES: Final = 262_144
"""Bytes of a POST body. The longest message, ASCII-escaped, takes 196,608 bytes of JSON."""

REVISION_CHARS: Final = 12
"""Of the hash of a function's code."""
