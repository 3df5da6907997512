"""Waiting for the result with `Prefer: wait`, and what happens if too many do."""

import pytest

from services.trigger.api import handler as api
from services.trigger.api import routes as api_routes
from services.trigger.api.core import read_request
from services.trigger.api.handler import ApiSettings
from services.trigger.api.tests.support import answer, finish, get, make_api, make_state, post
from shared.errors import TransientError

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
def test_who_waits_gets_the_result(records, events, status):
    """With `Prefer: wait`, POST and GET answer 200 with the record as soon as the run is over."""
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            (detail,) = events.details("pipeline.requested.v1")
            finish(records, detail["metadata"]["pipeline_id"], status)

    routes = api_routes.routes(make_api(records, events, sleep=sleep))
    code, body = answer(routes, post({"user_message": "Hello"}, {"Prefer": "wait=20"}))
    assert (code, body["status"], body["final_response"]) == (200, status, "An answer.")
    assert naps == sorted(naps)
    shown = {**get(body["pipeline_id"]), "headers": {"prefer": "wait=20"}}
    assert answer(routes, shown) == (code, body)
    assert len(naps) == 3


def test_who_waits_in_vain_is_told_where_to_look(records, events):
    """If a run takes longer than the caller waits, the answer is 202 with the status URL."""
    routes = api_routes.routes(make_api(records, events, longest_wait=0.0))
    code, body = answer(routes, post({"user_message": "Hello"}, {"Prefer": "wait=25"}))
    assert (code, body["status"]) == (202, "ACCEPTED")
    code, body = answer(routes, {**get(body["pipeline_id"]), "headers": {"Prefer": "wait=25"}})
    assert (code, body["status"]) == (200, "ACCEPTED")


def test_accepted_is_accepted_even_if_nobody_can_look(records, events, monkeypatch):
    """A table that fails while the caller waits does not turn a published request into an error."""

    def fail(*_: object) -> None:
        raise TransientError("no table")

    monkeypatch.setattr(records, "get", fail)
    routes = api_routes.routes(make_api(records, events))
    code, body = answer(routes, post({"user_message": "Hello"}, {"Prefer": "wait=5"}))
    assert (code, body["status"]) == (202, "ACCEPTED")
    assert len(events.details("pipeline.requested.v1")) == 1


def test_too_many_who_wait_are_answered_at_once(records, events):
    """If the limit of waiting callers is reached, POST and GET answer at once, as if no wait was asked for."""
    state = make_state(records._client, max_waiting=1)
    routes = api_routes.routes(
        make_api(records, events, state=state, sleep=lambda _: pytest.fail("it waited"))
    )
    with state.waiting():
        status, body, waited = api.answer(
            routes, read_request(post({"user_message": "Hi"}, {"Prefer": "wait=9"}))
        )
        assert (status, body["status"], waited) == (202, "ACCEPTED", False)
        event = {**get(body["pipeline_id"]), "headers": {"Prefer": "wait=9"}}
        status, shown, waited = api.answer(routes, read_request(event))
        assert (status, shown["status"], waited) == (200, "ACCEPTED", False)
        finish(records, body["pipeline_id"])
        assert api.answer(routes, read_request(event)).waited  # a run that is over needs no wait
    assert len(events.details("pipeline.requested.v1")) == 1


def test_who_waited_makes_room(records, events):
    """A caller that got its answer, or an error while it waited, is not counted any more."""
    state = make_state(records._client, max_waiting=1)
    routes = api_routes.routes(
        make_api(records, events, state=state, longest_wait=0.01, sleep=lambda _: None)
    )
    for _ in range(3):
        assert api.answer(routes, read_request(post({"user_message": "Hi"}, {"Prefer": "wait=9"}))).waited


def test_without_a_wait_nobody_is_counted(records, events):
    """A request without `Prefer: wait`, or with `wait=0`, takes no place."""
    state = make_state(records._client, max_waiting=1)
    routes = api_routes.routes(make_api(records, events, state=state))
    with state.waiting():
        assert answer(routes, post({"user_message": "Hi"}))[0] == 202
        assert api.answer(routes, read_request(post({"user_message": "Hi"}, {"Prefer": "wait=0"}))).waited


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=10", 10),
        ("wait=0", 0),
        ("wait = 7", 7),
        ('respond-async, wait="3"', 3),
        ("WAIT=99999; x=1", 25),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("wait", None),
        ("await=5", None),
        ("wait=12345678901234567890", None),
        ("", None),
        (None, None),
    ],
)
def test_a_preference_is_read_or_ignored(header, seconds):
    """An invalid preference is ignored (RFC 7240), and no wait exceeds the longest wait."""
    assert read_request({"headers": {"PREFER": header}}).wait == seconds


def test_the_answer_says_that_it_waited(monkeypatch, records, events):
    """An answer that honoured `Prefer` has the header `Preference-Applied`, which browsers may read; no other has."""
    settings = ApiSettings(table_name="PipelineLogs", state_table="state", bus_name="bus")
    made = make_api(records, events, longest_wait=0.0)
    monkeypatch.setattr(api, "ready", lambda: (settings, made))
    answered = api.handler(post({"user_message": "Hello"}, {"Prefer": "wait=99"}), None)
    assert answered["headers"]["Preference-Applied"] == "wait=25"
    assert "Preference-Applied" in answered["headers"]["Access-Control-Expose-Headers"]
    assert "Preference-Applied" not in api.handler(post({"user_message": "Hello"}), None)["headers"]
    nobody = make_api(records, events, state=make_state(records._client, max_waiting=0))
    monkeypatch.setattr(api, "ready", lambda: (settings, nobody))
    answered = api.handler(post({"user_message": "Hello"}, {"Prefer": "wait=99"}), None)
    assert answered["statusCode"] == 202
    assert "Preference-Applied" not in answered["headers"]
