"""The options by which an environment meets what its AWS account demands, beyond AWS's own defaults."""

import re
from typing import Final

from infra.option_kinds import Option, of_field, yes_or_no
from shared.settings import OFF

_QUALIFIER: Final = re.compile(r"[A-Za-z0-9_-]{1,10}")
_POLICY: Final = re.compile(r"(arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/)?[\w+=,.@/-]{1,640}", re.ASCII)


def _qualifier(value: str) -> str:
    if not _QUALIFIER.fullmatch(value):
        raise ValueError(value)
    return value


def _policy(value: str) -> str | None:
    if value != OFF and not _POLICY.fullmatch(value):
        raise ValueError(value)
    return None if value == OFF else value.lstrip("/")


ACCOUNT_OPTIONS: Final[tuple[Option, ...]] = (
    of_field(
        "bootstrap_qualifier",
        "1 to 10 letters, digits, _ or -",
        "The qualifier that `cdk bootstrap` was given in the account and region.",
        _qualifier,
    ),
    of_field(
        "permissions_boundary",
        "a managed policy's name or ARN, or off",
        "The permissions boundary that each role gets.",
        _policy,
    ),
    of_field(
        "api_account_role",
        "true or false",
        "Whether the deployment sets the role with which API Gateway writes the logs of all APIs.",
        yes_or_no,
    ),
)
