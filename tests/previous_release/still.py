"""Removes from an answer what is not compared: times and measures of the reading itself, and sentences."""

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts.record import METERED_BEFORE
from shared.contracts.stages import RECORDED

MEASURED = frozenset(
    (
        "cost",
        "record_bytes",
        "spent_on",
        "queue_wait_ms",
        "work_ms",
        "memory_mb",
        "architecture",
        "execution_time_ms",
        "nano_usd",
        "waste_nano_usd",
    )
)
"""Fields that hold measurements of a function, or values derived from them."""
SENTENCES = frozenset(
    ("reason", "note", "problem", "what", "unmetered", "never_metered", "instead", "sent_id")
)
"""Fields whose sentences, or ids, today's code writes. Stored sentences are compared where they are read back."""
ADDED = {name for stage in RECORDED if stage.key not in METERED_BEFORE for name in (stage.key, stage.service)}
"""The keys and services of the stages that were added since."""
_INSTANT = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")


class Clock:
    """Replaces the times that belong to this reading; times in the fixtures stay."""

    def __init__(self) -> None:
        self._began = datetime.now(UTC) - timedelta(seconds=1)

    def still(self, text: str) -> str:
        return re.sub(r"seen \d+ s ago", "seen", _INSTANT.sub(self._moment, text))

    def _moment(self, match: re.Match[str]) -> str:
        now = self._began <= datetime.fromisoformat(match[0]) <= datetime.now(UTC) + timedelta(seconds=1)
        return "(now)" if now else match[0]


def parts_of(value: Any, parts: Sequence[str]) -> Any:
    """Return these parts of an object, or of each object in a list."""
    if isinstance(value, dict):
        return {part: value.get(part) for part in parts}
    return [parts_of(item, parts) for item in value] if isinstance(value, list) and parts else None


def from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def opened(value: Any) -> Any:
    """Return the value with JSON texts replaced by what they contain."""
    if isinstance(value, dict):
        return {name: opened(part) for name, part in value.items()}
    if isinstance(value, list):
        return [opened(part) for part in value]
    return from_json(value) if isinstance(value, str) and value[:1] == "{" else value


def without_added(value: Any) -> Any:
    """Remove what belongs to a stage that the previous release did not have."""
    if isinstance(value, list):
        return [without_added(part) for part in value if not _is_added(part)]
    if not isinstance(value, dict):
        return value
    return {name: without_added(part) for name, part in value.items() if name not in ADDED}


def _is_added(part: Any) -> bool:
    """Return whether an entry of a list is an added stage's, or is its name."""
    named = (
        [part.get(name) for name in ("key", "stage", "service", "name")] if isinstance(part, dict) else [part]
    )
    return any(isinstance(name, str) and name in ADDED for name in named)


def without_measures(value: Any) -> Any:
    """Replace every measured value, and keep its name."""
    if isinstance(value, dict):
        return {
            name: "(measured)" if name in MEASURED else without_measures(part) for name, part in value.items()
        }
    return [without_measures(part) for part in value] if isinstance(value, list) else value


def without_words(value: Any) -> Any:
    """Replace every sentence that today's code writes, and keep its name."""
    if isinstance(value, list):
        return [without_words(part) for part in value]
    if not isinstance(value, dict):
        return value
    own = SENTENCES | ({"why"} if value.get("at") == "(now)" else set())
    if value.get("error_type") == "ReceivedTooOften" or isinstance(value.get("parked_at"), dict):
        own |= {"error"}  # SQS or today's worker parked the message, so today's code wrote the error
    if {"usd", "per"} <= value.keys():
        own |= {"text"}  # the description of a price
    return {name: _blank(part) if name in own else without_words(part) for name, part in value.items()}


def _blank(value: Any) -> Any:
    """Replace each text by a placeholder."""
    if isinstance(value, dict):
        return {name: _blank(part) for name, part in value.items()}
    return [_blank(part) for part in value] if isinstance(value, list) else value and "(words)"


def without_own_time(value: Any) -> Any:
    """Remove the timeline of an open run, which grows with time."""
    if isinstance(value, dict) and value.get("finished") is False:
        return {name: part for name, part in value.items() if name not in ("timeline", "longest")}
    return value


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
