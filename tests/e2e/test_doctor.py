"""The doctor on a deployment that runs: in order as deployed, and right about what was changed by hand."""

import pytest

from infra.doctor.table import LIVE, examine
from local.targets import local_target
from operations.health.doctor import deployed
from tests.e2e.conftest import Deployment

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]


@pytest.fixture
def findings(pipeline: Deployment):
    """Examines what runs now: what each check finds, by its name."""

    def look():
        outcomes = examine(deployed(local_target(pipeline.connection)))
        assert [one.check for one in outcomes] == [check.name for check in LIVE]
        return {one.check: [finding.where for finding in one.findings] for one in outcomes if one.findings}

    return look


def test_what_is_deployed_is_in_order(findings):
    """The deployed stacks and what really runs pass every check, drift included."""
    assert findings() == {}


def test_a_visibility_set_by_hand_is_found(pipeline, findings):
    """The queue's own attribute counts, not the template's."""
    with pipeline.visible_after("analyzer", 15):
        found = findings()
    assert found == {
        "visibility": ["ai-pipeline-local-analyzer"],
        "drift": ["queue ai-pipeline-local-analyzer"],
    }


def test_a_service_that_is_stopped_is_found(pipeline, findings):
    """A mapping that somebody has disabled leaves a queue without consumer."""
    with pipeline.stopped("logger"):
        found = findings()
    assert found["consumers"] == ["ai-pipeline-local-logger"]
    assert found.keys() == {"consumers", "drift"}
