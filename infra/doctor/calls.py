"""Which AWS operations a function's code can call, from its source: what imports reach, and what that calls.

It errs on the safe side: a name that is called on anything counts. What is never called for is certainly unused.
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
"""Operations that libraries call for us, by what is imported."""
_OPERATIONS: Final = {
    "bedrock:InvokeModel": "converse",
    "bedrock:Converse": "converse",
    "bedrock:ApplyGuardrail": "converse",
    "lambda:InvokeFunction": "invoke",
    "lambda:ListEventSourceMappings": "get_event_source_mapping",  # as the engine's IAM has it
}
"""Where the right is not named like the operation it allows."""


def operation(action: str) -> str:
    """The client's method that needs the right `action`, e.g. `send_task_success`."""
    name = action.partition(":")[2]
    return _OPERATIONS.get(action) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


@cache
def called(module: str) -> frozenset[str]:
    """Every attribute that the module, and what of this project it imports, mentions."""
    names: set[str] = set()
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        current = waiting.pop()
        path = _path(current)
        if current in seen or path is None:
            continue
        seen.add(current)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                names |= _LIBRARIES.get(node.module, frozenset())
    return frozenset(names)


def _path(module: str) -> Path | None:
    """The source of a module of this project."""
    if module.partition(".")[0] not in OURS:
        return None
    base = ROOT.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.exists()), None)
