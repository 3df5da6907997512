"""The search: any id, the beginning of one, and messages that are archived or were sent anew."""

import re

import pytest

from console.tests import hostile
from console.tests.asking import Console
from console.tests.hostile import parked_message, shape
from console.tests.world import Machine, add_run
from operations.dlq import archive as archives
from operations.dlq.journal import Entry, Journal
from operations.dlq.replay import Selection, archive, select
from operations.errors import DeniedError
from operations.tests.dead_letters import park
from operations.tests.world import client
from shared.contracts.record import iso

PATHS = ("/archived", "/find?q=m-archived", "/find?q=m-sent-anew", "/archived/m-archived?run=p-1")


def settle(target, text: str) -> None:
    """Archive a message, and note that another one was corrected and sent anew."""
    journal = Journal(target, text)
    journal.archive(parked_message(text), text)
    for message_id, what, at in (("m-archived", "archive", 1), ("m-sent-anew", "move back, edited", 2)):
        journal.note(
            Entry(
                pipeline_id="p-1",
                at=f"2026-11-2{at}T10:00:00.000Z",
                who=text,
                what=what,
                why=text,
                outcome=text,
                message_id=message_id,
            )
        )


def read_all(console: Console) -> None:
    assert console.post("/read/archived").status == 303
    console.desk.readings.of("archived 0").join()


def test_an_archived_message_is_found_and_shown(console: Console, machine: Machine, records, target):
    """An archived message, parked by a service, is found by its id or its beginning, with who did what and why."""
    add_run(machine, records, "p-1", "FAILED")
    park("p-1")
    (kept,) = select(target, Selection())
    list(archive(target, [kept], who="arn:aws:sts::1:assumed-role/x/eve", reason="a test"))
    for wanted in (kept.id, kept.id[:8], f"{kept.id[:12]}%E2%80%A6"):
        text = console.get(f"/find?q={wanted}").text
        for part in ("is archived", "archive", "eve", "a test", "p-1", "failed"):
            assert part in text, (wanted, part)
    address = re.findall(r'href="(/archived/[^"]+)"', text)[0].replace("&amp;", "&")
    shown = console.get(address).text
    for part in (kept.id, "a test", "Pipeline.Transient", "chat.requested.v1", 'href="/runs/p-1"'):
        assert part in shown, part
    raw = re.findall(r'href="(/archived/[^"]+/raw[^"]*)"', shown)[0]
    assert "chat.requested.v1" in console.get(raw.replace("&amp;", "&")).text
    assert console.get(f"/archived/{kept.id}?run=other").status == 404
    assert console.get("/archived/x?run=").status == 404
    assert "Read the archived messages" in console.get("/archived").text
    read_all(console)
    assert kept.id in console.get("/archived").text


def test_a_message_that_was_sent_anew_is_found(console: Console, machine: Machine, target):
    """A corrected message is found by its old id, with what was done, also if its run is not known any more."""
    settle(target, "a test")
    text = console.get("/find?q=m-sent-anew").text
    for part in ("parked no longer", "move back, edited", "There is no run"):
        assert part in text
    assert "/archived/" not in text


def test_the_beginning_of_an_id_is_enough(console: Console, machine: Machine, records):
    """Six characters of an id, as a table cuts it, lead to its run; several runs that begin so are listed."""
    add_run(machine, records, "3b20f96061c034b5")
    for wanted in ("3b20f9", "3b20f96061c0%E2%80%A6", "3b20f96061c0..."):
        assert console.get(f"/find?q={wanted}").headers["location"] == "/runs/3b20f96061c034b5"
    assert console.get("/find?q=3b20").status == 404
    add_run(machine, records, "3b20f9aaaa")
    text = console.get("/find?q=3b20f9").text
    assert "The ids of 2 runs begin so" in text
    assert ('href="/runs/3b20f9aaaa"' in text, 'href="/runs/3b20f96061c034b5"' in text) == (True, True)


def test_a_parked_message_is_found_by_the_beginning_of_its_id(console: Console, machine: Machine, target):
    """The beginning of a parked message's id finds it; that of several lists them."""
    park("p-1")
    (one,) = select(target, Selection())
    text = console.get(f"/find?q={one.id[:10]}").text
    assert f'href="/parked/{one.id}"' in text


def test_what_may_not_be_searched_is_told(console: Console, machine: Machine, monkeypatch):
    """Nothing found: the page says where it looked and what it may not read, in the console's own words."""

    def refused(*_args, **_options):
        raise DeniedError("not allowed to scan")

    monkeypatch.setattr("operations.runs.explain.handled", refused)
    answer = console.get("/find?q=nobody-knows-it")
    assert answer.status == 404
    assert "what operators did (not allowed to scan)" in answer.text
    body = answer.text.partition("<main")[2].partition("</main>")[0]
    assert [word for word in ("--since", "--env", "pipeline ") if word in body] == []
    elsewhere = console.get("/find?q=arn:aws:states:eu-west-1:1:execution:x:y")
    assert (elsewhere.status, "--" in elsewhere.text.partition("<main")[2].partition("</main>")[0]) == (
        404,
        False,
    )


def test_a_damaged_archive_is_read_as_far_as_it_goes(console: Console, machine: Machine, target):
    """A message that can't be unpacked is counted, half of one is none, and the others are listed by pages."""
    settle(target, "a test")
    table = target.addresses["operations/table"]
    for name, part, parts in (("broken", b"x", "1"), ("half", b"y", "2")):
        client("dynamodb").put_item(
            TableName=table,
            Item={
                "pipeline_id": {"S": "p-9"},
                "entry": {"S": f"archived#{name}#000"},
                "part": {"B": part},
                "parts": {"N": parts},
            },
        )
    found = archives.read_archive(target, limit=100)
    assert ([one.message_id for one in found.messages], found.damaged) == (["m-archived"], 1)
    assert archives.read_archived(target, "p-9", "broken") is None
    assert archives.read_archive(target, limit=1).complete is False
    read_all(console)
    text = console.get("/archived").text
    assert ("1 message could not be read" in text, "m-archived" in text) == (True, True)


def test_hostile_messages_change_no_page(console: Console, machine: Machine, target, monkeypatch):
    """Archived messages and acts whose every text is hostile leave the pages made of the same elements; no token."""
    pages: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for text in (hostile.BENIGN, *hostile.STRINGS):
        settle(target, text)
        read_all(console)
        for path in PATHS:
            page = console.get(path).text
            assert hostile.TOKEN not in page
            parts = shape(page)
            assert pages.setdefault(path, parts) == parts, (path, text)


@pytest.mark.parametrize("path", ["/archived?format=json", "/find?q=m-archived&format=json"])
def test_the_pages_have_their_values_as_json(console: Console, machine: Machine, target, path):
    """`?format=json` gives a page's value."""
    settle(target, f"a test at {iso(parked_message('x').sent_at)}")
    assert console.get(path).headers["content-type"] == "application/json"
