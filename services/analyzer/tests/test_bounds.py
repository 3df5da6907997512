"""Any text is analysed, within the contract's bounds and in linear time."""

import importlib
import re
import sys
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.analyzer.core import analyze
from services.analyzer.evaluation.worst_case import REPEATED, longest
from shared.contracts.v1 import Analysis

pytestmark = pytest.mark.slow

# A pattern can be read as a tree only here; no public names exist.
codes: Any = importlib.import_module("re._constants")
parser: Any = importlib.import_module("re._parser")
compiler: Any = importlib.import_module("re._compiler")

MODULES = (
    "text",
    "fences",
    "languages",
    "code_lines",
    "line_patterns",
    "code_in_prose",
    "code_detection",
    "questions",
)
PIECES = st.sampled_from(
    [*REPEATED.values(), "def f(x):", "```", "`", "\n", " ", "?", "SELECT * FROM t", "\ud800"]
)


def holds(text):
    analysis = analyze(text)
    assert msgspec.json.decode(msgspec.json.encode(analysis), type=Analysis) == analysis
    assert analysis.is_question == (analysis.question_count > 0)
    assert analysis.has_code == bool(analysis.code)
    assert all(0 <= span.start < span.end <= len(text) for span in analysis.code)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=2_000))
def test_any_text_is_analysed(text):
    """No text raises, and every analysis keeps its own contract."""
    holds(text)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES.filter(lambda piece: piece != "\ud800"), max_size=60).map("".join))
def test_any_mixture_of_code_and_prose_is_analysed(text):
    """No mixture of texts that the patterns search for raises, and every analysis keeps its own contract."""
    holds(text)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", REPEATED)
def test_the_hardest_messages_come_to_an_end(name):
    """The longest message made of what a pattern begins with ends; the timeout only guards against a hang."""
    holds(longest(REPEATED[name]))


@pytest.mark.parametrize("name", REPEATED)
def test_twice_the_message_takes_twice_the_steps(name):
    """The lines of Python that run grow no faster than the message (patterns: see the next test)."""
    once, twice = (steps(longest(REPEATED[name], size)) for size in (2_048, 4_096))
    assert twice <= 2.2 * once + 500


def steps(text):
    analyze(text)  # what is compiled once is compiled before
    count = 0

    def trace(_frame, event, _argument):
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        analyze(text)
    finally:
        sys.settrace(before)
    return count


def patterns():
    for module in MODULES:
        for value in vars(importlib.import_module(f"services.analyzer.{module}")).values():
            if isinstance(value, re.Pattern):
                yield value
            elif isinstance(value, tuple):
                rows = [row for row in value if isinstance(row, tuple)]
                yield from (item for row in rows for item in row if isinstance(item, re.Pattern))
    for name in ("TRACE_WITH", "TRACE_ERROR_WITH", "STATEMENT_WITH", "LIKELY_WITH"):
        for _, pattern in getattr(importlib.import_module("services.analyzer.line_patterns"), name):
            yield re.compile(pattern)
    yield from map(re.compile, in_prose())


def unbounded_repeats(tree, inside=False):
    """Whether an unbounded repeat that can give back stands within another."""
    for code, argument in tree:
        within = inside
        parts: Iterable[Any] = ()
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
            unbounded = argument[1] is codes.MAXREPEAT
            if unbounded and inside:
                return True
            within, parts = inside or unbounded, (argument[2],)
        elif code is codes.SUBPATTERN:
            parts = (argument[-1],)
        elif code is codes.BRANCH:
            parts = argument[1]
        if any(unbounded_repeats(part, inside=within) for part in parts):
            return True
    return False


def test_no_pattern_repeats_a_repeat():
    """No pattern has an unbounded repeat within an unbounded repeat, the cause of exponential time."""
    compiled = list(patterns())
    assert len(compiled) > 60
    nested = [pattern.pattern for pattern in compiled if unbounded_repeats(parser.parse(pattern.pattern))]
    assert nested == []


CHARACTERS = [*map(chr, range(9, 127)), "é", "中"]
REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT)
LONG = 20
KEPT = r"\[[\w.()*+ ]{1,60} for \w{1,30} in "
"""What begins a pattern with two such repeats: too long a beginning to be everywhere in a message."""


def matched(state, node):
    pattern = compiler.compile(parser.SubPattern(state, [node]))
    return {character for character in CHARACTERS if pattern.fullmatch(character)}


def is_long_run(code, argument):
    """Whether a node repeats a single character, LONG times or more, and can give some back."""
    if code not in (codes.MAX_REPEAT, codes.MIN_REPEAT) or argument[1] < LONG or len(argument[2]) != 1:
        return False
    return argument[2][0][0] in (codes.IN, codes.LITERAL, codes.NOT_LITERAL, codes.ANY)


def parts_of(code, argument) -> Iterable[Any]:
    if code in REPEATS:
        return (argument[2],)
    if code in (codes.SUBPATTERN, codes.ASSERT, codes.ASSERT_NOT):
        return (argument[-1],)
    return argument[1] if code is codes.BRANCH else ()


def rivals(tree):
    """Pairs of long runs side by side that can both take the same characters, and something behind them."""
    nodes = list(tree)
    for at, (code, argument) in enumerate(nodes):
        if is_long_run(code, argument):
            taken = matched(tree.state, argument[2][0])
            for place, (next_code, next_argument) in enumerate(nodes[at + 1 :], at + 1):
                both = is_long_run(next_code, next_argument)
                if both and taken & matched(tree.state, next_argument[2][0]) and place + 1 < len(nodes):
                    yield argument, next_argument
                if next_code in (codes.AT, codes.ASSERT, codes.ASSERT_NOT):
                    continue
                if next_code not in REPEATS or next_argument[0] > 0:
                    break
        for part in parts_of(code, argument):
            yield from rivals(part)


def in_prose():
    for _, _, pattern in importlib.import_module("services.analyzer.code_in_prose")._PATTERNS:
        yield pattern


def test_no_two_repeats_share_out_the_same_characters():
    """No pattern that is looked for everywhere has two long repeats that can divide a word in every way
    between them: thousands of attempts for each character.
    """
    hits = [pattern for pattern in in_prose() if list(rivals(parser.parse(pattern)))]
    assert [pattern for pattern in hits if not pattern.startswith(KEPT)] == []


def test_two_such_repeats_are_noticed():
    """The check finds the pattern that once cost a hundred times as much as all others together."""
    assert list(rivals(parser.parse(r"(?:[A-Za-z_$][\w$]{0,60}[\w.\[\]]{0,60}) ?==")))
    assert not list(rivals(parser.parse(r"(?:[A-Za-z_$][\w$]{0,60}+[\w.\[\]]{0,60}+) ?==")))
