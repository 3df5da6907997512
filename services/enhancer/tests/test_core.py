"""The enhancer: format by complexity, tidy text, tracking."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from services.enhancer.core import enhance, summary, tidy
from shared.contracts.v1 import ChatAnswer
from shared.tests.fakes import METADATA
from shared.tests.samples import ANALYSIS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LONG = "The short answer is yes. " + "It depends on many things that are worth a look. " * 20


def chat(text: str, **marks: Any) -> ChatAnswer:
    return ChatAnswer(text=text, backend="bedrock", model_id="m", stop_reason="end_turn", **marks)


def analysis(complexity, questions=1, languages=()):
    return replace(
        ANALYSIS,
        has_code=bool(languages),
        languages=languages,
        is_question=questions > 0,
        question_count=questions,
        complexity=complexity,
    )


def test_simple_answer_is_left_as_it_is():
    """A simple message's answer gets no additions."""
    got = enhance(chat("Four."), analysis("simple"), METADATA, NOW)
    assert (got.final_response, got.format, got.complexity) == ("Four.", "plain", "simple")


def test_moderate_answer_says_what_it_responds_to():
    """A moderate message's answer closes with a line on what it responds to."""
    got = enhance(
        chat("Here."), analysis("moderate", 2, ("python", "javascript", "c++", "sql")), METADATA, NOW
    )
    assert got.format == "sectioned"
    assert (
        got.final_response
        == "Here.\n\n_This reply answers 2 questions and refers to Python, JavaScript, C++ code._"
    )


def test_complex_answer_opens_with_its_first_sentence():
    """A complex message's long answer begins with its first sentence as a summary."""
    got = enhance(chat(LONG), analysis("complex", 3), METADATA, NOW)
    assert got.format == "detailed"
    assert got.final_response.startswith(
        "**In short:** The short answer is yes.\n\nThe short answer is yes. It"
    )
    assert got.final_response.endswith("_This reply answers 3 questions._")


def test_answer_without_analysis_is_plain():
    """If the analyzer failed, the answer gets no additions."""
    got = enhance(chat(LONG), None, METADATA, NOW)
    assert (got.format, got.complexity) == ("plain", None)
    assert got.final_response == LONG.strip()


@pytest.mark.parametrize("level", ["simple", "moderate", "complex"])
def test_cut_answer_says_so(level):
    """A truncated answer is marked in every format."""
    got = enhance(chat("Half", truncated=True), analysis(level), METADATA, NOW)
    assert "cut at the length limit" in got.final_response


@pytest.mark.parametrize("truncated", [False, True])
@pytest.mark.parametrize("level", [None, "simple", "moderate", "complex"])
def test_a_blocked_answer_is_never_decorated(level, truncated):
    """A blocked answer keeps its text to the letter, whatever the message was, and the result says that it is one."""
    text = f"{LONG}\n\n\n\n```\nno end"
    found = analysis(level, 3, ("python",)) if level else None
    got = enhance(chat(text, blocked=True, truncated=truncated), found, METADATA, NOW)
    assert (got.final_response, got.format, got.blocked) == (text, "plain", True)
    assert not enhance(chat(text), found, METADATA, NOW).blocked


def test_tracking_says_where_it_comes_from():
    """The enhancement holds run, correlation, execution, model and time."""
    got = enhance(chat("x y z"), analysis("simple"), METADATA, NOW)
    assert (got.tracking.pipeline_id, got.tracking.correlation_id, got.tracking.model_id) == ("p-1", "c", "m")
    assert got.enhanced_at == NOW
    assert (got.word_count, got.reading_time_seconds) == (3, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n\n\n\nb", "a\n\nb"),
        ("  a  \n", "a"),
        ("```py\nx\n\n\n\ny\n```", "```py\nx\n\n\n\ny\n```"),
        ("Look:\n```py\nx = 1", "Look:\n```py\nx = 1\n```"),
        ("~~~\nx", "~~~\nx\n~~~"),
        ("a\n\n\n```\nx\n\n\n```\n\n\n\nb", "a\n\n```\nx\n\n\n```\n\nb"),
    ],
)
def test_tidying_respects_code(text, expected):
    """Repeated empty lines are reduced only outside of code, and an open fence is closed."""
    assert tidy(text) == expected


@pytest.mark.parametrize("text", ["Short.", "# Title\n" + LONG, "x" * 700, "```\n" + LONG, "- " + LONG])
def test_no_summary_where_none_helps(text):
    """A short answer, a heading, a list, code or a very long first sentence gets no summary."""
    assert summary(text) is None


def test_summary_of_text_without_spaces_between_sentences():
    """A CJK full stop ends the first sentence."""
    text = "答えはイエスです。" + "理由はいくつかあります。" * 60
    assert summary(text) == "答えはイエスです。"


def test_code_is_noticed():
    """An answer with a fenced block contains code."""
    assert enhance(chat("```\nx\n```"), None, METADATA, NOW).contains_code is True
    assert enhance(chat("no `x`"), None, METADATA, NOW).contains_code is False
