"""The bounds that keep every execution below Step Functions' 256 KiB of state, by construction.

The state holds the conversation once (a message is the shortest one), the answer twice (from the chatbot and,
formatted, from the enhancer), and a little besides. Each part has its own bound here;
`tests/contracts/test_state_size.py` adds them up.
"""

from typing import Final

STATE_BYTES: Final = 262_144
"""Step Functions' hard limit for the input, output and result of a state."""

MESSAGE_CHARS: Final = 32_768
MESSAGE_BYTES: Final = 65_536
"""UTF-8 bytes of `user_message`."""
MESSAGE_JSON_BYTES: Final = 98_304
"""`user_message` as JSON. Only a message full of control characters (six bytes each in JSON) reaches this
before the other two bounds."""

TURNS: Final = 21
"""Messages of a conversation, the last one included: ten exchanges and a question. Together they have the bounds of
one message."""

ANSWER_CHARS: Final = 16_384
ANSWER_BYTES: Final = 32_768
"""UTF-8 bytes of the chatbot's answer; a longer one is cut and marked as truncated."""
DECORATION_BYTES: Final = 4_096
"""What the enhancer may add to an answer."""

QUESTIONS: Final = 10
QUESTION_CHARS: Final = 200
CODE_SPANS: Final = 16
REASONS: Final = 12

ERROR_CHARS: Final = 256
"""Step Functions' limit for the error of SendTaskFailure."""
CAUSE_CHARS: Final = 1_024
"""Far below Step Functions' 32,768: a cause also lands in the state, the record and an SQS attribute."""

PIPELINE_ID_PATTERN: Final = r"^[A-Za-z0-9_-]{1,64}$"
"""Also an execution name (at most 80 characters); the rest is room for a restart's suffix."""

REQUEST_BODY_BYTES: Final = 262_144
"""A POST body. The longest message, ASCII-escaped, takes 196,608 bytes of JSON."""
