"""Whatever a backend answers becomes an answer that can be sent, or one of two errors."""

import io
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chatbot.backends import Backend, Bedrock, ExistingFunction
from services.chatbot.settings import Settings
from services.chatbot.tests.fakes import FakeModel
from shared.contracts.v1 import ChatAnswer, ChatRequested
from shared.errors import PermanentError, TransientError
from shared.tests.fakes import METADATA

pytestmark = pytest.mark.slow

NAMES = st.sampled_from(
    [
        *(
            "output",
            "message",
            "content",
            "text",
            "stopReason",
            "usage",
            "inputTokens",
            "citationsContent",
            "image",
        ),
        *("statusCode", "body", "headers", "multiValueHeaders", "isBase64Encoded", "answer", "errorType"),
        *("content-type", "Content-Type"),
    ]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(), st.text(st.characters()),
    st.sampled_from([200, "200", 503, "end_turn", "application/json", "SGk=", "true", '{"answer": "x"}']),
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=20,
)
CONVERSE = st.fixed_dictionaries(
    {},
    optional={
        "output": st.fixed_dictionaries(
            {}, optional={"message": st.fixed_dictionaries({"content": ANYTHING})}
        ),
        "stopReason": SCALARS,
        "usage": ANYTHING,
    },
)


def outcome(backend: Backend) -> ChatAnswer | None:
    try:
        return backend.ask(ChatRequested(user_message="Hi"), METADATA)
    except (TransientError, PermanentError):
        return None


def is_sendable(answer: ChatAnswer | None) -> bool:
    return answer is None or msgspec.json.decode(msgspec.json.encode(answer), type=ChatAnswer) == answer


@given(response=CONVERSE | st.dictionaries(NAMES, ANYTHING, max_size=4))
def test_any_response_of_converse(response):
    """Any response of Converse is an answer that can be sent, or a transient or permanent error."""
    assert is_sendable(outcome(Bedrock(Settings(), FakeModel(response))))


@given(payload=ANYTHING.map(lambda value: json.dumps(value).encode()) | st.binary(), failed=st.booleans())
def test_any_payload_of_a_function(payload, failed):
    """Any payload of an existing function is an answer that can be sent, or a transient or permanent error."""
    more = {"FunctionError": "Unhandled"} if failed else {}
    function = FakeModel({"Payload": io.BytesIO(payload), **more})
    answer = outcome(ExistingFunction(Settings(chatbot_function_arn="arn:x:function:bot"), function))
    assert is_sendable(answer)
    assert answer is None or not failed
