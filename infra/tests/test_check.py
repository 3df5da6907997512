"""`infra.check` reports the findings of cdk-nag and the doctor."""

import pytest

from infra.toolchain import use_bundled_node

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]


def test_an_unacknowledged_finding_is_reported(monkeypatch, tmp_path):
    """A finding without an acknowledgement fails the check, which names the rule and the construct."""
    use_bundled_node()
    from infra import check  # noqa: PLC0415 -- starts Node
    from infra.functions import ALL_FUNCTIONS  # noqa: PLC0415
    from infra.options import load  # noqa: PLC0415

    (tmp_path / "bundle").mkdir()
    monkeypatch.setattr(
        check, "bundles", lambda *_: {spec.name: tmp_path / "bundle" for spec in ALL_FUNCTIONS}
    )
    monkeypatch.setattr("infra.constructs.service_function.acknowledge", lambda *_: None)
    findings = check.synthesise(load("dev"), tmp_path / "out")
    assert any(
        finding.startswith("AwsSolutions-IAM5[Resource::*]")
        and "ai-pipeline-dev-chatbot/Chatbot/Role" in finding
        for finding in findings
    )


def test_what_the_doctor_finds_fails_the_check(synthesised):
    """The doctor's errors and warnings fail the check; the project as it is has none."""
    use_bundled_node()
    from infra import check  # noqa: PLC0415 -- starts Node
    from infra.options import load  # noqa: PLC0415

    templates = dict(synthesised("dev"))
    assert check.examined(templates, load("dev")) == []
    del templates["ai-pipeline-dev-monitoring"]
    (problem,) = check.examined(templates, load("dev"))
    assert problem.startswith("alarms: monitoring: ")
