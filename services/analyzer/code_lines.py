"""Detection of unfenced lines of code: statements, commands, stack traces, SQL, JSON, markup, configuration.

Every line gets a kind and a weight: 3 = hardly anything but code, 2 = likely code, 1 = code if its
neighbours are, 0 = prose. A run of weighted lines, blank ones between them included, is code if its weights
add up to 3 and at least one line is likely code. So a lone `x = 5`, or a lone line that ends with `{`, is not
code, but two of them together are.

What the weights leave open, the language model decides (`paragraphs`): neighbouring lines that it finds far more like
code of any language than like prose are code too.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from services.analyzer import line_patterns as p
from services.analyzer.code_piece import CodePiece, bare
from services.analyzer.languages import prose_probability
from shared.contracts.v1 import CodeKind

EXAMINED_LINES: Final = 2_000
"""Maximum number of lines examined: as many as the longest message has if its lines are 16 characters long."""
WEIGHED_LINES: Final = 600
"""Maximum number of different candidate lines that are weighed. Later candidates continue the current run of code."""
LINE_CHARS: Final = 200
"""Characters examined at the beginning of a line, which bounds the work of a pattern per line."""

JUDGED_LINES: Final = 300
"""Maximum number of lines in which paragraphs are looked for."""
JUDGED_PARAGRAPHS: Final = 4
"""Maximum number of paragraphs of a message that the language model judges."""
JUDGED_CHARS: Final = 240
"""Characters judged at the beginning of a paragraph."""
HARDLY_PROSE: Final = 0.1
"""Probability of prose below which a paragraph is code."""
PROSE_IN_LINE: Final = 0.03
"""The same for a paragraph of a single line, which says less."""

_Located = tuple[int, str, str]
"""Where a line begins, the line, and its examined beginning without white space around it."""
Weight = tuple[CodeKind, int]
_PROSE: Final[Weight] = ("bare", 0)


_Line = tuple[int, int, CodeKind, int]
"""Start, end, kind and weight of a line."""


def blocks(text: str) -> Iterator[CodePiece]:  # noqa: C901 -- one pass over the lines, which is what it is for
    """Yield the runs of code lines in `text`, in order."""
    run: list[_Line] = []
    seen: dict[str, Weight] = {}
    left = WEIGHED_LINES
    position = 0
    blank_lines = 0
    opened = -1  # how far the line before is indented, if it ends with a colon
    for line in text.split("\n", EXAMINED_LINES)[:EXAMINED_LINES]:
        start, position = position, position + len(line) + 1
        if not line or line.isspace():
            blank_lines += 1
            if blank_lines > 2 and run:
                yield from _accepted(run)
                run = []
            continue
        weight = seen.get(line)
        if weight is None:
            weight = _PROSE
            beginning = line[:LINE_CHARS]
            stripped = beginning.strip()
            if stripped and _may_be_code(stripped):
                weight = _weigh(beginning, stripped) if left else ("bare", int(bool(run)))
                left -= left > 0
            if left:
                seen[line] = weight
        if weight[1]:
            indent = len(line) - len(line.lstrip())
            if weight == ("bare", 1) and 0 <= opened < indent and p.YAML_KEY.match(line.lstrip()):
                weight = ("bare", 2)  # a key below a key is hardly prose
            opened = indent if line.endswith(":") else -1
            run.append((start + indent, start + len(line.rstrip()), *weight))
        elif run:
            yield from _accepted(run)
            run = []
        blank_lines = 0
    if run:
        yield from _accepted(run)


def without_logs(text: str) -> str:
    """Return `text` with the lines of logs blanked out: what they hold looks like code but is none."""
    parts: list[str] = []
    position = 0
    times = p.TIME.finditer(text)
    for time in islice(times, EXAMINED_LINES):
        if time.start() < position:
            continue
        start = text.rfind("\n", position, time.start()) + 1 or position
        if not p.LOG.match(text[start : start + LINE_CHARS]):
            continue
        end = text.find("\n", time.end())
        end = len(text) if end < 0 else end
        parts += text[position:start], " " * (end - start)
        position = end
    return "".join((*parts, text[position:]))


def paragraphs(text: str, found: Sequence[CodePiece]) -> Iterator[CodePiece]:
    """Yield the paragraphs that hold more code than `found`, which is in order, and are no prose as a whole.

    A paragraph here is a run of lines without a blank one, and ends before a line that is plainly a sentence.
    """
    pieces = iter(found)
    piece = next(pieces, None)
    left = JUDGED_PARAGRAPHS
    for start, end in _candidates(text, found):
        while piece and piece.end <= start:
            piece = next(pieces, None)
        if piece and piece.start <= start and piece.end >= end:
            continue
        if not left:
            return
        paragraph = text[start : min(end, start + JUDGED_CHARS)]
        if len(paragraph.encode()) > 1.3 * len(paragraph) or (
            "\n" not in paragraph and p.HEADING.match(paragraph)
        ):
            continue  # the model knows hardly any word of other scripts; a lone heading is no comment
        if _is_table(paragraph):
            continue
        left -= 1
        limit = HARDLY_PROSE if "\n" in paragraph or (piece and piece.start < end) else PROSE_IN_LINE
        if prose_probability(paragraph) < limit:
            yield bare("bare", start, end)


def _is_table(paragraph: str) -> bool:
    """Whether at least two lines have equally many commas, semicolons or tabs, and no mark of code but quotes."""
    lines = paragraph.split("\n")[: -1 if len(paragraph) == JUDGED_CHARS else None]
    if len(lines) < 2 or any(mark in paragraph for mark in "(){}=<>"):
        return False
    return any(
        min(counts) == max(counts) > 1 for counts in ([line.count(mark) for line in lines] for mark in ",;\t")
    )


def _candidates(text: str, found: Sequence[CodePiece]) -> Iterator[tuple[int, int]]:
    """Yield where the paragraphs begin and end that have a mark of code and no plain sentence.

    Neighbouring lines that lie within `found` are passed over.
    """
    pieces = iter(found)
    piece = next(pieces, None)
    lines: list[_Located] = []
    position = 0
    for line in [*text.split("\n", JUDGED_LINES)[:JUDGED_LINES], ""]:
        stripped = line[:LINE_CHARS].strip()
        if stripped:
            lines.append((position, line, stripped))
        elif lines:
            start, end = _start(lines[0]), _end(lines[-1])
            while piece and piece.end <= start:
                piece = next(pieces, None)
            if not (piece and piece.start <= start and piece.end >= end):
                yield from _apart_from_sentences(lines)
            lines = []
        position += len(line) + 1


def _apart_from_sentences(lines: list[_Located]) -> Iterator[tuple[int, int]]:
    """Yield where the runs of `lines` begin and end that have a mark of code and no plain sentence."""
    least = 0
    for index, (_, _, stripped) in enumerate(lines):
        if index < least or not _may_be_code(stripped) or _is_sentence(stripped):
            continue
        first = last = index
        while first > least and not _is_sentence(lines[first - 1][2]):
            first -= 1
        while last + 1 < len(lines) and not _is_sentence(lines[last + 1][2]):
            last += 1
        yield _start(lines[first]), _end(lines[last])
        least = last + 2


def _start(line: _Located) -> int:
    position, whole, _ = line
    return position + len(whole) - len(whole.lstrip())


def _end(line: _Located) -> int:
    position, whole, _ = line
    return position + len(whole.rstrip())


def _is_sentence(line: str) -> bool:
    words = line.lower().split()
    if p.REFERENCE.match(line) or p.CHANGE.match(line) or (words[0] in p.ASKING and len(words) > 3):
        return True
    if line[-1] == "?" and 2 * sum(word.isalpha() for word in words) >= len(words) > 2:
        return True
    if p.PLAIN_START.match(line) and not p.FUNCTION_WORDS.isdisjoint(words[:4]):
        return True
    return (
        len(words) > 4
        and (line[-1] in ".?!:,。？！" or not p.PROSE_WORDS.isdisjoint(words))
        and not (line[0] in "/#*-;%" or (line[0] == "(" and line.count("(") > 1) or p.MARKS.search(line))
    )


def _accepted(run: list[_Line]) -> Iterator[CodePiece]:
    weights = [weight for _, _, _, weight in run]
    if sum(weights) < 3 or max(weights) < 2:
        return
    while run[-1][2:] == ("markup", 1):  # a list after the code looks like markup
        run.pop()
    kinds: Counter[CodeKind] = Counter()
    for _, _, kind, weight in run:
        if weight > 1:
            kinds[kind] += weight
    main = "stack_trace" if kinds["stack_trace"] >= 3 else kinds.most_common(1)[0][0]
    yield bare(main, run[0][0], run[-1][1])


def _may_be_code(stripped: str) -> bool:
    """Whether a line is worth weighing. Most lines of prose are not."""
    first = stripped.split(None, 1)[0]
    return (
        first.lower() in p.FIRST_WORDS
        or p.SIGNAL.search(stripped) is not None
        or stripped.startswith(" -", len(first))
        or " --" in stripped
    )


def _weigh(line: str, stripped: str) -> Weight:  # noqa: PLR0911 (one rule after the other, the surest first)
    first = stripped.split(None, 1)[0]
    if stripped[-1] == "?" and not p.PROSE_WORDS.isdisjoint(stripped.lower().split()):
        return _PROSE  # a question about code; what code it holds is found within it
    if p.TRACE.match(line) or _one_with(p.TRACE_WITH, line):
        return "stack_trace", 3
    if p.TRACE_ERROR.match(stripped) or _one_with(p.TRACE_ERROR_WITH, stripped):
        return "stack_trace", 1
    if weight := command_weight(stripped, first):
        return "shell", weight
    if first.lower() in p.SQL_WORDS and (weight := _sql_weight(stripped, first)):
        return "sql", weight
    if stripped[0] in '"{[' and p.JSON.match(stripped):
        return "json", 3
    if stripped[0] == "<" and (weight := _markup_weight(stripped)):
        return "markup", weight
    return "bare", _statement_weight(line, stripped, first)


def _statement_weight(line: str, stripped: str, first: str) -> int:  # noqa: PLR0911 (as above)
    if p.STATEMENT.match(stripped) or _is_statement(stripped):
        return 3
    ends = stripped[-1]
    if ends == ":" and p.PYTHON_BLOCK.match(stripped):
        return 3
    if (ends in ";{" and p.CODE_CHARACTER.search(stripped)) or p.LIKELY.match(stripped):
        return 2
    if _one_with(p.LIKELY_WITH, stripped):
        return 2
    if ends == ";" and first in p.KEYWORDS:
        return 2
    if stripped.strip(")}];,({[") == "":
        return 2 if "}" in stripped else 1
    if first.rstrip(";:") in p.BLOCK_WORDS and (
        len(first) == len(stripped) or ends in ":;{" or p.CODE_CHARACTER.search(stripped)
    ):
        return 1
    if p.COMMENT.match(stripped) or p.WEAK.match(stripped):
        return 1
    if p.YAML_KEY.match(stripped):
        return (
            2 if p.YAML_SURE.match(stripped) else 1 if line[0] in " \t" or p.YAML_PLAIN.match(stripped) else 0
        )
    return int(line[0] in " \t" and bool(p.CODE_CHARACTER.search(stripped)))


def _is_statement(line: str) -> bool:
    for mark, patterns in p.STATEMENTS_BY_MARK.items():  # noqa: SIM110 -- a generator takes twice as long
        if mark in line and _one_with(patterns, line):
            return True
    return False


def _one_with(patterns: p.Patterns, line: str) -> bool:
    """Whether `line` contains the required text of one of `patterns` and matches that pattern."""
    for text, pattern in patterns:  # noqa: SIM110 -- a generator takes twice as long
        if text in line and p.compiled(pattern).match(line):
            return True
    return False


def command_weight(line: str, first: str) -> int:
    """Return 3 for a command with options, paths or a known subcommand, otherwise 0."""
    prompt = p.PROMPT.match(line)
    if prompt:
        line = line[prompt.end() :].strip()
        words = line.split()
        if not words:
            return 0
        plain = prompt["dollar"] and words[0][0].isalpha() and words[0].islower()
        if (
            words[0] in p.COMMANDS
            or words[0] in p.SHARED_COMMANDS
            or words[0].startswith(("./", "~/", "/usr", "/bin"))
        ):
            return 3 if prompt["dollar"] or prompt["sure"] or _is_command(line, words) else 0
        return 3 if prompt["sure"] or (plain and p.PROSE_WORDS.isdisjoint(words) and len(words) < 8) else 0
    if first in p.COMMANDS or first in p.SHARED_COMMANDS or first.startswith("./"):
        line = line.partition(" # ")[0].rstrip()
        return 3 if _is_command(line, line.split()) else 0
    return 0


def _is_command(line: str, words: list[str]) -> bool:
    if words[0] == "sudo" and len(words) > 1:
        words = words[1:]
    if (line[-1] in "?!,." and not line.endswith((" .", "/.", ".."))) or not p.PROSE_WORDS.isdisjoint(
        words[1:]
    ):
        quoted = any(mark in line for mark in "\"'") and line[-1] in "\"'"
        if not (quoted and p.PROSE_WORDS.isdisjoint(words[1:3])):
            return False
    if len(words) == 1:
        return words[0].startswith("./")
    if line.endswith(" \\") or (
        len(words) == 2 and (words[0] == "cd" or words[1] in p.TARGETS.get(words[0], ()))
    ):
        return True
    if words[0] in p.COMMANDS and words[1] in p.SUBCOMMANDS:
        return True
    return bool(p.ARGUMENT.search(line[len(words[0]) :]))


def _sql_weight(line: str, first: str) -> int:
    if p.SQL.match(line) and not p.SQL_PROSE.search(line):
        return 3
    if first.isupper() and (not line.isupper() or p.CODE_CHARACTER.search(line)) and len(line) < 120:
        return 1 if len(first) == len(line) or first in {"ON", "AND", "OR", "AS", "SET"} else 2
    return int(
        first.lower() in {"from", "and", "where", "join", "inner", "order", "group", "values", "limit"}
        and p.SQL_CLAUSE.match(line) is not None
    )


def _markup_weight(line: str) -> int:
    tag = p.TAG.match(line)
    if not tag:
        return 0
    if tag["sure"] or tag["attribute"] or f"</{tag['name']}>" in line:
        return 3
    return 2 if tag["name"].lower().lstrip("/") in p.HTML_TAGS and tag.end() == len(line) else 1
