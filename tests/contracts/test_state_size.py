"""State stays below Step Functions' 256 KiB by construction."""

import pytest

from infra.doctor.largest_run import CONVERSATIONS, heaviest_request
from shared.contracts import limits


@pytest.mark.parametrize("messages", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_the_largest_run_fits_the_state(messages):
    """The longest conversation with the longest answer, analysis, errors and token stays below 256 KiB."""
    assert len(heaviest_request(messages)) < limits.STATE_BYTES * 0.9


def test_some_conversation_has_as_many_turns_as_one_may():
    """What is added up has every turn that the contract allows."""
    assert max(map(len, CONVERSATIONS.values())) == limits.TURNS
