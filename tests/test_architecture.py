"""The rules of the layout that import-linter can't express; pyproject.toml has the others."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SERVICES = sorted(path.parent for path in (ROOT / "services").glob("*/__init__.py"))
TOKEN_HOLDERS = {
    "shared/contracts/envelope.py",
    "shared/contracts/schemas.py",
    "shared/worker/outcome.py",
    "shared/worker/inbox.py",
}


def sources(*folders: str) -> Iterator[Path]:
    """Python files that are deployed: no tests."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not {"tests", "evaluation"} & set(path.relative_to(ROOT).parts):
                yield path


def imports(path: Path) -> set[str]:
    """The dotted names a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_every_service_has_a_core():
    """The rule that a core is pure, which names cores by their path, leaves no service out."""
    cores = {path for name in ("core.py", "core/__init__.py") for path in (ROOT / "services").rglob(name)}
    assert [
        service.name for service in SERVICES if not any(core.is_relative_to(service) for core in cores)
    ] == []


def test_no_test_module_is_imported():
    """What tests share stands in support modules: one test file changes without another."""
    known = (
        path.relative_to(ROOT) for path in ROOT.glob("*/**/*.py") if path.relative_to(ROOT).parts[0][0] != "."
    )
    paths = [path for path in known if path.parts[0] != "node_modules"]
    assert [
        f"{path} imports {name}"
        for path in paths
        for name in sorted(imports(ROOT / path))
        if any(part.startswith("test_") for part in name.split(".")) and "tests" in name.split(".")
    ] == []


def test_boto3_stays_out_of_the_functions():
    """Functions use botocore directly: importing boto3 costs a third of a cold start."""
    assert [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("shared", "services")
        for name in sorted(imports(path))
        if name.partition(".")[0] == "boto3"
    ] == []


def test_only_the_worker_handles_task_tokens():
    """No service's code can log, store or lose a token, because none ever sees one."""
    mentions = {
        str(path.relative_to(ROOT))
        for path in sources("shared", "services")
        if "task_token" in path.read_text("utf-8") or "taskToken" in path.read_text("utf-8")
    }
    assert mentions <= TOKEN_HOLDERS
