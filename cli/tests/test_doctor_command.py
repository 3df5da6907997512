"""`pipeline doctor`: its output and exit codes, for templates in a folder and templates made from the code."""

import json

import pytest

from cli.tests import support
from infra import options
from infra.doctor.table import CHECKS
from shared.contracts.stages import SERVICES, STAGES

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]
ENV = "dev"


def call(*arguments):
    return support.call("doctor", *map(str, arguments))


@pytest.fixture
def assembly(synthesised, tmp_path):
    """A folder with the project's templates for the environment ENV."""
    for name, template in synthesised(ENV).items():
        (tmp_path / f"{name}.template.json").write_text(json.dumps(template))
    return tmp_path


def plant(assembly, part, old, new):
    """Replace a text in a template."""
    path = assembly / f"ai-pipeline-{ENV}-{part}.template.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_each_check_that_holds_says_in_a_line_what_it_compared(assembly):
    """Without findings the exit code is 0, and lines of at most 80 columns show the compared numbers."""
    result = call("--env", ENV, "--templates", assembly)
    assert result.exit_code == 0, result.output
    assert f"visibility 180 s ≥ 6 x 30 s + 0 s ({len(SERVICES)}x)" in result.stdout
    assert result.stdout.splitlines()[-1] == f"{len(CHECKS)} checks, in order; 1 skipped."
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_a_finding_says_what_why_and_what_to_do(assembly):
    """An error gives exit code 1 and a paragraph of at most 80 columns with place, reason and fix."""
    plant(
        assembly,
        "chatbot",
        '"FunctionResponseTypes": ["ReportBatchItemFailures"]',
        '"FunctionResponseTypes": []',
    )
    result = call("--env", ENV, "--templates", assembly)
    assert result.exit_code == 1
    assert "✗ partial-batch" in result.stdout
    for text in (f"error: ai-pipeline-{ENV}-chatbot", "Why it matters: One bad message", "What to do: "):
        assert text in result.stdout
    assert result.stdout.splitlines()[-1] == f"{len(CHECKS)} checks: 1 error, 0 warnings."
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_warnings_fail_only_where_asked_to(assembly):
    """A warning, e.g. a mute alarm, gives exit code 0, and 1 with --strict."""
    plant(assembly, "monitoring", '"ActionsEnabled": true', '"ActionsEnabled": false')
    assert call("--env", ENV, "--templates", assembly).exit_code == 0
    result = call("--env", ENV, "--templates", assembly, "--strict")
    assert result.exit_code == 1
    assert "! alarms" in result.stdout


def test_json_has_every_check_with_what_it_compared(assembly):
    """With --json each check appears once, with its comparisons or complete findings, the rate and the verdict."""
    plant(assembly, "analyzer", '"VisibilityTimeout": 180', '"VisibilityTimeout": 60')
    result = call("--env", ENV, "--templates", assembly, "--json", "--rate", 20, "--region", "eu-west-1")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert (answer["env"], answer["requests_per_second"], answer["region"]) == (ENV, 20, "eu-west-1")
    assert answer["in_order"] is False
    checks = {check["check"]: check for check in answer["checks"]}
    (finding,) = checks["visibility"]["findings"]
    assert finding["severity"] == "error"
    assert all(finding[part] for part in ("where", "what", "why", "mend"))
    assert f"SendTask* {20 * len(STAGES)}/s ≤ 500/s" in checks["quotas"]["held"]


def test_a_rate_beyond_the_quotas_is_said(assembly):
    """--rate is compared with quotas and the queues' concurrency, and the first to be exceeded is named."""
    result = call("--env", ENV, "--templates", assembly, "--rate", 62, "--region", "us-east-1")
    assert result.exit_code == 0
    assert f"SendTask* {62 * len(STAGES)}/s ≤ 500/s" in result.stdout
    result = call("--env", ENV, "--templates", assembly, "--rate", 62.6)
    assert result.exit_code == 1
    assert f"error: ai-pipeline-{ENV}-chatbot" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("--env", "nope"),
            "There is no environment 'nope'. Give --env with one of: dev, staging, prod, local.",
        ),
        (("--env", ENV, "--live", "--templates", "."), "Give one of them."),
        (("--env", ENV, "--rate", "0"), "--rate"),
        (("--env", ENV, "--templates", "/nowhere"), "does not exist"),
    ],
)
def test_wrong_usage_is_told_apart(arguments, says):
    """Wrong usage gives exit code 2 and an explanation, before any check runs."""
    result = call(*arguments)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split())


def test_a_folder_without_templates_or_of_another_environment_is_refused(assembly, tmp_path_factory):
    """A folder that is empty, of another environment or unreadable gives exit code 2."""
    empty = call("--env", ENV, "--templates", tmp_path_factory.mktemp("empty"))
    assert (empty.exit_code, "contains no *.template.json" in empty.stderr) == (2, True)
    other = call("--env", "prod", "--templates", assembly)
    assert (other.exit_code, "does not belong to environment 'prod'" in other.stderr) == (2, True)
    (assembly / f"ai-pipeline-{ENV}-logger.template.json").write_text("{")
    broken = call("--env", ENV, "--templates", assembly)
    assert (broken.exit_code, "can't be read" in broken.stderr) == (2, True)


def test_without_options_the_code_is_examined():
    """Without options the doctor checks templates made from the code, without bundles, network or account."""
    result = call("--env", "local")
    assert result.exit_code == 0, result.output
    assert "not checked: The local engine has no quotas." in " ".join(result.stdout.split())


def test_options_are_read_for_the_region(assembly, tmp_path, monkeypatch):
    """An environment whose model fits one region only is checked there, and refused for another with the reason."""
    folder = tmp_path / "options"
    folder.mkdir()
    (folder / f"{ENV}.toml").write_text('model_id = "eu.amazon.nova-lite-v1:0"\n')
    monkeypatch.setattr(options, "FOLDER", folder)
    there = call("--env", ENV, "--templates", assembly, "--region", "eu-west-1")
    assert there.exit_code in (0, 1)
    assert "checks" in there.stdout
    elsewhere = call("--env", ENV, "--templates", assembly)
    assert (elsewhere.exit_code, "In us-east-1, model_id is invalid" in elsewhere.stderr) == (2, True)
