"""Versions of an event: complete chains, and every way in which a chain can be broken."""

import json
from typing import Any, ClassVar

import msgspec
import pytest

from shared.bus import Bus
from shared.contracts import reading, upcasting
from shared.contracts.envelope import SOURCE, Delivery, Detail, Event, Metadata
from shared.contracts.upcasting import CHAINS, EVENTS, Chain, ChainError, Upcaster, chains, readable, upcast
from shared.errors import ContractViolation
from shared.parking import ParkingLot
from shared.tests.fakes import FakeEvents, FakeSqs, FakeStepFunctions, sqs_record, stage_event
from shared.worker import Route, Worker
from shared.worker.outcome import Callback


class One(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "thing.requested"
    VERSION: ClassVar[int] = 1

    text: str


class Two(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "thing.requested"
    VERSION: ClassVar[int] = 2

    texts: tuple[str, ...]


class Three(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "thing.requested"
    VERSION: ClassVar[int] = 3

    texts: tuple[str, ...]
    count: int


class Other(Event, frozen=True, kw_only=True):
    NAME: ClassVar[str] = "other.requested"
    VERSION: ClassVar[int] = 2


def two(old: One) -> Two:
    return Two(texts=(old.text,))


def three(old: Two) -> Three:
    return Three(texts=old.texts, count=len(old.texts))


WHOLE = (Upcaster(One, Two, two), Upcaster(Two, Three, three))
KINDS = (One, Two, Three)


@pytest.fixture
def known() -> dict[str, Chain]:
    return chains(KINDS, WHOLE)


@pytest.mark.parametrize("event", [One(text="a"), Two(texts=("a",)), Three(texts=("a",), count=1)])
def test_every_version_is_read_as_the_newest(known, event):
    """An event of any older version is upcast step by step; one of the newest stays the same."""
    assert upcast(event, Three, known) == Three(texts=("a",), count=1)


def test_a_consumer_of_the_middle_version_gets_that(known):
    """A service whose newest version is v2 reads v1 and v2, both as v2."""
    assert readable(Two, known) == (One, Two)
    assert upcast(One(text="a"), Two, known) == Two(texts=("a",))


def test_a_retired_version_is_no_gap():
    """The oldest versions may be removed; the chain then begins with a later one."""
    assert chains((Two, Three), WHOLE[1:])["thing.requested"].versions == (Two, Three)


BROKEN: dict[str, tuple[tuple[type[Event], ...], tuple[Upcaster[Any, Any], ...], str]] = {
    "no step": (KINDS, WHOLE[:1], "thing.requested: there is no upcaster from v2 to v3"),
    "no version between": (
        (One, Three),
        (),
        "thing.requested: there is a v1 and a v3, and no v2 between them",
    ),
    "version twice": ((One, One), (), "thing.requested: there are two types for v1"),
    "step twice": (
        KINDS,
        (*WHOLE, Upcaster(One, Two, two)),
        "thing.requested: there are two upcasters from v1 to v2",
    ),
    "cycle": (
        KINDS,
        (*WHOLE, Upcaster(Three, One, lambda old: One(text=old.texts[0]))),
        "thing.requested: the upcaster from v3 leads back to v1",
    ),
    "to itself": (
        KINDS,
        (*WHOLE, Upcaster(Three, Three, lambda old: old)),
        "thing.requested: the upcaster from v3 leads back to v3",
    ),
    "skips": (
        KINDS,
        (*WHOLE, Upcaster(One, Three, lambda old: Three(texts=(old.text,), count=1))),
        "thing.requested: the upcaster from v1 leads to v3 and skips v2",
    ),
    "another event": (
        (*KINDS, Other),
        (*WHOLE, Upcaster(One, Other, lambda _: Other())),
        "thing.requested: the upcaster from v1 leads to other.requested.v2",
    ),
    "unknown version": (
        (One,),
        (Upcaster(One, Two, two),),
        "thing.requested: the upcaster from v1 to v2 has a type of v2 that is not in the table of events",
    ),
}


@pytest.mark.parametrize(("kinds", "steps", "says"), BROKEN.values(), ids=BROKEN)
def test_a_broken_chain_is_told(kinds, steps, says):
    """Each break in a chain has its own error, which names the event and the versions."""
    with pytest.raises(ChainError) as caught:
        chains(kinds, steps)
    assert str(caught.value) == says


def test_the_projects_own_chains_are_checked_at_import():
    """The import checks the project's own events: every version of every event is in one chain."""
    assert {kind for chain in CHAINS.values() for kind in chain.versions} == set(EVENTS)
    assert chains(EVENTS, upcasting.UPCASTERS) == CHAINS


class Bench:
    """Make a worker on doubles whose newest version is `Two`."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, Metadata]] = []
        self.step_functions = FakeStepFunctions()
        self.events, self.dlq = FakeEvents(), FakeSqs()
        self.worker = Worker(
            service="thing",
            routes={Two.detail_type(): Route(request=Two, run=self.run)},
            callback=Callback(self.step_functions),
            parking=ParkingLot(lambda: self.dlq, dlq_url="https://queue/dlq", service="thing"),
            bus=Bus(lambda: self.events, "bus"),
        )

    def run(self, request: Two, metadata: Metadata) -> Two:
        self.seen.append((request, metadata))
        return request

    def handle(self, *events: dict[str, Any]) -> None:
        records = [sqs_record(event) for event in events]
        assert self.worker.handle({"Records": records}, None) == {"batchItemFailures": []}


@pytest.fixture
def bench(known, monkeypatch) -> Bench:
    monkeypatch.setattr("shared.worker.inbox.readable", lambda newest: readable(newest, known))
    monkeypatch.setattr(reading, "readable", lambda newest: readable(newest, known))
    monkeypatch.setattr(reading, "upcast", lambda event, newest: upcast(event, newest, known))
    return Bench()


def test_a_worker_reads_every_version_up_to_its_own(bench):
    """v1 and v2 in one batch both reach the stage as v2; the metadata keep the version that was sent."""
    bench.handle(
        stage_event("thing.requested.v1", {"text": "old"}, token="t-1"),
        stage_event("thing.requested.v2", {"texts": ["new"]}, token="t-2"),
    )
    assert [request for request, _ in bench.seen] == [Two(texts=("old",)), Two(texts=("new",))]
    assert [metadata.schema_version for _, metadata in bench.seen] == [1, 2]
    assert set(bench.step_functions.successes) == {"t-1", "t-2"}


def test_a_worker_refuses_a_newer_version_and_says_what_it_reads(bench):
    """An unknown version is parked, contract.rejected names the known versions, and its task fails at once."""
    bench.handle(stage_event("thing.requested.v3", {"texts": [], "count": 0}))
    assert bench.seen == []
    (rejected,) = bench.events.details("contract.rejected.v1")
    assert rejected["data"]["path"] == "$.detail-type"
    assert "thing.requested.v1, thing.requested.v2" in rejected["data"]["reason"]
    assert bench.step_functions.failures["token-1"][0] == "Pipeline.ContractViolation"


def test_an_upcaster_that_fails_is_a_contract_violation(bench, monkeypatch):
    """An old event that can't be upcast is parked with that reason, and the other message runs."""

    def fails(event: Event, newest: type[Event]) -> Event:
        if isinstance(event, One):
            raise KeyError("text nobody may see")
        return event

    monkeypatch.setattr(reading, "upcast", fails)
    bench.handle(
        stage_event("thing.requested.v1", {"text": "old"}, token="t-1"),
        stage_event("thing.requested.v2", {"texts": ["new"]}, token="t-2"),
    )
    assert bench.dlq.attributes()["error"].startswith(
        "The event can't be read as thing.requested.v2 (KeyError)"
    )
    assert set(bench.step_functions.successes) == {"t-2"}


def test_the_version_that_was_sent_is_told_by_the_detail_type(known, monkeypatch):
    """A consumer of v2 reads v1 and v2; any other detail-type is a contract violation that names both."""
    monkeypatch.setattr(reading, "readable", lambda newest: readable(newest, known))
    assert reading.sent_as("thing.requested.v1", Two) is One
    with pytest.raises(ContractViolation, match=r"thing\.requested v1 and v2"):
        reading.sent_as("thing.requested.v3", Two)


@pytest.mark.parametrize("wrong", [{"schema": "other.requested"}, {"schema_version": 1}])
def test_metadata_must_agree_with_the_detail_type(wrong):
    """An event whose metadata and detail-type name different versions is a contract violation."""
    event = stage_event("thing.requested.v2", {"texts": []}, **wrong)
    delivery = Delivery(source=SOURCE, detail_type="thing.requested.v2", detail=_raw(event["detail"]))
    with pytest.raises(ContractViolation, match="another schema"):
        reading.read_metadata(delivery, reading.read(delivery.detail, Detail), Two)


def _raw(value: Any) -> Any:

    return msgspec.Raw(json.dumps(value).encode())
