"""The exit codes of the `pipeline` command, which the console's process shares."""

from local.exit_codes import FAILED, INTERRUPTED, NOT_FOUND, UNREACHABLE, USAGE, exit_code

__all__ = ["FAILED", "INTERRUPTED", "NOT_FOUND", "UNREACHABLE", "USAGE", "exit_code"]
