"""Converts values to DynamoDB's typed JSON and back. (boto3's own serialiser would load boto3.)"""

from collections.abc import Mapping
from typing import Any, Final

CONDITION_FAILED: Final = "ConditionalCheckFailedException"
"""The error code of a write whose condition does not hold."""


def to_item(value: Any) -> dict[str, Any]:
    """Return a value as DynamoDB's typed JSON; numbers must be whole. Raises TypeError for any other type."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case str() | bytes():
            return {"S" if isinstance(value, str) else "B": value}
        case Mapping():
            return {"M": {str(name): to_item(inner) for name, inner in value.items()}}
        case list() | tuple():
            return {"L": [to_item(inner) for inner in value]}
    raise TypeError(f"A record can't hold a value of type {type(value).__name__}.")


def from_item(item: Mapping[str, Any]) -> Any:
    """Return the value of DynamoDB's typed JSON.

    Whole numbers become int, others, which this project never writes, float; sets and bytes stay as they are.
    """
    ((kind, value),) = item.items()
    match kind:
        case "NULL":
            return None
        case "N":
            return int(value) if value.lstrip("-").isdigit() else float(value)
        case "M":
            return attributes(value)
        case "L":
            return [from_item(inner) for inner in value]
    return value


def attributes(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of an item by attribute name."""
    return {name: from_item(value) for name, value in item.items()}
