"""The sentence with which a failure says what was paid for an answer that can't be used, and its reading.

A failure reaches the record as a name and a text only (SendTaskFailure, and the event on the execution's end), so the
usage that a failed run's cost is counted from travels in the text.
"""

import re

from msgspec import UNSET

from shared.contracts.v1 import Usage

_SENTENCE = re.compile(
    r" Paid for: (\d{1,12}) input, (\d{1,12}) output, (\d{1,12}) cache-read, (\d{1,12}) cache-write tokens of "
    r"(\S{1,512})\.\Z"
)


def paid_for(model_id: str, usage: Usage | None) -> str:
    """Return the sentence, to be put at the end of an error's text; empty if no tokens were reported."""
    if usage is None or not any(_counts(usage)):
        return ""
    tokens_in, tokens_out, read, written = _counts(usage)
    return (
        f" Paid for: {tokens_in} input, {tokens_out} output, {read} cache-read, {written} cache-write tokens "
        f"of {model_id}."
    )


def paid_in(cause: str) -> tuple[str, Usage] | None:
    """Return the model and the usage that an error's text ends with, or None."""
    match = _SENTENCE.search(cause)
    if match is None:
        return None
    tokens_in, tokens_out, read, written = map(int, match.groups()[:4])
    usage = Usage(
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cache_read_tokens=read or UNSET,
        cache_write_tokens=written or UNSET,
    )
    return match[5], usage


def _counts(usage: Usage) -> tuple[int, int, int, int]:
    return (
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens or 0,
        usage.cache_write_tokens or 0,
    )
