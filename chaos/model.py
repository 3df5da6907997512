"""The model server's behaviour in a campaign: it fails as planned. Its calls and answers are counted by run."""

import itertools
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping

from chaos.faults import Fault, Ledger
from chaos.plan import Plan, number_in
from local.model_server import ModelServer, Reply

SLOW_SECONDS = 0.4
GARBAGE = {
    "not JSON": Reply(body="<html>Bad gateway</html>"),
    "no choices": Reply(body='{"choices": []}'),
    "no message": Reply(body='{"choices": [{}]}'),
    "empty text": Reply(text=""),
}


class PlannedModel:
    """The planned behaviour of the model.

    `too_slow_seconds` is longer than the chatbot waits. A call with that delay gets no answer, so it costs nothing.
    """

    def __init__(self, plan: Plan, ledger: Ledger, *, too_slow_seconds: float) -> None:
        self._plan = plan
        self._ledger = ledger
        self._too_slow_seconds = too_slow_seconds
        self._tries: Counter[int] = Counter()
        self._answers = itertools.count(1)
        self._lock = threading.Lock()
        self.unknown: list[str] = []
        """Questions that no run of this campaign asks."""

    def __call__(self, question: str) -> Reply:
        number = number_in(question)
        if number is None:
            self.unknown.append(question)
            return Reply(status=400)
        fate = self._plan.fate(number)
        with self._lock:
            number_of_try, answer = self._tries[number], next(self._answers)
            self._tries[number] += 1
        if number_of_try < len(fate.model):
            fault, detail = fate.model[number_of_try]
            self._ledger.inject(fault, pipeline=number, detail=detail)
            if fate.exhausts and number_of_try + 1 == len(fate.model):
                self._ledger.inject(Fault.MODEL_EXHAUSTED, pipeline=number)
            return self._failing(fault, detail)
        if fate.slow:
            self._ledger.inject(Fault.MODEL_SLOW, pipeline=number)
        text = f"Answer {answer} to [[c-{number:06}]], and to no other."
        return Reply(text=text, delay_seconds=SLOW_SECONDS if fate.slow else 0)

    def _failing(self, fault: Fault, detail: str) -> Reply:
        match fault:
            case Fault.MODEL_THROTTLED:
                return Reply(status=429)
            case Fault.MODEL_FAILING:
                return Reply(status=500)
            case Fault.MODEL_TOO_SLOW:
                return Reply(delay_seconds=self._too_slow_seconds)
        return GARBAGE[detail]

    def calls(self) -> Mapping[int, int]:
        """Return the number of model calls by run."""
        with self._lock:
            return dict(self._tries)


def delivered(server: ModelServer) -> dict[int, list[str]]:
    """Return the answers that the model sent completely, by run."""
    answers: dict[int, list[str]] = defaultdict(list)
    for question, text in list(server.answered):
        number = number_in(question)
        if number is not None:
            answers[number].append(text)
    return dict(answers)
