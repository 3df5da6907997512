"""The rules for `user_message` that a type cannot state."""

import msgspec

from shared.contracts import limits


def check_message(text: str) -> None:
    """Raises ValueError with a sentence that says which rule the message breaks."""
    if not text or text.isspace():
        raise ValueError("`user_message` must not be blank")
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > limits.MESSAGE_BYTES:
        raise ValueError(
            f"`user_message` must be at most {limits.MESSAGE_BYTES:,} bytes of UTF-8, got {size:,}"
        )
    if len(msgspec.json.encode(text)) > limits.MESSAGE_JSON_BYTES:
        raise ValueError("`user_message` holds too many control characters")
