"""The API's routes for answers that wait for approval."""

import json
from typing import Any

import boto3
import pytest

from services.trigger.api.approvals import Inbox
from services.trigger.api.routes import routes
from services.trigger.api.tests.support import ALICE, BOB, JSON, answer, make_api
from shared.contracts import v1
from shared.tests.fakes import OneOutcome, create_approvals_table
from shared.waiting.store import Waiting
from shared.worker.outcome import Callback


@pytest.fixture
def outcomes() -> OneOutcome:
    return OneOutcome()


@pytest.fixture
def api(records, events, outcomes):
    """The routes of an API whose inbox has one waiting answer, `p-1`."""
    client = boto3.client("dynamodb")
    create_approvals_table(client)
    waiting = Waiting(client, "approvals", Callback(outcomes))
    fields = {
        "pipeline_id": "p-1",
        "execution_arn": None,
        "user_message": "Hi",
        "answer": "Hello.",
        "is_cut": False,
    }
    meter = v1.Meter(queue_wait_ms=0, work_ms=0, attempt=0, receives=1)
    waiting.holding(fields, seconds=3_600).keep("a-token", meter)
    return routes(make_api(records, events, inbox=lambda: Inbox(waiting, "Not released.")))


def call(method: str, name: str = "", body: Any = None, who: str = ALICE) -> dict[str, Any]:
    return {
        "httpMethod": method,
        "resource": "/approvals/{pipeline_id}" if name else "/approvals",
        "pathParameters": {"pipeline_id": name} if name else None,
        "headers": JSON,
        "body": body if isinstance(body, (str, type(None))) else json.dumps(body),
        "requestContext": {"identity": {"userArn": who}},
    }


def test_what_waits_is_listed_and_read(api):
    """The list names what waits without texts, and an item has them; nothing shows the token."""
    status, body = answer(api, call("GET"))
    assert (status, [item["pipeline_id"] for item in body["approvals"]]) == (200, ["p-1"])
    assert "answer" not in body["approvals"][0]
    status, body = answer(api, call("GET", "p-1"))
    assert (status, body["answer"], body["state"]) == (200, "Hello.", "waiting")
    assert "a-token" not in json.dumps(body)


@pytest.mark.parametrize(
    ("asked", "decision", "text"),
    [
        ({"decision": "approve"}, "approved", None),
        ({"decision": "reject", "reason": "wrong"}, "rejected", "Not released."),
        ({"decision": "edit", "text": "Better."}, "edited", "Better."),
    ],
)
def test_a_decision_names_its_caller(api, outcomes, asked, decision, text):
    """A decision reaches the run in the caller's name; repeated, it has the same answer."""
    first = answer(api, call("POST", "p-1", asked))
    assert (first[0], first[1]["decided_by"]) == (200, ALICE)
    assert answer(api, call("POST", "p-1", asked)) == first
    sent = outcomes.successes["a-token"]["data"]
    assert (sent["decision"], sent.get("early_answer", {}).get("text")) == (decision, text)


@pytest.mark.parametrize(
    ("name", "asked", "status", "code"),
    [
        ("nobody", {"decision": "approve"}, 404, "not_found"),
        ("a b", {"decision": "approve"}, 404, "not_found"),
        ("p-1", {"decision": "perhaps"}, 400, "invalid_request"),
        ("p-1", {"decision": "reject"}, 400, "invalid_request"),
        ("p-1", {"decision": "edit"}, 400, "invalid_request"),
        ("p-1", {"decision": "approve", "text": "x"}, 400, "invalid_request"),
        ("p-1", {"decision": "approve", "token": "x"}, 400, "unknown_field"),
        ("p-1", "{", 400, "invalid_json"),
        ("p-1", "", 400, "empty_body"),
    ],
)
def test_what_cannot_be_decided_is_refused(api, outcomes, name, asked, status, code):  # noqa: PLR0917 -- fixtures
    """A decision that can't be taken is refused with a code, and changes nothing."""
    got, body = answer(api, call("POST", name, asked))
    assert (got, body["error"]["code"]) == (status, code)
    assert not outcomes.successes


def test_the_second_caller_is_told_who_decided(api):
    """Another caller's decision is refused with the name of who decided."""
    answer(api, call("POST", "p-1", {"decision": "approve"}))
    status, body = answer(api, call("POST", "p-1", {"decision": "approve"}, who=BOB))
    assert (status, body["error"]["code"]) == (409, "already_decided")
    assert ALICE in body["error"]["message"]


def test_a_run_that_ended_is_told(api, outcomes):
    """A decision on a run that was cancelled is refused, and says so."""
    outcomes.dead.add("a-token")
    status, body = answer(api, call("POST", "p-1", {"decision": "approve"}))
    assert (status, body["error"]["code"]) == (409, "already_over")


def test_without_the_approval_there_is_no_such_route(records, events):
    """Where the approval is not switched on, the routes do not exist."""
    assert answer(routes(make_api(records, events)), call("GET"))[0] == 404
