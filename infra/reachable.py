"""Which files a function can ever import: read from its import statements and those of everything they name.

Nothing is run, so that a bundle for another Python and another processor is made the same way. Imports within
functions count, those for type checkers don't. What imports by a name it computes can't be seen here: of the
functions' packages only botocore's plugins and dateutil's conveniences do, and neither is used.
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
    "aws_lambda_powertools.utilities.parser": "models for pydantic, which is not among the packages",
    "boto3.compat": "older Pythons, and S3 transfers",
    "boto3.data": "resources",
    "boto3.docs": "the manual of resources",
    "boto3.resources": "resources",
    "boto3.session": "the chatbot's store of answers is given a client",
    "botocore.crt.auth": "for awscrt, which is not among the packages",
    "botocore.docs.bcdoc": "the manual that botocore writes of itself",
    "botocore.docs.method": "the same",
    "botocore.docs.paginator": "the same",
    "botocore.docs.service": "the same",
    "botocore.docs.waiter": "the same",
    "dateutil.easter": "recurring days: nobody reads calendars here",
    "dateutil.rrule": "the same",
    "dateutil.tz.win": "Windows",
    "dateutil.zoneinfo": "time zones by name: botocore asks for UTC and the machine's own",
    "s3transfer": "boto3's transfers to S3",
    "urllib3.contrib.emscripten": "browsers",
    "urllib3.contrib.pyopenssl": "for PyOpenSSL, which is not among the packages",
    "urllib3.http2.connection": "for h2, which is not among the packages",
}
"""Modules that only code imports which never runs in a function."""


def reachable(module: str, roots: Sequence[Path]) -> set[Path]:
    """The source and extension files under `roots` (folders as on `sys.path`) that importing `module` may load, now
    or later; `module` itself among them.
    """
    found: set[Path] = set()
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
                found.add(file)
                names += _imports(root, file, name) if file.suffix == ".py" else ()
            names += _behind(root, parent, leaf)
    return found


def is_left_out(name: str) -> bool:
    return any(name == out or name.startswith(f"{out}.") for out in LEFT_OUT)


def _files(root: Path, name: str) -> Iterator[Path]:
    path = root.joinpath(*name.split("."))
    if (package := path / "__init__.py").exists():
        yield package
    elif (module := path.with_name(f"{path.name}.py")).exists():
        yield module
    elif path.parent.is_dir():
        yield from (file for file in path.parent.glob(f"{path.name}.*") if file.suffix in {".so", ".pyd"})


def _behind(root: Path, package: str, name: str) -> Iterator[str]:
    """The module that a lazy package takes a name from."""
    file = f"{package.replace('.', '/')}/__init__.py"
    if slimming.EDITS.get(file) is slimming.lazy_package and (root / file).exists():
        module, _ = slimming.handed_on((root / file).read_text("utf-8")).get(name, ("", ""))
        if module:
            yield f"{package}{module}" if module.startswith(".") else module


@cache
def _imports(root: Path, file: Path, name: str) -> tuple[str, ...]:
    """Absolute names, also those that may be attributes of a module instead of modules."""
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
            for otherwise in orelse:
                yield from _named(otherwise, package)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _named(child, package)
