"""Stops the execution of a cancelled run, for the API and the starter."""

from typing import Any

from botocore.exceptions import ClientError

from shared.aws import error_code, translated_errors
from shared.errors import CANCELLED_CAUSE, CANCELLED_ERROR

GONE = ("ExecutionDoesNotExist", "ValidationException")
"""The errors for an execution that is over. ValidationException is the local engine's; AWS accepts a second stop."""


def stop(executions: Any, arn: str) -> None:
    """Stop an execution; an event then reports its end to the logger. Does nothing if the execution is over."""
    with translated_errors():
        try:
            executions.stop_execution(executionArn=arn, error=CANCELLED_ERROR, cause=CANCELLED_CAUSE)
        except ClientError as error:
            if error_code(error) not in GONE:
                raise
