"""State stays below Step Functions' 256 KiB by construction."""

from datetime import UTC, datetime

import msgspec
import pytest

from services.enhancer.core import enhance
from services.trigger.core import execution_input
from shared.contracts import limits, v1, v2
from shared.contracts.envelope import Metadata
from shared.contracts.message import check_conversation

NOW = datetime(2026, 11, 22, tzinfo=UTC)
METADATA = Metadata(
    event_id="e" * 128,
    pipeline_id="p" * 64,
    schema="log.requested",
    schema_version=1,
    occurred_at=NOW,
    correlation_id="c" * 256,
    causation_id="c" * 128,
    execution_arn="a" * 256,
    traceparent="t" * 55,
)
HEAVIEST_MESSAGES = {
    "controls": "\x01" * 14_000 + "é" * 7_000,
    "quotes": '"' * 21_845 + "\N{GRINNING FACE}" * 10_922,
    "wide": "\N{GRINNING FACE}" * 16_384,
}


def one_turn(text: str) -> tuple[v1.Turn, ...]:
    return (v1.Turn(role="user", text=text),)


def many_turns(text: str) -> tuple[v1.Turn, ...]:
    """`text` cut into as many turns as a conversation may have."""
    size = -(-len(text) // limits.TURNS)
    parts = [text[start : start + size] for start in range(0, len(text), size)]
    assert len(parts) == limits.TURNS
    return tuple(
        v1.Turn(role="assistant" if index % 2 else "user", text=part) for index, part in enumerate(parts)
    )


CONVERSATIONS = {
    f"{shape.__name__}-{name}": shape(text)
    for shape in (one_turn, many_turns)
    for name, text in HEAVIEST_MESSAGES.items()
}


def heaviest_analysis() -> v1.Analysis:
    return v1.Analysis(
        character_count=limits.MESSAGE_CHARS,
        word_count=limits.MESSAGE_CHARS,
        sentence_count=limits.MESSAGE_CHARS,
        has_code=True,
        code=(v1.CodeSpan(kind="stack_trace", start=99_999, end=99_999, language="x" * 16),)
        * limits.CODE_SPANS,
        languages=("x" * 16,) * limits.CODE_SPANS,
        is_question=True,
        question_count=99_999,
        questions=("\x01" * limits.QUESTION_CHARS,) * limits.QUESTIONS,
        complexity="complex",
        reasons=("x" * 120,) * limits.REASONS,
    )


@pytest.mark.parametrize("messages", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_the_largest_run_fits_the_state(messages):
    """The longest conversation with the longest answer, analysis, errors and token stays below 256 KiB."""
    check_conversation(messages)
    heavy_answer = '"' * 16_384
    chat = v1.ChatAnswer(
        text=heavy_answer, backend="bedrock", model_id="m" * 128, stop_reason="s" * 64, truncated=True
    )
    analysis = heaviest_analysis()
    enhancement = enhance(chat, analysis, METADATA, NOW)
    meter = v1.Meter(
        queue_wait_ms=10**9,
        work_ms=10**9,
        attempt=3,
        receives=2,
        model_id="m" * 128,
        batch=10,
        message_bytes=10**6,
        memory_mb=10_240,
        architecture="x86_64",
    )
    state = msgspec.json.decode(execution_input(v2.PipelineRequested(messages=messages), METADATA))
    state["results"] = {
        "analysis": {"data": analysis, "meter": meter},
        "chat": {"data": chat, "meter": meter},
        "enhancement": {"data": enhancement, "meter": meter},
    }
    state["errors"] = {
        key: {"Error": "e" * limits.ERROR_CHARS, "Cause": '"' * limits.CAUSE_CHARS}
        for key in ("analysis", "enhancement", "log")
    }
    request = {"metadata": METADATA, "data": state, "task_token": "t" * 2048}
    assert len(msgspec.json.encode(request)) < limits.STATE_BYTES * 0.9
