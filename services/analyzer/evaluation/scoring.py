"""Scores of the analyzer on the labelled messages."""

from pathlib import Path
from typing import Final

import msgspec

from services.analyzer.core import analyze

MESSAGES: Final = Path(__file__).with_name("messages.jsonl")


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message and its labels, given by the guidelines in README.md."""

    id: str
    split: str
    has_code: bool
    is_question: bool
    question_count: int | None = None
    languages: tuple[str, ...] = ()
    """Languages of its code, the main one first. Empty if there is no code, or if several languages fit."""
    tags: tuple[str, ...]
    text: str


class Score(msgspec.Struct, frozen=True):
    """Counts of a yes-or-no decision."""

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def precision(self) -> float:
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        return _share(
            2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives
        )


class Report(msgspec.Struct, frozen=True, kw_only=True):
    split: str
    messages: int
    code: Score
    question: Score
    language_accuracy: float
    """Share of the messages with a language label whose likeliest language is the labelled one."""
    question_count_exact: float
    """Share of the messages with a count label that have exactly the labelled number of questions."""
    errors: dict[str, tuple[str, ...]]
    """Ids of the misjudged messages, by kind of error."""


def load(path: Path = MESSAGES) -> list[Message]:
    decoder = msgspec.json.Decoder(Message)
    return [decoder.decode(line) for line in path.read_text(encoding="utf-8").splitlines()]


def evaluate(messages: list[Message], split: str) -> Report:
    """Return the scores on `messages`, all of which belong to `split`."""
    errors: dict[str, list[str]] = {
        kind: []
        for kind in (
            "code missed",
            "code imagined",
            "question missed",
            "question imagined",
            "language",
            "count",
        )
    }
    with_language = with_count = 0
    for message in messages:
        analysis = analyze(message.text)
        if analysis.has_code != message.has_code:
            errors["code missed" if message.has_code else "code imagined"].append(message.id)
        if analysis.is_question != message.is_question:
            errors["question missed" if message.is_question else "question imagined"].append(message.id)
        if message.languages:
            with_language += 1
            if analysis.languages[:1] != message.languages[:1]:
                errors["language"].append(message.id)
        if message.question_count is not None:
            with_count += 1
            if analysis.question_count != message.question_count:
                errors["count"].append(message.id)
    return Report(
        split=split,
        messages=len(messages),
        code=_score(sum(m.has_code for m in messages), errors["code missed"], errors["code imagined"]),
        question=_score(
            sum(m.is_question for m in messages), errors["question missed"], errors["question imagined"]
        ),
        language_accuracy=1 - _share(len(errors["language"]), with_language, none=0.0),
        question_count_exact=1 - _share(len(errors["count"]), with_count, none=0.0),
        errors={kind: tuple(ids) for kind, ids in errors.items()},
    )


def _score(positives: int, missed: list[str], imagined: list[str]) -> Score:
    return Score(positives - len(missed), len(imagined), len(missed))


def _share(part: int, whole: int, *, none: float = 1.0) -> float:
    return part / whole if whole else none
