"""Values of every contract type, and JSON that almost keeps a contract, for property-based tests (Hypothesis)."""

from collections.abc import Callable, Iterable
from datetime import UTC
from typing import Any, TypeVar

import msgspec
from hypothesis import strategies as st
from msgspec import Struct
from msgspec import inspect as types

from shared.contracts import limits
from shared.contracts.message import VISIBLE
from shared.contracts.v1 import EarlyAnswer, Turn

S = TypeVar("S", bound=Struct)

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"), max_size=60)
"""Any text that is carried: without lone surrogates, for which UTF-8 has no bytes, and without noncharacters."""
SAID = TEXT.filter(VISIBLE.search)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def turns(draw: st.DrawFn, *, exchanges: int = 3, question: bool = True) -> tuple[Turn, ...]:
    """A valid conversation, or without `question` the history before its last message."""
    count = 2 * draw(st.integers(0, exchanges)) + question
    texts = draw(st.lists(SAID, min_size=count, max_size=count))
    return tuple(
        Turn(role="assistant" if index % 2 else "user", text=text) for index, text in enumerate(texts)
    )


EARLY = st.builds(EarlyAnswer, text=SAID, reason=SAID)
"""Any early answer: its text has rules that its type does not state."""
RULES: dict[str, st.SearchStrategy[Any]] = {
    "messages": turns(),
    "history": turns(question=False),
    "user_message": SAID,
}
"""The fields with rules that their types do not state."""


def values(kind: type[S]) -> st.SearchStrategy[S]:
    """Any value of a contract type, within every bound that the type states."""
    return st.builds(kind, **dict(_fields(types.type_info(kind))))


def _fields(info: Any) -> Iterable[tuple[str, st.SearchStrategy[Any]]]:
    for field in info.fields:
        yield field.name, RULES[field.name] if field.name in RULES else _of(field.type)


def _of(info: Any) -> st.SearchStrategy[Any]:
    if isinstance(info, types.Metadata):
        return _of(info.type)
    return _KINDS[type(info)](info)


def _text(info: Any) -> st.SearchStrategy[str]:
    if info.pattern == limits.PIPELINE_ID_PATTERN:
        return st.from_regex(info.pattern, fullmatch=True)
    most = min(info.max_length or 60, 60)
    texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=info.min_length or 0, max_size=most)
    return texts.filter(lambda text: not info.min_length or not text.isspace())


_KINDS: dict[type, Callable[[Any], st.SearchStrategy[Any]]] = {
    types.StrType: _text,
    types.IntType: lambda info: st.integers(info.ge if info.ge is not None else -(2**53), 2**53),
    types.BoolType: lambda _: st.booleans(),
    types.NoneType: lambda _: st.none(),
    types.LiteralType: lambda info: st.sampled_from(info.values),
    types.DateTimeType: lambda _: st.datetimes(timezones=st.just(UTC)),
    types.UnionType: lambda info: st.one_of(*map(_of, info.types)),
    types.VarTupleType: lambda info: st.lists(
        _of(info.item_type), min_size=info.min_length or 0, max_size=min(info.max_length or 3, 3)
    ).map(tuple),
    types.DictType: lambda info: st.dictionaries(_of(info.key_type), _of(info.value_type), max_size=3),
    types.StructType: lambda info: (
        EARLY if info.cls is EarlyAnswer else st.builds(info.cls, **dict(_fields(info)))
    ),
}


@st.composite
def nearly(draw: st.DrawFn, valid: Any) -> Any:
    """`valid` JSON in which one to three places are replaced, removed or extended."""
    value = msgspec.json.decode(msgspec.json.encode(valid))
    for _ in range(draw(st.integers(1, 3))):
        value = _mutated(draw, value)
    return value


def _mutated(draw: st.DrawFn, value: Any) -> Any:
    """Follow one branch of the JSON and change something at its end, or on the way."""
    if not value or not isinstance(value, (dict, list)) or draw(st.integers(0, 5)) == 0:
        return draw(JSON)
    at = draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
    copy = value.copy()
    match draw(st.sampled_from(["deeper", "deeper", "remove", "add", "double"])):
        case "deeper":
            copy[at] = _mutated(draw, value[at])
        case "remove":
            del copy[at]
        case "double" if isinstance(copy, list):
            copy.append(copy[at])
        case _ if isinstance(copy, dict):
            copy[draw(TEXT)] = draw(JSON)
        case _:
            copy.insert(at, draw(JSON))
    return copy
