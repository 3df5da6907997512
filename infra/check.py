"""Checks the templates of all environments in parallel, with cdk-nag, cfn-lint, this project's rules and the doctor.

    python -m infra.check            checks all environments
    python -m infra.check dev prod   checks these environments

It prints a report, and exits with 1 if there are problems.
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
from infra.environments import ENVIRONMENTS, Environment
from infra.functions import ALL_FUNCTIONS
from infra.options import OptionError, load_deployed
from infra.rules import Templates, broken_rules
from infra.synthesis import templates

LINTED_REGIONS = ["us-east-1", "eu-west-1"]
IGNORED_LINT = [
    "I",  # informational hints
    "W3005",  # a DependsOn that a reference already implies: CDK writes it
    "W3037",  # `bedrock:Converse` is no action on AWS, but the engine's IAM expects it (IamDialect)
]


def synthesise(environment: Environment, folder: Path) -> list[str]:
    """Write the environment's cloud assembly into `folder` and return cdk-nag's findings."""
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
    """Return cfn-lint's findings on the templates."""
    # Imported late: loading takes seconds. cfn-lint ships no types.
    from cfnlint.api import lint_file  # type: ignore[import-untyped]  # noqa: PLC0415
    from cfnlint.config import ManualArgs  # type: ignore[import-untyped]  # noqa: PLC0415

    findings: list[str] = []
    for path in paths:
        options = ManualArgs(regions=LINTED_REGIONS, ignore_checks=IGNORED_LINT)
        findings += [f"{path.name}: {match}" for match in lint_file(path, config=options)]
    return findings


def examined(synthesised: Templates, environment: Environment) -> list[str]:
    """Return the doctor's findings, including warnings: committed code must have no errors and no warnings."""
    return [
        f"{finding.check}: {finding.where}: {finding.what} {finding.why} {finding.fix}"
        for outcome in examine(read(synthesised, environment))
        for finding in outcome.findings
    ]


def check(name: str) -> list[str]:
    """Return all findings on the environment `name`."""
    folder = WORK / "check" / name
    # The optional parts are checked too.
    environment = replace(load_deployed(name), monitoring=True, budget_usd_per_day=1.0)
    problems = [f"cdk-nag: {finding}" for finding in synthesise(environment, folder)]
    synthesised = templates(folder)
    problems += [f"rule: {finding}" for finding in broken_rules(synthesised, environment)]
    problems += [f"doctor: {finding}" for finding in examined(synthesised, environment)]
    problems += [f"cfn-lint: {finding}" for finding in lint(sorted(folder.glob("*.template.json")))]
    return problems


def _timed_check(name: str) -> tuple[list[str], float]:
    began = time.monotonic()
    with contextlib.redirect_stderr(io.StringIO()):
        problems = check(name)
    return problems, time.monotonic() - began


def main(names: list[str]) -> int:
    total = 0
    chosen = names or list(ENVIRONMENTS)
    # Spawned, not forked: each process needs a Node of its own for jsii.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(len(chosen), os.cpu_count() or 1), mp_context=spawn) as pool:
        for name, (problems, took) in zip(chosen, pool.map(_timed_check, chosen), strict=True):
            verdict = f"{len(problems)} problem{'s' * (len(problems) != 1)}" if problems else "no problems"
            sys.stdout.write(f"{name}: {verdict} ({took:.1f} s)\n")
            sys.stdout.writelines(f"  {problem}\n" for problem in problems)
            total += len(problems)
    return 1 if total else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BundlingError, OptionError) as problem:
        sys.exit(f"error: {problem}")
