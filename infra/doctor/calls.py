"""The AWS operations that a function's code can call, read from the source of every module that it imports.

This errs on the safe side: an attribute of any object counts as a call. A right whose operation appears nowhere is
certainly unused.
"""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
OURS: Final = ("shared", "services")

_LIBRARIES: Final = {
    "aws_lambda_powertools.utilities.idempotency": frozenset(
        {"get_item", "put_item", "update_item", "delete_item"}
    ),
}
"""Operations that a library calls for this project, by the library's module."""
_OPERATIONS: Final = {
    "bedrock:InvokeModel": "converse",
    "bedrock:Converse": "converse",
    "bedrock:ApplyGuardrail": "converse",
    "lambda:InvokeFunction": "invoke",
    "lambda:ListEventSourceMappings": "get_event_source_mapping",  # the right that the engine's IAM expects
}
"""Rights that are not named like the operation they allow."""


def operation(action: str) -> str:
    """Return the client method that needs the right `action`, e.g. `send_task_success`."""
    name = action.partition(":")[2]
    return _OPERATIONS.get(action) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


@cache
def called(module: str) -> frozenset[str]:
    """Return every attribute name in the source of `module` and of all modules of this project that it imports."""
    names: set[str] = set()
    seen: set[str] = set()
    pending = [module]
    while pending:
        current = pending.pop()
        path = _path(current)
        if current in seen or path is None:
            continue
        seen.add(current)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif isinstance(node, ast.Import):
                pending += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                pending += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                names |= _LIBRARIES.get(node.module, frozenset())
    return frozenset(names)


def _path(module: str) -> Path | None:
    """Return the source file of a module of this project, or None for any other module."""
    if module.partition(".")[0] not in OURS:
        return None
    base = ROOT.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.exists()), None)
