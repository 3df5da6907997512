import json
from typing import Any

import pytest

from operations.asking.http import LONGEST_PAUSE_SECONDS, TRIES
from operations.asking.submit import ApiSender, BusSender, Request, submit
from operations.errors import DeniedError, InvalidInputError, RefusedError, UnreachableError
from shared.tests.fakes import FakeEvents

HELLO = Request(user_message="Hello 日本")


class FlakyEvents(FakeEvents):
    """A bus that refuses the event of every pipeline with an odd number a given number of times."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.refusals = refusals
        self.seen: dict[str, int] = {}

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self.calls.append(len(Entries))
        answers = []
        for entry in Entries:
            self.seen[entry["Detail"]] = self.seen.get(entry["Detail"], 0) + 1
            odd = int(json.loads(entry["Detail"])["metadata"]["pipeline_id"].removeprefix("p")) % 2
            if odd and self.seen[entry["Detail"]] <= self.refusals:
                answers.append({"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"})
            else:
                self.entries.append(entry)
                answers.append({"EventId": "e"})
        return {"FailedEntryCount": sum("ErrorCode" in a for a in answers), "Entries": answers}


@pytest.fixture
def bus(target, monkeypatch):
    """Return a function that replaces the target's events client."""

    def use(fake: FakeEvents) -> FakeEvents:
        target._clients["events"] = fake
        return fake

    return use


def test_a_message_goes_signed_to_the_api(target, api):
    """A message is posted unchanged, with a SigV4 signature and an idempotency key."""
    accepted = submit(target, HELLO)
    (request,) = api.requests
    assert accepted.status == "ACCEPTED"
    assert accepted.pipeline_id.startswith("p-")
    assert (request["path"], request["body"]) == ("/v1/pipeline", {"user_message": "Hello 日本"})
    assert request["headers"]["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=")
    assert "/us-east-1/execute-api/aws4_request" in request["headers"]["Authorization"]
    assert len(request["headers"]["Idempotency-Key"]) == 32


def test_a_busy_api_is_asked_again_with_the_same_key(target, api):
    """A request answered with 408, 429 or 5xx is repeated after Retry-After under the same key."""
    api.answers = [
        (408, {}),
        (503, {}, {"Retry-After": "2"}),
        (429, {}, {"Retry-After": "900"}),
        (502, b"<html>"),
    ]
    pauses: list[float] = []
    accepted = submit(target, Request(user_message="x", idempotency_key="k-1"), pause=pauses.append)
    assert accepted.pipeline_id == "p-k-1"
    assert {request["headers"]["Idempotency-Key"] for request in api.requests} == {"k-1"}
    assert pauses[1:3] == [2.0, LONGEST_PAUSE_SECONDS]
    assert len(pauses) == 4


def test_an_api_that_stays_busy_is_given_up(target, api):
    """After a bounded number of tries, the error quotes the API's own message."""
    api.answers = [(503, {"error": {"code": "unavailable", "message": "Try again."}})] * TRIES
    with pytest.raises(RefusedError, match=r"Try again\. \(HTTP 503\)"):
        submit(target, HELLO, pause=lambda _: None)
    assert len(api.requests) == TRIES


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, InvalidInputError), (403, DeniedError), (409, RefusedError), (413, InvalidInputError)],
)
def test_what_the_api_refuses_is_not_repeated(target, api, status, kind):
    """A request that the API answers with a permanent refusal (400, 403, 409, 413) is reported and not repeated."""
    api.answers = [(status, {"error": {"code": "c", "message": "Because."}})]
    with pytest.raises(kind, match="Because"):
        submit(target, HELLO, pause=lambda _: None)
    assert len(api.requests) == 1


def test_an_unsigned_style_refusal_is_understood(target, api):
    """A refusal in the error shape of API Gateway itself is understood."""
    api.answers = [(403, {"message": "Missing Authentication Token"})]
    with pytest.raises(DeniedError, match="Missing Authentication Token"):
        submit(target, HELLO)


def test_an_api_that_is_not_there_is_unreachable(target, api):
    """An address without a server is reported as unreachable after a few tries."""
    target.addresses.values["api/url"] = "http://127.0.0.1:1/v1"
    pauses: list[float] = []
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1"):
        submit(target, HELLO, pause=pauses.append)
    assert len(pauses) == TRIES - 1


def test_another_server_at_the_address_is_noticed(target, api):
    """An answer in an unknown shape is an error and not taken for an id."""
    api.answers = [(200, {"hello": "world"})]
    with pytest.raises(RefusedError, match="unknown shape"):
        submit(target, HELLO)


@pytest.mark.parametrize("message", ["", "  \n", "x" * 32_769, "日" * 22_000])
@pytest.mark.parametrize("via", ["api", "bus"])
def test_a_message_that_breaks_a_rule_is_never_sent(target, api, bus, message, via):
    """A message that exceeds the contract's bounds is refused before it is sent."""
    events = bus(FakeEvents())
    with pytest.raises(InvalidInputError, match="user_message"):
        submit(target, Request(user_message=message), via=via)
    assert api.requests == []
    assert events.entries == []


def test_the_api_gives_ids_itself(target, api):
    """A pipeline_id is refused for the API, because only publishers on the bus choose ids."""
    with pytest.raises(InvalidInputError, match="--via bus"):
        submit(target, Request(user_message="x", pipeline_id="mine"))


def test_an_event_names_its_pipeline(target, bus):
    """On the bus, the publisher chooses the pipeline id, and the same key gives the same id."""
    events = bus(FakeEvents())
    assert submit(target, Request(user_message="x", pipeline_id="mine"), via="bus").pipeline_id == "mine"
    first, second = (
        submit(target, Request(user_message="x", idempotency_key="k"), via="bus").pipeline_id
        for _ in range(2)
    )
    assert first == second
    detail = events.details("pipeline.requested.v1")[0]
    assert detail["metadata"]["pipeline_id"] == "mine"
    assert detail["data"] == {"user_message": "x"}
    assert events.entries[0]["EventBusName"] == "ai-pipeline-local-bus"


def test_refused_entries_alone_are_sent_again(target, bus):
    """When PutEvents refuses some entries, only these are sent again, until all are accepted."""
    events = bus(FlakyEvents(refusals=2))
    requests = [Request(user_message=f"m{number}", pipeline_id=f"p{number}") for number in range(25)]
    sent = BusSender(target, pause=lambda _: None).send(requests)
    assert [answer.pipeline_id for answer in sent] == [f"p{number}" for number in range(25)]  # type: ignore[union-attr]
    assert len(events.entries) == 25
    assert max(events.calls) == 10


def test_an_entry_refused_every_time_is_an_error_of_its_own(target, bus):
    """An entry that is always refused is reported as an error, and the other entries are accepted."""
    bus(FlakyEvents(refusals=99))
    requests = [Request(user_message=f"m{number}", pipeline_id=f"p{number}") for number in range(4)]
    sent = BusSender(target, pause=lambda _: None).send(requests)
    refused = [answer for answer in sent if isinstance(answer, RefusedError)]
    assert len(refused) == 2
    assert "slow down" in str(refused[0])


def test_invalid_requests_do_not_stop_the_others(target, api):
    """Each request has its own outcome, in the given order, also if some are invalid."""
    good, bad, fine = ApiSender(target).send([HELLO, Request(user_message=""), HELLO])
    assert isinstance(bad, InvalidInputError)
    assert not isinstance(good, Exception)
    assert not isinstance(fine, Exception)
