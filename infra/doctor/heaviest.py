"""The largest value that a type of the contracts allows."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec import inspect

CONTROL: Final = "\x01"
"""The character that takes most bytes in JSON: six."""
_NOW: Final = datetime(2026, 11, 22, 10, 0, 0, 123_456, tzinfo=UTC)


class UnboundedError(Exception):
    """A field has no bound. The text names it and says what to write."""


def heaviest(kind: type[Any]) -> Any:
    """Return the largest value of a type, as msgspec's encoders take it. Raises UnboundedError."""
    return _of(inspect.type_info(kind), kind.__name__)


def _of(kind: Any, at: str) -> Any:
    value = _VALUES.get(type(kind))
    if value is None:
        raise UnboundedError(f"{at} has a type whose largest value is not known. Give it one with a bound.")
    return value(kind, at)


def _longest(values: Any) -> Any:
    return max(values, key=lambda value: len(msgspec.json.encode(value)))


def _bound(length: int | None, at: str) -> int:
    if length is None:
        raise UnboundedError(
            f"{at} has no largest length. Give its type one: Annotated[…, Meta(max_length=…)]."
        )
    return length


def _either(kind: inspect.UnionType, at: str) -> Any:
    """Return the largest of a union's values, which is neither null nor absent."""
    return _longest([_of(each, at) for each in kind.types if not isinstance(each, inspect.NoneType)])


def _items(kind: inspect.VarTupleType | inspect.ListType, at: str) -> list[Any]:
    return [_of(kind.item_type, f"{at}[]")] * _bound(kind.max_length, at)


def _fields(kind: inspect.StructType, at: str) -> dict[str, Any]:
    return {field.encode_name: _of(field.type, f"{at}.{field.name}") for field in kind.fields}


_VALUES: Final[Mapping[type[Any], Callable[[Any, str], Any]]] = {
    inspect.Metadata: lambda kind, at: _of(kind.type, at),
    inspect.StructType: _fields,
    inspect.UnionType: _either,
    inspect.ListType: _items,
    inspect.VarTupleType: _items,
    inspect.TupleType: lambda kind, at: [_of(item, f"{at}[]") for item in kind.item_types],
    inspect.StrType: lambda kind, at: CONTROL * _bound(kind.max_length, at),
    inspect.LiteralType: lambda kind, _: _longest(kind.values),
    inspect.EnumType: lambda kind, _: _longest([member.value for member in kind.cls]),
    inspect.IntType: lambda kind, _: 10**15 if kind.le is None else kind.le,
    inspect.FloatType: lambda _, __: -1.2345678901234567e-300,
    inspect.BoolType: lambda _, __: False,
    inspect.DateTimeType: lambda _, __: _NOW,
}
"""The largest value of each kind of type. A mapping has no place in a result: its keys have no bound."""
