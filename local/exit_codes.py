"""The exit codes of the `pipeline` command, and the exit code of each error."""

from collections.abc import Sequence

from local.errors import AwsAccessError, EngineNotRunningError, SettingsError, UnknownServiceError
from operations.errors import InvalidInputError, NotDeployedError, NotFoundError, UnreachableError

FAILED, USAGE, NOT_FOUND, UNREACHABLE, INTERRUPTED = 1, 2, 3, 4, 130

_CODES: Sequence[tuple[type[Exception], int]] = (
    (InvalidInputError, USAGE),
    (UnknownServiceError, USAGE),
    (SettingsError, USAGE),
    (NotFoundError, NOT_FOUND),
    (NotDeployedError, UNREACHABLE),
    (UnreachableError, UNREACHABLE),
    (EngineNotRunningError, UNREACHABLE),
    (AwsAccessError, UNREACHABLE),
)


def exit_code(error: Exception) -> int:
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)
