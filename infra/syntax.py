"""Parses Python source, one file at a time."""

import ast
from threading import Lock

_ONE_AT_A_TIME = Lock()


def parse(source: str) -> ast.Module:
    """Run `ast.parse` in one thread at a time, because bundles are made in parallel.

    CPython counts the depth of a tree under construction once for the whole interpreter. If a garbage collection lets
    another thread parse meanwhile, both may fail with `SystemError: AST constructor recursion depth mismatch`.
    Raises SyntaxError.
    """
    with _ONE_AT_A_TIME:
        return ast.parse(source)
