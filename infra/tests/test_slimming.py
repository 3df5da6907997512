"""Imports in a bundle's packages are deferred without changing what the packages do."""

import subprocess
import sys
from textwrap import dedent

import pytest

from infra import slimming
from infra.bundling import bundles
from infra.environments import host
from infra.functions import FUNCTIONS
from infra.slimming import SlimmingError, deferred, lazy_package

pytestmark = pytest.mark.slow

MODULE = '''
"""Says what it is."""
from __future__ import annotations
import heavy
from other import Thing as It, More
import light

if light.TYPE_CHECKING:
    pass

def names() -> heavy.Kind:
    """Uses two."""
    return heavy.NAME, [More for _ in range(1)]

class Uses:
    def method(self, it: It = None):
        def inner():
            return It
        return inner()

    async def nothing(self):
        return light.NAME
'''


def run(source: str, modules: dict[str, str], ask: str) -> str:
    """Return what the program `ask` prints if `source` is the module `made` and `modules` can be imported."""
    program = dedent(
        f"""
        import importlib.abc, importlib.util, sys
        SOURCES = {modules | {"made": source}!r}
        class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
            def find_spec(self, name, path=None, target=None):
                if name in SOURCES:
                    is_package = any(other.startswith(name + ".") for other in SOURCES)
                    return importlib.util.spec_from_loader(name, self, is_package=is_package)
            def create_module(self, spec):
                return None
            def exec_module(self, module):
                exec(SOURCES[module.__name__], module.__dict__)
        sys.meta_path.insert(0, Finder())
        import made
        """
    )
    process = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"{program}\n{ask}"], capture_output=True, text=True, check=False
    )
    return process.stdout.strip() or process.stderr.strip().splitlines()[-1]


OTHERS = {
    "heavy": "NAME = 'heavy'",
    "other": "Thing, More = 'thing', 'more'",
    "light": "NAME, TYPE_CHECKING = 'light', False",
}


def test_a_deferred_import_happens_where_it_is_used():
    """A deferred module is not loaded at import, and every function and method that uses it has it."""
    edited = deferred(MODULE, ("heavy", "other"))
    assert (
        run(edited, OTHERS, "print([n for n in ('heavy', 'other', 'light') if n in sys.modules])")
        == "['light']"
    )
    assert run(edited, OTHERS, "print(made.names(), made.Uses().method())") == "('heavy', ['more']) thing"
    assert run(edited, OTHERS, "print(made.names.__doc__, made.__doc__)") == "Uses two. Says what it is."


def test_the_rest_of_a_module_stays_as_it_is():
    """An edit keeps comments and quotes, and the line numbers up to the moved import."""
    before = [
        "import heavy",
        "",
        "# why",
        "def f():",
        "    'Says.'",
        "",
        "    # how",
        "    return f'{heavy.NAME!r}'",
    ]
    after = deferred("\n".join(before), ("heavy",)).splitlines()
    assert after[:-1] == ["", *before[1:7], "    import heavy", before[7]]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import other\n", "does not import heavy"),
        ("import heavy\nNAME = heavy.NAME\n", "uses heavy while"),
        ("import heavy\nclass A(heavy.B): pass\n", "uses heavy while"),
        ("import heavy\ndef f(a=heavy.NAME): pass\n", "uses heavy while"),
        ("import heavy\n@heavy.wrap\ndef f(): pass\n", "uses heavy while"),
        ("import heavy\ndef f(a: heavy.Kind): pass\n", "uses heavy while"),
        ("import heavy\nf = lambda: heavy.NAME\n", "uses heavy while"),
        ("import heavy\ndef f(): return heavy.NAME\n", "on a single line"),
    ],
)
def test_what_can_not_be_deferred_is_refused(source, reason):
    """Deferring a missing import, or a name that is used while the module is imported, is an error."""
    with pytest.raises(SlimmingError, match=reason):
        deferred(source, ("heavy",))


def test_a_lazy_package_imports_what_is_asked_for():
    """A lazy package has its names as before, imports each on its own, and raises AttributeError for others."""
    package = lazy_package(
        "'''Two.'''\nfrom .one import One\nfrom made.two import Two as Second\n__all__ = ['One', 'Second']"
    )
    others = {"made.one": "One = 1", "made.two": "Two = 2"}
    assert (
        run(package, others, "print(made.__doc__, [n for n in sys.modules if n.startswith('made.')])")
        == "Two. []"
    )
    assert run(package, others, "print(made.One, 'made.two' in sys.modules, made.__all__)") == (
        "1 False ['One', 'Second']"
    )
    assert run(package, others, "from made import *; print(One, Second)") == "1 2"
    assert "has no attribute" in run(package, others, "made.Third")


def test_a_package_that_does_more_is_refused():
    """An `__init__` with other code, or with names that are not listed, cannot be made lazy."""
    for source in ("from .one import *\n", "import os\n", "from .one import One\nOne.register()\n"):
        with pytest.raises(SlimmingError, match="does more"):
            lazy_package(source)


def test_every_edit_is_made():
    """Every edit is applied in at least one function's bundle."""
    folders = bundles(host()).values()
    for name in slimming.EDITS:
        files = [folder / name for folder in folders if (folder / name).exists()]
        assert files, name
        assert all(file.read_text("utf-8").endswith(slimming._FOOTER) for file in files)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_cold_start_leaves_out_what_it_does_not_use(function):
    """Importing a handler loads no documentation generator, asyncio, S3 transfers or package metadata."""
    folder = bundles(host())[function.name]
    program = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); import {function.module}; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program], capture_output=True, text=True, check=True,
        env={"AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_SERVICE_NAME": "test"},
    )  # fmt: skip
    unused = {
        "asyncio",
        "s3transfer",
        "botocore.docs.service",
        "importlib.metadata",
        "html.parser",
        "pydantic",
    }
    assert unused & set(done.stdout.split()) == set()


def test_a_changed_package_is_named(tmp_path):
    """An edit that no longer fits is an error that names the file and where to adapt the edit."""
    file = tmp_path / "boto3" / "__init__.py"
    file.parent.mkdir()
    file.write_text("from boto3.session import Session\n")
    with pytest.raises(
        SlimmingError,
        match=r"boto3/__init__\.py does not import boto3\.compat: its package has changed, so adapt",
    ):
        slimming.slim(tmp_path)
