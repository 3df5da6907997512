"""checkov's findings are explained or reported, and asl-validator reads the state machine as deployed."""

import json

import pytest

from infra import validators

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]


def report(*ids, passed=1, parsing_errors=0):
    findings = [
        {"check_id": name, "check_name": "A name", "file_path": "/a.template.json", "resource": "Type.Id"}
        for name in ids
    ]
    return {
        "summary": {"passed": passed, "parsing_errors": parsing_errors},
        "results": {"failed_checks": findings},
    }


def test_an_unexplained_finding_is_reported():
    """A finding without a reason is reported with its place; one with a reason is not."""
    explained = next(iter(validators.EXPLAINED))
    problems, known = validators.judge([report("CKV_NEW_1", explained)])
    assert problems == ["CKV_NEW_1: A name (a.template.json, Type.Id)"]
    assert known == {explained}


@pytest.mark.parametrize("broken", [report(parsing_errors=1), report(passed=0)])
def test_a_template_that_was_not_read_is_reported(broken):
    """A template that checkov could not read is a problem, not a clean one."""
    (problem,) = validators.judge([broken])[0]
    assert "could not read" in problem


def test_an_explanation_that_nothing_needs_is_reported(monkeypatch, tmp_path):
    """When everything was checked, a reason for a finding that no template has is reported."""
    kept, *stale = validators.EXPLAINED
    (tmp_path / "a.template.json").write_text("{}")
    monkeypatch.setattr(validators, "checkov", lambda _: ([], {kept}))
    problems = validators.audit([tmp_path], complete=True)
    assert [problem.split()[2].rstrip(";") for problem in problems] == sorted(stale)
    assert validators.audit([tmp_path], complete=False) == []


def test_checkov_that_is_missing_or_fails_is_reported(monkeypatch, tmp_path):
    """Without checkov, or if it prints no report, the check fails and says why."""
    monkeypatch.setattr(validators, "CHECKOV", tmp_path / "checkov")
    assert "make check" in validators.checkov([tmp_path / "t.json"])[0][0]
    (tmp_path / "checkov").write_text("#!/bin/sh\necho out of memory >&2\nexit 1\n")
    (tmp_path / "checkov").chmod(0o755)
    monkeypatch.setattr(validators, "WORK", tmp_path)
    assert "out of memory" in validators.checkov([tmp_path / "t.json"])[0][0]
    (tmp_path / "checkov").write_text("#!/bin/sh\necho '{\"passed\": 0}'\n")
    assert "checkov failed" in validators.checkov([tmp_path / "t.json"])[0][0]


def test_the_state_machine_is_valid(synthesised, tmp_path):
    """A state machine is read by asl-validator, which has no finding; a transition to nowhere is one."""
    file = tmp_path / "region" / "workflow.template.json"
    file.parent.mkdir()
    assert validators.states_language(tmp_path) == ["no template has a state machine"]
    file.write_text(json.dumps(synthesised("dev")["ai-pipeline-dev-workflow"]))
    assert validators.states_language(tmp_path) == []
    (machine,) = file.parent.glob("*.asl.json")
    definition = json.loads(machine.read_text())
    definition["States"][definition["StartAt"]]["Next"] = "Nowhere"
    resource = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"DefinitionString": json.dumps(definition)},
    }
    file.write_text(json.dumps({"Resources": {"Pipeline": resource}}))
    (problem,) = validators.states_language(tmp_path)
    assert problem.startswith("Pipeline.asl.json")
    assert "Nowhere" in problem
