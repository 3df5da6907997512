"""The workflow's rights to reach stages that were removed from the code and are still deployed."""

import json
from dataclasses import replace

import pytest

from infra import synthesis
from infra.options import load

pytestmark = pytest.mark.synth


def test_workflow_may_still_send_to_removed_stages(tmp_path):
    """The workflow's role keeps the queue and the events of a removed stage, by their names alone."""
    environment = replace(load("dev"), removed_queues=("vetting",), removed_events=("vetting.requested.v1",))
    synthesis.synthesise(environment, tmp_path, {}, only="workflow")
    (file,) = tmp_path.glob("*workflow.template.json")
    rights = json.dumps(json.loads(file.read_text("utf-8"))["Resources"])
    assert ":ai-pipeline-dev-vetting" in rights
    assert '"vetting.requested.v1"' in rights
    assert "vetting.requested.*" not in rights
