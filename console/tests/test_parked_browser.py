"""Parked messages in a real browser: from the queues to an outcome, with messages whose every text is hostile."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from console.tests.browsing import IN_A_BROWSER, Served, Tab, browser, checked, tab
from console.tests.hostile import STRINGS, park_hostile
from operations.runs.ends import End
from operations.tests.dead_letters import StepFunctions, count, machine, park, url

__all__ = ["browser", "machine", "tab"]

pytestmark = IN_A_BROWSER


@pytest.fixture
def served(
    target: Any, machine: StepFunctions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    """Yield a console over messages of two causes: three that can be moved back, and hostile ones."""

    def ends(_target: Any, ids: Any, **_: Any) -> Iterator[End]:
        return (End(pipeline_id=one, status="SUCCEEDED") for one in ids)

    monkeypatch.setattr("operations.dlq.plans.ends", ends)
    machine.alive.add("a-living-token")
    for number in range(3):
        park(f"p-{number}", token="a-living-token")
    park("p-bad", token="a-living-token", user_message=7)
    park_hostile(" ".join(STRINGS[:6]))
    console = Served(target, tmp_path)
    yield console
    console.stop()


def test_a_queue_is_emptied(served: Served, tab: Callable[..., Tab]):
    """An operator reads the queues, replays a cause with a canary and sees what came of it."""
    one = tab(viewport={"width": 400, "height": 800})
    page = one.page
    page.goto(served.link)
    page.goto(f"{served.url}/parked")
    checked(one)
    page.click("button:has-text('Read the queues')")
    page.wait_for_selector("tr:has-text('Pipeline.Transient')")
    checked(one)
    page.click("a:has-text('Pipeline.Transient')")
    checked(one)
    for key in "jxjx":  # from row to row, though a row has two links
        page.keyboard.press(key)
    page.wait_for_selector("#ticks:text('2 ticked')")
    page.click("button:has-text('Plan a replay of these 4 messages')")
    page.wait_for_selector("button:has-text('Replay 3 messages')")
    checked(one)
    page.fill("[name=canary]", "1")
    page.click("button:has-text('Replay 3 messages')")
    page.wait_for_selector("text=3 of 3 messages reached their outcome")
    page.wait_for_selector("text=it held, the rest followed")
    checked(one)
    page.goto(f"{served.url}/plans")
    checked(one)
    page.goto(f"{served.url}/parked")
    assert "3 messages parked" in page.inner_text("#now")  # the hostile ones, and the one that was left
    assert (count(url("chatbot")), count(url("chatbot", ""))) == (2, 3)


def test_a_message_is_corrected(served: Served, tab: Callable[..., Tab]):
    """The contract is checked while one types; the difference is shown; a button sends one copy, once."""
    one = tab(viewport={"width": 400, "height": 800})
    page = one.page
    page.goto(served.link)
    served.desk.shelf.read(served.desk.environment.target())
    served.desk.shelf.wait()
    snapshot = served.desk.shelf.shown(served.desk.environment.target()).snapshot
    assert snapshot
    for item in snapshot.planned:
        page.goto(f"{served.url}/parked/{item.message.id}")
        checked(one)
        if item.message.pipeline_id == "p-bad":
            bad = page.url
    page.goto(bad)
    page.fill("#data", '{"user_message": "')
    page.wait_for_selector("#check :text('is not valid JSON')")
    page.fill("#data", '{"user_message": 8}')
    page.wait_for_selector("#check :text('must be of type string')")
    page.fill("#data", '{"user_message": "<b>Hi"}')
    page.wait_for_selector("#check .good")
    page.click("button:has-text('See the difference')")
    page.wait_for_selector(".diff .plus")
    checked(one)
    page.click("button:has-text('Send one corrected copy')")
    page.wait_for_selector("text=1 of 1 message reached its outcome")
    assert page.locator("button.main").count() == 0
    assert count(url("chatbot", "")) == 1
    assert [address for address in one.asked if not address.startswith((served.url, "data:"))] == []
