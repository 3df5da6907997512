"""The labelled messages, the scores on them, and the command that prints both."""

import re
from collections import Counter

import msgspec
import pytest

from services.analyzer.evaluation.__main__ import main
from services.analyzer.evaluation.scoring import evaluate, load

pytestmark = pytest.mark.slow

FLOOR = 0.98
"""F1 of code and of question on the messages the patterns were tuned on never falls below this again."""
LANGUAGE_FLOOR = 0.96
"""The same for the share of languages that are right. A short expression may get none instead of a wrong one."""
UNSEEN = "independent"
UNSEEN_FLOOR = 0.945
"""The same on the messages of another author, which nobody tunes on."""


def test_every_message_is_labelled_and_unique():
    """Ids and texts are unique, labels agree with each other, and there are enough messages."""
    messages = load()
    assert len(messages) >= 300
    assert sum(message.split != "dev" for message in messages) >= 150
    assert len({message.id for message in messages}) == len(messages)
    assert all(message.text.strip() and message.tags for message in messages)
    assert all(message.is_question == (message.question_count != 0) for message in messages)
    assert not [message.id for message in messages if message.languages and not message.has_code]


def test_no_two_messages_are_nearly_the_same():
    """No message repeats another with other case, numbers or punctuation, or shares most of its words."""
    messages = load()
    normalised = Counter(re.sub(r"[\W\d_]+", " ", message.text.lower()).strip() for message in messages)
    assert not [text for text, count in normalised.items() if count > 1 and text]
    bags = [(message.id, frozenset(message.text.lower().split())) for message in messages]
    alike = [
        (one, other)
        for index, (one, words) in enumerate(bags)
        for other, others in bags[index + 1 :]
        if min(len(words), len(others)) > 5 and len(words & others) > 0.8 * len(words | others)
    ]
    assert alike == []


def test_classes_are_balanced():
    """Neither label is rare in any split."""
    messages = load()
    for split in {message.split for message in messages}:
        chosen = [message for message in messages if message.split == split]
        assert 0.25 < sum(message.has_code for message in chosen) / len(chosen) < 0.75
        assert 0.25 < sum(message.is_question for message in chosen) / len(chosen) < 0.75


def test_scores_do_not_fall():
    """F1 on the tuned and on the unseen messages stays above its floor."""
    for floor, unseen in ((FLOOR, False), (UNSEEN_FLOOR, True)):
        report = evaluate([message for message in load() if (message.split == UNSEEN) is unseen], "chosen")
        assert report.code.f1 >= floor, report.errors
        assert report.question.f1 >= floor, report.errors
        assert report.language_accuracy >= LANGUAGE_FLOOR, report.errors


def test_the_command_prints_a_table(capsys):
    """Every split has a row for code and one for questions."""
    assert main(["--split", "dev", "--errors"]) == 0
    table = capsys.readouterr().out
    assert "precision" in table
    assert re.search(r"dev +\d+ +code", table)


def test_the_command_prints_json(capsys):
    """A program gets the same numbers."""
    assert main(["--json"]) == 0
    reports = msgspec.json.decode(capsys.readouterr().out)
    assert reports[-1]["split"] == "all"
    assert reports[-1]["code"]["f1"] == pytest.approx(evaluate(load(), "all").code.f1, abs=0.001)


def test_an_unknown_split_is_an_error(capsys):
    """A split that does not exist is named, with exit code 2."""
    assert main(["--split", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_help_shows_examples(capsys):
    """The help ends with commands one can copy."""
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    assert "--worst-case" in capsys.readouterr().out
