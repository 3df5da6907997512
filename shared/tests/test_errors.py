"""Which answers of AWS pass by themselves: every error of the operations in use, sorted by hand."""

from collections.abc import Iterator

import pytest

from shared.aws import session, translated_errors
from shared.errors import PERMANENT_CODES, TRANSIENT_CODES, PermanentError, TransientError, is_transient
from shared.tests.fakes import client_error

OPERATIONS = {
    "bedrock-runtime": ("Converse",),
    "dynamodb": ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"),
    "events": ("PutEvents",),
    "lambda": ("Invoke", "GetEventSourceMapping", "UpdateEventSourceMapping"),
    "sqs": ("SendMessage",),
    "stepfunctions": (
        "DescribeExecution",
        "GetExecutionHistory",
        "SendTaskFailure",
        "SendTaskHeartbeat",
        "SendTaskSuccess",
        "StartExecution",
        "StopExecution",
    ),
}
"""The operations that functions call."""

TRANSIENT = [
    "CodeArtifactUserPendingException",
    "EC2ThrottledException",
    "EC2UnexpectedException",
    "EFSIOException",
    "EFSMountConnectivityException",
    "EFSMountTimeoutException",
    "ENILimitReachedException",
    "ENINotReadyException",
    "ExecutionLimitExceeded",
    "InternalException",
    "InternalServerError",
    "InternalServerException",
    "KmsThrottled",
    "KmsThrottlingException",
    "ModelErrorException",
    "ModelNotReadyException",
    "ModelTimeoutException",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "ResourceConflictException",
    "ResourceInUseException",
    "ResourceNotReadyException",
    "S3FilesMountConnectivityException",
    "S3FilesMountTimeoutException",
    "ServiceException",
    "ServiceQuotaExceededException",
    "ServiceUnavailableException",
    "SnapStartException",
    "SnapStartNotReadyException",
    "SnapStartTimeoutException",
    "SubnetIPAddressLimitReachedException",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionConflictException",
]
PERMANENT = [
    "AccessDeniedException",
    "CodeArtifactUserDeletedException",
    "CodeArtifactUserFailedException",
    "ConditionalCheckFailedException",
    "DurableExecutionAlreadyStartedException",
    "EC2AccessDeniedException",
    "EFSMountFailureException",
    "ExecutionAlreadyExists",
    "ExecutionDoesNotExist",
    "InvalidAddress",
    "InvalidArn",
    "InvalidExecutionInput",
    "InvalidMessageContents",
    "InvalidName",
    "InvalidOutput",
    "InvalidParameterValueException",
    "InvalidRequestContentException",
    "InvalidRuntimeException",
    "InvalidSecurity",
    "InvalidSecurityGroupIDException",
    "InvalidSubnetIDException",
    "InvalidToken",
    "InvalidZipFileException",
    "ItemCollectionSizeLimitExceededException",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "KmsAccessDenied",
    "KmsAccessDeniedException",
    "KmsDisabled",
    "KmsInvalidKeyUsage",
    "KmsInvalidState",
    "KmsInvalidStateException",
    "KmsNotFound",
    "KmsOptInRequired",
    "ModeNotSupportedException",
    "NoPublishedVersionException",
    "QueueDoesNotExist",
    "RecursiveInvocationException",
    "RequestTooLargeException",
    "ResourceNotFoundException",
    "RuntimeAliasDeletedException",
    "RuntimeVersionDeletedException",
    "S3FilesMountFailureException",
    "SerializedRequestEntityTooLargeException",
    "SnapStartRegenerationFailureException",
    "StateMachineDeleting",
    "StateMachineDoesNotExist",
    "TaskDoesNotExist",
    "TaskTimedOut",
    "UnsupportedMediaTypeException",
    "UnsupportedOperation",
    "ValidationException",
]


def modelled() -> Iterator[tuple[str, int]]:
    """Yield code and HTTP status of each error that botocore's models name for these operations."""
    for service, operations in OPERATIONS.items():
        model = session().get_service_model(service)
        for operation in operations:
            for shape in model.operation_model(operation).error_shapes:
                error = shape.metadata.get("error", {})
                yield error.get("code", shape.name), error.get("httpStatusCode", 400)


def test_every_modelled_error_is_sorted_as_by_hand():
    """Each error that AWS documents for the operations in use is of its kind; a new one must be sorted here."""
    errors = dict(modelled())
    assert sorted(code for code, status in errors.items() if is_transient(code, status)) == TRANSIENT
    assert sorted(code for code, status in errors.items() if not is_transient(code, status)) == PERMANENT


UNMODELLED = [
    ("AWS.SimpleQueueService.OverLimit", 400, True),
    ("AWS.SimpleQueueService.PurgeQueueInProgress", 403, True),
    ("com.amazonaws.dynamodb.v20120810#ThrottlingException", 400, True),
    ("ConcurrentModificationException", 400, True),
    ("ExpiredToken", 403, True),
    ("ExpiredTokenException", 400, True),
    ("InvalidSignatureException", 403, True),
    ("LimitExceededException", 400, True),
    ("InsufficientCapacityException", 400, True),
    ("PriorRequestNotComplete", 400, True),
    ("RequestExpired", 400, True),
    ("RequestThrottled", 403, True),
    ("RequestThrottledException", 400, True),
    ("RequestTimeout", 400, True),
    ("RequestTimeTooSkewed", 403, True),
    ("ServiceQuotaExceededException", 400, True),
    ("SlowDown", 400, True),
    ("SomeNewLimitExceededException", 400, True),
    ("TransactionInProgressException", 400, True),
    ("Unknown", 408, True),
    ("Unknown", 425, True),
    ("Unknown", 429, True),
    ("Unknown", 500, True),
    ("Unknown", 599, True),
    ("AccessDenied", 403, False),
    ("AWS.SimpleQueueService.NonExistentQueue", 400, False),
    ("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", 400, False),
    ("IncompleteSignature", 400, False),
    ("MalformedDetail", 400, False),
    ("OptInRequired", 403, False),
    ("UnrecognizedClientException", 403, False),
    ("Unknown", 400, False),
    ("Unknown", 404, False),
    ("Unknown", 409, False),
    ("Unknown", 0, False),
]


@pytest.mark.parametrize(("code", "status", "transient"), UNMODELLED)
def test_errors_of_no_model_are_sorted_by_kind(code, status, transient):
    """Limits, throttles, timeouts and expired credentials pass by themselves; denied or wrong requests do not."""
    assert is_transient(code, status) is transient
    with pytest.raises(TransientError if transient else PermanentError, match=code), translated_errors():
        raise client_error(code, "Operation", status)


def test_the_lists_of_exceptions_name_exceptions_only():
    """Each listed code would be sorted the other way without its row."""
    for code in PERMANENT_CODES:
        assert is_transient(f"{code}s" if code != "TaskTimedOut" else "TimedOut", 502)
    assert not any(is_transient(code.lower(), 400) for code in TRANSIENT_CODES)
