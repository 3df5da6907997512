"""The state of an execution stays below Step Functions' limit of 256 KiB."""

import pytest

from infra.doctor.largest_run import CONVERSATIONS, heaviest_request
from shared.contracts import limits


@pytest.mark.parametrize("messages", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_the_largest_run_fits_the_state(messages):
    """The state with the longest allowed conversation, answer, analysis, errors and token stays below 90 % of the
    limit.
    """
    assert len(heaviest_request(messages)) < limits.STATE_BYTES * 0.9


def test_some_conversation_has_as_many_turns_as_one_may():
    """The measured conversations include one with the maximum number of turns."""
    assert max(map(len, CONVERSATIONS.values())) == limits.TURNS
