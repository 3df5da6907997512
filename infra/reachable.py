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

from infra import slimming
from infra.syntax import parse

LEFT_OUT: Final = {
    "aws_lambda_powertools.event_handler": "Powertools' resolvers: the API's routes are a dictionary",
    "aws_lambda_powertools.utilities.parser": "for pydantic, which is not installed",
    "boto3.compat": "for older Pythons and S3 transfers",
    "boto3.data": "boto3's resources, which the functions do not use",
    "boto3.docs": "generates documentation of resources",
    "boto3.resources": "boto3's resources, which the functions do not use",
    "boto3.session": "the chatbot passes a client to its store of answers",
    "botocore.crt.auth": "for awscrt, which is not installed",
    "botocore.docs.bcdoc": "generates botocore's documentation",
    "botocore.docs.method": "generates botocore's documentation",
    "botocore.docs.paginator": "generates botocore's documentation",
    "botocore.docs.service": "generates botocore's documentation",
    "botocore.docs.waiter": "generates botocore's documentation",
    "dateutil.easter": "computes recurring days, which the functions do not use",
    "dateutil.rrule": "computes recurring days, which the functions do not use",
    "dateutil.tz.win": "for Windows",
    "dateutil.zoneinfo": "time zones by name: botocore uses UTC and the local time zone only",
    "s3transfer": "boto3's transfers to S3",
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
        parent, _, leaf = name.rpartition(".")
        names += [parent] if parent else []
        for root in roots:
            for file in _files(root, name):
                files.add(file)
                names += _imports(root, file, name) if file.suffix == ".py" else ()
            names += _origin(root, parent, leaf)
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


def _origin(root: Path, package: str, name: str) -> Iterator[str]:
    """Yield the module from which a lazy package imports a name."""
    file = f"{package.replace('.', '/')}/__init__.py"
    if slimming.EDITS.get(file) is slimming.lazy_package and (root / file).exists():
        module, _ = slimming.re_exported((root / file).read_text("utf-8")).get(name, ("", ""))
        if module:
            yield f"{package}{module}" if module.startswith(".") else module


@cache
def _imports(root: Path, file: Path, name: str) -> tuple[str, ...]:
    """Return the absolute names that a file imports; some may be attributes of a module instead of modules."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    source = slimming.edited(file.relative_to(root).as_posix(), file.read_text("utf-8"))
    return tuple(_named(parse(source), package))


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
