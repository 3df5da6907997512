"""The translation of botocore's errors to those of this library."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions as aws

from operations.errors import (
    DeniedError,
    InvalidInputError,
    LoginError,
    NotDeployedError,
    OperationError,
    RefusedError,
    UnreachableError,
)
from shared.errors import is_transient

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
def translated(action: str) -> Iterator[None]:
    """Raise an OperationError for each error of botocore. `action` completes the sentence "Could not …"."""
    try:
        yield
    except aws.ClientError as error:
        raise _of_answer(error, action) from error
    except (aws.NoCredentialsError, aws.PartialCredentialsError, aws.CredentialRetrievalError) as error:
        raise LoginError(
            f"Could not {action}: no AWS credentials. "
            "Log in (`aws sso login`, `aws configure`) or name a profile with --profile."
        ) from error
    except (aws.TokenRetrievalError, aws.SSOError) as error:
        raise LoginError(f"Could not {action}: the login has expired. Run `aws sso login`.") from error
    except aws.ProfileNotFound as error:
        raise InvalidInputError(f"{error}. `aws configure list-profiles` lists the profiles.") from error
    except aws.NoRegionError as error:
        raise InvalidInputError("No region is set. Give --region, or set a region in the profile.") from error
    except aws.InvalidRegionError as error:
        raise InvalidInputError(f"{error} Give a region like us-east-1 with --region.") from error
    except (aws.HTTPClientError, aws.ConnectionError) as error:
        where = error.kwargs.get("endpoint_url") or "AWS"
        raise UnreachableError(
            f"Could not {action}: no answer from {where}. Check the network and the address."
        ) from error
    except aws.BotoCoreError as error:
        raise RefusedError(f"Could not {action}: {error}") from error


def _of_answer(error: aws.ClientError, action: str) -> OperationError:
    code = str(error.response.get("Error", {}).get("Code", "Unknown"))
    text = str(error.response.get("Error", {}).get("Message", "")).strip() or code
    if any(name in code for name in _EXPIRED):
        return LoginError(
            f"Could not {action}: AWS does not accept these credentials ({code}). Log in again."
        )
    if any(name in code for name in _DENIED):
        return DeniedError(f"Could not {action}: the credentials do not allow {error.operation_name}. {text}")
    if any(name in code for name in _GONE):
        return NotDeployedError(f"Could not {action}: {text} Deploy again (`pipeline deploy`).")
    refusal = f"Could not {action}: {error.operation_name} answered {code}: {text}"
    if is_transient(code, error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)):
        return RefusedError(f"{refusal.rstrip('.')}. This passes by itself: wait a minute and try again.")
    return RefusedError(refusal)
