"""The chatbot's choice of settings, and how it reads a backend's answer."""

import io
import json
from typing import Any

import pytest

from services.chatbot import core
from services.chatbot.backends import Bedrock, ExistingFunction, backend
from services.chatbot.settings import Settings
from shared.contracts import limits
from shared.contracts.v1 import Analysis, ChatRequested, Turn
from shared.errors import PermanentError, TransientError
from shared.tests.fakes import METADATA, client_error


def analysis(complexity: Any, *, has_code: bool = False) -> Analysis:
    return Analysis(
        character_count=1,
        word_count=1,
        sentence_count=1,
        has_code=has_code,
        code=(),
        languages=(),
        is_question=False,
        question_count=0,
        questions=(),
        complexity=complexity,
        reasons=(),
    )


SETTINGS = Settings(model_id="small", model_id_complex="large", max_tokens=1_000, temperature=0.7)


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


def converse(*texts: str, stop: str = "end_turn", **more: Any) -> dict[str, Any]:
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": text} for text in texts]}},
        "stopReason": stop,
        "usage": {"inputTokens": 10, "outputTokens": 20, "totalTokens": 30},
        **more,
    }


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
    "response", [{}, {"output": 1}, converse(), converse("  \n"), {"output": {"message": None}}]
)
def test_garbage_from_the_model_is_transient(response):
    """An answer without text or of another shape is a transient error."""
    with pytest.raises(TransientError):
        core.converse_answer(response, "m")


@pytest.mark.parametrize(
    "text", ["x" * 50_000, "é" * 50_000, "\N{GRINNING FACE}" * 20_000], ids=["ascii", "latin", "emoji"]
)
def test_long_answers_are_cut_to_the_contract(text):
    """An answer in any script is cut to the contract's characters and bytes, between characters."""
    kept, cut = core.bounded(text)
    assert cut is True
    assert len(kept) <= limits.ANSWER_CHARS
    assert len(kept.encode()) <= limits.ANSWER_BYTES
    assert set(kept) == set(text)


def test_control_characters_do_not_pass():
    """Tabs and newlines are kept; other control characters, carriage returns included, are removed."""
    assert core.bounded("a\x00b\x1b[31m\tc\r\nd") == ("ab[31m\tc\nd", False)


@pytest.mark.parametrize(
    "payload",
    [
        '"Hello"',
        '{"response": "Hello"}',
        '{"answer": "Hello"}',
        '{"statusCode": 200, "body": "{\\"message\\": \\"Hello\\"}"}',
        '{"statusCode": 200, "body": "Hello"}',
        '{"statusCode": 200, "body": {"text": "Hello"}}',
    ],
)
def test_existing_functions_answer_in_many_forms(payload):
    """The text is read from a string, an object or a proxy response around either."""
    answer = core.function_answer(payload.encode(), "bot")
    assert (answer.text, answer.backend, answer.model_id, answer.usage) == ("Hello", "function", "bot", None)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("not json", TransientError),
        ('{"statusCode": 500}', TransientError),
        ('{"statusCode": 429, "body": ""}', TransientError),
        ('{"statusCode": 408, "body": ""}', TransientError),
        ('{"statusCode": "425", "body": ""}', TransientError),
        ('{"statusCode": 409, "body": ""}', PermanentError),
        ('{"statusCode": 403, "body": ""}', PermanentError),
        ('{"statusCode": "abc"}', TransientError),
        ('{"statusCode": 200, "body": "{broken"}', TransientError),
        ('{"other": 1}', PermanentError),
        ("null", PermanentError),
        ('{"answer": "  "}', TransientError),
    ],
)
def test_bad_function_answers_are_sorted(payload, expected):
    """Errors that may pass are transient; a response of an unsupported shape is permanent."""
    with pytest.raises(expected):
        core.function_answer(payload.encode(), "bot")


class FakeModel:
    def __init__(self, response: Any = None) -> None:
        self.requests: list[dict[str, Any]] = []
        self.response = response

    def converse(self, **request: Any) -> Any:
        self.requests.append(request)
        if isinstance(self.response, Exception):
            raise self.response
        return self.response

    invoke = converse


def test_bedrock_is_asked_once():
    """One message makes one model call; only the workflow retries."""
    model = FakeModel(converse("Hello"))
    got = Bedrock(SETTINGS, model).ask(
        ChatRequested(user_message="Hi", analysis=analysis("complex")), METADATA
    )
    assert (got.text, got.model_id) == ("Hello", "large")
    assert len(model.requests) == 1


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("ThrottlingException", 429, TransientError),
        ("ModelTimeoutException", 408, TransientError),
        ("ModelNotReadyException", 429, TransientError),
        ("ServiceUnavailableException", 503, TransientError),
        ("ServiceQuotaExceededException", 400, TransientError),
        ("ModelErrorException", 424, TransientError),
        ("ValidationException", 400, PermanentError),
        ("AccessDeniedException", 403, PermanentError),
        ("ResourceNotFoundException", 404, PermanentError),
    ],
)
def test_bedrock_errors_are_sorted(code, status, expected):
    """Throttles and outages are transient; a denied or invalid request is permanent."""
    model = FakeModel(client_error(code, "Converse", status))
    with pytest.raises(expected, match=code):
        Bedrock(SETTINGS, model).ask(ChatRequested(user_message="Hi"), METADATA)


def test_existing_function_gets_message_analysis_and_id():
    """The team's function is invoked by its ARN with the documented fields and without the token."""
    model = FakeModel({"Payload": io.BytesIO(b'{"answer": "Hello"}')})
    arn = "arn:aws:lambda:us-east-1:000000000000:function:bot"
    got = ExistingFunction(Settings(chatbot_function_arn=arn), model).ask(
        ChatRequested(user_message="Hi"), METADATA
    )
    assert got.model_id == "bot"
    assert model.requests[0]["FunctionName"] == arn
    assert json.loads(model.requests[0]["Payload"]) == {
        "user_message": "Hi",
        "analysis": None,
        "pipeline_id": "p-1",
    }


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("EC2ThrottledException", 502, TransientError),
        ("ResourceNotReadyException", 502, TransientError),
        ("ResourceConflictException", 409, TransientError),
        ("ServiceQuotaExceededException", 402, TransientError),
        ("EFSIOException", 410, TransientError),
        ("KMSAccessDeniedException", 502, PermanentError),
        ("InvalidZipFileException", 502, PermanentError),
        ("RequestTooLargeException", 413, PermanentError),
        ("AccessDeniedException", 403, PermanentError),
    ],
)
def test_errors_of_the_existing_function_are_sorted(code, status, expected):
    """What Lambda will mend by itself is transient; what somebody must mend is permanent, even with status 502."""
    arn = "arn:aws:lambda:us-east-1:000000000000:function:bot"
    backend = ExistingFunction(
        Settings(chatbot_function_arn=arn), FakeModel(client_error(code, "Invoke", status))
    )
    with pytest.raises(expected, match=code):
        backend.ask(ChatRequested(user_message="Hi"), METADATA)


def test_failing_function_is_transient():
    """An exception in the team's function is a transient error."""
    model = FakeModel({"Payload": io.BytesIO(b'{"errorMessage": "x"}'), "FunctionError": "Unhandled"})
    with pytest.raises(TransientError, match="Unhandled"):
        ExistingFunction(Settings(chatbot_function_arn="arn:x:function:bot"), model).ask(
            ChatRequested(user_message="Hi"), METADATA
        )


def test_function_takes_the_place_of_bedrock():
    """With a function's ARN configured, Bedrock is not asked."""
    assert isinstance(backend(Settings(chatbot_function_arn="arn:x:function:bot")), ExistingFunction)
    assert isinstance(backend(Settings()), Bedrock)


HISTORY = (Turn(role="user", text="Who are you?"), Turn(role="assistant", text="A pipeline."))


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


def test_existing_function_gets_the_history_where_there_is_one():
    """For a single message, the function gets the same fields as before; for a conversation, also `history`."""
    model = FakeModel({"Payload": io.BytesIO(b'{"answer": "Hello"}')})
    ExistingFunction(Settings(chatbot_function_arn="arn:x:function:bot"), model).ask(
        ChatRequested(user_message="Since when?", history=HISTORY), METADATA
    )
    assert json.loads(model.requests[0]["Payload"])["history"] == [
        {"role": "user", "text": "Who are you?"},
        {"role": "assistant", "text": "A pipeline."},
    ]
