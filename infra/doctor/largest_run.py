"""The state of the largest run that the contracts allow, as Step Functions would hold it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import Struct

from infra.doctor.heaviest import heaviest
from services.trigger.starter.core import execution_input
from shared.contracts import limits, v1, v2
from shared.contracts.envelope import Metadata
from shared.contracts.message import check_conversation
from shared.contracts.stages import EARLY_ANSWER, RECORDED, STAGES, Stage

_NOW: Final = datetime(2026, 11, 22, tzinfo=UTC)
METADATA: Final = Metadata(
    event_id="e" * 128,
    pipeline_id="p" * 64,
    schema="log.requested",
    schema_version=1,
    occurred_at=_NOW,
    correlation_id="c" * 256,
    causation_id="c" * 128,
    execution_arn="a" * 256,
    traceparent="t" * 55,
)
HEAVIEST_MESSAGES: Final = {
    "controls": "\x01\x01é" * 7_000,
    "quotes": '"' * 21_845 + "\N{GRINNING FACE}" * 10_922,
    "wide": "\N{GRINNING FACE}" * 16_384,
}
WHOLE: Final = v1.StoredText(key="k" * limits.ID_CHARS, characters=10**7, stored_bytes=10**6)
_TOKEN_CHARS: Final = 2_048


def _one_turn(text: str) -> tuple[v1.Turn, ...]:
    return (v1.Turn(role="user", text=text),)


def _many_turns(text: str) -> tuple[v1.Turn, ...]:
    """Cut `text` into as many turns as a conversation may have."""
    size = -(-len(text) // limits.TURNS)
    parts = [text[start : start + size] for start in range(0, len(text), size)]
    return tuple(
        v1.Turn(role="assistant" if index % 2 else "user", text=part) for index, part in enumerate(parts)
    )


CONVERSATIONS: Final[Mapping[str, tuple[v1.Turn, ...]]] = {
    f"{shape.__name__.strip('_')}-{name}": shape(text)
    for shape in (_one_turn, _many_turns)
    for name, text in HEAVIEST_MESSAGES.items()
}
"""The largest valid conversations, each large for a different reason."""


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


def heaviest_chat() -> v1.ChatAnswer:
    return v1.ChatAnswer(
        text='"' * limits.ANSWER_CHARS,
        backend="bedrock",
        model_id="m" * 128,
        stop_reason="s" * 64,
        truncated=True,
        whole=WHOLE,
        instead_of=(v1.FailedModel(model_id="m" * limits.MODEL_ID_CHARS, reason='"' * limits.FAILURE_CHARS),)
        * limits.FALLBACKS,
    )


def heaviest_enhancement() -> v1.Enhancement:
    return v1.Enhancement(
        final_response='"' * limits.ANSWER_CHARS + "x" * limits.DECORATION_BYTES,
        format="sectioned",
        complexity="moderate",
        enhanced_at=_NOW,
        word_count=limits.ANSWER_CHARS,
        reading_time_seconds=limits.ANSWER_CHARS,
        contains_code=False,
        tracking=v1.Tracking(
            pipeline_id=METADATA.pipeline_id,
            correlation_id=METADATA.correlation_id,
            execution_arn=METADATA.execution_arn,
            model_id="m" * 128,
        ),
        whole=WHOLE,
    )


NARROWER: Final[Mapping[type[Struct], Callable[[], Struct]]] = {
    v1.Analysis: heaviest_analysis,
    v1.ChatAnswer: heaviest_chat,
    v1.Enhancement: heaviest_enhancement,
}
"""The largest results that are bounded by more than their type."""


def heaviest_request(messages: tuple[v1.Turn, ...]) -> bytes:
    """Return a stage request with the whole state of a run of `messages`: the longest answer, results and errors.

    A run that a stage ended early has that stage's answer, and no results of the stages that were skipped. Raises
    ValueError for a conversation that no contract allows, and UnboundedError for a stage whose result has no bound.
    """
    check_conversation(messages)
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
        revision="r" * limits.REVISION_CHARS,
    )
    state = msgspec.json.decode(execution_input(v2.PipelineRequested(messages=messages), METADATA))
    state["errors"] = {
        stage.key: {"Error": "e" * limits.ERROR_CHARS, "Cause": '"' * limits.CAUSE_CHARS}
        for stage in STAGES
        if not stage.critical
    }
    enders = [None, *(stage for stage in RECORDED if stage.may_end)]
    requests = (
        {
            "metadata": METADATA,
            "data": {**state, "results": {key: {"data": data, "meter": meter} for key, data in results}},
            "task_token": "t" * _TOKEN_CHARS,
        }
        for results in map(_results, enders)
    )
    return max(map(msgspec.json.encode, requests), key=len)


def _results(ender: Stage | None) -> list[tuple[str, Any]]:
    """Return the largest results of a run, by the stage's key: those of all stages, or up to the one that ends it."""
    passed = RECORDED if ender is None else RECORDED[: RECORDED.index(ender) + 1]
    return [
        (
            stage.key,
            {
                name: value
                for name, value in msgspec.to_builtins(_largest(stage.result)).items()
                if name != EARLY_ANSWER or stage is ender
            },
        )
        for stage in passed
    ]


def _largest(kind: type[Struct]) -> Any:
    return NARROWER[kind]() if kind in NARROWER else heaviest(kind)


@cache
def largest_run_bytes() -> int:
    return max(len(heaviest_request(messages)) for messages in CONVERSATIONS.values())
