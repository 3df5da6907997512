"""`pipeline cancel` as it is typed, against the API's wire."""

import json

import pytest

from cli.tests.support import call
from operations.tests.world import FakeApi

pytestmark = pytest.mark.usefixtures("local_engine")
ENDS = (202, {"pipeline_id": "p-1", "status": "RUNNING", "status_url": "/pipeline/p-1"})
CANCELLED = (200, {"pipeline_id": "p-1", "status": "FAILED", "error": "Pipeline.Cancelled"})


def refused(status: int, code: str) -> tuple[int, dict[str, object]]:
    return status, {"error": {"code": code, "message": f"It says {code}."}}


def test_what_runs_will_be_stopped(api: FakeApi):
    """Each id causes one DELETE; the output states the status, also of a run that was cancelled before."""
    api.answers = [ENDS, CANCELLED]
    first, second = call("cancel", "p-1"), call("cancel", "p-1")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "will be stopped" in first.stdout
    assert "already cancelled" in second.stdout
    assert [request["path"] for request in api.requests] == ["/v1/pipeline/p-1"] * 2


@pytest.mark.parametrize(
    ("answer", "code"),
    [(refused(409, "already_over"), 1), (refused(403, "not_owner"), 1), (refused(404, "not_found"), 3)],
)
def test_a_refusal_is_told_in_the_apis_words(api: FakeApi, answer, code):
    """A run that can't be cancelled fails the command with the API's sentence."""
    api.answers = [answer]
    result = call("cancel", "p-1")
    assert result.exit_code == code
    assert answer[1]["error"]["message"] in result.stderr


def test_of_many_each_is_told(api: FakeApi):
    """A run that can't be cancelled does not stop the others from it; --json prints one list."""
    api.answers = [ENDS, refused(409, "already_over"), ENDS]
    result = call("cancel", "p-1", "p-2", "p-3", "--json")
    assert result.exit_code == 1
    assert [answer["cancelled"] for answer in json.loads(result.stdout)] == [True, False, True]


def test_an_impossible_id_is_not_sent(api: FakeApi):
    """A text that can't be an id is refused without a request."""
    assert call("cancel", "not an id").exit_code == 2
    assert api.requests == []
