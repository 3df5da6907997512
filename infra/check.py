"""Checks every environment's templates, side by side: cdk-nag, cfn-lint, the rules of this project, and
whether the parts fit together (the doctor, `pipeline doctor`).

    python -m infra.check            all environments
    python -m infra.check dev prod   some

Exits with 1 and a readable report if anything is found.
"""

import contextlib
import io
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from infra import synthesis
from infra.bundling import WORK, BundlingError, bundles
from infra.doctor.reading import read
from infra.doctor.table import examine
from infra.environments import ENVIRONMENTS, Environment, load
from infra.functions import ALL_FUNCTIONS
from infra.rules import Templates, broken_rules
from infra.synthesis import templates

LINTED_REGIONS = ["us-east-1", "eu-west-1"]
IGNORED_LINT = [
    "I",  # hints
    "W3005",  # a DependsOn that says again what a reference says: CDK writes it
    "W3037",  # no real IAM knows `bedrock:Converse`, which the engine's expects (IamDialect)
]


def synthesise(environment: Environment, folder: Path) -> list[str]:
    """Writes the environment's cloud assembly into `folder`; returns what cdk-nag says, empty if it passes."""
    try:
        synthesis.synthesise(environment, folder, bundles(environment.target, ALL_FUNCTIONS), nag=True)
    except RuntimeError as error:
        report = folder / "validation-report.json"
        return list(_nag_findings(report)) or [str(error)]
    return []


def _nag_findings(report: Path) -> Iterator[str]:
    if not report.exists():
        return
    for plugin in json.loads(report.read_text())["pluginReports"]:
        for finding in plugin.get("violations", []):
            for place in finding.get("violatingConstructs", [{}]):
                yield f"{finding['ruleName']}: {finding.get('description', '')} ({place.get('constructPath')})"


def lint(paths: list[Path]) -> list[str]:
    """What cfn-lint says of the templates."""
    # Imported late: loading takes seconds. cfn-lint ships no types.
    from cfnlint.api import lint_file  # type: ignore[import-untyped]  # noqa: PLC0415
    from cfnlint.config import ManualArgs  # type: ignore[import-untyped]  # noqa: PLC0415

    found: list[str] = []
    for path in paths:
        options = ManualArgs(regions=LINTED_REGIONS, ignore_checks=IGNORED_LINT)
        found += [f"{path.name}: {match}" for match in lint_file(path, config=options)]
    return found


def examined(made: Templates, environment: Environment) -> list[str]:
    """What the doctor finds, warnings included: what is committed has none."""
    return [
        f"{finding.check}: {finding.where}: {finding.what} {finding.why} {finding.fix}"
        for outcome in examine(read(made, environment))
        for finding in outcome.findings
    ]


def check(name: str) -> list[str]:
    """All findings of one environment."""
    folder = WORK / "check" / name
    # What is optional is in order, too.
    environment = replace(load(name), monitoring=True, budget_usd_per_day=1.0)
    problems = [f"cdk-nag: {finding}" for finding in synthesise(environment, folder)]
    made = templates(folder)
    problems += [f"rule: {finding}" for finding in broken_rules(made, environment)]
    problems += [f"doctor: {finding}" for finding in examined(made, environment)]
    problems += [f"cfn-lint: {finding}" for finding in lint(sorted(folder.glob("*.template.json")))]
    return problems


def _timed_check(name: str) -> tuple[list[str], float]:
    began = time.monotonic()
    with contextlib.redirect_stderr(io.StringIO()):
        problems = check(name)
    return problems, time.monotonic() - began


def main(names: list[str]) -> int:
    found = 0
    chosen = names or list(ENVIRONMENTS)
    # Spawned, not forked: each process needs a Node of its own for jsii.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(len(chosen), os.cpu_count() or 1), mp_context=spawn) as pool:
        for name, (problems, took) in zip(chosen, pool.map(_timed_check, chosen), strict=True):
            verdict = f"{len(problems)} problems" if problems else "in order"
            sys.stdout.write(f"{name}: {verdict} ({took:.1f} s)\n")
            sys.stdout.writelines(f"  {problem}\n" for problem in problems)
            found += len(problems)
    return 1 if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BundlingError as problem:
        sys.exit(f"error: {problem}")
