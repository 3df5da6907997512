"""Parked messages that consist of hostile texts, on all their pages."""

from collections.abc import Callable
from typing import Any

import pytest

from console.tests import hostile
from console.tests.asking import Console, carry_out
from console.tests.hostile import TOKEN, park_hostile, shape
from console.tests.parking import drain, machine, make, read
from operations.dlq.causes import key_of
from operations.tests.dead_letters import StepFunctions, url

__all__ = ["machine"]


@pytest.fixture
def put(machine: StepFunctions, monkeypatch: pytest.MonkeyPatch) -> Callable[[Console, str], list[str]]:
    """Return a function that parks messages of which every text is `text`; it returns the pages about them."""
    monkeypatch.setattr("operations.dlq.plans.ends", lambda *_args, **_options: iter(()))

    def parked(console: Console, text: str) -> list[str]:
        for service in ("chatbot", "analyzer"):
            drain(url(service))
        park_hostile(text)
        read(console)
        snapshot = console.desk.shelf.shown(console.desk.environment.target()).snapshot
        assert snapshot
        items = sorted(snapshot.planned, key=lambda item: (item.message.service, len(item.message.body)))
        archive = make(console, all="1", what="archive", reason=text)
        pages = [f"/parked/{item.message.id}" for item in items]
        return ["/parked", f"/parked?cause={key_of(items[-1])}", *pages, archive]

    return parked


def test_hostile_messages_change_no_page(console: Console, put: Callable[[Console, str], list[str]]):
    """A hostile string in every field of a parked message leaves all its pages with the elements of a plain one."""
    plain = [shape(console.get(path).text) for path in put(console, hostile.BENIGN)]
    idle = shape(console.post("/plans/make", {"all": "1"}).text)
    for text in (" ".join(hostile.STRINGS), *hostile.STRINGS[:2]):
        for path, expected in zip(put(console, text), plain, strict=True):
            answer = console.get(path)
            assert answer.status == 200
            assert shape(answer.text) == expected, (path, text)
        assert shape(console.post("/plans/make", {"all": "1"}).text) == idle, text


def test_no_page_and_no_file_has_a_task_token(
    console: Console, put: Callable[[Console, str], list[str]], tmp_path: Any
):
    """A message's task token, also where its data and error quote it, is on no page, in no export and in no file."""
    paths = put(console, "x")
    (message,) = [path for path in paths if path.startswith("/parked/")][1:]
    extra = ("/parked/export", f"{message}/raw", "/plans")
    for path in (*paths, *extra):
        for suffix in ("", "&format=json" if "?" in path else "?format=json"):
            answer = console.get(path + suffix)
            assert (answer.status, TOKEN in answer.text) == (200, False), path + suffix
    left = console.post("/plans/make", {"all": "1"})
    assert (left.status, TOKEN in left.text) == (409, False)
    carry_out(console, paths[-1])
    for file in (tmp_path / "plans-local").glob("*.jsonl"):
        assert TOKEN not in file.read_text("utf-8")
