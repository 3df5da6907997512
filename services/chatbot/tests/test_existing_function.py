"""What an existing chatbot function gets, and how its answers and errors are read."""

import base64
import io
import json
import re
from typing import Any

import pytest

from services.chatbot import core
from services.chatbot.backends import ExistingFunction
from services.chatbot.settings import Settings
from services.chatbot.tests.fakes import HISTORY, FakeModel
from shared.contracts.v1 import ChatRequested
from shared.errors import ModelTimedOut, PermanentError, TransientError
from shared.tests.fakes import METADATA, client_error


def proxy(body: str, headers: Any = None, **more: Any) -> str:
    return json.dumps({"statusCode": 200, "body": body, "headers": headers, **more})


@pytest.mark.parametrize(
    "payload",
    [
        '"Hello"',
        '{"response": "Hello"}',
        '{"answer": "Hello"}',
        '{"statusCode": 200, "body": "{\\"message\\": \\"Hello\\"}"}',
        '{"statusCode": 200, "body": "Hello"}',
        '{"statusCode": 200, "body": {"text": "Hello"}}',
        '{"statusCode": "200", "body": "\\"Hello\\""}',
        '{"statusCode": 200.0, "body": "Hello", "headers": null}',
        '{"statusCode": 201, "body": "\\ufeff{\\"answer\\": \\"Hello\\"}"}',
        '{"body": "{\\"answer\\": \\"Hello\\"}"}',
        '{"statusCode": 200, "answer": "Hello"}',
        '{"response": {"message": {"text": "Hello"}}}',
        '{"message": null, "text": 5, "output": "Hello"}',
        '{"statusCode": 200, "body": "SGVsbG8=", "isBase64Encoded": true}',
        '{"statusCode": 200, "body": "SGVs\\nbG8=\\n", "isBase64Encoded": "true"}',
        '{"statusCode": 200, "body": "IkhlbGxvIg==", "isBase64Encoded": true}',
        proxy('"Hello"', multiValueHeaders={"CONTENT-TYPE": ["Application/JSON; a=b"]}),
        proxy('{"answer": "Hello"}', {"content-type": "application/x+json"}),
        '\ufeff{"answer": "Hello\\ud83d"}',
    ],
)
def test_existing_functions_answer_in_many_forms(payload):
    """The text is read from a string, an object or a proxy response around either."""
    answer = core.function_answer(payload.encode(), "bot")
    assert (answer.text, answer.backend, answer.model_id, answer.usage) == ("Hello", "function", "bot", None)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("not json", PermanentError),
        ("", PermanentError),
        ("[" * 100_000, PermanentError),
        ('"Hello"'.encode("utf-16-be") + b"\xff", PermanentError),
        ('{"answer": 5, "text": ["Hello"]}', PermanentError),
        ('["Hello"]', PermanentError),
        ("42", PermanentError),
        ('{"statusCode": 200, "body": null}', PermanentError),
        ('{"statusCode": 204}', PermanentError),
        ('{"statusCode": 302, "body": "Moved"}', PermanentError),
        ('{"statusCode": "425", "body": ""}', TransientError),
        ('{"statusCode": 409, "body": ""}', PermanentError),
        ('{"statusCode": "429"}', TransientError),
        ('{"statusCode": 408}', TransientError),
        ('{"statusCode": null, "body": "Hello"}', PermanentError),
        ('{"statusCode": 1e999, "body": "Hello"}', PermanentError),
        ('{"statusCode": 200, "body": "SGVsbG8", "isBase64Encoded": true}', PermanentError),
        ('{"statusCode": 200, "body": "/w==", "isBase64Encoded": true}', PermanentError),
        ('{"statusCode": 200, "body": "Hi", "headers": {"content-type": "text/json"}}', PermanentError),
        (
            proxy("SGk=", {"content-type": "text/plain; charset=of-mars"}, isBase64Encoded=True),
            PermanentError,
        ),
        ('{"statusCode": 500}', TransientError),
        ('{"statusCode": 429, "body": ""}', TransientError),
        ('{"statusCode": 403, "body": ""}', PermanentError),
        ('{"statusCode": "abc"}', PermanentError),
        ('{"other": 1}', PermanentError),
        ("null", PermanentError),
        ('{"answer": "  "}', TransientError),
    ],
)
def test_bad_function_answers_are_sorted(payload, expected):
    """Errors that may pass are transient; a response of an unsupported shape is permanent."""
    with pytest.raises(expected):
        core.function_answer(payload if isinstance(payload, bytes) else payload.encode(), "bot")


@pytest.mark.parametrize(
    "text",
    ["{curly} braces", "[1] says so", '"Well" is a word', "42", "[1]", "true", "{broken", "[" * 100_000],
)
def test_text_that_looks_like_json_is_text(text):
    """A body of no declared type is JSON only if it is an object, a string or null; else it is the answer itself."""
    payload = json.dumps({"statusCode": 200, "body": text})
    assert core.function_answer(payload.encode(), "bot").text == text


def test_a_body_is_what_its_type_says():
    """A body that is declared to be text is not read as JSON, and base64 is decoded in the charset that it names."""
    text = '{"answer": "an example"}'
    proxy = {"statusCode": 200, "body": text, "headers": {"Content-Type": "text/plain"}}
    assert core.function_answer(json.dumps(proxy).encode(), "bot").text == text
    latin = {
        "statusCode": 200,
        "body": base64.b64encode("é".encode("latin-1")).decode(),
        "isBase64Encoded": True,
        "multiValueHeaders": {"content-type": ['text/plain; Charset="ISO-8859-1"']},
        "headers": {"content-type": "application/json"},
    }
    assert core.function_answer(json.dumps(latin).encode(), "bot").text == "é"


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
    ("payload", "expected", "shown"),
    [
        (b'{"errorMessage": "x"}', TransientError, "(Unhandled)"),
        (b'{"errorMessage": "x", "errorType": "ValueError"}', TransientError, "(Unhandled: ValueError)"),
        (b'{"errorType": "Sandbox.Timedout"}', ModelTimedOut, "(Unhandled: Sandbox.Timedout)"),
        (b'{"errorType": "Runtime.ExitError"}', TransientError, "Runtime.ExitError"),
        (b'{"errorType": "ThrottlingException"}', TransientError, "ThrottlingException"),
        (b'{"errorType": "an odd \\n name"}', TransientError, "(Unhandled)"),
        *(
            (payload, TransientError, "(Unhandled)")
            for payload in (b"", b"null", b"[]", b"\xff", b'{"errorType": 5}')
        ),
        (b'{"errorType": "Runtime.ImportModuleError"}', PermanentError, "Runtime.ImportModuleError"),
        (b'{"errorType": "Function.ResponseSizeTooLarge"}', PermanentError, "ResponseSizeTooLarge"),
        (b'{"errorType": "AccessDeniedException"}', PermanentError, "AccessDeniedException"),
    ],
)
def test_a_failing_function_is_judged_by_its_error(payload, expected, shown):
    """An exception in the team's function is transient unless its type says that a retry would fail or pay again."""
    model = FakeModel({"Payload": io.BytesIO(payload), "FunctionError": "Unhandled"})
    with pytest.raises(expected, match=re.escape(shown)):
        ExistingFunction(Settings(chatbot_function_arn="arn:x:function:bot"), model).ask(
            ChatRequested(user_message="Hi"), METADATA
        )


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
