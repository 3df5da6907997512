"""Errors are sorted by what their names and statuses say, also those that no list knows."""

import pytest

from shared.aws import translated_errors
from shared.errors import PermanentError, TransientError
from shared.tests.fakes import client_error

PASSING = [
    ("StartExecution", "ExecutionLimitExceeded", 400), ("StartExecution", "KmsThrottlingException", 400),
    ("Converse", "ServiceQuotaExceededException", 400), ("Converse", "ModelTimeoutException", 408),
    ("Converse", "ExpiredTokenException", 403), ("Converse", "ModelErrorException", 424),
    ("Invoke", "ResourceConflictException", 409), ("Invoke", "EC2ThrottledException", 502),
    ("Invoke", "ENILimitReachedException", 502), ("Invoke", "SnapStartNotReadyException", 409),
    ("PutItem", "ReplicatedWriteConflictException", 400), ("PutItem", "TransactionInProgressException", 400),
    ("SendMessage", "KmsThrottled", 400), ("SendMessage", "AWS.SimpleQueueService.OverLimit", 400),
    ("SendMessage", "AWS.SimpleQueueService.QueueDeletedRecently", 400),
    ("PutEvents", "ConcurrentModificationException", 400), ("GetItem", "RequestExpired", 400),
    ("GetItem", "RequestTimeTooSkewed", 403), ("GetItem", "InternalFailure", 400), ("GetItem", "Unknown", 503),
    ("GetItem", "ThrottledByAServiceOfNextYear", 400),
]  # fmt: skip
STAYING = [
    ("Converse", "ValidationException", 400), ("Converse", "AccessDeniedException", 403),
    ("Converse", "ResourceNotFoundException", 404), ("Invoke", "KMSAccessDeniedException", 502),
    ("Invoke", "KMSDisabledException", 502), ("Invoke", "InvalidZipFileException", 502),
    ("UpdateItem", "ItemCollectionSizeLimitExceededException", 400), ("Invoke", "RequestTooLargeException", 413),
    ("SendMessage", "KmsInvalidState", 400), ("GetItem", "UnrecognizedClientException", 400),
    ("GetItem", "NotImplemented", 501), ("GetItem", "AnErrorOfNextYear", 400),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "code", "status"), PASSING)
def test_what_may_pass_is_transient(operation, code, status):
    """A throttle, a quota, a conflict, a time-out or an outage is transient, whatever its name and status."""
    with pytest.raises(TransientError, match=code), translated_errors():
        raise client_error(code, operation, status)


@pytest.mark.parametrize(("operation", "code", "status"), STAYING)
def test_what_stays_is_permanent(operation, code, status):
    """A refusal, also one with a 5xx status, and an unknown error of the request are permanent."""
    with pytest.raises(PermanentError, match=code), translated_errors():
        raise client_error(code, operation, status)
