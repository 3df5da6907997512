"""Finds the files that a function can import, by following import statements from its handler.

No code is run, so bundles for another Python or processor are made in the same way. Imports within functions count,
imports for type checkers do not. Imports by a computed name are not seen: among the functions' packages only
botocore's plugins and dateutil's lazy modules use them, and the functions use neither.
"""

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from infra.syntax import parse

LEFT_OUT: Final = {
    "aws_lambda_powertools.event_handler": "Powertools' resolvers: the API's routes are a dictionary",
    "aws_lambda_powertools.utilities.parser": "for pydantic, which is not installed",
    "boto3.data": "boto3's resources, which the functions do not use",
    "botocore.crt.auth": "for awscrt, which is not installed",
    "dateutil.easter": "computes recurring days, which the functions do not use",
    "dateutil.rrule": "computes recurring days, which the functions do not use",
    "dateutil.tz.win": "for Windows",
    "dateutil.zoneinfo": "time zones by name: botocore uses UTC and the local time zone only",
    "urllib3.contrib.emscripten": "for browsers",
    "urllib3.contrib.pyopenssl": "for PyOpenSSL, which is not installed",
    "urllib3.http2.connection": "for h2, which is not installed",
}
"""Modules that are imported only by code that never runs in a function, with the reason."""


def reachable(module: str, roots: Sequence[Path]) -> set[Path]:
    """Return the source and extension files that importing and running `module` may load, including its own.

    `roots` are folders as on `sys.path`; files elsewhere are not followed.
    """
    files: set[Path] = set()
    names, seen = [module], set[str]()
    while names:
        name = names.pop()
        if name in seen or is_left_out(name):
            continue
        seen.add(name)
        parent = name.rpartition(".")[0]
        names += [parent] if parent else []
        for root in roots:
            for file in _files(root, name):
                files.add(file)
                names += _imports(file, name) if file.suffix == ".py" else ()
    return files


def is_left_out(name: str) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in LEFT_OUT)


@cache
def _files(root: Path, name: str) -> tuple[Path, ...]:
    path = root.joinpath(*name.split("."))
    for source in (path / "__init__.py", path.with_name(f"{path.name}.py")):
        if source.exists():
            return (source,)
    return tuple(file for file in path.parent.glob(f"{path.name}.*") if file.suffix in {".so", ".pyd"})


@cache
def _imports(file: Path, name: str) -> tuple[str, ...]:
    """Return the absolute names that a file imports; some may be attributes of a module instead of modules."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    return tuple(_named(parse(file.read_text("utf-8")), package))


def _named(node: ast.AST, package: str) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            base = package.split(".")[: len(package.split(".")) - level + 1] if level else []
            whole = ".".join([*base, *([module] if module else [])])
            yield whole
            yield from (f"{whole}.{alias.name}" for alias in names)
        case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"), orelse=orelse):
            for statement in orelse:
                yield from _named(statement, package)
        case _:
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):  # no expression imports
                    yield from _named(child, package)
