"""Asking: one message, one run, and an answer that does no harm."""

import re

from console.tests.asking import Console, console_of
from console.tests.world import add_run


def test_a_message_becomes_one_run(console: Console, api, records):
    """A form that is sent twice starts one run, since both carry the form's own key."""
    api.on_request = lambda _: records.accept(
        "p", user_message="Why?", accepted_at="2026-11-22T10:00:00.000Z"
    )
    api.answers = [(202, {"pipeline_id": "p", "status": "ACCEPTED"})] * 2
    key = re.findall(r'name="key" value="([^"]+)"', console.get("/ask").text)[0]
    answers = [console.post("/ask/send", {"message": "Why?\r\nReally?", "key": key}) for _ in range(2)]
    assert {(answer.status, answer.headers["location"]) for answer in answers} == {(303, "/asked/p")}
    assert {request["headers"]["Idempotency-Key"] for request in api.requests} == {key}
    assert api.messages == ["Why?\nReally?"] * 2
    assert "Why?" in console.get("/asked/p").text


def test_what_was_typed_survives_a_refusal(console: Console, api):
    """After a refusal the form shows why, with the message; only one that was never sent gets a new key."""
    key = "console-1234567890"
    empty = console.post("/ask/send", {"message": " ", "key": key})
    assert (empty.status, key in empty.text) == (400, False)
    api.answers = [(403, {"message": "no"})]
    refused = console.post("/ask/send", {"message": "<b>Why?", "key": key})
    assert (refused.status, key in refused.text, "&lt;b&gt;Why?" in refused.text) == (502, True, True)


def test_asking_needs_an_unlocked_environment(nowhere, api):
    """On AWS, asking, which costs money, is refused until the environment is unlocked."""
    console = console_of(nowhere, "prod")
    assert "locked" in console.get("/ask").text
    assert console.post("/ask/send", {"message": "Why?", "key": "console-1234567890"}).status == 403
    assert api.requests == []


def test_an_answer_is_harmless_markdown(console: Console, machine, records):
    """An answer's Markdown is drawn without raw HTML, images and styles; each link shows where it leads."""
    text = (
        "**bold**\n\n| a | b |\n|:--|--:|\n| 1 | 2 |\n\n```js\nx\n```\n\n[here](https://a.example/x) <b>y</b>"
    )
    add_run(
        machine,
        records,
        "p",
        final_response=f"{text} ![i](https://b.example/i.png) [bad](javascript:alert(1))",
    )
    page = console.get("/asked/p").text
    for part in ("<strong>bold</strong>", "<td>1</td>", ">here</a> (https://a.example/x)", "&lt;b&gt;y"):
        assert part in page
    answer = page.partition('aria-label="Answer"')[2].partition("</div>")[0]
    assert not any(part in answer for part in ("<img", "style=", "class=", 'href="javascript'))
    assert 'rel="noreferrer noopener nofollow"' in answer
