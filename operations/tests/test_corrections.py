"""The same correction in many messages: its steps, where they fit, and what is done with each message."""

import json
from typing import Any

import pytest

from operations.dlq.corrections import Change, applied, changes, fits, steps_of
from operations.dlq.journal import audit
from operations.dlq.messages import Parked, parked
from operations.dlq.plan import Action
from operations.dlq.replay import Options, Replay, Selection, plan, select
from operations.errors import InvalidInputError
from operations.tests.dead_letters import count, park, url
from operations.tests.world import client
from shared.tests.fakes import stage_event


def message(number: int, **data: Any) -> Parked:
    body = stage_event("chat.requested.v1", data, token="dead", pipeline_id=f"p-{number}")
    return parked(
        {"MessageId": f"m-{number}", "Body": json.dumps(body), "Attributes": {"SentTimestamp": "1"}},
        "chatbot",
        "dlq",
    )


@pytest.mark.parametrize(
    ("before", "after", "other", "then"),
    [
        ({"mesage": "a"}, {"message": "a"}, {"mesage": "b", "c": 1}, {"message": "b", "c": 1}),
        ({"a": {"b": 1}}, {"a": {"c": 1}}, {"a": {"b": 2}}, {"a": {"c": 2}}),
        ({"a": [{"b": 1}, 0]}, {"a": [{"c": 1}, 0]}, {"a": [{"b": 2}]}, {"a": [{"c": 2}]}),
        ({"a": 7}, {"a": "7"}, {"a": 7, "b": 1}, {"a": "7", "b": 1}),
        ({"a": [1, 2]}, {"a": [1, 3]}, {"a": [9, 2]}, {"a": [9, 3]}),
        ({"a": 1, "x": 2}, {"a": 1}, {"a": 2, "x": 3}, {"a": 2}),
        ({"a": 1}, {"a": 1, "x": {}}, {"a": 2}, {"a": 2, "x": {}}),
        ({"a": 1, "b": 2}, {"c": 1, "d": 2}, {"a": 3, "b": 4}, {"c": 3, "d": 4}),
    ],
)
def test_steps_repeat_a_correction(before: Any, after: Any, other: Any, then: Any):
    """A correction is repeated in other data: a renamed field keeps the value that it has there."""
    steps = steps_of(before, after)
    kept = json.dumps(other)
    assert applied(steps, before) == after
    assert applied(steps, other) == then
    assert json.dumps(other) == kept


@pytest.mark.parametrize(
    ("before", "after", "other"),
    [
        ({"a": 7}, {"a": "7"}, {"a": 8}),
        ({"a": 1}, {"a": 2}, {"a": True}),
        ({"a": 1}, {"b": 1}, {"b": 1}),
        ({"a": 1}, {"b": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "x": 2}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {"a": 1, "x": 2}, {"a": 1, "x": 3}),
        ({"a": {"b": 1}}, {"a": {"c": 1}}, {"a": [1]}),
        ({"a": [1, 2]}, {"a": [1, 3]}, {"a": [1]}),
        ({"a": {"b": 1}}, {"a": {"c": 1}}, {}),
    ],
)
def test_steps_change_nothing_else(before: Any, after: Any, other: Any):
    """Where a field is missing, has another value or the new name is taken, the steps do not fit."""
    assert applied(steps_of(before, after), other) is None


@pytest.mark.parametrize(
    ("before", "after"), [({"mesage": "a"}, {"message": "b"}), ({"a": 1, "b": 2}, {"c": 1, "d": 3})]
)
def test_a_guess_is_refused(before: Any, after: Any):
    """A field that was renamed and given another value at once could be any: no text goes into other messages."""
    with pytest.raises(InvalidInputError, match="can't be repeated"):
        steps_of(before, after)


def test_a_preview_shows_each_message_its_own():
    """What changes in a message is shown with its own values, of a long one the beginning."""
    steps = steps_of({"mesage": "a", "n": 1}, {"message": "a", "n": 2, "x": 3})
    assert changes(steps, {"mesage": "b", "n": 1}) == (
        Change('"mesage": "b"', '"message": "b"'),
        Change('"n": 1', '"n": 2'),
        Change("", '"x": 3'),
    )
    (long, *_) = changes(steps, {"mesage": "b" * 10_000, "n": 1})
    assert (len(long.before), long.after[-1]) == (200, "…")


def test_only_the_same_fault_is_mended(monkeypatch: pytest.MonkeyPatch):
    """Messages are mended that have the example's fault and keep their contract then, as many as a plan takes."""
    example = message(0, user_mesage="a")
    others = [
        message(1, user_mesage="b"),
        message(2, user_message=7),
        message(3, user_mesage=7),
        message(4, user_message="fine"),
        message(5, user_mesage="c"),
    ]
    steps = steps_of({"user_mesage": "a"}, {"user_message": "a"})
    monkeypatch.setattr("operations.dlq.corrections.MOST", 2)
    found = list(fits([example, *others], example, steps))
    assert [fit.data for fit in found] == [
        {"user_message": "a"},
        {"user_message": "b"},
        None,
        None,
        None,
        None,
    ]
    whys = ("another fault", "another fault", "keeps its contract", "2 messages at most")
    assert [why in fit.reason for why, fit in zip(whys, found[2:], strict=True)] == [True] * 4


def test_each_message_is_sent_once_with_its_own_text(target: Any, machine: Any):
    """Each message is sent corrected, with its own text; one that the steps do not fit stays as it is."""
    machine.alive.add("a-living-token")
    for name, data in (
        ("p-1", {"user_mesage": "a"}),
        ("p-2", {"user_mesage": "b"}),
        ("p-3", {"user_message": 7}),
    ):
        park(name, token="a-living-token", **data)
    planned = plan(target, select(target, Selection()), edited=True)
    options = Options(steps=steps_of({"user_mesage": "a"}, {"user_message": "a"}))
    results = [list(Replay(target, who="arn:me", options=options).run(planned)) for _ in range(2)]
    assert sorted((one.pipeline_id, one.action, one.outcome) for one in results[0]) == [
        ("p-1", Action.MOVE, "done"),
        ("p-2", Action.MOVE, "done"),
        ("p-3", Action.LEAVE, "left"),
    ]
    assert sorted(one.outcome for one in results[1]) == ["gone", "gone", "left"]
    assert (count(url("chatbot")), count(url("chatbot", ""))) == (1, 2)
    sent = client("sqs").receive_message(QueueUrl=url("chatbot", ""), MaxNumberOfMessages=10)["Messages"]
    texts = sorted(json.loads(one["Body"])["detail"]["data"]["user_message"] for one in sent)
    assert texts == ["a", "b"]
    assert [one.why.partition("Corrected: ")[2] for one in audit(target, "p-1")] == [
        "rename user_mesage to user_message."
    ]
