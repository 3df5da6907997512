"""What AWS refuses is reported with what to do next."""

import pytest

from operations.aws_errors import translated
from operations.errors import DeniedError, NotDeployedError, OperationError, RefusedError, UnreachableError
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
        ("ExpiredTokenException", 403, UnreachableError, False),
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
