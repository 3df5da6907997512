"""The inbox of waiting answers: shown, decided on once, and safe against what strangers wrote."""

import pytest

from console.tests.asking import Console, console_of
from console.tests.world import add_run
from operations.tests.histories import Story
from operations.tests.waiting import REJECTED_TEXT, hold, switch_on
from shared.tests.fakes import OneOutcome


@pytest.fixture
def outcomes(target) -> OneOutcome:
    """Switch the approval on, and return the double that takes the outcomes of tasks."""
    return switch_on(target)


def test_without_the_approval_the_inbox_says_so(console: Console, target):
    """Where the approval is not switched on, the page says that, and how to switch it on."""
    answer = console.get("/approvals")
    assert answer.status == 200
    assert "not switched on in local" in answer.text


def test_an_approval_that_was_switched_on_just_now_is_seen(console: Console, target):
    """A deployment may have switched the approval on since the addresses were read: they are read again."""
    assert not target.addresses.values.get("approvals/table")
    before = target.addresses
    switch_on(target)
    target.__dict__["addresses"] = before
    assert "No answer waits." in console.get("/approvals").text


def test_the_inbox_links_to_what_waits(console: Console, target, outcomes):
    """The inbox lists each waiting answer with a link to it; an answer's page has message, answer and forms."""
    assert "No answer waits." in console.get("/approvals").text
    hold(target, "p-1")
    assert 'href="/approvals/p-1"' in console.get("/approvals").text
    page = console.get("/approvals/p-1").text
    for part in (
        "What is a monad?",
        "An answer for p-1.",
        "Approve in local",
        "Reject in local",
        "It has waited",
    ):
        assert part in page
    assert "token" not in console.get("/approvals/p-1?format=json").text


def test_the_first_page_leads_to_what_waits(console: Console, machine, target):
    """The first page says how many open runs wait for a person, with a link to the inbox, but not that none does."""
    assert "for approval" not in console.get("/").text
    switch_on(target)
    hold(target, "p-1")
    target._clients["stepfunctions"] = machine
    page = console_of(target).get("/").text
    assert '<a href="/approvals">1 of the open runs waits for approval, the oldest for ' in page


def test_a_run_leads_to_its_decision(console: Console, machine, records):
    """A run that waits for a person leads to its answer; later it says who decided what, and leads there."""
    waits = Story().done("AnalyzeInput").enter("AwaitApproval").ask()
    add_run(machine, records, "waits", "RUNNING", waits)
    decided = {"decision": "edited", "decided_by": "arn:aws:iam::1:user/ann"}
    add_run(machine, records, "decided", "SUCCEEDED", Story().done("AwaitApproval"), approval=decided)
    for name, text in (("waits", "Read the answer and decide"), ("decided", "Edited by ann")):
        for page in (f"/runs/{name}", f"/runs/{name}?tab=data", f"/asked/{name}"):
            assert f'<a href="/approvals/{name}">{text}</a>' in console.get(page).text, page


@pytest.mark.parametrize(
    ("form", "outcome"),
    [
        ({"decision": "approve"}, ("approved", None)),
        ({"decision": "reject", "reason": "wrong", "text": ""}, ("rejected", REJECTED_TEXT)),
        ({"decision": "reject", "reason": "wrong", "text": "Sorry."}, ("rejected", "Sorry.")),
        ({"decision": "edit", "text": "Better.\r\nMuch."}, ("edited", "Better.\nMuch.")),
    ],
)
def test_a_decision_is_taken_in_the_console(console: Console, target, outcomes, form, outcome):
    """Each form takes its decision in the name of the console's credentials, and leads back to the answer."""
    hold(target, "p-1")
    answer = console.post("/approvals/p-1/decide", form)
    assert (answer.status, answer.headers["location"]) == (303, "/approvals/p-1")
    sent = outcomes.successes["token-p-1"]["data"]
    assert (sent["decision"], sent.get("early_answer", {}).get("text")) == outcome
    assert sent["decided_by"].startswith("arn:aws:")
    page = console.get("/approvals/p-1").text
    assert outcome[0].capitalize() in page
    assert "Approve in local" not in page


def test_the_second_decision_is_refused_in_words(console: Console, target, outcomes):
    """Whoever decides second sees who decided first; an unknown decision or run is refused."""
    hold(target, "p-1")
    console.post("/approvals/p-1/decide", {"decision": "approve"})
    again = console.post("/approvals/p-1/decide", {"decision": "reject", "reason": "no"})
    assert again.status == 502
    assert "has already decided: approved" in again.text
    assert console.post("/approvals/p-1/decide", {"decision": "perhaps"}).status == 400
    assert console.post("/approvals/p-1/decide", {"decision": "reject", "reason": " "}).status == 400
    assert console.get("/approvals/nobody").status == 404


def test_a_locked_console_decides_nothing(target, outcomes):
    """A console that may not write shows the answer without forms, and refuses a decision."""
    hold(target, "p-1")
    locked = console_of(target, read_only=True)
    assert "Approve in" not in locked.get("/approvals/p-1").text
    assert locked.post("/approvals/p-1/decide", {"decision": "approve"}).status == 403
    assert not outcomes.successes


def test_a_strangers_text_stays_text(console: Console, target, outcomes):
    """Markup in message and answer is shown as text."""
    hold(target, "p-1", user_message="<script>alert(1)</script>", answer="</textarea><b>x</b>")
    for address in ("/approvals", "/approvals/p-1"):
        page = console.get(address).text
        assert "<script>alert" not in page
        assert "<b>x</b>" not in page
