"""The trail of an execution keeps each try, and no task token."""

import json

from operations.runs.trail import redacted, trail, without_tokens
from operations.tests.histories import Story

TOKEN = "AQCEAAAAKgAAAAMAAAAAAAAAAVUAhLmZm5Q3oc"


def test_each_try_has_its_error():
    """A stage that failed twice and then succeeded has three tries with their errors, its input and its output."""
    story = (
        Story().enter("AnalyzeInput").ask().fail("A", "one").ask().add("TaskTimedOut").ask().succeed().leave()
    )
    story.events[1]["stateEnteredEventDetails"]["input"] = '{"x": 1}'
    (visit,) = trail("arn", story.events).visits
    assert [(one.number, one.outcome, one.error) for one in visit.tries] == [
        (1, "failed", "A"), (2, "failed", "States.Timeout"), (3, "succeeded", None),
    ]  # fmt: skip
    assert (visit.key, visit.input, visit.tries[0].cause) == ("analysis", '{"x": 1}', "one")
    assert json.loads(visit.output or "")["data"] == {}
    assert visit.left_at is not None


def test_a_redrive_is_seen():
    """A try after a redrive says so, and the failed end does not end it twice."""
    story = Story().enter("CallExistingChatbot").ask().fail()
    story.add("ExecutionFailed", executionFailedEventDetails={"error": "E"}).add("ExecutionRedriven").ask()
    (visit,) = trail("arn", story.events).visits
    assert [(one.redrive, one.outcome) for one in visit.tries] == [(0, "failed"), (1, "open")]


def test_an_abort_ends_the_open_try():
    """An execution that was stopped leaves no open try; a state without tries is a visit nevertheless."""
    story = (
        Story()
        .enter("AnalyzeInput")
        .ask()
        .add("ExecutionAborted", executionAbortedEventDetails={"cause": "me"})
    )
    (visit,) = trail("arn", story.events).visits
    assert (visit.tries[0].outcome, visit.tries[0].cause) == ("stopped", "me")
    (other,) = trail(
        "arn", Story().add("PassStateEntered", stateEnteredEventDetails={"name": "Later"}).events
    ).visits
    assert (other.state, other.key, other.tries) == ("Later", None, ())


def test_failures_are_marked():
    """Events that tell a failure are marked, whatever they failed at."""
    story = Story().enter("AnalyzeInput").ask().fail().add("ExecutionFailed", executionFailedEventDetails={})
    assert [event.type for event in trail("arn", story.events).events if event.is_failure] == [
        "TaskFailed",
        "ExecutionFailed",
    ]


def test_no_token_is_kept():
    """A task token is removed where it is named, in JSON within JSON, in a cut text, and where it is quoted."""
    detail = json.dumps({"data": {"task_token": TOKEN, "x": 1}})
    parameters = json.dumps({"Entries": [{"Detail": detail}], "TaskToken": TOKEN})
    story = Story().enter("AnalyzeInput")
    story.add("TaskScheduled", taskScheduledEventDetails={"parameters": parameters, "taskToken": TOKEN})
    story.fail("E", f"the token {TOKEN} has expired").add(
        "Odd", oddEventDetails={"deep": [{"t": parameters[:-20]}]}
    )
    text = repr(trail("arn", story.events))
    assert TOKEN not in text
    assert "the token (removed) has expired" in text
    assert TOKEN not in repr(without_tokens({"a": [detail], "task_token": TOKEN}))


def test_innocent_text_stays():
    """A text without a named token stays as it is, also if it speaks of tokens."""
    for text in ('{"input_tokens": 5, "tokens": "many"}', "task_token", '"task_token"', "no JSON at all"):
        assert redacted(text) == text
    assert without_tokens({"input_tokens": 5, "at": None}) == {"input_tokens": 5, "at": None}
