"""The state of an execution stays below Step Functions' limit of 256 KiB."""

import pytest

from infra.doctor import largest_run
from infra.doctor.largest_run import CONVERSATIONS, heaviest_request
from shared.contracts import limits
from shared.tests import vetting


@pytest.mark.parametrize("messages", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_the_largest_run_fits_the_state(messages):
    """The state with the longest allowed conversation, answer, analysis, errors and token stays below 90 % of the
    limit.
    """
    assert len(heaviest_request(messages)) < limits.STATE_BYTES * 0.9


def test_an_early_answer_is_not_held_beside_a_later_one(monkeypatch):
    """A stage that may end the run adds its largest answer to no run that also has the chatbot's."""
    messages = max(CONVERSATIONS.values(), key=lambda one: len(heaviest_request(one)))
    before = len(heaviest_request(messages))
    monkeypatch.setattr(largest_run, "RECORDED", vetting.TABLE[:-1])
    assert before < len(heaviest_request(messages)) < limits.STATE_BYTES * 0.9


def test_some_conversation_has_as_many_turns_as_one_may():
    """The measured conversations include one with the maximum number of turns."""
    assert max(map(len, CONVERSATIONS.values())) == limits.TURNS
