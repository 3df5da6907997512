"""Asking: one message, one run, and an answer that does no harm."""

import html
import json
import re

from console.pages.ask import EXAMPLES
from console.questions import KEPT, Questions
from console.tests.asking import Console, console_of
from console.tests.world import add_run
from operations.tests.world import finish
from shared.contracts import limits
from shared.contracts.message import request_hash
from shared.tests.fakes import client_error

HISTORY = [{"role": "user", "text": "What is a functor?"}, {"role": "assistant", "text": "A _type_."}]


def refused(code: str):
    """Return a call that AWS refuses."""

    def call(**_):
        raise client_error(code, "DescribeExecution")

    return call


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
    assert (empty.status, "The message is empty" in empty.text, key in empty.text) == (400, True, False)
    long = console.post("/ask/send", {"message": "x" * (limits.MESSAGE_CHARS + 1), "key": key})
    assert (long.status, "The message must be at most" in long.text, key in long.text) == (400, True, False)
    odd = console.post("/ask/send", {"message": "Why?", "key": "no key"})
    assert "The idempotency key must be" in odd.text
    assert all("user_message" not in answer.text for answer in (empty, long))
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


def test_a_follow_up_carries_the_conversation(console: Console, machine, records, api):
    """A follow-up shows the conversation so far and sends it with the new message, under the form's key."""
    add_run(machine, records, "p", user_message="And a monad?", final_response="A **pattern**.")
    machine.inputs["p"] = json.dumps({"request": {"user_message": "x", "history": HISTORY}})
    asked = console.get("/asked/p").text
    assert "/ask?after=p" in asked
    page = console.get("/ask?after=p").text
    for part in ("What is a functor?", "<em>type</em>", "And a monad?", "<strong>pattern</strong>"):
        assert part in page
    assert "<em>type</em>" in asked
    form = {"message": "Why?", "key": "k-1", "after": "p"}
    assert [console.post("/ask/send", form).status for _ in range(2)] == [303, 303]
    texts = ["What is a functor?", "A _type_.", "And a monad?", "A **pattern**.", "Why?"]
    assert [[turn["text"] for turn in request["body"]["messages"]] for request in api.requests] == [texts] * 2
    assert {request["headers"]["Idempotency-Key"] for request in api.requests} == {"k-1"}


def test_asking_again_sends_the_same_conversation(console: Console, machine, records, api):
    """Asking a follow-up again shows and sends what preceded it, even with another message, as its command does."""
    add_run(machine, records, "p", user_message="And a monad?", final_response="A **pattern**.")
    machine.inputs["p"] = json.dumps({"request": {"user_message": "x", "history": HISTORY}})
    page = console.get("/ask?again=p").text
    for part in (
        "What is a functor?",
        "<em>type</em>",
        ">And a monad?</textarea>",
        "submit --wait --again p",
    ):
        assert part in page
    again = re.findall(r'name="again" value="([^"]*)"', page)[0]
    assert console.post("/ask/send", {"message": "And a monoid?", "key": "k-1", "again": again}).status == 303
    texts = ["What is a functor?", "A _type_.", "And a monoid?"]
    assert [turn["text"] for turn in api.requests[0]["body"]["messages"]] == texts
    refused = console.post("/ask/send", {"message": " ", "key": "k-1", "again": again}).text
    assert ("What is a functor?" in refused, 'name="again" value="p"' in refused) == (True, True)


def test_a_lost_conversation_is_not_left_out_silently(console: Console, machine, records, api):
    """A run whose conversation is gone is asked again only as a new question, which says so; nothing else is sent."""
    add_run(machine, records, "single", user_message="What?", request_hash=request_hash("What?"))
    add_run(machine, records, "lost", user_message="And?", request_hash="of a conversation")
    machine.executions.clear()
    assert "not known any more" not in console.get("/ask?again=single").text
    page = console.get("/ask?again=lost").text
    assert ("not known any more" in page, 'name="again" value=""' in page) == (True, True)
    assert console.post("/ask/send", {"message": "And?", "key": "k-1", "again": "lost"}).status == 400
    assert console.post("/ask/send", {"message": "And?", "key": "k-1", "again": "gone"}).status == 404
    assert api.requests == []
    assert console.post("/ask/send", {"message": "And?", "key": "k-1", "again": "single"}).status == 303
    assert api.messages == ["And?"]
    assert "not known any more" in console.get("/runs/lost?tab=data").text


def test_a_follow_up_names_what_it_follows(console: Console, machine, records, api):
    """The pages of a follow-up show what preceded it and link to its run; its form names the command."""
    add_run(machine, records, "p", final_response="A pattern.")
    api.answers = [(202, {"pipeline_id": "q", "status": "ACCEPTED"})]
    assert "submit --wait --after p &#34;…&#34;" in console.get("/ask?after=p").text
    console.post("/ask/send", {"message": "Why?", "key": "k-1", "after": "p"})
    add_run(machine, records, "q", user_message="Why?")
    machine.inputs["q"] = json.dumps({"request": {"user_message": "Why?", "history": HISTORY}})
    for path in ("/asked/q", "/runs/q?tab=data"):
        text = console.get(path).text
        for part in ("What is a functor?", "<em>type</em>", ">p</a>", "follow-up of"):
            assert part in text, (path, part)
    assert 'href="/runs/q">q</a>' in console.get("/asked/q").text
    machine.describe_execution = refused("AccessDeniedException")
    assert "Why?" in console.get("/runs/q?tab=data").text


def test_an_example_is_a_click_away(console: Console):
    """Each example is a link that puts it into the form; a number of no example leaves the form empty."""
    for path in re.findall(r'href="(/ask\?example=[^"]+)"', console.get("/ask").text):
        text = html.unescape(console.get(path).text)
        assert EXAMPLES[int(path[-1]) - 1] + "</textarea>" in text
    assert "></textarea>" in console.get("/ask?example=99").text


def test_a_follow_up_that_has_no_room_is_not_sent(console: Console, machine, records, api):
    """A follow-up without room for the last exchange is refused with the message kept; what was left out is told."""
    add_run(machine, records, "p", user_message="q", final_response="b" * 20_000)
    history = [{"role": "user", "text": "old"}, {"role": "assistant", "text": "a" * 20_000}]
    machine.inputs["p"] = json.dumps({"request": {"user_message": "x", "history": history}})
    assert "without its oldest 2 messages" in console.get("/ask?after=p").text
    answer = console.post("/ask/send", {"message": "c" * 20_000, "key": "k-1", "after": "p"})
    assert (answer.status, "most for a conversation" in answer.text, "c" * 20_000 in answer.text) == (
        400,
        True,
        True,
    )
    assert api.requests == []
    assert console.get("/ask?after=gone").status == 404
    add_run(machine, records, "going", "RUNNING")
    assert "no answer yet" in console.get("/ask?after=going").text


def test_a_question_over_the_bus_waits_until_it_is_seen(console: Console, target, records):
    """A question sent over the bus has a page at once; the same key names the same run; it is in the list below."""
    form = {"message": "Why?", "key": "my-own", "via": "bus"}
    there = {console.post("/ask/send", form).headers["location"] for _ in range(2)}
    (path,) = there
    assert "nothing is to be seen of it yet" in console.get(path).text
    pipeline_id = path.rpartition("/")[2]
    listed = console.get("/ask").text
    assert listed.count(f'href="{path}"') == 1
    assert "no record" in listed
    finish(records, pipeline_id, user_message="<b>Why?")
    assert "&lt;b&gt;Why?" in console.get("/ask").text
    assert console.get("/asked/never-asked").status == 404


def test_a_bad_key_stays_to_be_corrected(console: Console, api):
    """A key of one's own that can't be one is refused, and stays in its field."""
    answer = console.post("/ask/send", {"message": "Why?", "key": "my key"})
    assert (answer.status, 'value="my key"' in answer.text) == (400, True)
    assert api.requests == []


def test_the_list_of_questions_survives_damage(tmp_path):
    """The file of questions keeps ids only, the newest fifty, and lines that are damaged are passed over."""
    path = tmp_path / "questions.jsonl"
    questions = Questions(path)
    for number in range(KEPT + 5):
        questions.add(f"p-{number}")
    path.write_bytes(path.read_bytes() + b'{"pipeline_id": "half')
    assert [one.pipeline_id for one in Questions(path).latest(2)] == ["p-54", "p-53"]
    assert len(questions.latest()) == KEPT
    nowhere = Questions(path / "below")
    nowhere.add("p")
    assert nowhere.find("p")


def test_a_repeated_question_can_be_compared(console: Console, machine, records, api):
    """A question that was asked again leads, with its run, to the comparison with the run that it repeats."""
    add_run(machine, records, "p", user_message="Why?", request_hash=request_hash("Why?"))
    for again in ("p", ""):
        sent = {"message": "Why?", "key": f"console-0123456789-{again or 'none'}", "again": again}
        new = console.post("/ask/send", sent).headers["location"].rpartition("/")[2]
        add_run(machine, records, new)
        for page in (f"/asked/{new}", f"/runs/{new}"):
            assert (f"/compare?a=p&amp;b={new}" in console.get(page).text) == bool(again), page
    assert "that it repeats" not in console.get("/runs/p").text
