"""The callback client: reports a task's outcome to Step Functions with the task's token.

Only this module and the worker ever hold a token.
"""

from typing import Any

from botocore.exceptions import ClientError

from shared.aws import error_code, translated_errors
from shared.contracts.limits import CAUSE_CHARS, ERROR_CHARS
from shared.errors import PipelineError, TokenSettled

# For a settled token, moto answers InvalidToken, the local engine always TaskDoesNotExist, AWS any of the three.
SETTLED_CODES = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})


class Callback:
    """Reports outcomes. Raises TokenSettled if the task is over, else what `translated_errors` raises."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def succeed(self, token: str, output: str) -> None:
        self._call(self._client.send_task_success, taskToken=token, output=output)

    def fail(self, token: str, error: str, cause: str) -> None:
        self._call(
            self._client.send_task_failure,
            taskToken=token,
            error=error[:ERROR_CHARS],
            cause=cause[:CAUSE_CHARS],
        )

    def is_settled(self, token: str) -> bool:
        """Whether the task is known to be over. Returns False if Step Functions can't be reached."""
        try:
            self._call(self._client.send_task_heartbeat, taskToken=token)
        except TokenSettled:
            return True
        except PipelineError:
            return False
        return False

    @staticmethod
    def _call(operation: Any, **parameters: str) -> None:
        with translated_errors():
            try:
                operation(**parameters)
            except ClientError as error:
                if (code := error_code(error)) in SETTLED_CODES:
                    raise TokenSettled(code) from error
                raise
