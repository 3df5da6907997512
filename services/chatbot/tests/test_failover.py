"""Failing over: which failures lead to the next model, and in what time."""

from collections.abc import Callable

import pytest
from botocore import exceptions as botocore_errors
from msgspec.structs import replace

from services.chatbot.failover import Failover
from services.chatbot.tests.failing import (
    CALL_SECONDS,
    DENIED,
    REASON,
    THROTTLED,
    Clock,
    Models,
    ask,
    bedrock,
    reply,
)
from shared.contracts.limits import CAUSE_CHARS, FAILURE_CHARS, FALLBACKS, MODEL_ID_CHARS
from shared.contracts.v1 import ChatAnswer, ChatRequested, FailedModel, Usage
from shared.contracts.wasted import paid_in
from shared.errors import PermanentError, PipelineError, TransientError
from shared.tests.fakes import METADATA, client_error
from shared.tests.samples import ANALYSIS


@pytest.mark.parametrize(
    "error",
    [
        THROTTLED,
        client_error("ModelNotReadyException", "Converse", 429),
        client_error("ServiceUnavailableException", "Converse", 503),
        client_error("InternalServerException", "Converse", 500),
        client_error("ModelErrorException", "Converse", 424),
        client_error("ServiceQuotaExceededException", "Converse", 400),
        botocore_errors.EndpointConnectionError(endpoint_url="https://x"),
        botocore_errors.ConnectTimeoutError(endpoint_url="https://x"),
    ],
    ids=lambda error: (
        type(error).__name__
        if isinstance(error, botocore_errors.BotoCoreError)
        else error.response["Error"]["Code"]
    ),
)
def test_an_unavailable_model_is_replaced_in_the_same_attempt(error):
    """A model that is throttled, unavailable or not reached is replaced by the next one, and the answer tells so."""
    models = Models(a=error)
    answer = ask(models)
    assert models.asked == ["a", "b"]
    assert (answer.text, answer.model_id) == ("Hello", "b")
    assert isinstance(answer.instead_of, tuple)
    assert [failed.model_id for failed in answer.instead_of] == ["a"]


def test_a_fallback_is_asked_with_what_it_takes_itself():
    """Temperature, system prompt and cache checkpoint are those of the model that is asked, not of the first one."""
    models = Models(a=THROTTLED)
    settings = {"models_without_temperature": "a", "models_without_system_prompt": "b", "cached_models": "a"}
    ask(models, **settings)
    first, second = models.requests
    assert [list(block) for block in first["system"]] == [["text"], ["cachePoint"]]
    assert ("temperature" in first["inferenceConfig"], "temperature" in second["inferenceConfig"]) == (
        False,
        True,
    )
    assert "system" not in second


def test_a_blocked_or_unusable_answer_is_not_replaced():
    """A model that refused, or was paid for nothing, is not followed by another one that would be paid, too."""
    models = Models(a=reply(stop_reason="refusal"))
    answer = ask(models)
    assert (answer.blocked, answer.model_id, models.asked) == (True, "a", ["a"])
    models = Models(a=reply("", "guardrail_intervened") | {"usage": {"inputTokens": 3, "outputTokens": 0}})
    with pytest.raises(PermanentError) as failure:
        ask(models)
    assert models.asked == ["a"]
    assert paid_in(failure.value.cause) == ("a", Usage(input_tokens=3, output_tokens=0))


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (DENIED, PermanentError),
        (client_error("ValidationException", "Converse", 400), PermanentError),
        (client_error("ResourceNotFoundException", "Converse", 404), PermanentError),
        (client_error("ExpiredTokenException", "Converse", 403), TransientError),
        (reply("", "guardrail_intervened"), PermanentError),
        (reply(""), TransientError),
        ({}, TransientError),
        (botocore_errors.ReadTimeoutError(endpoint_url="https://x"), PipelineError),
        (client_error("ModelTimeoutException", "Converse", 408), PipelineError),
        (botocore_errors.ConnectionClosedError(endpoint_url="https://x"), PipelineError),
    ],
    ids=[
        "denied",
        "invalid",
        "unknown model",
        "our credentials",
        "blocked",
        "empty",
        "garbage",
        "too slow",
        "too slow for Bedrock",
        "cut off",
    ],
)
def test_a_model_that_refused_or_may_be_paid_is_not_replaced(outcome, kind):
    """After a refusal, an answer of any kind, or a call that may have been paid, no other model is asked."""
    models = Models(a=outcome)
    with pytest.raises(kind):
        ask(models)
    assert models.asked == ["a"]


def test_an_error_of_the_models_own_is_a_refusal():
    """A model error that carries a refusal by the model itself leads to no other model."""
    error = client_error("ModelErrorException", "Converse", 424)
    error.response["originalStatusCode"] = 400
    models = Models(a=error)
    with pytest.raises(PermanentError):
        ask(models)
    assert models.asked == ["a"]


def test_each_fallback_gets_the_same_request():
    """A fallback gets the request of the first model, with the same settings, under its own id."""
    models = Models(a=THROTTLED, b=THROTTLED)
    answer = ask(models, temperature=None, system_prompt="Be brief.", guardrail_id="g")
    first, *others = models.requests
    assert [{**other, "modelId": "a"} for other in others] == [first, first]
    assert [request["modelId"] for request in models.requests] == ["a", "b", "c"]
    assert answer.instead_of == (
        FailedModel(model_id="a", reason=REASON),
        FailedModel(model_id="b", reason=REASON),
    )


def test_a_complex_message_falls_over_to_the_same_list():
    """The model for complex messages has the same fallbacks, and is not asked twice if it is one of them."""
    models = Models(b=THROTTLED)
    request = ChatRequested(user_message="Hi", analysis=replace(ANALYSIS, complexity="complex"))
    answer = bedrock(models, model_id_complex="b").ask(request, METADATA)
    assert models.asked == ["b", "c"]
    assert answer.instead_of == (FailedModel(model_id="b", reason=REASON),)


def test_an_answer_of_the_first_model_tells_of_no_other():
    """An answer of the model that was meant has no field about others, as before there were fallbacks."""
    assert not ask(Models()).instead_of


def test_the_failure_of_all_models_is_one_transient_error():
    """If no model is available, Step Functions retries as ever, and the cause names each model with its reason."""
    models = Models(a=THROTTLED, b=client_error("ServiceUnavailableException", "Converse", 503), c=THROTTLED)
    with pytest.raises(TransientError) as failure:
        ask(models)
    unavailable = "Converse answered ServiceUnavailableException (HTTP 503)"
    assert failure.value.cause == f"No model answered: a: {REASON}; b: {unavailable}; c: {REASON}"


def test_a_fallbacks_refusal_does_not_end_the_run():
    """A refusal by a fallback ends the attempt, not the run: the first model may be available at the retry."""
    models = Models(a=THROTTLED, b=DENIED)
    with pytest.raises(TransientError) as failure:
        ask(models)
    assert models.asked == ["a", "b"]
    refused = "b, asked in its place: Converse answered AccessDeniedException (HTTP 403)"
    assert failure.value.cause == f"a: {REASON}; {refused}"


def test_an_empty_answer_of_a_fallback_is_permanent():
    """A fallback's answer that will always be empty is permanent: it was paid for, and a retry would pay again."""
    with pytest.raises(PermanentError):
        ask(Models(a=THROTTLED, b=reply("", "guardrail_intervened")))


# --- time ------------------------------------------------------------------------------------------------


def unavailable(after: float, clock: Clock, asked: list[tuple[str, float]]) -> Callable[..., ChatAnswer]:
    """Return a call that fails for each model but the last after so many seconds, and notes the time it was given."""

    def call(model_id: str, seconds: float) -> ChatAnswer:
        asked.append((model_id, seconds))
        if model_id == "c":
            return ChatAnswer(text="Hello", backend="bedrock", model_id="c", stop_reason="end_turn")
        clock.now += after
        raise TransientError(REASON) from THROTTLED

    return call


@pytest.mark.parametrize(
    ("after", "given"),
    [
        (0.01, [24, 23.99, 23.98]),
        (2.9, [24, 21.1, 18.2]),
        (5.9, [24, 18.1, 12.2]),
        (6.1, [24, 17.9]),
        (11.9, [24, 12.1]),
        (12.1, [24]),
    ],
)
def test_all_calls_end_within_the_time_of_one(after, given):
    """A later model gets the time that is left, and is not asked with less than half of it."""
    clock, asked = Clock(), list[tuple[str, float]]()
    failover = Failover(("b", "c"), seconds=CALL_SECONDS, clock=clock)
    call = unavailable(after, clock, asked)
    if len(given) == 3:
        assert failover.ask("a", call).model_id == "c"
    else:
        with pytest.raises(TransientError, match="Not asked: ") as failure:
            failover.ask("a", call)
        assert failure.value.__cause__ is THROTTLED
    assert [model for model, _ in asked] == list("abc"[: len(given)])
    assert [seconds for _, seconds in asked] == pytest.approx(given)
    assert all(
        sum([after] * index, seconds) <= CALL_SECONDS + 1e-6 for index, (_, seconds) in enumerate(asked)
    )


# --- bounds ----------------------------------------------------------------------------------------------


def test_what_is_told_is_bounded():
    """However many and long the ids are, no more than four fallbacks are asked, and the answer's field is bounded."""
    ids = [f"{number}{'x' * 2_000}" for number in range(FALLBACKS + 3)]
    models = Models(a=THROTTLED, **dict.fromkeys(ids[: FALLBACKS - 1], THROTTLED))
    answer = ask(models, fallback_model_ids=",".join(ids))
    assert isinstance(answer.instead_of, tuple)
    assert len(answer.instead_of) == FALLBACKS
    for failed in answer.instead_of:
        assert (len(failed.model_id) <= MODEL_ID_CHARS, len(failed.reason) <= FAILURE_CHARS) == (True, True)
    models = Models(a=THROTTLED, **dict.fromkeys(ids, THROTTLED))
    with pytest.raises(TransientError) as failure:
        ask(models, fallback_model_ids=",".join(ids))
    assert len(models.asked) == 1 + FALLBACKS
    assert len(failure.value.cause) <= CAUSE_CHARS
