"""Checks the templates of all environments, with cdk-nag, cfn-lint, checkov, asl-validator, our rules and the doctor.

    python -m infra.check            checks all environments and the roles for GitHub
    python -m infra.check dev prod   checks these environments

Templates are checked for all supported regions. It prints a report, and exits with 1 if there are problems.
"""

import contextlib
import io
import json
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from infra import synthesis, validators
from infra.bundling import WORK, BundlingError, bundles
from infra.doctor.reading import read
from infra.doctor.table import examine
from infra.environments import DEFAULT_REGION, ENVIRONMENTS, Environment
from infra.functions import ALL_FUNCTIONS
from infra.option_kinds import OptionError
from infra.options import load_deployed
from infra.regions import SUPPORTED
from infra.rules import Templates, broken_rules
from infra.synthesis import templates
from shared.settings import OFF

ANY_MODEL = "company.model-v1:0"
GITHUB = "github"
"""The name, among those of the environments, of the app with the roles for GitHub Actions."""
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


def lint(linted: Mapping[Path, Sequence[str]]) -> list[str]:
    """Return cfn-lint's findings on the templates, each for the regions that it is deployed to.

    Templates for the same regions are linted together: loading the rules takes half as long as using them.
    """
    # Imported late: loading takes seconds. cfn-lint ships no types.
    from cfnlint.config import ConfigMixIn  # type: ignore[import-untyped]  # noqa: PLC0415
    from cfnlint.runner import Runner  # type: ignore[import-untyped]  # noqa: PLC0415

    alike: dict[tuple[str, ...], list[str]] = {}
    for path, regions in linted.items():
        alike.setdefault(tuple(regions), []).append(str(path))
    findings: list[str] = []
    for regions, paths in alike.items():
        config = ConfigMixIn(["--template", *paths], regions=list(regions), ignore_checks=IGNORED_LINT)
        findings += [f"{Path(match.filename).name}: {match}" for match in Runner(config).run()]
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
        # The model and its price are values of variables and names in rights, which cfn-lint does not judge. Whether
        # a region has them is judged by a deployment to it.
        here = load_deployed(name, {"model_id": ANY_MODEL, "budget_usd_per_day": OFF}, region=region)
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
        folder = WORK / "check" / (name if DEFAULT_REGION in regions else f"{name}-{regions[0]}")
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


def check_github(folder: Path) -> list[str]:
    """Return the findings on the roles for GitHub Actions, made for every environment."""
    from infra.github_stack import DEPLOYABLE, GithubOptions  # noqa: PLC0415 -- starts Node
    from infra.github_stack import synthesise as synthesise_github  # noqa: PLC0415

    chosen = GithubOptions(repository="owner@1/name@2", environments=DEPLOYABLE, smoke=DEPLOYABLE)
    problems = _nagged(folder, lambda: synthesise_github(chosen, folder))
    return [f"cdk-nag: {finding}" for finding in problems] + [
        f"cfn-lint: {finding}"
        for finding in lint(dict.fromkeys(sorted(folder.glob("*.template.json")), SUPPORTED))
    ]


def _timed_check(name: str) -> tuple[list[str], float]:
    began = time.monotonic()
    folder = WORK / "check" / name
    shutil.rmtree(folder, ignore_errors=True)  # all templates in it are checked: no old ones
    with contextlib.redirect_stderr(io.StringIO()):
        if name == GITHUB:
            problems = check_github(folder)
        else:
            problems = check(name)
            problems += [f"asl-validator: {finding}" for finding in validators.states_language(folder)]
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
    on_aws = [WORK / "check" / name for name in chosen if name == GITHUB or not ENVIRONMENTS[name].engine]
    problems = validators.audit(on_aws, complete=not names)
    _report("checkov", problems, time.monotonic() - began)
    return 1 if total or problems else 0


def _report(name: str, problems: Sequence[str], took: float) -> None:
    verdict = f"{len(problems)} problem{'s' * (len(problems) != 1)}" if problems else "no problems"
    sys.stdout.write(f"{name}: {verdict} ({took:.1f} s)\n")
    sys.stdout.writelines(f"  {problem}\n" for problem in problems)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (BundlingError, OptionError) as problem:
        sys.exit(f"error: {problem}")
