"""The item of a run that waits: what a person sees is what the caller would get."""

import msgspec
import pytest

from services.approval.core import item
from shared.contracts.approval import ApprovalRequested
from shared.contracts.v1 import StoredText
from shared.tests.fakes import METADATA
from shared.tests.samples import CHAT, ENHANCEMENT

REQUEST = ApprovalRequested(user_message="Hi", chat=CHAT, enhancement=ENHANCEMENT)
WHOLE = StoredText(key="text#p-1", characters=20_000, stored_bytes=9_000)


def test_a_person_sees_the_enhanced_answer():
    """The answer that waits is the enhanced one, with the message it answers and the run's ids."""
    assert REQUEST.enhancement is not None
    fields = item(REQUEST, METADATA)
    assert fields["answer"] == REQUEST.enhancement.final_response
    assert fields["user_message"] == REQUEST.user_message
    assert fields["pipeline_id"] == METADATA.pipeline_id
    assert not fields["is_cut"]


def test_without_enhancement_a_person_sees_the_chatbots_answer():
    """If the enhancer failed, the chatbot's own answer waits."""
    fields = item(msgspec.structs.replace(REQUEST, enhancement=None), METADATA)
    assert fields["answer"] == REQUEST.chat.text


@pytest.mark.parametrize("part", ["enhancement", "chat"])
def test_a_long_answer_is_told_to_be_cut(part):
    """An answer of which the request has only the beginning is marked."""
    long = msgspec.structs.replace(getattr(REQUEST, part), whole=WHOLE)
    request = msgspec.structs.replace(REQUEST, **{"enhancement": None, part: long})
    assert item(request, METADATA)["is_cut"]
