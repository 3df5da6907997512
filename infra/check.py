"""Checks the templates of all environments in parallel, with cdk-nag, cfn-lint, this project's rules and the doctor.

    python -m infra.check            checks all environments
    python -m infra.check dev prod   checks these environments

Templates are checked for all supported regions. It prints a report, and exits with 1 if there are problems.
"""

import contextlib
import io
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from infra import synthesis
from infra.bundling import WORK, BundlingError, bundles
from infra.doctor.reading import read
from infra.doctor.table import examine
from infra.environments import DEFAULT_REGION, ENVIRONMENTS, Environment
from infra.functions import ALL_FUNCTIONS
from infra.options import load_deployed
from infra.regions import SUPPORTED
from infra.rules import Templates, broken_rules
from infra.synthesis import templates

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


def lint(linted: Mapping[Path, Sequence[str]]) -> list[str]:
    """Return cfn-lint's findings on the templates, each for the regions that it is deployed to."""
    # Imported late: loading takes seconds. cfn-lint ships no types.
    from cfnlint.api import lint_file  # type: ignore[import-untyped]  # noqa: PLC0415
    from cfnlint.config import ManualArgs  # type: ignore[import-untyped]  # noqa: PLC0415

    findings: list[str] = []
    for path, regions in linted.items():
        options = ManualArgs(regions=list(regions), ignore_checks=IGNORED_LINT)
        findings += [f"{path.name}: {match}" for match in lint_file(path, config=options)]
    return findings


def examined(synthesised: Templates, environment: Environment) -> list[str]:
    """Return the doctor's findings, including warnings: committed code must have no errors and no warnings."""
    return [
        f"{finding.check}: {finding.where}: {finding.what} {finding.why} {finding.fix}"
        for outcome in examine(read(synthesised, environment))
        for finding in outcome.findings
    ]


def region_groups(name: str) -> list[tuple[Environment, list[str]]]:
    """Return the environment as it is deployed to each group of supported regions that get the same resources."""
    groups: list[tuple[Environment, list[str]]] = []
    for region in (DEFAULT_REGION, *(other for other in SUPPORTED if other != DEFAULT_REGION)):
        here = load_deployed(name, region=region)
        # The chatbot's settings are values of variables and names in rights, which cfn-lint does not judge.
        alike = replace(here, region=DEFAULT_REGION, chatbot=ENVIRONMENTS[name].chatbot)
        for environment, regions in groups:
            if environment == alike:
                regions.append(region)
                break
        else:
            groups.append((alike, [region]))
    return groups


def check(name: str) -> list[str]:
    """Return all findings on the environment `name` in all supported regions."""
    problems: list[str] = []
    linted: dict[Path, list[str]] = {}
    by_content: dict[str, Path] = {}
    for environment, regions in region_groups(name):
        folder = WORK / "check" / name / regions[0]
        # The optional parts are checked too.
        whole = replace(environment, monitoring=True, budget_usd_per_day=1.0)
        found = [f"cdk-nag: {finding}" for finding in synthesise(whole, folder)]
        synthesised = templates(folder)
        found += [f"rule: {finding}" for finding in broken_rules(synthesised, whole)]
        found += [f"doctor: {finding}" for finding in examined(synthesised, whole)]
        problems += [finding for finding in found if finding not in problems]
        for path in sorted(folder.glob("*.template.json")):
            # A template that is the same in another group is linted once, for the regions of both.
            linted.setdefault(by_content.setdefault(path.read_text(), path), []).extend(regions)
    return problems + [f"cfn-lint: {finding}" for finding in lint(linted)]


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
    except BundlingError as problem:
        sys.exit(f"error: {problem}")
