"""Makes a bundle's third-party modules import some other modules when they use them, instead of at every cold start.

Packages import for all their users: botocore the generator of its documentation, Powertools asyncio and the data
classes of every event source, boto3 its S3 transfers. In a bundle (never in the installed packages) such imports are
moved into the functions that use them. Nothing is removed: code that uses a module imports it at that time.
"""

import ast
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from infra.syntax import parse

_POWERTOOLS: Final = "aws_lambda_powertools/utilities"
_FOOTER: Final = "# Imports of this file are deferred: it is part of a bundle (infra/slimming.py).\n"


class SlimmingError(Exception):
    """A module does not fit its edit, because its package has changed. The text names the module."""


def deferred(source: str, modules: Collection[str]) -> str:
    """Return `source` with its top-level imports of `modules` moved into the functions that use them.

    Raises SlimmingError if a module is not imported, or is used while the source itself is imported.
    """
    tree = parse(source)
    moved: dict[str, ast.stmt] = {}
    for statement in tree.body:
        moved |= dict.fromkeys(_bound(statement, modules), statement)
    missing = set(modules) - {_module(statement) for statement in moved.values()}
    if missing:
        raise SlimmingError(f"does not import {', '.join(sorted(missing))}")
    lazy_annotations = any(_module(statement) == "__future__" for statement in tree.body)
    functions = list(_functions(tree))
    inside = {node for function in functions for part in function.body for node in ast.walk(part)}
    if lazy_annotations:
        inside |= {node for annotation in _annotations(tree) for node in ast.walk(annotation)}
    early = _names(node for node in ast.walk(tree) if node not in inside) & moved.keys()
    if early:
        raise SlimmingError(f"uses {', '.join(sorted(early))} while it is imported")
    lines = _blanked(source, moved.values())
    for function in reversed(functions):
        used = _names(node for part in function.body for node in ast.walk(part)) & moved.keys()
        imports = {ast.unparse(moved[name]) for name in used}
        _insert(lines, function, sorted(imports))
    return "".join([*lines, _FOOTER])


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def _blanked(source: str, statements: Iterable[ast.stmt]) -> list[str]:
    """Return the lines of `source` with those of `statements` empty, so that other lines keep their numbers."""
    lines = [f"{line}\n" for line in source.splitlines()]
    for statement in statements:
        for number in range(statement.lineno - 1, statement.end_lineno or statement.lineno):
            lines[number] = "\n"
    return lines


def _insert(
    lines: list[str], function: ast.FunctionDef | ast.AsyncFunctionDef, imports: Sequence[str]
) -> None:
    """Insert `imports` before the first statement of `function` after its docstring.

    Raises SlimmingError if that statement is not on a line of its own.
    """
    if not imports:
        return
    documented = ast.get_docstring(function, clean=False) is not None
    first = function.body[int(documented)]
    decorators = getattr(first, "decorator_list", [])
    number = min(node.lineno for node in (first, *decorators)) - 1
    before = lines[number][: len(lines[number]) - len(lines[number].lstrip())]
    if len(before) != first.col_offset:
        raise SlimmingError(f"has {function.name} on a single line")
    lines[number:number] = [f"{before}{statement}\n" for statement in imports]


def _bound(statement: ast.stmt, modules: Collection[str]) -> list[str]:
    """Return the names that `statement` binds if it imports one of `modules`, otherwise none."""
    if _module(statement) not in modules or not isinstance(statement, ast.Import | ast.ImportFrom):
        return []
    return [alias.asname or alias.name for alias in statement.names]


def _module(statement: ast.stmt) -> str:
    match statement:
        case ast.Import(names=[ast.alias(name=name)]) if "." not in name:
            return name
        case ast.ImportFrom(module=name, level=level):
            return "." * level + (name or "")
    return ""


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the outermost functions, including methods."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        else:
            yield from _functions(node)


def _annotations(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        match node:
            case ast.arg(annotation=ast.expr() as annotation) | ast.AnnAssign(annotation=annotation):
                yield annotation
            case (
                ast.FunctionDef(returns=ast.expr() as returns)
                | ast.AsyncFunctionDef(returns=ast.expr() as returns)
            ):
                yield returns


def re_exported(source: str) -> dict[str, tuple[str, str]]:
    """Return where a package's `__init__` imports the names that it re-exports: `{name: (module, attribute)}`.

    Raises SlimmingError if the `__init__` does anything else.
    """
    names: dict[str, tuple[str, str]] = {}
    for statement in parse(source).body:
        match statement:
            case ast.ImportFrom(names=aliases) if all(alias.name != "*" for alias in aliases):
                names |= {alias.asname or alias.name: (_module(statement), alias.name) for alias in aliases}
            case ast.Expr(value=ast.Constant(value=str())) | ast.Assign(targets=[ast.Name(id="__all__")]):
                pass
            case _:
                raise SlimmingError(f"does more than re-export names, in line {statement.lineno}")
    return names


def lazy_package(source: str) -> str:
    """Return a package's `__init__` that imports each re-exported name when it is first accessed."""
    names = re_exported(source)
    imports = [statement for statement in parse(source).body if isinstance(statement, ast.ImportFrom)]
    lookup = f"""
def __getattr__(name):
    import importlib
    if name not in _NAMES:
        raise AttributeError(f"module {{__name__!r}} has no attribute {{name!r}}")
    module, attribute = _NAMES[name]
    value = getattr(importlib.import_module(module, __name__), attribute)
    globals()[name] = value
    return value
_NAMES = {names!r}
"""
    return "".join([*_blanked(source, imports), lookup, _FOOTER])


def _without(*modules: str) -> Callable[[str], str]:
    return partial(deferred, modules=modules)


EDITS: Final[Mapping[str, Callable[[str], str]]] = {
    "botocore/docs/__init__.py": _without("botocore.docs.service"),
    "botocore/docs/docstring.py": _without(
        "botocore.docs.bcdoc.restdoc",
        "botocore.docs.method",
        "botocore.docs.paginator",
        "botocore.docs.waiter",
    ),
    "urllib3/http2/__init__.py": _without("importlib.metadata"),
    f"{_POWERTOOLS}/batch/base.py": _without("asyncio"),
    f"{_POWERTOOLS}/data_classes/__init__.py": lazy_package,
    "boto3/__init__.py": _without("boto3.compat", "boto3.session"),
    "boto3/dynamodb/types.py": _without("boto3.compat"),
}
"""The edits by file of a bundle. Each was measured to shorten the cold starts that it affects by 2 to 12 %."""


def edited(name: str, source: str) -> str:
    """Return the source of the module `name` (a path in the site directory) as it is bundled.

    Raises SlimmingError if the module does not fit its edit.
    """
    if name not in EDITS:
        return source
    try:
        return EDITS[name](source)
    except SlimmingError as error:
        raise SlimmingError(
            f"{name} {error}: its package has changed, so adapt its edit in infra/slimming.py"
        ) from None


def slim(folder: Path) -> None:
    """Edit the modules of a bundle. Raises SlimmingError, with the file's name, if a module does not fit its edit."""
    for name in EDITS:
        file = folder / name
        if file.exists():
            file.write_text(edited(name, file.read_text("utf-8")), "utf-8")
