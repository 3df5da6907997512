"""The bus client sends events in chunks and notices every refusal."""

import json

import pytest

from shared.bus import Bus, chunks, entry
from shared.contracts import v1
from shared.contracts.envelope import Outgoing
from shared.errors import PermanentError, TransientError
from shared.tests.fakes import FakeEvents, client_error


def event(number: int, text: str = "hello") -> Outgoing:
    return Outgoing(
        data=v1.PipelineRequested(user_message=text),
        pipeline_id=f"p{number}",
        event_id=f"e{number}",
        correlation_id=f"c{number}",
    )


@pytest.fixture
def events():
    return FakeEvents()


def test_events_go_out_in_tens(events):
    """PutEvents takes ten entries: 23 events are three calls, in order."""
    Bus(lambda: events, "bus").publish([event(number) for number in range(23)])
    assert events.calls == [10, 10, 3]
    ids = [json.loads(item["Detail"])["metadata"]["pipeline_id"] for item in events.entries]
    assert ids == [f"p{number}" for number in range(23)]


def test_no_events_no_call():
    """Publishing no events makes no client."""

    def connect():
        raise AssertionError("connected")

    Bus(connect, "bus").publish([])


def test_chunks_stay_below_the_request_limit():
    """Heavy events are spread over more requests: none reaches 1 MiB."""
    entries = [entry(event(number, "x" * 32_768), "bus") for number in range(40)]
    heavy = [{**item, "Detail": item["Detail"] * 6} for item in entries]
    for chunk in chunks(heavy):
        assert sum(len(item["Detail"]) for item in chunk) < 1_048_576
    assert sum(len(chunk) for chunk in chunks(heavy)) == 40


def test_refused_entry_is_an_error_and_the_rest_is_published(events):
    """A 200 with FailedEntryCount is not success."""
    events.refuse = {"pipeline.requested.v1"}
    completed = Outgoing(
        data=v1.PipelineCompleted(execution_time_ms=1), pipeline_id="p", event_id="e", correlation_id="c"
    )
    with pytest.raises(TransientError, match="refused 1 of 2"):
        Bus(lambda: events, "bus").publish([event(1), completed])
    assert events.details("pipeline.completed.v1")


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["ThrottlingException"], TransientError),
        (["InternalFailure"], TransientError),
        (["MalformedDetail", "ThrottlingException"], TransientError),
        (["MalformedDetail"], PermanentError),
        (["AccessDeniedException", "MalformedDetail"], PermanentError),
    ],
)
def test_refused_entries_are_sorted_like_refused_calls(codes, expected):
    """An event that EventBridge will never accept is no reason to publish it again; one that it may accept is."""

    class Refusing:
        def put_events(self, *, Entries):
            return {"FailedEntryCount": len(Entries), "Entries": [{"ErrorCode": code} for code in codes]}

    with pytest.raises(expected, match=f"refused {len(codes)} of {len(codes)}"):
        Bus(Refusing, "bus").publish([event(number) for number, _ in enumerate(codes)])


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("ThrottlingException", 400, TransientError),
        ("InternalException", 500, TransientError),
        ("Whatever", 429, TransientError),
        ("AccessDeniedException", 400, PermanentError),
        ("ResourceNotFoundException", 400, PermanentError),
    ],
)
def test_errors_are_translated_at_the_border(events, code, status, expected):
    """Throttles and server errors are transient, the rest permanent; the service's text is left out."""
    events.error = client_error(code, "PutEvents", status)
    with pytest.raises(expected, match=code):
        Bus(lambda: events, "bus").publish([event(1)])
