"""The answer of the budget's guard, whatever the function returns."""

import io
from types import SimpleNamespace
from typing import Any

import pytest

from operations.errors import RefusedError
from operations.money.budget import GUARD, look_now


def target(payload: bytes, **more: Any) -> Any:
    """Return a target whose guard answers with `payload`."""
    functions = SimpleNamespace(invoke=lambda **_: {"Payload": io.BytesIO(payload), **more})
    addresses = SimpleNamespace(values={GUARD: "guard"})
    return SimpleNamespace(client=lambda _: functions, addresses=addresses, env="local")


def test_the_guards_state_is_read_with_fields_of_a_later_release():
    """The guard's state is read, and fields that this version does not know are ignored."""
    assert look_now(target(b'{"day": "2026-11-23", "mood": "good"}')).day == "2026-11-23"


@pytest.mark.parametrize(
    ("payload", "failed", "told"),
    [
        (b'{"errorMessage": "no rights"}', True, "failed: no rights. It"),
        (b'{"errorType": "Runtime.ExitError"}', True, "it says no reason"),
        *(
            (payload, True, "unknown shape")
            for payload in (b"", b"null", b"[]", b"\xff", b'{"errorMessage": 5}')
        ),
        *((payload, False, "unknown shape") for payload in (b"", b"null", b"5", b'{"day": 5}')),
    ],
)
def test_a_guard_that_failed_is_told_in_a_sentence(payload, failed, told):
    """A guard that failed, or whose answer has an unknown shape, is an error that says what is already done."""
    with pytest.raises(RefusedError, match=f"The order is written.*{told}"):
        look_now(target(payload, **({"FunctionError": "Unhandled"} if failed else {})))
