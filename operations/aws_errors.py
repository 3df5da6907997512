"""The border to botocore: its errors in this library's words."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as aws

from operations.errors import (
    DeniedError,
    InvalidInputError,
    NotDeployedError,
    OperationError,
    RefusedError,
    UnreachableError,
)

_DENIED = ("AccessDenied", "NotAuthorized", "UnauthorizedOperation", "Forbidden")
_EXPIRED = (
    "ExpiredToken",
    "InvalidClientTokenId",
    "UnrecognizedClient",
    "InvalidSignature",
    "SignatureDoesNot",
)
_GONE = ("ResourceNotFound", "StateMachineDoesNotExist", "QueueDoesNotExist", "NonExistentQueue")


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raises an OperationError for what botocore raises. `doing` completes "Could not …"."""
    try:
        yield
    except aws.ClientError as error:
        raise _of_answer(error, doing) from error
    except (aws.NoCredentialsError, aws.PartialCredentialsError, aws.CredentialRetrievalError) as error:
        raise UnreachableError(
            f"Could not {doing}: no AWS credentials. "
            "Log in (`aws sso login`, `aws configure`) or give --profile."
        ) from error
    except (aws.TokenRetrievalError, aws.SSOError) as error:
        raise UnreachableError(f"Could not {doing}: the login has expired. Run `aws sso login`.") from error
    except aws.ProfileNotFound as error:
        raise InvalidInputError(f"{error}. `aws configure list-profiles` names those there are.") from error
    except aws.NoRegionError as error:
        raise InvalidInputError("Which region? Give --region, or set one in the profile.") from error
    except (aws.HTTPClientError, aws.ConnectionError) as error:
        where = error.kwargs.get("endpoint_url") or "AWS"
        raise UnreachableError(f"Could not {doing}: no answer from {where}.") from error
    except aws.BotoCoreError as error:
        raise RefusedError(f"Could not {doing}: {error}") from error


def _of_answer(error: aws.ClientError, doing: str) -> OperationError:
    code = str(error.response.get("Error", {}).get("Code", "Unknown"))
    text = str(error.response.get("Error", {}).get("Message", "")).strip() or code
    if any(name in code for name in _EXPIRED):
        return UnreachableError(
            f"Could not {doing}: AWS does not accept these credentials ({code}). Log in again."
        )
    if any(name in code for name in _DENIED):
        return DeniedError(f"Could not {doing}: not allowed ({error.operation_name}). {text}")
    if any(name in code for name in _GONE):
        return NotDeployedError(f"Could not {doing}: {text} Deploy again (`pipeline deploy`).")
    return RefusedError(f"Could not {doing}: {error.operation_name} answered {code}: {text}")
