"""Stopping an execution that nobody waits for any more."""

from typing import Any

from botocore.exceptions import ClientError

from shared.aws import error_code, translated_errors
from shared.errors import CANCELLED_CAUSE, CANCELLED_ERROR

GONE = ("ExecutionDoesNotExist", "ValidationException")
"""The latter is the local engine's for an execution that is over; AWS lets it be stopped once more."""


def stop(executions: Any, arn: str) -> None:
    """Its end is an event, which the logger records. An execution that is over stays as it is."""
    with translated_errors():
        try:
            executions.stop_execution(executionArn=arn, error=CANCELLED_ERROR, cause=CANCELLED_CAUSE)
        except ClientError as error:
            if error_code(error) not in GONE:
                raise
