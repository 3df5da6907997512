"""What the chatbot says of a refusal: the reason where Bedrock's text tells it, and never the text itself."""

import pytest
from botocore.exceptions import ClientError

from services.chatbot.backends import Bedrock
from services.chatbot.settings import Settings
from shared.contracts.limits import CAUSE_CHARS
from shared.contracts.v1 import ChatRequested
from shared.errors import PermanentError
from shared.tests.fakes import METADATA

SECRET = "the user's words"


class Refusing:
    def __init__(self, code: str, status: int, text: str) -> None:
        error = {"Code": code, "Message": f"{text} ({SECRET})"}
        self.error = ClientError(
            {"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}},
            "Converse",
        )

    def converse(self, **_: object) -> None:
        raise self.error


def refused(code: str, status: int, text: str) -> str:
    with pytest.raises(PermanentError) as refusal:
        Bedrock(Settings(), Refusing(code, status, text)).ask(ChatRequested(user_message="Hi"), METADATA)
    cause = refusal.value.cause
    assert SECRET not in cause
    assert len(cause) < CAUSE_CHARS
    assert isinstance(refusal.value.__cause__, ClientError)
    return cause


@pytest.mark.parametrize(
    ("code", "status", "text", "reason"),
    [
        (
            "AccessDeniedException",
            403,
            "User is not authorized to perform the required AWS Marketplace actions (aws-marketplace:Subscribe)",
            "no AWS Marketplace subscription",
        ),
        (
            "MPAgreementBeingCreated",
            403,
            "your AWS Marketplace subscription is being processed",
            "subscription",
        ),
        (
            "ResourceNotFoundException",
            404,
            "Model use case details have not been submitted for this account.",
            "form on its use case",
        ),
        (
            "ValidationException",
            400,
            "Invocation of model ID x with on-demand throughput isn't supported.",
            "inference profile only",
        ),
    ],
)
def test_a_missing_access_is_explained(code, status, text, reason):
    """A refusal for lack of access is permanent, and its cause says what the account lacks."""
    cause = refused(code, status, text)
    assert code in cause
    assert reason in cause


@pytest.mark.parametrize(
    ("code", "status", "text"),
    [
        ("AccessDeniedException", 403, "User is not authorized to perform: bedrock:InvokeModel"),
        ("ValidationException", 400, "Text quoted from a message about the marketplace and use case details"),
    ],
)
def test_another_refusal_keeps_its_text(code, status, text):
    """A refusal for another reason is reported by its code alone."""
    assert refused(code, status, text) == f"Converse answered {code} (HTTP {status})"
