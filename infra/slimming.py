"""What a bundle's third-party modules import only when it is needed, instead of at every cold start.

Packages import for all their users: botocore the generator of its manual, Powertools asyncio and the data classes
of every event source, boto3 its S3 transfers. In a bundle (never in an environment) such imports are moved into the
functions that use them. Nothing is taken away: whoever uses it, imports it then.
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
    """A module is not what its edit expects: the package has changed. The text names it."""


def deferred(source: str, modules: Collection[str]) -> str:
    """`source` with its top-level imports of `modules` moved into the functions that use them.

    Raises SlimmingError where a module is not imported, or is used while the source itself is imported.
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
    """The lines of `source`, those of `statements` empty: what stands behind them keeps its number."""
    lines = [f"{line}\n" for line in source.splitlines()]
    for statement in statements:
        for number in range(statement.lineno - 1, statement.end_lineno or statement.lineno):
            lines[number] = "\n"
    return lines


def _insert(
    lines: list[str], function: ast.FunctionDef | ast.AsyncFunctionDef, imports: Sequence[str]
) -> None:
    """`imports` before the first statement of `function` behind its docstring. Raises SlimmingError if it shares a
    line with something else.
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
    """The names that an import of one of `modules` binds; none for other statements."""
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
    """The outermost ones, methods among them."""
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


def handed_on(source: str) -> dict[str, tuple[str, str]]:
    """Where a package's `__init__` that only hands on names has each from: `{name: (module, attribute)}`.

    Raises SlimmingError for one that does more.
    """
    names: dict[str, tuple[str, str]] = {}
    for statement in parse(source).body:
        match statement:
            case ast.ImportFrom(names=aliases) if all(alias.name != "*" for alias in aliases):
                names |= {alias.asname or alias.name: (_module(statement), alias.name) for alias in aliases}
            case ast.Expr(value=ast.Constant(value=str())) | ast.Assign(targets=[ast.Name(id="__all__")]):
                pass
            case _:
                raise SlimmingError(f"does more than hand on names, in line {statement.lineno}")
    return names


def lazy_package(source: str) -> str:
    """A package's `__init__` with each name it hands on imported when it is first asked for."""
    names = handed_on(source)
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
"""By file of a bundle; measured, each is worth 2 to 12 % of a cold start that has it."""


def edited(name: str, source: str) -> str:
    """The module `name` (a path in its site directory) as it is bundled. Raises SlimmingError if it has changed."""
    if name not in EDITS:
        return source
    try:
        return EDITS[name](source)
    except SlimmingError as error:
        raise SlimmingError(f"{name} {error}: adapt its edit in infra/slimming.py") from None


def slim(folder: Path) -> None:
    """Edits the modules of a bundle. Raises SlimmingError, with the file's name, where one has changed."""
    for name in EDITS:
        file = folder / name
        if file.exists():
            file.write_text(edited(name, file.read_text("utf-8")), "utf-8")
