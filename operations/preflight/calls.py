"""Calls to AWS whose failure is an answer, too: something is absent, or it can't be known."""

from typing import Any

from botocore.exceptions import ClientError

from operations.aws_errors import translated
from operations.errors import OperationError
from operations.target import Target

_ABSENT = ("NotFound", "NoSuchResource", "NoSuchEntity")
_INVALID = ("ValidationException", "ValidationError")


class AbsentError(Exception):
    """AWS says that there is no such thing, or that its name is invalid. The text is AWS's."""


class UnknownError(Exception):
    """The question could not be answered: no permission, no answer, throttled. The text says which."""


def ask(target: Target, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
    """Return the answer to one call. Raises AbsentError or UnknownError."""
    try:
        with translated(f"call {service}:{operation}"):
            client = target.client(service)
            try:
                answer: dict[str, Any] = getattr(client, operation)(**parameters)
            except ClientError as error:
                code = str(error.response.get("Error", {}).get("Code", ""))
                if code in _INVALID or any(part in code for part in _ABSENT):
                    text = str(error.response.get("Error", {}).get("Message", "")) or code
                    raise AbsentError(text) from error
                raise
    except OperationError as error:
        raise UnknownError(str(error)) from error
    return answer


def part(answer: Any, *names: str) -> Any:
    """Return a field of an answer by its path; None if the answer does not have it."""
    for name in names:
        answer = answer.get(name) if isinstance(answer, dict) else None
    return answer
