"""Functions are deployed with byte code for the Python that runs them, so that no cold start compiles."""

import importlib.util
import marshal
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from infra import bundling, byte_code
from infra.bundling import BundlingError, bundles, site_directory
from infra.byte_code import ByteCodeError, compiled, place
from infra.environments import AWS_ARM, host
from infra.functions import FUNCTIONS

pytestmark = [pytest.mark.xdist_group("bundles"), pytest.mark.slow]

UNCHECKED_HASH = (1).to_bytes(4, "little")
MAGIC_OF_PYTHON_3_14 = (3627).to_bytes(2, "little") + b"\r\n"
"""The number of CPython 3.14 since its first release candidate (`Include/internal/pycore_magic_number.h`)."""
SOURCES = {
    "shared/one.py": "NAMES = {'b', 'a', 'c'}\ndef name(): return 'a name', 1 in {3, 2, 1}, 10**30, NAMES",
    "shared/two.py": "class Two:\n    'Two.'\n    def name(self): self.name, self.other = 'a name', (1, 10**30)",
    "shared/__init__.py": "",
}


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """Three modules by their paths in a bundle, and an empty cache."""
    monkeypatch.setattr(byte_code, "CACHE", tmp_path / "byte-code")
    for name, text in SOURCES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return [(name, tmp_path / name) for name in SOURCES]


@pytest.mark.parametrize("target", [host(), AWS_ARM], ids=["host", "aws"])
def test_byte_code_depends_on_each_source_alone(sources, target):
    """A module's byte code is the same with whatever other modules, and in whatever order, it is compiled."""
    together = {name: file.read_bytes() for (name, _), file in compiled(sources, target).items()}
    shutil.rmtree(byte_code.CACHE)
    one = compiled(sources[1:2], target)
    assert one[sources[1]].read_bytes() == together["shared/two.py"]
    magic = {"host": importlib.util.MAGIC_NUMBER, "aws": MAGIC_OF_PYTHON_3_14}
    expected = magic["host" if target == host() else "aws"] + UNCHECKED_HASH
    assert {content[:8] for content in together.values()} == {expected}


def test_byte_code_names_files_as_lambda_has_them(sources):
    """A module's byte code has the path that the module has on Lambda, and nothing of this machine's folders."""
    content = compiled(sources, host())[sources[0]].read_bytes()
    code = marshal.loads(content[16:])  # noqa: S302 -- it was just made
    assert code.co_filename == "/var/task/shared/one.py"
    assert str(sources[0][1].parent).encode() not in content


def test_what_was_compiled_is_not_compiled_again(sources, monkeypatch):
    """Only a changed source is compiled, and with all byte code at hand, not even its compiler is needed."""
    before = compiled(sources, host())
    sources[1][1].write_text("CHANGED = True")
    jobs: list[str] = []
    compile_them = byte_code._compile

    def noted(wanted, target):
        jobs.extend(name for _, _, name in wanted)
        compile_them(wanted, target)

    monkeypatch.setattr(byte_code, "_compile", noted)
    after = compiled(sources, host())
    assert jobs == ["shared/two.py"]
    assert [module for module in sources if before[module] != after[module]] == [sources[1]]
    monkeypatch.setattr(byte_code, "_compile", lambda *_: pytest.fail("something was compiled again"))
    assert compiled(sources, host()) == after


def test_a_missing_compiler_is_explained(sources, monkeypatch, tmp_path):
    """Without Pyodide or Node, compiling for AWS says what to run, and for this machine works."""
    monkeypatch.setattr(
        byte_code, "node", lambda: (_ for _ in ()).throw(FileNotFoundError("Node is not installed."))
    )
    with pytest.raises(ByteCodeError, match=r"for AWS's Python 3\.14: Node is not installed\."):
        compiled(sources, AWS_ARM)
    monkeypatch.setattr(byte_code, "PYODIDE", tmp_path / "missing")
    with pytest.raises(ByteCodeError, match=r"Pyodide is missing.*Run `make setup`"):
        compiled(sources, AWS_ARM)
    assert compiled(sources, host())


@pytest.mark.parametrize("target", [host(), AWS_ARM], ids=["host", "aws"])
def test_a_module_that_can_not_be_compiled_is_named(sources, target):
    """A syntax error is reported with its file and line, and nothing is kept of the attempt."""
    sources[1][1].write_text("def broken(:")
    with pytest.raises(ByteCodeError, match=r"(?s)shared/two\.py.*line 1"):
        compiled(sources, target)
    assert not list(byte_code.CACHE.rglob("*.pyc"))


def test_another_version_of_the_compiler_is_refused(sources):
    """A compiler of another version than the target's is an error, not byte code that its Python would ignore."""
    with pytest.raises(ByteCodeError, match=r"This is Python 3\..*wanted for 3\.99"):
        compiled(sources, replace(host(), python_version="3.99"))


def test_a_bundle_is_not_made_without_its_byte_code(monkeypatch, tmp_path):
    """A compiler's error stops the synth, and leaves no bundle and no partial files."""
    site = site_directory(host())
    monkeypatch.setattr(bundling, "site_directory", lambda _: site)
    monkeypatch.setattr(bundling, "WORK", tmp_path)
    monkeypatch.setattr(
        bundling, "compiled", lambda *_: (_ for _ in ()).throw(ByteCodeError("Run `make setup`."))
    )
    with pytest.raises(BundlingError, match="Run `make setup`"):
        bundles(host(), FUNCTIONS[:1])
    assert not (tmp_path / "bundles").exists()


@pytest.mark.parametrize("target", [host(), AWS_ARM], ids=["host", "aws"])
def test_every_module_of_a_bundle_has_byte_code(target):
    """Each source in a bundle has its byte code where the target's Python looks for it, and no other is there."""
    for folder in bundles(target).values():
        sources = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py")}
        made = {path.relative_to(folder).as_posix() for path in folder.rglob("*.pyc")}
        assert made == {place(source, target) for source in sources}


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_cold_start_compiles_nothing(function, tmp_path):
    """A handler's import compiles no file of its bundle, wherever that is unpacked and whatever times it has."""
    folder = Path(shutil.copytree(bundles(host())[function.name], tmp_path / "task"))
    for path in folder.rglob("*.py"):
        os.utime(path, (315532800, 315532800))  # the CDK's zip files have one time for all files
    program = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); compiled = []\n"
        "sys.addaudithook(lambda event, arguments: event == 'compile' and compiled.append(str(arguments[1])))\n"
        f"import {function.module} as handler; print(handler.__cached__)\n"
        f"print(*[name for name in compiled if name.startswith({str(folder)!r})])\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program], capture_output=True, text=True, check=True,
        env={"AWS_DEFAULT_REGION": "us-east-1", "POWERTOOLS_SERVICE_NAME": "test"},
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        f"{folder}/{place(function.module.replace('.', '/') + '.py', host())}",
        "",
    ]
