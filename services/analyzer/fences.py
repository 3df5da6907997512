"""Detection of code that its author marked: fenced with ``` or ~~~, or between backticks within a line."""

import re
from collections.abc import Iterator
from typing import Final

from services.analyzer.code_piece import CodePiece
from services.analyzer.languages import LANGUAGE_OF_INFO

INLINE_RUNS: Final = 1_024
"""Maximum number of backtick runs examined; a message with more is not written by hand."""

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
        for run in runs.finditer(text):
            if opening is None:
                if run.start() < line_end:
                    continue  # the end of inline code
                line_end = _line_end(text, run.end())
                # A fence that closes on its own line is inline code.
                closed_in_line = run[0][0] == "`" and text.find("```", run.end(), line_end) >= 0
                opening = None if closed_in_line else run
                continue
            if len(run[0]) >= len(opening[0]) and run.start() >= line_end:
                yield from _block(text, opening, line_end, run.start(), run.end())
                opening = None
        if opening is not None and not _is_stray(text, opening, line_end):
            yield from _block(text, opening, line_end, len(text), len(text))


def _is_stray(text: str, opening: re.Match[str], line_end: int) -> bool:
    """Whether a fence that is never closed opens nothing: "Use ``` for code. Is it…", or the end of unmarked code."""
    behind = text[opening.end() : line_end]
    before = text[max(0, opening.start() - 200) : opening.start()].rpartition("\n")[2]
    if before.strip():
        return len(behind.split()) > 1 and not _LOOKS_LIKE_CODE.search(behind)
    above = text[max(0, opening.start() - 200) : opening.start()].strip()
    if behind.strip() or not above:
        return False
    next_line = text[line_end + 1 : _line_end(text, line_end + 1)].strip()
    # A block is announced ("like this:") and does not open with a whole sentence.
    is_sentence = next_line[:1].isupper() and len(next_line.split(None, 4)) > 3
    return not next_line or (
        is_sentence and above[-1] not in ":." and not _LOOKS_LIKE_CODE.search(next_line[:200])
    )


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
