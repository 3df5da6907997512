"""The rules of the layout that import-linter can't express; pyproject.toml has the others."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SERVICES = sorted(path.parent for path in (ROOT / "services").glob("*/__init__.py"))
TOKEN_HOLDERS = {
    "shared/contracts/envelope.py",
    "shared/contracts/schemas.py",
    "shared/waiting/store.py",
    "shared/worker/outcome.py",
    "shared/worker/inbox.py",
}


def project() -> Iterator[Path]:
    """Yield all Python files of the project, relative to its folder."""
    for folder in sorted(ROOT.iterdir()):
        if folder.is_dir() and folder.name[0] != "." and folder.name != "node_modules":
            yield from (path.relative_to(ROOT) for path in folder.rglob("*.py"))


def sources(*folders: str) -> Iterator[Path]:
    """Yield the deployed Python files of these folders, without tests."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not {"tests", "evaluation"} & set(path.relative_to(ROOT).parts):
                yield path


def imports(path: Path) -> set[str]:
    """Return the dotted names that a file imports anywhere."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_every_service_has_a_core():
    """Every service has a core under one of the two paths by which the rule for pure cores finds it."""
    cores = {path for name in ("core.py", "core/__init__.py") for path in (ROOT / "services").rglob(name)}
    assert [
        service.name for service in SERVICES if not any(core.is_relative_to(service) for core in cores)
    ] == []


@pytest.mark.parametrize(
    "core",
    [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted((ROOT / "services").rglob("core.py"))
    ],
)
def test_importing_a_core_loads_no_aws_library(core):
    """A core is pure at run time, too: the packages around it, which import-linter ignores, load no AWS library."""
    program = (
        f"import sys, {core}; print(*({{'boto3', 'botocore', 'aws_lambda_powertools'}} & set(sys.modules)))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.split() == []


def test_no_test_module_is_imported():
    """No module imports a test module; tests share code in support modules."""
    assert [
        f"{path} imports {name}"
        for path in project()
        for name in sorted(imports(ROOT / path))
        if any(part.startswith("test_") for part in name.split(".")) and "tests" in name.split(".")
    ] == []


def test_boto3_stays_out_of_the_functions():
    """Deployed code never imports boto3, which would take a third of a cold start."""
    assert [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("shared", "services")
        for name in sorted(imports(path))
        if name.partition(".")[0] == "boto3"
    ] == []


def test_every_test_that_needs_an_engine_is_run():
    """Each module with the mark `engine` is in a folder where `make test` looks for the tests that need one."""
    (folders,) = re.findall(r"^ENGINE_TESTS := (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    marked = [path for path in project() if re.search(r"mark[.]engine\b", (ROOT / path).read_text("utf-8"))]
    assert marked
    assert [path for path in marked if not any(path.is_relative_to(name) for name in folders.split())] == []


def test_only_the_worker_handles_task_tokens():
    """Only the worker's modules, the envelope and the store of waiting runs mention task tokens, so that no service
    can log or lose one.
    """
    mentions = {
        str(path.relative_to(ROOT))
        for path in sources("shared", "services")
        if "task_token" in path.read_text("utf-8") or "taskToken" in path.read_text("utf-8")
    }
    assert mentions <= TOKEN_HOLDERS


def test_no_link_leaves_the_project():
    """No file of the project is a link to a place outside it, which other machines don't have."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    names = filter(None, listed.stdout.split("\0"))
    links = [name for name in names if (ROOT / name).is_symlink()]
    assert [name for name in links if not (ROOT / name).resolve().is_relative_to(ROOT)] == []
