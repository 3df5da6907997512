"""Runs the validators that are programs of their own: checkov on templates, asl-validator on state machines.

checkov has an environment of its own, which `make check` installs; asl-validator runs on the bundled Node.
"""

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.bundling import ROOT, WORK
from infra.doctor.references import resolved
from infra.toolchain import bundled_node

CHECKOV = WORK / "checkov-venv" / "bin" / "checkov"
ASL_VALIDATOR = ROOT / "node_modules" / "asl-validator" / "dist" / "bin" / "asl-validator.js"

EXPLAINED: Mapping[str, str] = {
    "CKV_AWS_27": "Queues are encrypted with keys of SQS, its default, which needs no right on a key; checkov counts "
    "customer keys only.",
    "CKV_AWS_115": "A function's queue limits its concurrency. Reserving takes from a pool that is small in a new "
    "account, and `pipeline doctor` adds the queues up.",
    "CKV_AWS_116": "Queues and the API invoke functions and keep, or return, what could not be handled. Only the "
    "budget's guard is invoked asynchronously, and its next tick makes up for a lost one.",
    "CKV_AWS_117": "The functions call AWS's own APIs and nothing in a VPC.",
    "CKV_AWS_120": "Each caller sees its own runs, and their state changes: no answer may come from a cache.",
    "CKV_AWS_158": "Log groups are encrypted with keys of CloudWatch Logs, and no text of a message is logged.",
    "CKV_AWS_173": "Variables hold names and limits, no secrets, and are encrypted with a key of Lambda.",
}
"""Why a finding of checkov, by its id, is accepted for every resource of its type."""


def audit(folders: Iterable[Path], *, complete: bool) -> list[str]:
    """Return checkov's unexplained findings on the templates in `folders`, and explanations that nothing needs.

    One call for all templates: checkov takes four seconds to start. Only if the templates are `complete` do they show
    what nothing needs.
    """
    paths = [path for folder in folders for path in template_files(folder)]
    problems, explained = checkov(paths) if paths else ([], set())
    if complete and not problems:
        unneeded = sorted(set(EXPLAINED) - explained)
        problems = [f"nothing has {finding}; remove it from infra/validators.py" for finding in unneeded]
    return problems


def template_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.template.json"))


def checkov(paths: Sequence[Path]) -> tuple[list[str], set[str]]:
    """Return checkov's unexplained findings on the templates, and the ids of the explained ones."""
    if not CHECKOV.exists():
        return ["checkov is not installed. `make check` installs it."], set()
    command = [str(CHECKOV), *(argument for path in paths for argument in ("--file", str(path)))]
    # Without a download of rules from its maker, and without a mention of its services.
    command += [
        "--framework",
        "cloudformation",
        "--output",
        "json",
        "--quiet",
        "--compact",
        "--skip-download",
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=WORK)
    try:
        report = json.loads(result.stdout)
        return judge(report if isinstance(report, list) else [report])
    except (ValueError, KeyError) as error:
        return [f"checkov failed ({error!r}): {result.stderr.strip()[-500:]}"], set()


def judge(reports: Iterable[Mapping[str, Any]]) -> tuple[list[str], set[str]]:
    """Return the unexplained findings in checkov's reports, and the ids of the explained ones.

    Raises KeyError if these are no reports.
    """
    problems, explained = [], set()
    for report in reports:
        if report["summary"]["parsing_errors"] or not report["summary"]["passed"]:
            problems.append(f"checkov could not read every template: {report['summary']}")
        for finding in report["results"]["failed_checks"]:
            if finding["check_id"] in EXPLAINED:
                explained.add(finding["check_id"])
            else:
                place = f"{Path(finding['file_path']).name}, {finding['resource']}"
                problems.append(f"{finding['check_id']}: {finding['check_name']} ({place})")
    return problems, explained


def states_language(folder: Path) -> list[str]:
    """Return asl-validator's findings on the state machines in the folder's templates, references resolved."""
    machines = [
        (path.with_name(f"{logical}.asl.json"), properties["DefinitionString"])
        for path in template_files(folder)
        for logical, kind, properties in resolved(path.name, json.loads(path.read_text()))
        if kind == "AWS::StepFunctions::StateMachine"
    ]
    problems = [] if machines else ["no template has a state machine"]
    for file, definition in machines:
        file.write_text(definition)
        command = [str(bundled_node()), str(ASL_VALIDATOR), "--json-path", str(file)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            problems.append(f"{file.name}: {(result.stderr or result.stdout).strip()}")
    return problems
