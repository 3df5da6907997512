"""Detection of the code in a message: marked code first, then code lines, then code within sentences."""

import re
from collections import Counter
from typing import Final, NamedTuple

from services.analyzer.code_in_prose import scattered
from services.analyzer.code_lines import blocks, paragraphs, without_logs
from services.analyzer.code_piece import CodePiece, bare
from services.analyzer.fences import fenced, inline
from services.analyzer.languages import guess_languages
from shared.contracts import limits
from shared.contracts.v1 import CodeSpan

_URL: Final = re.compile(r"(?:https?|ftp)://[^\s<>\"'`]++")
_LEAD: Final = re.compile(r"[A-Z][a-z']*+(?: [\w']++){3,30}+ ?[:?] +(?=\S)")
_SUGGESTED: Final = {"shell": ("bash", 25), "markup": ("html", 5), "json": ("json", 6)}
"""What a kind of code suggests, with what that adds to the language's score, in tenths."""


class Code(NamedTuple):
    """The code of a message, and its prose: the message with the code blanked out, of the same length."""

    spans: tuple[CodeSpan, ...]
    languages: tuple[str, ...]
    lines: int
    prose: str


def find_code(message: str) -> Code:
    pieces, prose = find_pieces(message)
    spans: list[CodeSpan] = []
    weights: Counter[str] = Counter()
    shown = pieces[: limits.CODE_SPANS]
    stated_languages = [piece.language or ("sql" if piece.kind == "sql" else None) for piece in shown]
    unlabelled = [piece for piece, language in zip(shown, stated_languages, strict=True) if not language]
    guesses = guess_languages(
        [(message[piece.start : piece.end], _SUGGESTED.get(piece.kind)) for piece in unlabelled]
    )
    for piece, stated in zip(shown, stated_languages, strict=True):
        language = stated or next(guesses)
        spans.append(CodeSpan(kind=piece.kind, start=piece.start, end=piece.end, language=language))
        if language:
            weights[language] += piece.end - piece.start
    return Code(
        spans=tuple(spans),
        languages=tuple(language for language, _ in weights.most_common()),
        lines=sum(message.count("\n", piece.start, piece.end) + 1 for piece in pieces),
        prose=prose,
    )


def find_pieces(message: str) -> tuple[list[CodePiece], str]:
    """Return the pieces of code in order, and the prose: the message with the code blanked out."""
    pieces: list[CodePiece] = []
    prose = message
    if "```" in prose or "~~~" in prose:
        marked = sorted(fenced(prose), key=lambda f: f.outer_start)
        pieces += _apart(marked)
        prose = _without(prose, pieces, "\n")
    quoted: list[CodePiece] = []
    if "`" in prose:
        for piece, looks_like_code in inline(prose, 0, len(prose)):
            quoted.append(piece)
            if looks_like_code:
                pieces.append(piece)
        prose = _without(prose, quoted, "_")
    masked = _URL.sub(lambda url: "x" * len(url[0]), prose) if "://" in prose else prose
    if ":" in masked:
        masked = without_logs(masked)
    lines = list(blocks(masked))
    lines = [_without_lead(masked, piece) for piece in _merged(lines, list(paragraphs(masked, lines)))]
    pieces += lines
    prose = _without(prose, lines, "\n")
    masked = _without(masked, lines, "\n")
    within = _apart(sorted(scattered(masked, limits.CODE_SPANS), key=lambda f: f.start))
    pieces += within
    prose = _without(prose, within, "_")

    pieces.sort(key=lambda f: f.start)
    return pieces, prose


def _without_lead(text: str, piece: CodePiece) -> CodePiece:
    """Return the piece without a sentence that introduces it on its first line ("Draw this loop: while …")."""
    lead = _LEAD.match(text, piece.start, piece.end) if piece.kind == "bare" else None
    return bare(piece.kind, lead.end(), piece.end) if lead else piece


def _merged(lines: list[CodePiece], more: list[CodePiece]) -> list[CodePiece]:
    """Return the pieces of both, joined where they overlap; a joined piece has the kind of that of `lines`."""
    if not more:
        return lines
    merged: list[CodePiece] = []
    for piece in sorted(lines + more, key=lambda f: (f.start, f.end)):
        if not merged or piece.start >= merged[-1].end:
            merged.append(piece)
            continue
        last = merged[-1]
        kind = last.kind if last.kind != "bare" else piece.kind
        merged[-1] = bare(kind, last.start, max(last.end, piece.end))
    return merged


def _apart(pieces: list[CodePiece]) -> list[CodePiece]:
    """Return the pieces that overlap no earlier one; `pieces` are sorted by position."""
    apart: list[CodePiece] = []
    for piece in pieces:
        if not apart or piece.outer_start >= apart[-1].outer_end:
            apart.append(piece)
    return apart


def _without(text: str, pieces: list[CodePiece], filler: str) -> str:
    """Return `text`, of the same length, with each piece replaced by `filler`.

    The pieces are sorted and do not overlap. With a line break as filler, a piece becomes spaces between two of them.
    """
    if not pieces:
        return text
    parts: list[str] = []
    position = 0
    for piece in pieces:
        length = piece.outer_end - piece.outer_start
        blank = "\n" + " " * (length - 2) + "\n" if filler == "\n" and length > 1 else filler * length
        parts += text[position : piece.outer_start], blank
        position = piece.outer_end
    return "".join((*parts, text[position:]))
