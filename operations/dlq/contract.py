"""How a parked message, or a correction of its data, breaks its contract (pure)."""

from collections.abc import Mapping
from typing import Any

from operations.dlq.messages import Parked, data_of, public_data_of, violation, with_data
from operations.json_text import DEEPEST, depth, loosely, parse, written
from operations.runs.trail import redacted
from operations.violations import KINDS, Violation, violations

MOST = 50
"""Violations of one message that are told."""


def problems(message: Parked) -> list[Violation]:
    """Return what is wrong with a message: every place in words, and what only its service refuses."""
    refused = violation(message)
    if refused is None:
        return []
    event = loosely(message.body)
    known = message.detail_type in KINDS and isinstance(event, Mapping)
    found = violations(message.detail_type, event.get("detail")) if known else []
    if refused.path not in {one.path for one in found}:
        found = [Violation(refused.path, refused.reason), *found]
    return found[:MOST]


def correctable(message: Parked) -> Mapping[str, Any] | None:
    """Return the data of a message that can be corrected; None if it has none, or none that can be shown whole."""
    data = data_of(message)
    if message.detail_type not in KINDS or depth(data) > DEEPEST or data != public_data_of(message):
        return None
    text = written(data)
    return data if redacted(text) == text else None


def correction(text: str) -> tuple[dict[str, Any] | None, list[Violation]]:
    """Return the data that a text holds; None and the reason if it is no JSON object."""
    try:
        data = parse(text)
    except ValueError as error:
        return None, [Violation("$.detail.data", f"is not valid JSON: {error}")]
    if not isinstance(data, dict):
        return None, [Violation("$.detail.data", "must be a JSON object")]
    return data, []


def problems_of_correction(message: Parked, text: str) -> list[Violation]:
    """Return how the message with this text as its data would break its contract."""
    data, found = correction(text)
    if data is None:
        return found
    if message.detail_type not in KINDS:
        return [Violation("$.detail-type", "has no data to correct. Replay the message as it is")]
    return violations(message.detail_type, loosely(with_data(message, data))["detail"])[:MOST]
