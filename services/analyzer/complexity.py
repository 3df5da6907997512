"""Classification of a message's complexity: points for whatever makes an answer longer or harder.

0 or 1 point means simple, 2 or 3 moderate, 4 or more complex.
"""

from bisect import bisect_left
from typing import Final

from shared.contracts.v1 import Complexity

_LOOKED_AT_CHARS: Final = 8_192
_DEMANDS: Final = tuple(
    " prove| derive| design| architect| compar| refactor| optimi| migrat| debug|"
    " trade-off| tradeoff| pros and cons|step by step"
    "|step-by-step| in detail| detailed| thorough| comprehensive| analy| implement|"
    " concurren| distributed| scalab"
    "| beweise| vergleich| entwirf| ausführlich|schritt für schritt| concevoir| concevez|"
    " détaill|étape par étape"
    "| diseñ| detallad|paso a paso| demuestra| confronta| progetta| dettagliat| projete|"
    " detalhad|passo a passo"
    "| сравни| докажи| подробно| пошагово| спроектируй|比較|比较|詳しく|详细|设计|設計|비교|자세히".split("|")
)
"""Beginnings of words, and phrases, that ask for a long or difficult answer."""
_WORD_STARTS: Final = tuple(
    demand[1:] for demand in _DEMANDS if demand.startswith(" ") and " " not in demand[1:]
)
_PHRASES: Final = tuple(demand for demand in _DEMANDS if demand[1:] not in _WORD_STARTS)
_ASCII_PHRASES: Final = tuple(phrase for phrase in _PHRASES if phrase.isascii())
_KEY_CHARS: Final = min(map(len, _WORD_STARTS))
_KEYS: Final = frozenset(start[:_KEY_CHARS] for start in _WORD_STARTS)
_RULES: Final = (
    ((60, 150, 400), "It has ", "word", "."),
    ((8, 20), "It has ", "sentence", "."),
    ((0, 3), "It has ", "piece", " of code."),
    ((9, 39, 119), "Its code has ", "line", "."),
    ((1, 2), "Its code is in ", "language", "."),
    ((1, 3), "It asks ", "question", "."),
    ((0, 1, 2), "It uses ", "term", " of demanding tasks."),
)
"""By measure: the thresholds, each of which is worth a point if exceeded, and the reason around number and noun."""


def classify(  # noqa: PLR0913 (what was measured, by name)
    *,
    prose: str,
    words: int,
    sentences: int,
    code_pieces: int,
    code_lines: int,
    languages: int,
    questions: int,
) -> tuple[Complexity, tuple[str, ...]]:
    """Return the complexity and its reasons: fixed sentences with numbers, never text of the message."""
    demands = _demands(prose[:_LOOKED_AT_CHARS])
    scored = [
        (score, number, rule)
        for number, rule in zip(
            (words, sentences, code_pieces, code_lines, languages, questions, demands), _RULES, strict=True
        )
        if (score := bisect_left(rule[0], number))
    ]
    points = sum(score for score, _, _ in scored)
    reasons = tuple(before + _count(number, noun) + behind for _, number, (_, before, noun, behind) in scored)
    if not reasons:
        reasons = (f"It is short: {_count(words, 'word')}, no code, at most one question.",)
    return ("simple" if points < 2 else "moderate" if points < 4 else "complex"), reasons


def _demands(prose: str) -> int:
    """Return the number of demanding terms in `prose`."""
    lowered = " " + prose.lower().replace("\n", " ")
    if lowered.isspace():
        return 0
    words = [word for word in set(lowered.split(" ")) if word[:_KEY_CHARS] in _KEYS]
    demands = sum(phrase in lowered for phrase in (_ASCII_PHRASES if lowered.isascii() else _PHRASES))
    if words:
        demands += sum(any(word.startswith(start) for word in words) for start in _WORD_STARTS)
    return demands


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
