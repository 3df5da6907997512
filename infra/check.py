"""Checks the templates of all environments, with cdk-nag, cfn-lint, checkov, asl-validator, our rules and the doctor.

    python -m infra.check            checks all environments and the roles for GitHub
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
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from infra import synthesis, validators
from infra.bundling import WORK, BundlingError, bundles
from infra.doctor.reading import read
from infra.doctor.table import examine
from infra.environments import ENVIRONMENTS, Environment
from infra.functions import ALL_FUNCTIONS
from infra.options import load_deployed
from infra.rules import Templates, broken_rules
from infra.synthesis import templates

GITHUB = "github"
"""The name, among those of the environments, of the app with the roles for GitHub Actions."""
LINTED_REGIONS = ["us-east-1", "eu-west-1"]
IGNORED_LINT = [
    "I",  # informational hints
    "W3005",  # a DependsOn that a reference already implies: CDK writes it
    "W3037",  # `bedrock:Converse` is no action on AWS, but the engine's IAM expects it (IamDialect)
]


def synthesise(environment: Environment, folder: Path) -> list[str]:
    """Write the environment's cloud assembly into `folder` and return cdk-nag's findings."""
    packed = bundles(environment.target, ALL_FUNCTIONS)
    return _nagged(folder, lambda: synthesis.synthesise(environment, folder, packed, nag=True))


def _nagged(folder: Path, synth: Callable[[], None]) -> list[str]:
    try:
        synth()
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
    """Return all findings on the environment `name`, or on the roles for GitHub, but checkov's."""
    folder = folder_of(name)
    if name == GITHUB:
        return check_github(folder)
    # The optional parts are checked too.
    environment = replace(load_deployed(name), monitoring=True, budget_usd_per_day=1.0)
    problems = [f"cdk-nag: {finding}" for finding in synthesise(environment, folder)]
    synthesised = templates(folder)
    problems += [f"rule: {finding}" for finding in broken_rules(synthesised, environment)]
    problems += [f"doctor: {finding}" for finding in examined(synthesised, environment)]
    problems += [f"asl-validator: {finding}" for finding in validators.states_language(synthesised, folder)]
    problems += [f"cfn-lint: {finding}" for finding in lint(template_files(folder))]
    return problems


def check_github(folder: Path) -> list[str]:
    """Return the findings on the roles for GitHub Actions, made for every environment of a repository."""
    from infra.github_stack import DEPLOYABLE, GithubOptions  # noqa: PLC0415 -- starts Node
    from infra.github_stack import synthesise as synthesise_github  # noqa: PLC0415

    chosen = GithubOptions(repository="owner@1/name@2", environments=DEPLOYABLE, smoke=DEPLOYABLE)
    problems = [
        f"cdk-nag: {finding}" for finding in _nagged(folder, lambda: synthesise_github(chosen, folder))
    ]
    return problems + [f"cfn-lint: {finding}" for finding in lint(template_files(folder))]


def folder_of(name: str) -> Path:
    return WORK / "check" / name


def template_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.template.json"))


def check_with_checkov(names: Sequence[str], *, complete: bool) -> list[str]:
    """Return checkov's unexplained findings on what is deployed to AWS, and explanations that nothing needs.

    One call for all templates: checkov takes four seconds to start. Only all templates, `complete`, show what is
    not needed.
    """
    on_aws = [name for name in names if name == GITHUB or ENVIRONMENTS[name].engine is None]
    paths = [path for name in on_aws for path in sorted(folder_of(name).rglob("*.template.json"))]
    problems, explained = validators.checkov(paths) if paths else ([], set())
    if complete and not problems:
        problems = [
            f"nothing has {finding}; remove it" for finding in sorted(set(validators.EXPLAINED) - explained)
        ]
    return problems


def _timed_check(name: str) -> tuple[list[str], float]:
    began = time.monotonic()
    with contextlib.redirect_stderr(io.StringIO()):
        problems = check(name)
    return problems, time.monotonic() - began


def main(names: list[str]) -> int:
    total = 0
    chosen = names or [*ENVIRONMENTS, GITHUB]
    # Spawned, not forked: each process needs a Node of its own for jsii.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(len(chosen), os.cpu_count() or 1), mp_context=spawn) as pool:
        for name, (problems, took) in zip(chosen, pool.map(_timed_check, chosen), strict=True):
            _report(name, problems, took)
            total += len(problems)
    began = time.monotonic()
    problems = check_with_checkov(chosen, complete=not names)
    _report("checkov", problems, time.monotonic() - began)
    return 1 if total or problems else 0


def _report(name: str, problems: Sequence[str], took: float) -> None:
    verdict = f"{len(problems)} problem{'s' * (len(problems) != 1)}" if problems else "no problems"
    sys.stdout.write(f"{name}: {verdict} ({took:.1f} s)\n")
    sys.stdout.writelines(f"  {problem}\n" for problem in problems)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BundlingError as problem:
        sys.exit(f"error: {problem}")
