"""Parses Python source, one at a time."""

import ast
from threading import Lock

_ONE_AT_A_TIME = Lock()


def parse(source: str) -> ast.Module:
    """`ast.parse`, for bundles that are made side by side.

    CPython counts the depth of a tree it makes for the whole interpreter: if garbage is collected meanwhile and
    that lets another thread parse, both may end with `SystemError: AST constructor recursion depth mismatch`.
    Raises SyntaxError.
    """
    with _ONE_AT_A_TIME:
        return ast.parse(source)
