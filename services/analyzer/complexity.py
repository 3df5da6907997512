"""Says how complex a message is, and why: points for what makes an answer longer or harder.

0 or 1 point: simple; 2 or 3: moderate; 4 or more: complex.
"""

import re
from typing import Final

from shared.contracts.v1 import Complexity

_DEMANDS: Final = re.compile(
    r"(?i)\b(?:prove|derive|design|architect\w*|compar(?:e|ison|ing)|refactor\w*|optimi[sz]\w+|migrat\w+|debug\w*|trade-?offs?|pros and cons"
    r"|step[- ]by[- ]step|in detail|detailed|thorough\w*|comprehensive|analy[sz]e|analysis|implement\w*|concurren\w+|distributed|scalab\w+"
    r"|beweise\w*|vergleiche?\w*|entwirf|ausführlich\w*|optimier\w+|schritt für schritt|compare[rz]|conce(?:voir|vez)|détaill\w+|étape par étape"
    r"|compara\w*|diseñ\w+|detallad\w+|paso a paso|demuestra|confronta\w*|progetta\w*|dettagliat\w+|projete|detalhad\w+|passo a passo"
    r"|сравни\w*|докажи\w*|подробно|пошагово|спроектируй\w*)\b|比較|比较|詳しく|详细|设计|設計|비교|자세히"
)


def classify(
    *,
    prose: str,
    words: int,
    sentences: int,
    code_pieces: int,
    code_lines: int,
    languages: int,
    questions: int,
) -> tuple[Complexity, tuple[str, ...]]:
    """The complexity and the reasons for it: fixed sentences with numbers, never text of the message."""
    demands = len({match[0].lower() for match in _DEMANDS.finditer(prose, 0, 8_192)})
    scored = (
        (_steps(words, 60, 150, 400), f"It has {_count(words, 'word')}."),
        (_steps(sentences, 8, 20), f"It has {_count(sentences, 'sentence')}."),
        (_steps(code_pieces, 0, 3), f"It has {_count(code_pieces, 'piece')} of code."),
        (_steps(code_lines, 9, 39, 119), f"Its code has {_count(code_lines, 'line')}."),
        (_steps(languages, 1, 2), f"Its code is in {_count(languages, 'language')}."),
        (_steps(questions, 1, 3), f"It asks {_count(questions, 'question')}."),
        (_steps(demands, 0, 1, 2), f"It uses {_count(demands, 'term')} of demanding tasks."),
    )
    points = sum(score for score, _ in scored)
    reasons = tuple(reason for score, reason in scored if score)
    if not reasons:
        reasons = (f"It is short: {_count(words, 'word')}, no code, at most one question.",)
    return ("simple" if points < 2 else "moderate" if points < 4 else "complex"), reasons


def _steps(number: int, *thresholds: int) -> int:
    return sum(number > threshold for threshold in thresholds)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
