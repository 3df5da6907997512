"""The chatbot's choice of settings, and how it reads a backend's answer."""

from typing import Any

import pytest
from msgspec.structs import astuple, replace

from services.chatbot import core
from services.chatbot.settings import Settings
from services.chatbot.tests.fakes import HISTORY, SETTINGS, analysis, converse
from shared.contracts import limits
from shared.contracts.v1 import ChatRequested, Usage
from shared.contracts.wasted import paid_in
from shared.errors import PermanentError, TransientError


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (analysis("simple"), ("small", 500, 0.7)),
        (analysis("moderate"), ("small", 1_000, 0.7)),
        (analysis("complex"), ("large", 1_000, 0.7)),
        (analysis("moderate", has_code=True), ("small", 1_000, 0.2)),
        (None, ("small", 1_000, 0.7)),
    ],
)
def test_inference_follows_the_analysis(found, expected):
    """Complex messages get their own model, simple ones fewer tokens, code a lower temperature."""
    chosen = core.choose(SETTINGS, found)
    assert (chosen.model_id, chosen.max_tokens, chosen.temperature) == expected


def test_one_model_for_all_if_only_one_is_set():
    """Without a model for complex messages, the one model answers them."""
    assert core.choose(Settings(model_id="only"), analysis("complex")).model_id == "only"


def test_converse_request_is_complete():
    """The request carries model, message, system prompt, bounds and, if set, the guardrail."""
    settings = Settings(model_id="m", system_prompt="Be kind.", guardrail_id="g", guardrail_version="2")
    request = core.converse_request(settings, ChatRequested(user_message="Hi"))
    assert request["messages"] == [{"role": "user", "content": [{"text": "Hi"}]}]
    assert request["system"] == [{"text": "Be kind."}]
    assert request["guardrailConfig"] == {"guardrailIdentifier": "g", "guardrailVersion": "2"}
    assert "guardrailConfig" not in core.converse_request(Settings(), ChatRequested(user_message="Hi"))


def test_converse_answer_keeps_text_usage_and_reason():
    """Text blocks become paragraphs; tokens and stop reason are kept."""
    answer = core.converse_answer(converse("One.", "Two."), "m")
    assert answer.text == "One.\n\nTwo."
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (10, 20)
    assert (answer.stop_reason, answer.truncated, answer.model_id) == ("end_turn", False, "m")


def test_answer_cut_by_the_model_says_so():
    """A stop for max_tokens is a truncated answer."""
    assert core.converse_answer(converse("One", stop="max_tokens"), "m").truncated is True


@pytest.mark.parametrize(
    "response",
    [
        *({}, {"output": 1}, {"output": {"message": None}}, converse() | {"stopReason": None}),
        *(converse(), converse("  \n"), converse(stop="malformed_model_output")),
        *({"stopReason": "end_turn", "output": {"message": {"content": None}}},),
    ],
)
def test_garbage_from_the_model_is_transient(response):
    """An answer of another shape, or one that by chance has no text, is a transient error."""
    with pytest.raises(TransientError):
        core.converse_answer(response, "m")


def blocks(*content: Any, stop: str = "end_turn") -> dict[str, Any]:
    return converse(stop=stop) | {"output": {"message": {"role": "assistant", "content": list(content)}}}


REASONING = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}}
TOOL = {"toolUse": {"toolUseId": "1", "name": "search", "input": {}}}
IMAGE = {"image": {"format": "png", "source": {"bytes": b"x"}}}
CITED = {"citationsContent": {"content": [{"text": "is green"}], "citations": [{"title": "Grass"}]}}


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (blocks(REASONING, {"text": "Hello"}), "Hello"),
        (blocks({"text": "Look:"}, IMAGE, {"text": "Nice."}), "Look:\n\nNice."),
        (blocks({"text": "Let me see."}, TOOL, stop="tool_use"), "Let me see."),
        (blocks({"text": "Grass "}, CITED, {"text": "."}), "Grass is green."),
        (blocks({"text": None}, {"text": 5}, None, "x", {"fromNextYear": {}}, {"text": "Hello"}), "Hello"),
        (blocks({"text": "I can't help with that."}, stop="guardrail_intervened"), "I can't help with that."),
        (blocks({"text": "Half an emoji \ud83d"}), "Half an emoji"),
        (blocks({"text": "Hello"}, stop="a reason of next year"), "Hello"),
    ],
)
def test_text_is_read_among_content_of_any_kind(response, text):
    """Blocks of kinds that are not asked for, or not known yet, do not spoil the text beside them."""
    assert core.converse_answer(response, "m").text == text


@pytest.mark.parametrize(
    "response",
    [
        *(
            blocks(TOOL, stop="tool_use"),
            blocks(REASONING, stop="max_tokens"),
            blocks(REASONING),
            blocks(IMAGE),
        ),
        *(
            converse(stop=stop)
            for stop in ("guardrail_intervened", "content_filtered", "max_tokens", "refusal")
        ),
        *(
            {"stopReason": "guardrail_intervened", "usage": {}},
            blocks({"text": " "}, stop="guardrail_intervened"),
        ),
        *(converse(stop="model_context_window_exceeded"), converse(stop="a reason of next year")),
    ],
)
def test_an_answer_that_will_never_have_text_is_not_paid_for_again(response):
    """An answer without text whose reason or content says that the next one has none either is a permanent error."""
    with pytest.raises(PermanentError, match="without text"):
        core.converse_answer(response, "m")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ("12", None),
        ({}, (0, 0, 0, 0)),
        ({"inputTokens": 5, "outputTokens": None, "cacheReadInputTokens": 7, "new": {}}, (5, 0, 7, 0)),
        ({"inputTokens": 1, "outputTokens": 2, "cacheWriteInputTokens": 9, "cacheDetails": []}, (1, 2, 0, 9)),
        ({"inputTokens": "5", "outputTokens": -3, "cacheReadInputTokens": "7"}, (0, 0, 0, 0)),
        ({"inputTokens": 10**40, "outputTokens": True}, (core.MOST_TOKENS, 1, 0, 0)),
    ],
)
def test_odd_usage_costs_no_answer(usage, expected):
    """A usage that is missing or odd does not lose the answer that was paid for; tokens of a cache are kept apart."""
    read = core.converse_answer(converse("Hello") | {"usage": usage}, "m").usage
    assert (read and tuple(count or 0 for count in astuple(read))) == expected


@pytest.mark.parametrize(
    ("stop", "truncated", "blocked"),
    [
        ("end_turn", False, False),
        ("stop_sequence", False, False),
        ("tool_use", False, False),
        ("max_tokens", True, False),
        ("model_context_window_exceeded", True, False),
        ("max_output_length", True, False),
        ("pause_turn", True, False),
        ("guardrail_intervened", False, True),
        ("content_filtered", False, True),
        ("content_filter", False, True),
        ("refusal", False, True),
        ("malformed_model_output", False, False),
        ("malformed_tool_use", False, False),
        ("a reason of next year", False, False),
        ("", False, False),
    ],
)
def test_a_stop_reason_marks_what_it_means(stop, truncated, blocked):
    """An answer that a bound cut is marked as truncated, a refused one as blocked; no other reason leaves a mark."""
    answer = core.converse_answer(converse("Hello", stop=stop), "m")
    assert (answer.text, answer.truncated, bool(answer.blocked)) == ("Hello", truncated, blocked)


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (converse(), TransientError),
        (converse("\u200b\ufeff"), TransientError),
        (converse("\x00 ", stop="refusal"), PermanentError),
        (blocks(REASONING, stop="max_tokens"), PermanentError),
    ],
)
def test_an_answer_without_text_says_what_was_paid_for_it(response, error):
    """The error of an unusable answer ends with the model and the tokens, from which its cost is counted."""
    response["usage"] |= {"cacheReadInputTokens": 1_000}
    with pytest.raises(error) as failure:
        core.converse_answer(response, "us.model-v1:0")
    usage = Usage(input_tokens=10, output_tokens=20, cache_read_tokens=1_000)
    assert paid_in(failure.value.cause) == ("us.model-v1:0", usage)


@pytest.mark.parametrize("usage", [None, {}, {"inputTokens": 0, "outputTokens": 0}])
def test_an_answer_that_cost_nothing_names_no_tokens(usage):
    """Without tokens, as of a guardrail that did not let the model be asked, the error says nothing of a payment."""
    with pytest.raises(PermanentError) as failure:
        core.converse_answer(converse(stop="guardrail_intervened") | {"usage": usage}, "m")
    assert paid_in(failure.value.cause) is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "Converse answered ThrottlingException", "Paid for: 1 input, 2 output tokens of m."),
        " Paid for: 1 input, 2 output, 3 cache-read, 4 cache-write tokens of m. And more.",
        f" Paid for: {'9' * 40} input, 2 output, 3 cache-read, 4 cache-write tokens of m.",
    ],
)
def test_only_the_sentence_itself_is_read_as_a_payment(text):
    """A failure's text without the exact sentence at its end names no payment."""
    assert paid_in(text) is None


def test_a_long_stop_reason_is_cut():
    """A stop reason keeps to the length that the state's size is calculated with, and to characters that are sent."""
    assert core.converse_answer(converse("Hello", stop="\ud83dend_turn\x00"), "m").stop_reason == "end_turn"
    assert len(core.converse_answer(converse("Hello", stop="s" * 5_000), "m").stop_reason) == 64


def test_what_a_model_refuses_is_left_out():
    """With temperature and system prompt switched off, the request has neither, also for a message with code."""
    settings = Settings(temperature=None, system_prompt=None)
    request = ChatRequested(user_message="Hi", analysis=analysis("moderate", has_code=True))
    parameters = core.converse_request(settings, request)
    assert parameters["inferenceConfig"] == {"maxTokens": 1_024}
    assert "system" not in parameters


@pytest.mark.parametrize(("complexity", "model_id"), [("moderate", "small"), ("complex", "large")])
@pytest.mark.parametrize("without", ["small", "large", " large , small", None])
def test_each_model_is_asked_with_what_it_takes(complexity, model_id, without):
    """A model that is named as one without a parameter is asked without it, and the other model with it."""
    settings = replace(SETTINGS, models_without_temperature=without, models_without_system_prompt=without)
    request = ChatRequested(user_message="Hi", analysis=analysis(complexity, has_code=True))
    parameters = core.converse_request(settings, request)
    asked_without = model_id in (without or "")
    assert parameters["modelId"] == model_id
    assert ("temperature" not in parameters["inferenceConfig"]) is asked_without
    assert ("system" not in parameters) is asked_without


def test_the_system_prompt_is_cached_for_the_named_models():
    """A checkpoint follows the system prompt of a model that is named, and no model is sent one without a prompt."""
    settings = replace(SETTINGS, cached_models="large", system_prompt="Be kind.")
    complex_one = ChatRequested(user_message="Hi", analysis=analysis("complex"))
    checkpoint = [{"text": "Be kind."}, {"cachePoint": {"type": "default"}}]
    assert core.converse_request(settings, complex_one)["system"] == checkpoint
    assert core.converse_request(settings, ChatRequested(user_message="Hi"))["system"] == checkpoint[:1]
    for without in ({"system_prompt": None}, {"models_without_system_prompt": "large"}):
        assert "system" not in core.converse_request(replace(settings, **without), complex_one)


@pytest.mark.parametrize(
    "text", ["x" * 50_000, "é" * 50_000, "\N{GRINNING FACE}" * 20_000], ids=["ascii", "latin", "emoji"]
)
def test_long_answers_are_cut_to_the_contract(text):
    """An answer that is stored nowhere is cut to the state's characters and bytes, between characters."""
    answer = core.answer(text, backend="bedrock", model_id="m", stop_reason="end_turn")
    assert (answer.text, answer.truncated) == (text, False)
    short = core.shortened(answer)
    assert short.truncated is True
    assert len(short.text) <= limits.ANSWER_CHARS
    assert len(short.text.encode()) <= limits.ANSWER_BYTES
    assert set(short.text) == set(text)


def test_what_no_model_writes_is_cut():
    """A text beyond the bounds of a whole answer is cut and marked, and one within the state's is left as it is."""
    for text in ("x" * (limits.WHOLE_CHARS + 1), "é" * (limits.WHOLE_BYTES // 2 + 1)):
        answer = core.answer(text, backend="bedrock", model_id="m", stop_reason="end_turn")
        assert answer.truncated is True
        assert len(answer.text.encode()) == limits.WHOLE_BYTES
    short = core.answer("x", backend="bedrock", model_id="m", stop_reason="end_turn")
    assert core.shortened(short) is short


def test_control_characters_do_not_pass():
    """Tabs and newlines are kept; other control characters, carriage returns included, are removed."""
    assert core.bounded("a\x00b\x1b[31m\tc\r\nd") == ("ab[31m\tc\nd", False)


def test_the_conversation_comes_before_the_message():
    """Converse gets alternating messages, the user's first and last, as it requires."""
    request = ChatRequested(user_message="Since when?", history=HISTORY)
    messages = core.converse_request(Settings(), request)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert [message["content"] for message in messages] == [
        [{"text": "Who are you?"}],
        [{"text": "A pipeline."}],
        [{"text": "Since when?"}],
    ]
