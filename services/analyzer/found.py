"""A piece of code as the detectors hand it on."""

from typing import NamedTuple

from shared.contracts.v1 import CodeKind


class Found(NamedTuple):
    """`text[start:end]` is the code; `text[outer_start:outer_end]` has its fences or backticks as well."""

    kind: CodeKind
    start: int
    end: int
    outer_start: int
    outer_end: int
    language: str | None = None


def bare(kind: CodeKind, start: int, end: int, language: str | None = None) -> Found:
    return Found(kind, start, end, start, end, language)
