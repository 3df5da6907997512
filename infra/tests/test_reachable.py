"""A bundle holds exactly the files that the handler's imports reach."""

import subprocess
import sys

import pytest

from infra.bundling import ROOT, bundles, site_directory
from infra.environments import host
from infra.functions import FUNCTIONS
from infra.reachable import LEFT_OUT, reachable

pytestmark = pytest.mark.slow

HANDLER = """
import late_user
from . import near
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import types_only
"""
LATE_USER = """
def use():
    import late.part
    try:
        import native.core
    except ImportError:
        import absent
"""
SOURCES = {
    "app/__init__.py": "",
    "app/handler.py": HANDLER,
    "app/near.py": "from .deeper.leaf import NAME",
    "app/far.py": "",
    "app/deeper/__init__.py": "from ..sibling import THING as _",
    "app/deeper/leaf.py": "NAME = 1",
    "app/deeper/unused.py": "",
    "app/sibling.py": "THING = 1",
    "late_user.py": LATE_USER,
    "late/__init__.py": "",
    "late/part.py": "import app.handler",
    "late/other.py": "",
    "native/__init__.py": "",
    "native/core.cpython-314-aarch64-linux-gnu.so": "",
    "native/more.cpython-314-aarch64-linux-gnu.so": "",
    "types_only.py": "",
}


def test_all_that_an_import_can_lead_to_and_nothing_else(tmp_path):
    """Parents, relative imports, imports in functions and `try`, and extensions count; imports for types do not."""
    for name, text in SOURCES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    reached = {path.relative_to(tmp_path).as_posix() for path in reachable("app.handler", (tmp_path,))}
    assert set(SOURCES) - reached == {
        "app/far.py",
        "app/deeper/unused.py",
        "late/other.py",
        "native/more.cpython-314-aarch64-linux-gnu.so",
        "types_only.py",
    }


def test_what_is_left_out_is_there_to_be_left_out():
    """Every module named in LEFT_OUT exists in the installed packages."""
    site = site_directory(host())
    for name in LEFT_OUT:
        path = site.joinpath(*name.split("."))
        assert path.exists() or path.with_suffix(".py").exists(), name


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_every_module_of_a_bundle_can_be_imported_from_it(function):
    """Every module of a bundle can be imported from it: what it imports is in the bundle too."""
    folder = bundles(host())[function.name]
    names = sorted(
        ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        for path in folder.rglob("*.py")
    )
    program = (
        f"import sys, importlib; sys.path.insert(0, {str(folder)!r})\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env={"AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_SERVICE_NAME": "test"},
    )  # fmt: skip
    assert done.stderr == ""
