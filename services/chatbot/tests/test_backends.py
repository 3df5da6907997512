"""What the chatbot says of a refusal: the reason where Bedrock's text tells it, and never the text itself."""

import io
import signal
import time
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from services.chatbot.backends import Bedrock, ExistingFunction
from services.chatbot.settings import Settings
from shared.contracts.limits import CAUSE_CHARS
from shared.contracts.v1 import ChatRequested
from shared.errors import ModelTimedOut, PermanentError, TransientError
from shared.tests.fakes import METADATA

SECRET = "the user's words"


class Refusing:
    def __init__(self, code: str, status: int, text: str) -> None:
        error = {"Code": code, "Message": f"{text} ({SECRET})"}
        self.error = ClientError(
            {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}},
            "Converse",
        )

    def converse(self, **_: object) -> None:
        raise self.error


def refused(code: str, status: int, text: str) -> str:
    with pytest.raises(PermanentError) as refusal:
        Bedrock(Settings(), Refusing(code, status, text)).ask(ChatRequested(user_message="Hi"), METADATA)
    cause = refusal.value.cause
    assert SECRET not in cause
    assert len(cause) < CAUSE_CHARS
    assert isinstance(refusal.value.__cause__, ClientError)
    return cause


@pytest.mark.parametrize(
    ("code", "status", "text", "reason"),
    [
        (
            "AccessDeniedException",
            403,
            "User is not authorized to perform the required AWS Marketplace actions (aws-marketplace:Subscribe)",
            "no AWS Marketplace subscription",
        ),
        (
            "MPAgreementBeingCreated",
            403,
            "your AWS Marketplace subscription is being processed",
            "subscription",
        ),
        (
            "ResourceNotFoundException",
            404,
            "Model use case details have not been submitted for this account.",
            "form on its use case",
        ),
        (
            "ValidationException",
            400,
            "Invocation of model ID x with on-demand throughput isn't supported.",
            "inference profile only",
        ),
        ("ValidationException", 400, "prompt is too long: 200049 tokens > 200000 maximum", "larger context"),
        ("ValidationException", 400, "Input is too long for requested model.", "larger context"),
    ],
)
def test_a_refusal_is_explained(code, status, text, reason):
    """A refusal is permanent; its cause says what the account lacks, or that the conversation is too long."""
    cause = refused(code, status, text)
    assert code in cause
    assert reason in cause


@pytest.mark.parametrize(
    ("code", "status", "text"),
    [
        ("AccessDeniedException", 403, "User is not authorized to perform: bedrock:InvokeModel"),
        ("ValidationException", 400, "Text quoted from a message about the marketplace and use case details"),
    ],
)
def test_another_refusal_keeps_its_text(code, status, text):
    """A refusal for another reason is reported by its code alone."""
    assert refused(code, status, text) == f"Converse answered {code} (HTTP {status})"


QUIET = ReadTimeoutError(endpoint_url="https://model", error="timed out")
TOO_LONG = Refusing("ModelTimeoutException", 408, "the model took too long").error
LATE = msgspec.structs.replace(METADATA, attempt=1)


class Silent:
    """Both backends' client, which raises `error`, or is a function that reached its own timeout."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def converse(self, **_: Any) -> Any:
        if self.error is None:
            failure = {"errorType": "Sandbox.Timedout", "errorMessage": f"Task timed out ({SECRET})"}
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(msgspec.json.encode(failure))}
        raise self.error

    invoke = converse


@pytest.mark.parametrize("attempt", [METADATA, LATE], ids=["first", "second"])
@pytest.mark.parametrize("retries", [0, 1])
@pytest.mark.parametrize(
    ("backend", "error", "may_be_billed"),
    [
        (
            Bedrock,
            QUIET,
            "within 895 s. The call may be billed all the same: its input, and an unknown number",
        ),
        (Bedrock, TOO_LONG, "ModelTimeoutException (HTTP 408). The call may be billed all the same"),
        (ExistingFunction, QUIET, "within 895 s. The function, and a model that it asked, may be billed"),
        (ExistingFunction, None, "Sandbox.Timedout). The function, and a model that it asked, may be billed"),
    ],
)
def test_a_call_that_timed_out_may_be_billed(backend, error, may_be_billed, retries, attempt):
    """A call that timed out says what it may cost; by default it is not retried, else only so often as is set."""
    settings = Settings(timeout_seconds=900, retries_after_timeout=retries)
    with pytest.raises((ModelTimedOut, TransientError)) as raised:
        backend(settings, Silent(error)).ask(ChatRequested(user_message="Hi"), attempt)
    assert isinstance(raised.value, TransientError) is (attempt.attempt < retries)
    assert may_be_billed in raised.value.cause
    assert SECRET not in raised.value.cause
    assert len(raised.value.cause) < CAUSE_CHARS


@pytest.mark.parametrize("backend", [Bedrock, ExistingFunction])
def test_a_call_that_never_arrived_is_retried(backend):
    """A connection that could not be made was not billed: the failure is transient."""
    silent = Silent(ConnectTimeoutError(endpoint_url="https://model", error="timed out"))
    with pytest.raises(TransientError):
        backend(Settings(), silent).ask(ChatRequested(user_message="Hi"), METADATA)


class Trickling:
    """A model whose answer never ends, though each part of it arrives in time."""

    def converse(self, **_: Any) -> Any:
        while True:
            time.sleep(0.01)


def test_an_answer_that_trickles_ends_in_time(monkeypatch):
    """The whole call is bounded, so that the function can report it instead of being killed."""
    monkeypatch.setattr(Settings, "read_seconds", 0.1)
    with pytest.raises(ModelTimedOut, match=r"within 0\.1 s"):
        Bedrock(Settings(), Trickling()).ask(ChatRequested(user_message="Hi"), METADATA)
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0), "no alarm is left for the next call"
