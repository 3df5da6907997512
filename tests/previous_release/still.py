"""What is compared of an answer: no moment, measure or sentence that belongs to the reading itself."""

import hashlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

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
"""What a function measures of itself, or what follows from that."""
SENTENCES = frozenset(("reason", "note", "problem", "what", "unmetered", "never_metered", "instead"))
"""What today's code says in its own words. Those that were written down are compared where they are kept."""
_INSTANT = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")


class Clock:
    """Takes the moments out that belong to this run of the readings, and not to what was left."""

    def __init__(self) -> None:
        self._began = datetime.now(UTC) - timedelta(seconds=1)

    def still(self, text: str) -> str:
        return re.sub(r"seen \d+ s ago", "seen", _INSTANT.sub(self._moment, text))

    def _moment(self, match: re.Match[str]) -> str:
        now = self._began <= datetime.fromisoformat(match[0]) <= datetime.now(UTC) + timedelta(seconds=1)
        return "(now)" if now else match[0]


def parts_of(told: Any, parts: Sequence[str]) -> Any:
    """Of an object, or of each in a list."""
    if isinstance(told, dict):
        return {part: told.get(part) for part in parts}
    return [parts_of(one, parts) for one in told] if isinstance(told, list) and parts else None


def from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def opened(value: Any) -> Any:
    """With JSON in texts as JSON."""
    if isinstance(value, dict):
        return {name: opened(part) for name, part in value.items()}
    if isinstance(value, list):
        return [opened(part) for part in value]
    return from_json(value) if isinstance(value, str) and value[:1] == "{" else value


def without_measures(value: Any) -> Any:
    """Names stay, what was measured goes."""
    if isinstance(value, dict):
        return {
            name: "(measured)" if name in MEASURED else without_measures(part) for name, part in value.items()
        }
    return [without_measures(part) for part in value] if isinstance(value, list) else value


def without_words(value: Any) -> Any:
    """Names stay; what today's code says in a sentence goes."""
    if isinstance(value, list):
        return [without_words(part) for part in value]
    if not isinstance(value, dict):
        return value
    own = SENTENCES | ({"why"} if value.get("at") == "(now)" else set())
    if value.get("error_type") == "ReceivedTooOften" or isinstance(value.get("parked_at"), dict):
        own |= {"error"}  # of a message that nobody, or that today's worker parked
    if {"usd", "per"} <= value.keys():
        own |= {"text"}  # of a price
    return {name: _blank(part) if name in own else without_words(part) for name, part in value.items()}


def _blank(value: Any) -> Any:
    """Says that there are words."""
    if isinstance(value, dict):
        return {name: _blank(part) for name, part in value.items()}
    return [_blank(part) for part in value] if isinstance(value, list) else value and "(words)"


def without_own_time(told: Any) -> Any:
    """An open run's timeline grows while one looks at it."""
    if isinstance(told, dict) and told.get("finished") is False:
        return {name: value for name, value in told.items() if name not in ("timeline", "longest")}
    return told


def digest(told: Any) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
