"""A piece of code, as the detectors report it."""

from typing import NamedTuple

from shared.contracts.v1 import CodeKind


class CodePiece(NamedTuple):
    """Positions of a piece: `text[start:end]` is the code; the outer ones include its fences or backticks."""

    kind: CodeKind
    start: int
    end: int
    outer_start: int
    outer_end: int
    language: str | None = None


def bare(kind: CodeKind, start: int, end: int, language: str | None = None) -> CodePiece:
    return CodePiece(kind, start, end, start, end, language)
