"""The rules of the layout: who may import whom, and who may see a task token."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/__init__.py"))
AWS_LIBRARIES = ("boto3", "botocore", "aws_lambda_powertools")
NOT_DEPLOYED = ("infra", "local", "cli", "tests", "bench")
TOKEN_HOLDERS = {
    "shared/contracts/envelope.py",
    "shared/contracts/schemas.py",
    "shared/callback.py",
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


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def offenders(paths: Iterator[Path], *packages: str) -> list[str]:
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in paths
        for name in sorted(imports(path))
        if any(within(name, package) for package in packages)
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_knows_no_other(service):
    """One service changes without another being opened: they share contracts, not code."""
    others = [f"services.{other}" for other in SERVICES if other != service]
    assert offenders(sources(f"services/{service}"), *others) == []


def test_a_core_is_pure():
    """The interesting code runs without AWS: no core imports boto3, botocore or Powertools."""
    cores = (path for path in sources("services") if path.name == "core.py" or path.parent.name == "core")
    assert offenders(cores, *AWS_LIBRARIES) == []


def test_what_is_deployed_imports_nothing_that_is_not():
    """A bundle needs only `shared` and its own service."""
    assert offenders(sources("shared", "services"), *NOT_DEPLOYED) == []


def test_shared_knows_no_service():
    """`shared` is what services agree on; it depends on none of them."""
    assert offenders(sources("shared"), "services") == []


def test_boto3_stays_out_of_the_functions():
    """Functions use botocore directly: importing boto3 costs a third of a cold start."""
    assert offenders(sources("shared", "services"), "boto3") == []


def test_only_the_worker_handles_task_tokens():
    """No service's code can log, store or lose a token, because none ever sees one."""
    mentions = {
        str(path.relative_to(ROOT))
        for path in sources("shared", "services")
        if "task_token" in path.read_text("utf-8") or "taskToken" in path.read_text("utf-8")
    }
    assert mentions <= TOKEN_HOLDERS
