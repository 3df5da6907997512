"""`pipeline approvals`: list, show, and decide once, with exit codes for programs."""

import json

import pytest

from cli.tests.support import call
from operations.tests.waiting import REJECTED_TEXT, hold, switch_on
from shared.tests.fakes import OneOutcome


@pytest.fixture
def outcomes(target, local_engine: None) -> OneOutcome:
    """Switch the approval on, and return the double that takes the outcomes of tasks."""
    return switch_on(target)


def test_what_waits_is_listed_and_shown(target, outcomes):
    """The list names what waits, also as JSON, without a token; an item shows message and answer."""
    assert "No answer waits" in call("approvals", "list").output
    hold(target, "p-1")
    assert "What is a monad?" in call("approvals", "list").output
    (listed,) = json.loads(call("approvals", "list", "--json").stdout)
    assert (listed["pipeline_id"], listed["state"]) == ("p-1", "waiting")
    shown = call("approvals", "show", "p-1").output
    assert "An answer for p-1." in shown
    assert "waiting for approval since" in shown
    assert "token" not in call("approvals", "show", "p-1", "--json").output


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        (("approve",), ("approved", None)),
        (("reject", "--reason", "wrong"), ("rejected", REJECTED_TEXT)),
        (("reject", "--reason", "wrong", "--text", "Sorry."), ("rejected", "Sorry.")),
        (("edit", "--file", "answer.txt"), ("edited", "Better.")),
    ],
)
def test_a_decision_is_taken(target, outcomes, tmp_path, monkeypatch, words, outcome):  # noqa: PLR0917 -- fixtures
    """Each decision reaches the run in the name of the caller, once; a repetition is the same decision."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "answer.txt").write_text("Better.\n")
    hold(target, "p-1")
    command, *options = words
    for _ in range(2):
        result = call("approvals", command, "p-1", *options, "--yes")
        assert result.exit_code == 0, result.output
        assert outcome[0] in result.output
    sent = outcomes.successes["token-p-1"]["data"]
    assert (sent["decision"], sent.get("early_answer", {}).get("text")) == outcome


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("approve", "nobody", "--yes"), 3, "No run waits"),
        (("approve", "p-1"), 2, "--yes"),
        (("reject", "p-1", "--yes"), 2, "--reason"),
        (("reject", "p-1", "--yes", "--reason", "x" * 300), 2, "Shorten it"),
        (("reject", "p-1", "--yes", "--reason", "no", "--text", " "), 2, "blank"),
        (("edit", "p-1", "--yes", "--file", "binary"), 2, "UTF-8"),
        (("show", "nobody"), 3, "pipeline approvals"),
    ],
)
def test_what_cannot_be_decided_is_refused(target, outcomes, tmp_path, monkeypatch, words, code, says):  # noqa: PLR0917
    """A refused decision says why, has an exit code of its own, and changes nothing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xff")
    hold(target, "p-1")
    result = call("approvals", *words)
    assert (result.exit_code, says in result.output) == (code, True), result.output
    assert not outcomes.successes


def test_the_second_person_is_told_who_decided(target, outcomes):
    """A second, different decision is refused with the first one's author."""
    hold(target, "p-1")
    call("approvals", "approve", "p-1", "--yes")
    result = call("approvals", "reject", "p-1", "--reason", "no", "--yes")
    assert result.exit_code == 1
    assert "has already decided: approved" in result.output


def test_without_the_approval_the_command_says_so(target, local_engine: None):
    """Where the approval is not switched on, the command names the option."""
    result = call("approvals", "list")
    assert result.exit_code == 4
    assert "approval=true" in result.output
