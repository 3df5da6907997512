"""What AWS refuses is reported with what to do next."""

import pytest

from operations.aws_errors import translated
from operations.errors import (
    DeniedError,
    InvalidInputError,
    LoginError,
    NotDeployedError,
    OperationError,
    RefusedError,
)
from operations.target import aws_target
from shared.tests.fakes import client_error

ADVICE = "passes by itself"


@pytest.mark.parametrize(
    ("code", "status", "kind", "passes"),
    [
        ("ThrottlingException", 400, RefusedError, True),
        ("KmsThrottlingException", 400, RefusedError, True),
        ("ExecutionLimitExceeded", 400, RefusedError, True),
        ("InternalServerError", 500, RefusedError, True),
        ("Unknown", 429, RefusedError, True),
        ("ValidationException", 400, RefusedError, False),
        ("ItemCollectionSizeLimitExceededException", 400, RefusedError, False),
        ("ExpiredTokenException", 403, LoginError, False),
        ("KmsAccessDeniedException", 400, DeniedError, False),
        ("ResourceNotFoundException", 400, NotDeployedError, False),
    ],
)
def test_a_refusal_that_passes_by_itself_says_so(code, status, kind, passes):
    """Limits and throttles advise to wait; an operator's expired login, a denial and a mistake do not pass."""
    with pytest.raises(OperationError) as caught, translated("read the records"):
        raise client_error(code, "Scan", status)
    assert type(caught.value) is kind
    assert (ADVICE in str(caught.value)) is passes
    assert str(caught.value).startswith("Could not read the records: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL", "garbage"),
        ("AWS_ENDPOINT_URL", "http://["),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:99999"),
        ("AWS_METADATA_SERVICE_TIMEOUT", "soon"),
        ("AWS_REGION", "no region"),
    ],
)
def test_a_setting_that_can_not_be_read_is_wrong_input(monkeypatch, name, value):
    """A variable of the AWS tools with a value that is none is named as such, by every way to a client."""
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInputError):
        _ = aws_target("dev").region
