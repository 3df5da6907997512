"""Detection of code that its author marked: fenced with ``` or ~~~, or between backticks within a line."""

import re
from collections.abc import Iterator
from typing import Final

from services.analyzer.code_piece import CodePiece
from services.analyzer.languages import LANGUAGE_OF_INFO, prose_probability

INLINE_RUNS: Final = 1_024
"""Maximum number of backtick runs examined; a message with more is not written by hand."""

STRAY_CHARS: Final = 300
"""Characters before and behind a lone fence that tell whether it closes code or opens it."""
HALF: Final = 0.5

_BACKTICKS: Final = re.compile(r"`{3,}")
_TILDES: Final = re.compile(r"(?m)^~{3,4}(?!~)")
_ANY_BACKTICKS: Final = re.compile(r"`+")
_INFO: Final = re.compile(r"[\w+#.-]*")

_LOOKS_LIKE_CODE: Final = re.compile(
    r"[(){}\[\]=<>|$@#\\;*^%&]|\w[./:_]\w|::|--?\w|[a-z0-9][A-Z]|^[./~_]\S|^[A-Z]{2,}\s\S|"
    r"^(?:git|npm|npx|yarn|pip3?|docker|kubectl|cargo|sudo|cd|go|brew|apt|make|terraform"
    r"|aws|import|return|new|let"
    r"|const|from|export|print|echo)\s\S"
)
"""Marks of inline code that a merely quoted word lacks: an operator, a path, a compound name, a command."""


def fenced(text: str) -> Iterator[CodePiece]:
    """Yield the fenced blocks. A fence that is never closed reaches to the end of the text, as in Markdown.

    People also type fences in the middle of a line. Such a fence counts unless it closes on the same line, where
    `inline` detects it. Tildes count only at the start of a line, because elsewhere they decorate. A fence that is
    never closed is none if it only names the mark within a sentence, or if it ends unmarked code above it.
    """
    for runs in (_BACKTICKS, _TILDES):
        opening: re.Match[str] | None = None
        line_end = 0
        inline_end = 0
        for run in runs.finditer(text):
            if run.start() < inline_end:
                continue
            if opening is None:
                line_end = _line_end(text, run.end())
                # A fence that closes on its own line is inline code.
                close = text.find("```", run.end(), line_end) if run[0][0] == "`" else -1
                opening = run if close < 0 else None
                inline_end = close + 1
                continue
            if len(run[0]) >= len(opening[0]) and run.start() >= line_end:
                yield from _block(text, opening, line_end, run.start(), run.end())
                opening = None
        if opening is not None and not _is_stray(text, opening, line_end):
            yield from _block(text, opening, line_end, len(text), len(text))


def _is_stray(text: str, fence: re.Match[str], line_end: int) -> bool:
    """Whether a fence that nothing closes opens nothing: "Use ``` for code. Is it…", or the end of unmarked code."""
    behind = text[fence.end() : line_end]
    if text[max(0, fence.start() - STRAY_CHARS) : fence.start()].rpartition("\n")[2].strip():
        return len(behind.split()) > 1 and not _LOOKS_LIKE_CODE.search(behind)
    before, after = text[: fence.start()].rstrip(), text[line_end:].strip()
    if not before or not after or behind.strip():
        return False
    return prose_probability(before[-STRAY_CHARS:]) < HALF and prose_probability(after[:STRAY_CHARS]) > HALF


def _block(
    text: str, opening: re.Match[str], line_end: int, close: int, outer_end: int
) -> Iterator[CodePiece]:
    first_line = text[opening.end() : line_end].strip()
    info = _INFO.match(first_line)
    word = info[0].lower() if info else ""
    start = min(line_end + 1, close)
    if first_line and word not in LANGUAGE_OF_INFO and not _is_info(first_line):
        start = opening.end()  # the code begins right behind the fence
    end = start + len(text[start:close].rstrip())
    if text[start:end].strip():
        yield CodePiece("fenced", start, end, opening.start(), outer_end, LANGUAGE_OF_INFO.get(word))


def _is_info(first_line: str) -> bool:
    return first_line.split(None, 1)[0].replace("-", "").replace("+", "").isalnum() and len(first_line) <= 60


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def inline(text: str, start: int, end: int) -> Iterator[tuple[CodePiece, bool]]:
    """Yield the spans between two equally long backtick runs on one line, each with whether it looks like code."""
    runs: list[tuple[int, int]] = []
    for run in _ANY_BACKTICKS.finditer(text, start, end):
        runs.append(run.span())
        if len(runs) == INLINE_RUNS:
            break
    for opening, close in _pairs(text, runs):
        content = text[opening[1] : close[0]].strip()
        if content:
            piece = CodePiece("inline", opening[1], close[0], opening[0], close[1])
            yield piece, bool(_LOOKS_LIKE_CODE.search(content))


def _pairs(text: str, runs: list[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Pair each opening run with the next run of its length, if that is on the same line.

    The time is linear, because the next run of every length is looked up, not searched.
    """
    next_of_length: dict[int, int] = {}
    closes = [0] * len(runs)
    for index in range(len(runs) - 1, -1, -1):
        length = runs[index][1] - runs[index][0]
        closes[index] = next_of_length.get(length, 0)
        next_of_length[length] = index
    index = 0
    line_end = -1
    while index < len(runs):
        opening, close = runs[index], closes[index]
        if opening[0] > line_end:
            line_end = _line_end(text, opening[0])
        if close and runs[close][0] < line_end:
            yield opening, runs[close]
            index = close
        index += 1
