"""The options of `pipeline submit`."""

from dataclasses import dataclass
from pathlib import Path

from operations.asking.submit import Via


@dataclass(frozen=True, kw_only=True)
class Choices:
    wait: bool
    via: Via
    idempotency_key: str | None
    after: str | None
    again: str | None
    out: Path | None
    resume: bool
    concurrency: int
    patience: int
    as_json: bool
