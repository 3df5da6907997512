"""Conversations: sending one, reading what preceded a run, and continuing it."""

import json

import pytest

from operations.asking.batch import read_lines
from operations.asking.conversation import continued, history_of
from operations.asking.submit import Request, submit
from operations.errors import InvalidInputError
from operations.runs.journey import assemble
from shared.contracts import limits
from shared.contracts.v1 import Turn
from shared.tests.fakes import FakeEvents

TURNS = (
    Turn(role="user", text="What is a functor?"),
    Turn(role="assistant", text="A type that can be mapped over."),
    Turn(role="user", text="And a monad?"),
)
SENT = {"messages": [{"role": turn.role, "text": turn.text} for turn in TURNS]}


def journey(question="And a monad?", answer="A pattern."):
    return assemble("p", {"status": "SUCCEEDED", "user_message": question, "final_response": answer}, None)


def test_a_conversation_goes_to_the_api_and_to_the_bus(target, api):
    """A conversation is the API's body `messages`, and version 2 of the request on the bus."""
    target._clients["events"] = bus = FakeEvents()
    submit(target, Request(messages=TURNS))
    submit(target, Request(messages=TURNS, idempotency_key="k"), via="bus")
    assert api.requests[0]["body"] == SENT
    assert bus.entries[0]["DetailType"] == "pipeline.requested.v2"
    assert json.loads(bus.entries[0]["Detail"])["data"] == SENT


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request(), "one of the two"),
        (Request(user_message="x", messages=TURNS), "one of the two"),
        (Request(messages=()), "1 to 21"),
        (Request(messages=TURNS[:2]), "must end with a message of the user"),
        (Request(messages=TURNS[1:]), "must be the user's"),
        (Request(messages=(TURNS[0], TURNS[1]) * 11 + (TURNS[2],)), "are 23"),
        (Request(messages=(Turn(role="user", text=" "),)), "blank"),
    ],
)
def test_a_conversation_that_would_be_refused_is_not_sent(target, api, request_, says):
    """A conversation that breaks a rule is refused before anything is sent, with the rule."""
    with pytest.raises(InvalidInputError, match=says):
        submit(target, request_)
    assert api.requests == []


def test_a_line_of_a_file_may_be_a_conversation():
    """A batch takes conversations as lines; a bad one costs its own line."""
    good, bad = read_lines([json.dumps(SENT), '{"messages": [{"role": "system", "text": "x"}]}'], via="api")
    assert good.request == Request(messages=TURNS)
    assert bad.request is None


@pytest.mark.parametrize(
    "state", ["", "5", "{}", '{"request": 5}', '{"request": {"history": 5}}', '{"request": {"history": [5]}}']
)
def test_a_strange_input_has_no_history(state):
    """The input of an execution that is not a run's has no known history."""
    assert history_of(state) is None


def test_the_history_is_in_the_input_of_the_execution():
    """What preceded a run is read from its execution's input; a run without history has an empty one."""
    first = [{"role": turn.role, "text": turn.text} for turn in TURNS[:2]]
    assert history_of(json.dumps({"request": {"user_message": "x", "history": first}})) == TURNS[:2]
    assert history_of('{"request": {"user_message": "x"}}') == ()


def test_a_conversation_is_continued():
    """The follow-up carries the earlier messages, the run's own, its answer, and the new message, in this order."""
    turns = continued(TURNS[:2], journey(), "Why?")
    assert [turn.text for turn in turns] == [
        *(turn.text for turn in TURNS), "A pattern.", "Why?"
    ]  # fmt: skip
    assert [turn.role for turn in turns] == ["user", "assistant"] * 2 + ["user"]


def test_what_has_no_room_is_left_out_from_the_oldest():
    """Beyond the bounds of a conversation its oldest exchanges are left out, and the end of a long answer."""
    turns = continued(TURNS[:2] * 10, journey(), "Why?")
    assert (len(turns), turns[-2].text) == (limits.TURNS, "A pattern.")
    big = Turn(role="assistant", text="a" * 20_000)
    turns = continued((TURNS[0], big), journey(answer="b" * 900_000), "Why?")
    assert [len(turn.text) for turn in turns] == [len("And a monad?"), limits.ANSWER_CHARS, len("Why?")]


@pytest.mark.parametrize(
    ("seen", "message", "says"),
    [
        (journey(answer=None), "Why?", "no answer yet"),
        (journey(question=None), "Why?", "no answer yet"),
        (journey(), " ", "blank"),
        (journey(answer="b" * 20_000), "c" * 20_000, "most for a conversation"),
    ],
)
def test_a_follow_up_without_its_context_is_not_sent(seen, message, says):
    """A run without an answer can't be continued, nor one whose last exchange has no room beside the message."""
    with pytest.raises(InvalidInputError, match=says):
        continued((), seen, message)
