"""The doctor on a running deployment: it passes as deployed, and changes by hand are found."""

import pytest

from infra.doctor.table import LIVE, examine
from local.targets import local_target
from operations.health.doctor import deployed
from tests.e2e.conftest import Deployment

pytestmark = [pytest.mark.engine, pytest.mark.timeout(240)]


@pytest.fixture
def findings(pipeline: Deployment):
    """Run the doctor's live checks, and return the places of their findings by check."""

    def look():
        outcomes = examine(deployed(local_target(pipeline.connection)))
        assert [outcome.check for outcome in outcomes] == [check.name for check in LIVE]
        return {
            outcome.check: [finding.where for finding in outcome.findings]
            for outcome in outcomes
            if outcome.findings
        }

    return look


def test_what_is_deployed_is_in_order(findings):
    """The deployed stacks and resources pass every check, drift included."""
    assert findings() == {}


def test_a_visibility_set_by_hand_is_found(pipeline, findings):
    """A visibility timeout that was changed by hand is a finding, although the template is right."""
    with pipeline.visible_after("analyzer", 15):
        places = findings()
    assert places == {
        "visibility": ["ai-pipeline-local-analyzer"],
        "drift": ["queue ai-pipeline-local-analyzer"],
    }


def test_a_service_that_is_stopped_is_found(pipeline, findings):
    """A disabled event source mapping is a finding: its queue has no consumer."""
    with pipeline.stopped("logger"):
        places = findings()
    assert places["consumers"] == ["ai-pipeline-local-logger"]
    assert places.keys() == {"consumers", "drift"}
