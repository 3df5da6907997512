"""Asks the next model when one is throttled or unavailable, and does not ask a dead one for a while.

Imported only if the settings name fallbacks.
"""

import time
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final

import msgspec
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError  # noqa: A004 -- botocore's name

from shared.aws import error_code
from shared.contracts.limits import FAILURE_CHARS, FALLBACKS, MODEL_ID_CHARS
from shared.contracts.v1 import ChatAnswer, FailedModel
from shared.errors import ModelTimedOut, PermanentError, PipelineError, TransientError
from shared.metrics import CIRCUITS_OPENED, FALLBACK_ANSWERS
from shared.observability import emit, logger

FAILURES: Final = 3
"""Failures in a row after which a model's circuit opens. A lost call opens it at once: it has cost a run."""
PAUSE_SECONDS: Final = 30
"""How long a circuit stays open at first. Each further failure doubles it, up to `LONGEST_PAUSE_SECONDS`."""
LONGEST_PAUSE_SECONDS: Final = 480
LEAST_SHARE: Final = 0.5
"""With less than this share of a call's time, a model would often be cut off, and paid for nothing."""

Call = Callable[[str, float], ChatAnswer]
"""Asks the model of this id, for at most so many seconds."""


class Verdict(Enum):
    """What a failed call says about its model."""

    UNAVAILABLE = auto()
    """The model did not take the request, so nothing was paid: the next one is asked."""
    LOST = auto()
    """No answer arrived. The model may have been paid, so no other one is asked within this attempt."""
    AVAILABLE = auto()
    """The model refused, or answered what can't be used; or the failure is not the model's."""


_LOST_STATUS: Final = 408
_UNAVAILABLE_STATUSES: Final = (424, 429)
_UNAVAILABLE_WORDS: Final = ("throttl", "quota")


def verdict(error: PipelineError) -> Verdict:
    """Return what a failed call says about its model, from the botocore error that caused `error`."""
    if isinstance(error, ModelTimedOut):
        return Verdict.LOST
    cause = error.__cause__
    if isinstance(cause, ConnectionError):  # there was no connection
        return Verdict.UNAVAILABLE
    if isinstance(cause, HTTPClientError):  # there was one, which was cut off or waited for too long
        return Verdict.LOST
    if isinstance(cause, ClientError) and isinstance(error, TransientError):
        code = error_code(cause).lower()
        status = cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status == _LOST_STATUS:  # the model took longer than Bedrock waits for it
            return Verdict.LOST
        if (
            status >= 500
            or status in _UNAVAILABLE_STATUSES
            or any(word in code for word in _UNAVAILABLE_WORDS)
        ):
            return Verdict.UNAVAILABLE
    return Verdict.AVAILABLE


class _Circuit(msgspec.Struct):
    """One model's failures in a row. `lost`: the last one was a call without an answer."""

    failures: int = 0
    open_until: float = float("-inf")
    reason: str = ""
    lost: bool = False


class Circuits:
    """Counts each model's failures in a row. A circuit that is open says that its model is to be asked last.

    When the pause is over, the next call is a probe: it closes the circuit, or opens it for twice as long. The state
    is this function instance's own.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._circuits: dict[str, _Circuit] = {}

    def why_open(self, model_id: str) -> str | None:
        """Return why a model's circuit is open; None if it is not."""
        circuit = self._circuits.get(model_id)
        is_open = circuit is not None and self._clock() < circuit.open_until
        return f"not asked because it failed before: {circuit.reason}" if circuit and is_open else None

    def hangs(self, model_id: str) -> bool:
        """Whether a model's last call was lost."""
        return model_id in self._circuits and self._circuits[model_id].lost

    def failed(self, model_id: str, reason: str, *, lost: bool = False) -> bool:
        """Count a failure; return whether it opened the circuit."""
        was_open = self.why_open(model_id) is not None
        circuit = self._circuits.setdefault(model_id, _Circuit())
        circuit.failures = max(circuit.failures + 1, FAILURES if lost else 0)
        circuit.reason, circuit.lost = reason, lost
        if circuit.failures < FAILURES:
            return False
        # The bound of the exponent keeps the number small through an outage of days.
        pause = min(PAUSE_SECONDS * 2 ** min(circuit.failures - FAILURES, 16), LONGEST_PAUSE_SECONDS)
        circuit.open_until = self._clock() + pause
        return not was_open

    def works(self, model_id: str) -> None:
        """Close the circuit: the model answered or refused."""
        self._circuits.pop(model_id, None)


class Failover:
    """Asks `fallbacks`, in their order, in the place of a model that is unavailable.

    `seconds` is the time for all calls of one attempt: the longest time that a call of the first model may take.
    """

    def __init__(
        self, fallbacks: Sequence[str], *, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fallbacks = fallbacks[:FALLBACKS]
        self._seconds = seconds
        self._clock = clock
        self._circuits = Circuits(clock)

    def ask(self, model_id: str, call: Call) -> ChatAnswer:
        """Return the answer of `model_id`, or of the first fallback that gives one.

        Raises what the last call raised if another model must not be asked. But a fallback's refusal is transient,
        since a retry may find the first model available again; and so is the failure of all models.
        """
        began, failed = self._clock(), dict[str, str]()
        models = tuple(dict.fromkeys((model_id, *self._fallbacks)))
        skipped = {model: reason for model in models if (reason := self._circuits.why_open(model))}
        for model in sorted(models, key=skipped.__contains__):
            if failed and model in skipped and self._circuits.hangs(model):
                continue  # a retry is better than another call that may be billed and not repeated
            seconds = self._left(began) if failed else self._seconds
            if not seconds:
                break
            try:
                answer = call(model, seconds)
            except PipelineError as error:
                self._judge(model, error)
                if verdict(error) is not Verdict.UNAVAILABLE:
                    if model != model_id and _is_refusal(error):
                        text = f"{_listed({**skipped, **failed})}; {model}, asked in its place: {error}"
                        raise TransientError(text) from error.__cause__
                    raise
                failed[model], last = str(error), error
            else:
                self._circuits.works(model)
                return self._told(answer, model, models, {**skipped, **failed})
        unasked = [model for model in models if model not in failed]
        rest = f". Not asked: {', '.join(unasked)}" if unasked else ""
        raise TransientError(f"No model answered: {_listed(failed)}{rest}") from last.__cause__

    def _left(self, began: float) -> float:
        """Return the seconds that another call may take; 0 if these are too few."""
        left = self._seconds - (self._clock() - began)
        return left if left >= self._seconds * LEAST_SHARE else 0

    def _judge(self, model: str, error: PipelineError) -> None:
        said = verdict(error)
        if said is Verdict.AVAILABLE:
            self._circuits.works(model)
            return
        opened = self._circuits.failed(model, str(error), lost=said is Verdict.LOST)
        logger().warning(
            "a model did not answer", extra={"model": model, "cause": error.cause, "circuit_opened": opened}
        )
        if opened:
            emit(CIRCUITS_OPENED)

    @staticmethod
    def _told(answer: ChatAnswer, model: str, models: tuple[str, ...], reasons: dict[str, str]) -> ChatAnswer:
        """Return the answer with the models that precede `model`, each with the reason why it did not answer."""
        before = models[: models.index(model)]
        if not before:
            return answer
        emit(FALLBACK_ANSWERS)
        instead_of = tuple(
            FailedModel(model_id=name[:MODEL_ID_CHARS], reason=reasons[name][:FAILURE_CHARS])
            for name in before
        )
        return msgspec.structs.replace(answer, instead_of=instead_of)


def _is_refusal(error: PipelineError) -> bool:
    return isinstance(error, PermanentError) and isinstance(error.__cause__, ClientError)


def _listed(reasons: dict[str, str]) -> str:
    return "; ".join(f"{model}: {reason}" for model, reason in reasons.items())
