"""Archiving and correcting parked messages, and the texts that are compared and edited."""

import html
import json
import re

from console.models.event import difference, event_text
from console.tests.asking import Console, carry_out
from console.tests.parking import machine, make, message_ids, read, three
from console.text import editable, shown
from operations.tests.dead_letters import StepFunctions, count, park, url
from operations.violations import Violation

__all__ = ["machine", "three"]


def test_archiving_needs_a_reason(console: Console, three: StepFunctions):
    """Messages are archived with a reason by a plan of their own; without a reason nothing happens."""
    read(console)
    (first, *_) = message_ids(console)
    assert console.post("/plans/make", {"message": first, "what": "archive", "reason": " "}).status == 400
    address = make(console, message=first, what="archive", reason="<b>known</b>")
    assert "Archive 1 message" in console.get(address).text
    assert "&lt;b&gt;known" in carry_out(console, address).text
    assert (count(url("chatbot")), three.calls) == (2, [])


def test_a_correction_is_checked_compared_and_sent_once(console: Console, three: StepFunctions):
    """A correction is checked while it is typed, shown as a difference, and sent as exactly one copy."""
    read(console)
    wrong = message_ids(console)[2]
    check = f"/parked/{wrong}/check"
    assert "must be of type string" in console.post(check, {"data": '{"user_message": 8}'}).text
    assert "not valid JSON" in console.post(check, {"data": "{"}).text
    assert "It keeps the contract" in console.post(check, {"data": '{"user_message": "Hi"}'}).text
    for data, why in (
        ('{"user_message": 8}', "breaks the contract"),
        ('{"user_message": 7}', "breaks the contract"),
    ):
        refused = console.post("/plans/make", {"message": wrong, "what": "edit", "data": data})
        assert (refused.status, why in refused.text, "8" in refused.text or "7" in refused.text) == (
            400,
            True,
            True,
        )
    address = make(console, message=wrong, what="edit", data='{"user_message": "Hi <b>"}')
    page = console.get(address).text
    assert "Send one corrected copy of 1 message" in page
    assert re.search(r'class="minus">-   &#34;user_message&#34;: 7', page)
    assert re.search(r'class="plus">\+   &#34;user_message&#34;: &#34;Hi &lt;b&gt;', page)
    for _ in range(2):
        assert "1 of 1 message reached" in carry_out(console, address).text
    assert (count(url("chatbot")), count(url("chatbot", ""))) == (2, 1)
    assert console.post("/plans/make", {"message": wrong, "what": "edit", "data": "{}"}).status == 404
    assert console.post(check, {"data": "{}"}).status == 200


def test_a_correction_that_changes_nothing_is_refused(console: Console, three: StepFunctions):
    """Data that is the same, however it is spaced, is not sent again as a correction."""
    read(console)
    same = console.post(
        "/plans/make", {"message": message_ids(console)[1], "what": "edit", "data": '{ "user_message":"Hi" }'}
    )
    assert (same.status, "was not changed" in same.text) == (400, True)


def test_the_same_correction_mends_all_with_the_same_fault(console: Console, three: StepFunctions):
    """One correction is planned for all messages of a cause with the same fault, each shown with what changes in it,
    and carried out once; the others stay.
    """
    for name, text in (("p-4", "first <b>"), ("p-5", "second")):
        park(name, token="a-living-token", user_mesage=text)
    read(console)
    chosen = message_ids(console)[3]
    assert "See the same correction" in console.get(f"/parked/{chosen}").text
    form = {"what": "edit", "same": "1", "message": chosen}
    for data, why in (
        ('{"user_message": "something else"}', "can&#39;t be repeated"),
        ('{"user_message": 7}', "breaks the contract"),
    ):
        refused = console.post("/plans/make", {**form, "data": data})
        assert (refused.status, why in refused.text) == (400, True), why
    alone = make(console, what="edit", message=chosen, data='{"user_message": "first <b>"}')
    page = console.get(alone).text
    fields = dict(
        re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.partition("or, in another plan")[0])
    )
    assert {name: html.unescape(fields[name]) for name in form} == form
    address = make(console, **form, data=html.unescape(fields["data"]))
    page = console.get(address).text
    for part in (
        "Correct and replay: 2 messages",
        "rename user_mesage to user_message",
        "<del>&#34;user_mesage&#34;: &#34;first &lt;b&gt;&#34;</del>",
        "<ins>&#34;user_message&#34;: &#34;second&#34;</ins>",
        "It has another fault",
        'name="canary"',
    ):
        assert part in page, part
    for _ in range(2):
        assert "2 of 2 messages reached" in carry_out(console, address).text
    assert (count(url("chatbot")), count(url("chatbot", ""))) == (3, 2)


def test_a_cause_that_can_be_corrected_leads_to_the_correction(console: Console, three: StepFunctions):
    """The page of a cause leads to the correction of its first message, unless its messages keep their contract."""
    park("p-4", error="wrong", token="a-living-token", user_message=8)
    park("p-5", error="throttled")
    read(console)
    ids = message_ids(console)
    causes = dict.fromkeys(re.findall(r'href="(/parked\?cause=[0-9a-f]+)"', console.get("/parked").text))
    found = [re.findall(r'"/parked/([^"]+)#correct">([^<]+)', console.get(cause).text) for cause in causes]
    assert sorted(found) == sorted(
        [[], [(ids[2], "Correct the first message")], [(ids[3], "Correct the message")]]
    )


def test_a_message_without_a_fault_is_corrected_alone(console: Console, three: StepFunctions):
    """A message that keeps its contract has no fault by which others could be found, so they are left alone."""
    read(console)
    sound = message_ids(console)[1]
    assert "See the same correction" not in console.get(f"/parked/{sound}").text
    form = {"what": "edit", "same": "1", "message": sound, "data": '{"user_message": "Ho"}'}
    refused = console.post("/plans/make", form)
    assert (refused.status, "no fault by which" in refused.text) == (400, True)


def test_a_violation_is_marked_at_its_place_or_around_it():
    """A violation marks the line of its path, or of the nearest value around it that is there; garbage is shown."""
    body = json.dumps({"a": {"b": [1, {"c": 2}]}, "d": []})
    marked = {
        path: next(row.text.strip() for row in event_text(body, [Violation(path, "no")]).lines if row.why)
        for path in ("$.a.b[1].c", "$.a.b[7]", "$.a.x.y", "$.zz", "$", "$.d[0]")
    }
    assert list(marked.values()) == ['"c": 2', '"b": [', '"a": {', "{", "{", '"d": []']
    for garbage in ("", "{", "[" * 5_000, '"x"', "[" * 500 + "]" * 500):
        assert event_text(garbage, [Violation("$", "no")]).lines
    assert event_text(json.dumps(["x" * 20_000]), []).left_out


def test_what_is_edited_is_what_was_there():
    """Characters that deceive are escaped in the text that is edited, so that saving it changes nothing."""
    data = {"a\u202e": "x\u200b\u2028\U000e0041y", "b": "日本 👩\u200d💻"}
    text = editable(json.dumps(data, ensure_ascii=False))
    assert (json.loads(text), shown(text)) == (data, text)


def test_texts_that_are_too_long_are_not_compared():
    """A comparison that would take minutes is not made."""
    assert difference({"a": list(range(5_000))}, {}) is None
    assert [row.sign for row in difference({"a": "1\u2028"}, {"a": "2"}) or ()] == [" ", "-", "+", " "]
