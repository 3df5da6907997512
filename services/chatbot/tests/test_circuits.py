"""The circuit of each model: when a dead one is not asked first, and when it is asked again."""

from typing import Any

import pytest
from botocore import exceptions as botocore_errors

from services.chatbot.failover import FAILURES, LONGEST_PAUSE_SECONDS, PAUSE_SECONDS, Failover
from services.chatbot.tests.failing import (
    CALL_SECONDS,
    DENIED,
    REASON,
    REQUEST,
    THROTTLED,
    Clock,
    Models,
    bedrock,
    reply,
)
from shared.contracts.v1 import ChatAnswer, FailedModel
from shared.errors import PipelineError, TransientError
from shared.observability import metrics
from shared.tests.fakes import METADATA


class Circuit:
    """A chatbot of one function instance with a clock."""

    def __init__(self, **outcomes: Any) -> None:
        self.models, self.clock = Models(**outcomes), Clock()
        self.bedrock = bedrock(self.models)
        self.bedrock._failover = Failover(("b", "c"), seconds=CALL_SECONDS, clock=self.clock)

    def run(self) -> ChatAnswer | PipelineError:
        try:
            return self.bedrock.ask(REQUEST, METADATA)
        except PipelineError as error:
            return error

    def asked(self) -> list[str]:
        self.run()
        return self.models.asked


def test_a_dead_model_is_asked_no_more_for_a_while():
    """After three failures in a row the first model costs a run no call, and the answer says why it was left out."""
    circuit = Circuit(a=THROTTLED)
    assert [circuit.asked() for _ in range(FAILURES)] == [["a", "b"]] * FAILURES
    answer = circuit.run()
    assert circuit.models.asked == ["b"]
    assert isinstance(answer, ChatAnswer)
    assert answer.instead_of == (
        FailedModel(model_id="a", reason=f"not asked because it failed before: {REASON}"),
    )


def test_one_probe_decides_after_the_pause():
    """After the pause one call is a probe: its success closes the circuit, its failure opens it for twice as long."""
    circuit = Circuit(a=THROTTLED)
    for _ in range(FAILURES):
        circuit.run()
    circuit.clock.now += PAUSE_SECONDS
    circuit.models.asked  # noqa: B018 -- forgets what was asked
    assert [circuit.asked(), circuit.asked()] == [["a", "b"], ["b"]]
    circuit.clock.now += PAUSE_SECONDS
    assert circuit.asked() == ["b"]
    circuit.clock.now += PAUSE_SECONDS
    circuit.models.outcomes.clear()
    assert [circuit.asked(), circuit.asked()] == [["a"], ["a"]]
    circuit.models.outcomes["a"] = THROTTLED
    assert [circuit.asked() for _ in range(FAILURES + 1)] == [["a", "b"]] * FAILURES + [["b"]]


def test_a_pause_has_a_limit():
    """However long a model was dead, it is probed again after eight minutes."""
    circuit = Circuit(a=THROTTLED)
    for _ in range(40):
        circuit.run()
        circuit.clock.now += LONGEST_PAUSE_SECONDS
    circuit.models.asked  # noqa: B018
    assert circuit.asked() == ["a", "b"]


def test_a_hanging_model_opens_its_circuit():
    """One call without an answer opens the circuit, so that a hanging model costs one run until its probe."""
    circuit = Circuit(a=botocore_errors.ReadTimeoutError(endpoint_url="https://x"))
    assert [circuit.asked(), circuit.asked()] == [["a"], ["b"]]
    circuit.clock.now += PAUSE_SECONDS
    assert [circuit.asked(), circuit.asked()] == [["a"], ["b"]]
    circuit.clock.now += 2 * PAUSE_SECONDS
    circuit.models.outcomes.clear()
    assert circuit.asked() == ["a"]


@pytest.mark.parametrize("outcome", [reply(), reply("", "guardrail_intervened"), DENIED])
def test_only_failures_in_a_row_count(outcome):
    """An answer or a refusal between failures keeps the circuit closed: the model is alive."""
    circuit = Circuit()
    for _ in range(FAILURES):
        circuit.models.outcomes["a"] = THROTTLED
        circuit.run()
        circuit.models.outcomes["a"] = outcome
        circuit.run()
    circuit.models.asked  # noqa: B018
    assert circuit.asked() == ["a"]


def test_a_model_whose_circuit_is_open_is_asked_last():
    """A model with an open circuit is asked after the others, before an attempt fails; its answer closes it."""
    circuit = Circuit(a=THROTTLED)
    for _ in range(FAILURES):
        circuit.run()
    circuit.models.outcomes = {"b": THROTTLED, "c": THROTTLED}
    circuit.models.asked  # noqa: B018
    answer = circuit.run()
    assert circuit.models.asked == ["b", "c", "a"]
    assert isinstance(answer, ChatAnswer)
    assert (answer.model_id, bool(answer.instead_of)) == ("a", False)
    assert circuit.asked() == ["a"]


def test_a_hanging_model_is_not_the_last_resort():
    """A model that hung is not asked when the others fail: Step Functions retries that, but not a lost call."""
    circuit = Circuit(a=botocore_errors.ReadTimeoutError(endpoint_url="https://x"), b=THROTTLED, c=THROTTLED)
    circuit.run()
    circuit.models.asked  # noqa: B018
    failure = circuit.run()
    assert circuit.models.asked == ["b", "c"]
    assert isinstance(failure, TransientError)
    assert failure.cause == f"No model answered: b: {REASON}; c: {REASON}. Not asked: a"


def test_some_model_is_asked_even_if_all_hung():
    """If the circuits of all models are open, the first one is asked all the same."""
    hang = botocore_errors.ReadTimeoutError(endpoint_url="https://x")
    circuit = Circuit(a=hang, b=hang, c=hang)
    assert [circuit.asked() for _ in range(4)] == [["a"], ["b"], ["c"], ["a"]]


def test_failing_over_is_counted():
    """Each answer of a fallback is counted, and each opening of a circuit once."""
    metrics().clear_metrics()
    circuit = Circuit(a=THROTTLED)
    for _ in range(FAILURES + 2):
        circuit.run()
    counted = {name: values["Value"] for name, values in metrics().metric_set.items()}
    metrics().clear_metrics()
    assert counted == {"FallbackAnswers": [1.0] * (FAILURES + 2), "CircuitsOpened": [1.0]}
