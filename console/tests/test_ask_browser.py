"""Asking in a real browser: a follow-up, an event, and a file of messages, with data whose every text is hostile."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from console.tests import hostile
from console.tests.browsing import IN_A_BROWSER, Served, Tab, browser, checked, tab
from console.tests.world import Machine, add_run
from operations.tests.world import FakeApi, finish

__all__ = ["browser", "tab"]

pytestmark = IN_A_BROWSER


@pytest.fixture
def served(target: Any, machine: Machine, records: Any, api: FakeApi, tmp_path: Path) -> Iterator[Served]:
    """Yield a console over a conversation whose every text is hostile, with an API that answers at once."""
    text = " ".join(hostile.STRINGS[:6])
    add_run(machine, records, "p", "SUCCEEDED", hostile.story(text), **hostile.record(text))
    history = [{"role": role, "text": text} for role in ("user", "assistant")]
    machine.inputs["p"] = json.dumps({"request": {"user_message": text, "history": history}})

    def answered(request: dict[str, Any]) -> None:
        finish(records, f"p-{request['headers']['Idempotency-Key'][-12:]}", final_response=text)

    api.on_request = answered
    console = Served(target, tmp_path)
    yield console
    console.stop()


def test_everything_can_be_asked(served: Served, tab: Callable[..., Tab], api: FakeApi, tmp_path: Path):
    """Somebody on a phone asks a follow-up, sends a file of messages and saves the results, and checks an event."""
    one = tab(viewport={"width": 400, "height": 800})
    page = one.page
    page.goto(served.link)
    page.goto(f"{served.url}/asked/p")
    page.click("text=Ask a follow-up")
    page.wait_for_selector("#message")
    checked(one)
    page.fill("#message", "Why?")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#now [aria-label='Answer']")
    assert [len(request["body"]["messages"]) for request in api.requests] == [5]

    page.goto(f"{served.url}/ask/many")
    file = tmp_path / "messages.jsonl"
    file.write_text("\n".join(json.dumps(text) for text in ("First?", *hostile.STRINGS)) + '\n"nope')
    page.set_input_files("[data-into]", file)
    page.click("button:has-text('Look at the lines')")
    page.wait_for_selector("tr:has-text('not valid JSON')")
    page.click("button:has-text('Send 9 messages')")
    page.wait_for_selector("text=9 of 9 messages reached their end")
    checked(one)
    with page.expect_download() as saved:
        page.click("text=Save the results")
    assert len(Path(saved.value.path()).read_text("utf-8").splitlines()) == 10

    page.goto(f"{served.url}/ask/event")
    page.wait_for_selector("#event")
    page.fill("#event", json.dumps({"data": {"user_message": hostile.STRINGS[1]}}))
    page.wait_for_selector("#check .wrong")
    checked(one)
    page.fill("#event", json.dumps({"data": {"messages": [{"role": "user", "text": "Hi"}]}}))
    page.wait_for_selector("#check .good")
    assert [address for address in one.asked if not address.startswith((served.url, "data:"))] == []


def test_ten_megabytes_freeze_no_page(served: Served, tab: Callable[..., Tab], tmp_path: Path):
    """Ten megabytes as a file, pasted or typed are refused where they are, with the reason; nothing is sent."""
    one = tab()
    page = one.page
    page.goto(served.link)
    page.goto(f"{served.url}/ask/many")
    file = tmp_path / "messages.jsonl"
    file.write_text(json.dumps("x" * 10_000_000))
    page.set_input_files("[data-into]", file)
    page.click("button:has-text('Look at the lines')")
    assert page.input_value("#lines") == ""
    paste = """(name) => {
        const field = document.querySelector(name), data = new DataTransfer();
        data.setData("text", "x".repeat(10_000_000));
        const event = new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
        return field.dispatchEvent(event);
    }"""
    assert page.evaluate(paste, "#lines") is False
    for path, name in (("/ask/many", "#lines"), ("/ask/event", "#event")):
        page.goto(served.url + path)
        one.asked.clear()
        page.evaluate(
            """(name) => {
            const field = document.querySelector(name);
            field.value = "x".repeat(10_000_000);
            field.dispatchEvent(new Event("input", {bubbles: true}));
        }""",
            name,
        )
        assert "too long for a form" in page.evaluate(
            "name => document.querySelector(name).validationMessage", name
        )
        page.click("main button.main")
        page.wait_for_timeout(600)
        assert one.asked == []
        page.evaluate("name => { document.querySelector(name).value = '' }", name)
