"""What is to be deployed, and to where."""

from dataclasses import dataclass

from infra.environments import Environment
from operations.target import Target


@dataclass(frozen=True, kw_only=True)
class Intended:
    """A deployment that is intended. `day` is today (ISO 8601); `account` is None until it is known.

    `call_model`: the models may be asked, which costs a few tokens and subscribes the account to them.
    """

    target: Target
    environment: Environment
    day: str
    account: str | None = None
    call_model: bool = False
