"""The API for people: listing one's own pipelines, cancelling."""

from functools import partial
from typing import Any

import pytest

from services.trigger.api import listing
from services.trigger.api import routes as api_routes
from services.trigger.api.refusals import Reason
from services.trigger.api.tests.support import ALICE, BOB, answer, finish, get, make_api, post
from shared.tests.fakes import client_error

pytestmark = pytest.mark.slow

ARN = "arn:aws:states:us-east-1:000000000000:execution:machine:p"


class Executions:
    def __init__(self) -> None:
        self.stopped: list[str] = []
        self.refusal: Exception | None = None

    def stop_execution(self, *, executionArn: str, error: str, cause: str) -> None:
        if self.refusal:
            raise self.refusal
        assert error == "Pipeline.Cancelled"
        assert cause
        self.stopped.append(executionArn)


@pytest.fixture
def executions() -> Executions:
    return Executions()


@pytest.fixture
def call(records, events, executions):
    return partial(answer, api_routes.routes(make_api(records, events, executions)))


def list_(who: str = ALICE, **parameters: str) -> dict[str, Any]:
    return {
        "httpMethod": "GET",
        "resource": "/pipelines",
        "queryStringParameters": parameters or None,
        "requestContext": {"identity": {"userArn": who}},
    }


def delete(pipeline_id: str, who: str = ALICE) -> dict[str, Any]:
    return {
        **get(pipeline_id),
        "httpMethod": "DELETE",
        "path": f"/pipeline/{pipeline_id}",
        "headers": {"Host": "api.example"},
        "requestContext": {"identity": {"userArn": who}, "path": f"/v1/pipeline/{pipeline_id}"},
    }


# --- GET /pipelines --------------------------------------------------------------------------------------


def test_a_caller_sees_its_own_newest_first(call, records):
    """The list has only the caller's own pipelines, without ids of callers and without full messages."""
    ids = [
        call(post({"user_message": f"Question {number}\n" + "x" * 200}))[1]["pipeline_id"]
        for number in range(5)
    ]
    call(post({"user_message": "Not yours"}, who=BOB))
    finish(records, ids[0], finished_at="2026-11-23T10:00:00.000Z")
    status, body = call(list_())
    assert status == 200
    shown = [item["pipeline_id"] for item in body["pipelines"]]
    assert sorted(shown) == sorted(ids)
    assert [item["accepted_at"] for item in body["pipelines"]] == sorted(
        (item["accepted_at"] for item in body["pipelines"]), reverse=True
    )
    first = body["pipelines"][shown.index(ids[0])]
    assert (first["status"], first["finished_at"]) == ("SUCCEEDED", "2026-11-23T10:00:00.000Z")
    assert first["excerpt"].startswith("Question 0 xxx")
    assert len(first["excerpt"]) == 80
    assert {"owner", "listed_at", "user_message"}.isdisjoint(first)
    assert len(call(list_(BOB))[1]["pipelines"]) == 1
    assert call(list_("arn:aws:iam::000000000000:user/carol")) == (200, {"pipelines": []})


def fill(records, count: int) -> list[str]:
    """Store `count` pipelines, a second apart, every third of them SUCCEEDED; return their ids, newest first."""
    ids = []
    for number in range(count):
        pipeline_id, at = f"p-{number:03}", f"2026-11-23T09:{number // 60:02}:{number % 60:02}.000Z"
        listed = listing.listed(ALICE, pipeline_id, accepted_at=at, user_message="Hi")
        assert records.accept(pipeline_id, user_message="Hi", accepted_at=at, listed=listed)
        if number % 3 == 0:
            finish(records, pipeline_id)
        ids.append(pipeline_id)
    return ids[::-1]


def pages(call, **parameters: str) -> list[str]:
    ids: list[str] = []
    cursor = None
    for _ in range(200):
        query = {**parameters, **({"next": cursor} if cursor else {})}
        status, body = call(list_(**query))
        assert status == 200, body
        ids += [item["pipeline_id"] for item in body["pipelines"]]
        cursor = body.get("next")
        if cursor is None:
            return ids
    raise AssertionError("the list has no end")


@pytest.mark.parametrize("limit", [1, 7, 20, 60, 100])
def test_paging_shows_each_once_and_in_order(call, records, limit):
    """With any page size, every pipeline is listed once, newest first."""
    ids = fill(records, 60)
    assert pages(call, limit=str(limit)) == ids


@pytest.mark.parametrize("limit", [3, 100])
def test_filters_hold_on_every_page(call, records, limit, monkeypatch):
    """Status and time filter the list, even if a page of the index has no match."""
    monkeypatch.setattr(listing, "PAGE", 2)
    monkeypatch.setattr(listing, "PAGES", 1)
    ids = fill(records, 60)
    done = [pipeline_id for pipeline_id in ids if int(pipeline_id[2:]) % 3 == 0]
    assert pages(call, status="SUCCEEDED", limit=str(limit)) == done
    assert pages(call, status="SUCCEEDED", since="2026-11-23T10:00:30+01:00", limit=str(limit)) == [
        pipeline_id for pipeline_id in done if int(pipeline_id[2:]) >= 30
    ]
    assert pages(call, since="2026-11-24") == []
    assert pages(call, status="FAILED") == []


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"status": "DONE"}, "invalid_parameter"),
        ({"since": "yesterday"}, "invalid_parameter"),
        ({"since": "0001-01-01T00:00:00+14:00"}, "invalid_parameter"),
        ({"limit": "0"}, "invalid_parameter"),
        ({"limit": "101"}, "invalid_parameter"),
        ({"limit": "\u0663"}, "invalid_parameter"),
        ({"next": "???"}, "invalid_parameter"),
        ({"next": "AAAA"}, "invalid_parameter"),
        ({"next": ""}, "invalid_parameter"),
        ({"page": "2"}, "unknown_parameter"),
    ],
)
def test_a_wrong_parameter_is_named(call, parameters, code):
    """An invalid parameter is refused with 400, a code, and a sentence that names the parameter."""
    status, body = call(list_(**parameters))
    assert (status, body["error"]["code"]) == (400, code)
    assert f"`{next(iter(parameters))}`" in body["error"]["message"]


# --- DELETE /pipeline/{pipeline_id} ----------------------------------------------------------------------


def test_a_running_pipeline_is_stopped(call, records, executions):
    """Cancelling a running pipeline answers 202, stops its execution on each request, and records the first time."""
    _, accepted = call(post({"user_message": "Hello"}))
    pipeline_id = accepted["pipeline_id"]
    records.advance(pipeline_id, "RUNNING", {"execution_arn": ARN})
    status, body = call(delete(pipeline_id))
    assert (status, body) == (202, {**accepted, "status": "RUNNING"})
    assert executions.stopped == [ARN]
    first = call(get(pipeline_id))[1]["cancel_requested_at"]
    assert call(delete(pipeline_id))[0] == 202
    assert call(get(pipeline_id))[1]["cancel_requested_at"] == first


def test_a_waiting_pipeline_is_marked(call, records, executions):
    """A pipeline that is cancelled before it starts does not become RUNNING, and the starter stops it."""
    _, accepted = call(post({"user_message": "Hello"}))
    assert call(delete(accepted["pipeline_id"]))[0] == 202
    assert executions.stopped == []
    assert not records.advance(accepted["pipeline_id"], "RUNNING", {"execution_arn": ARN})


def test_a_cancelled_pipeline_that_runs_again_is_not_cancelled(call, records):
    """A restart removes the mark of a cancelled pipeline."""
    _, accepted = call(post({"user_message": "Hello"}))
    call(delete(accepted["pipeline_id"]))
    assert records.reopen(accepted["pipeline_id"], execution_arn=ARN, started_at="2026-11-23T10:00:00.000Z")
    assert "cancel_requested_at" not in records.get(accepted["pipeline_id"])


def test_what_is_over_is_not_cancelled(call, records, executions):
    """Cancelling answers 409 for a run that is over, and 200 with the record for one cancelled before."""
    _, accepted = call(post({"user_message": "Hello"}))
    finish(records, accepted["pipeline_id"], "FAILED", error="Pipeline.Permanent")
    status, body = call(delete(accepted["pipeline_id"]))
    assert (status, body["error"]["code"]) == (409, "already_over")
    assert body["error"]["message"] == Reason.ALREADY_OVER.sentence.format(status="FAILED")
    finish(records, accepted["pipeline_id"], "FAILED", error="Pipeline.Cancelled")
    status, body = call(delete(accepted["pipeline_id"]))
    assert (status, body["error"]) == (200, "Pipeline.Cancelled")
    assert executions.stopped == []


def test_nobody_cancels_what_another_asked_for(call, records, executions):
    """Another caller's pipeline (403) and an unknown one (404) can't be cancelled; a bus publisher's can."""
    _, accepted = call(post({"user_message": "Hello"}))
    status, body = call(delete(accepted["pipeline_id"], BOB))
    assert (status, body["error"]["code"]) == (403, "not_owner")
    assert "cancel_requested_at" not in records.get(accepted["pipeline_id"])
    for name in ("nowhere", "not an id"):
        assert call(delete(name))[0] == 404
    records.advance("published", "RUNNING", {"execution_arn": ARN})
    assert call(delete("published", BOB))[0] == 202
    assert executions.stopped == [ARN]


def test_an_execution_that_is_gone_is_no_error_and_a_throttled_stop_is(call, records, executions):
    """An execution that no longer exists or just ended needs no stop; a refused call is 503 and can be repeated."""
    records.advance("p", "RUNNING", {"execution_arn": ARN})
    for gone in ("ExecutionDoesNotExist", "ValidationException"):
        executions.refusal = client_error(gone, "StopExecution")
        assert call(delete("p"))[0] == 202
    executions.refusal = client_error("ThrottlingException", "StopExecution")
    assert call(delete("p"))[0] == 503
    executions.refusal = None
    assert call(delete("p"))[0] == 202


def test_a_stop_that_is_refused_is_made_up_for(call, records, executions):
    """If StopExecution is denied, the request fails, and the same request stops the execution later."""
    pipeline_id = call(post({"user_message": "Hello"}))[1]["pipeline_id"]
    records.advance(pipeline_id, "RUNNING", {"execution_arn": ARN})
    executions.refusal = client_error("AccessDeniedException", "StopExecution")
    assert call(delete(pipeline_id))[0] >= 500
    assert records.get(pipeline_id)["status"] == "RUNNING"
    executions.refusal = None
    assert call(delete(pipeline_id))[0] == 202
    assert executions.stopped == [ARN]
