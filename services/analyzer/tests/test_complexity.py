"""How complex a message is, and the reasons given."""

from services.analyzer.core import analyze
from shared.contracts import limits


def test_a_short_question_is_simple():
    """Few words, no code, one question: simple, and the reason says so."""
    analysis = analyze("What time is it?")
    assert analysis.complexity == "simple"
    assert analysis.reasons == ("It is short: 4 words, no code, at most one question.",)


def test_code_and_questions_make_it_moderate():
    """Code and a second question are two reasons."""
    analysis = analyze("```python\nprint(1)\n```\nWhat is it? Why?")
    assert analysis.complexity == "moderate"
    assert analysis.reasons == ("It has 1 piece of code.", "It asks 2 questions.")


def test_long_code_and_long_text_is_complex():
    """A long text about long code, with demands, is complex."""
    code = "\n".join(f"value_{n} = compute({n}, other={n})" for n in range(50))
    prose = "Please compare these designs in detail. " + "It is slow. " * 30
    text = f"{prose}\n```python\n{code}\n```\nWhy? How? When?"
    assert analyze(text).complexity == "complex"


def test_reasons_hold_no_text_of_the_message():
    """Reasons are fixed sentences with numbers, within their bound."""
    analysis = analyze("secret " * 500 + "Why secret? How secret?\n```\nsecret()\n```")
    assert len(analysis.reasons) <= limits.REASONS
    assert not any("secret" in reason for reason in analysis.reasons)
