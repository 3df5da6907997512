"""How the backends' errors are judged, and what the chatbot says of a refusal: never the text itself."""

import io
import signal
import time
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from services.chatbot.backends import Bedrock, ExistingFunction, backend
from services.chatbot.settings import Settings
from services.chatbot.tests.fakes import SETTINGS, FakeModel, analysis, converse
from shared.contracts.limits import CAUSE_CHARS
from shared.contracts.v1 import ChatRequested
from shared.errors import ModelTimedOut, PermanentError, TransientError
from shared.tests.fakes import METADATA, client_error

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
        ("ModelTimeoutException", 408, ModelTimedOut),
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
    """Throttles and outages are transient, a denied or invalid request permanent, and a timeout may be billed."""
    model = FakeModel(client_error(code, "Converse", status))
    with pytest.raises(expected, match=code):
        Bedrock(SETTINGS, model).ask(ChatRequested(user_message="Hi"), METADATA)


@pytest.mark.parametrize(
    ("message", "settings", "named"),
    [
        ("`temperature` is deprecated for this model.", Settings(), 'temperature = "off"'),
        ("This model doesn't support system prompts.", Settings(), 'system_prompt = "off"'),
        (
            "The model does not support temperature or system.",
            Settings(),
            'temperature = "off" and system_prompt',
        ),
        ("The temperature is wrong.", Settings(temperature=None), None),
        ("The provided model identifier is invalid.", Settings(), None),
    ],
)
def test_a_refused_parameter_names_its_option(message, settings, named):
    """If a model refuses a temperature or a system prompt, the error names the option, and quotes nothing of AWS."""
    refusal = client_error("ValidationException", "Converse", 400)
    refusal.response["Error"]["Message"] = message
    with pytest.raises(PermanentError) as caught:
        Bedrock(settings, FakeModel(refusal)).ask(ChatRequested(user_message="Hi"), METADATA)
    assert "ValidationException" in str(caught.value)
    assert ("off" in str(caught.value)) is bool(named)
    assert ("models_without_" in str(caught.value)) is bool(named)
    assert (named or "") in str(caught.value)
    assert message not in str(caught.value)


@pytest.mark.parametrize(
    "message",
    [
        "The maximum tokens you requested exceeds the model limit of 4096.",
        "max_tokens: 9000 > 8192, which is the maximum allowed number of output tokens",
    ],
)
def test_a_refused_bound_names_its_option(message):
    """If a model allows shorter answers than are set, the error names the option, and quotes nothing of AWS."""
    cause = refused("ValidationException", 400, message)
    assert "Set max_tokens" in cause
    assert message not in cause


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        (
            "AccessDeniedException",
            403,
            "You invoked an unsupported model or your request did not allow prompt caching.",
        ),
        ("ValidationException", 400, "Malformed input request: extraneous key [cachePoint] is not permitted"),
        ("ValidationException", 400, "Cache point cannot be inserted here. Remove the invalid cache point."),
    ],
)
def test_a_refused_checkpoint_names_its_option(code, status, message):
    """The refusal of a cache checkpoint names the option; if none was sent, the same text means nothing."""
    refusal = client_error(code, "Converse", status)
    refusal.response["Error"]["Message"] = message
    for cached_models, named in (("m", True), (None, False)):
        settings = Settings(model_id="m", cached_models=cached_models)
        with pytest.raises(PermanentError) as caught:
            Bedrock(settings, FakeModel(refusal)).ask(ChatRequested(user_message="Hi"), METADATA)
        assert ('prompt_caching = "off"' in str(caught.value)) is named
        assert message not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, PermanentError), (429, TransientError), (500, TransientError), (None, TransientError)],
)
def test_a_models_own_error_is_judged_by_its_status(status, expected):
    """A ModelErrorException is permanent if the model itself answered that the request is wrong."""
    failure = client_error("ModelErrorException", "Converse", 424)
    failure.response["originalStatusCode"] = status
    with pytest.raises(expected):
        Bedrock(SETTINGS, FakeModel(failure)).ask(ChatRequested(user_message="Hi"), METADATA)


def test_function_takes_the_place_of_bedrock():
    """With a function's ARN configured, Bedrock is not asked."""
    assert isinstance(backend(Settings(chatbot_function_arn="arn:x:function:bot")), ExistingFunction)
    assert isinstance(backend(Settings()), Bedrock)
