"""The API's state: one secret for each environment, and a number of waiting callers that never leaks for long."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from moto import mock_aws

from services.trigger.api.state import SECRET, SECRET_BYTES
from services.trigger.api.tests.support import make_state
from shared.errors import PermanentError, TransientError
from shared.tests.fakes import client_error


@pytest.fixture
def client():
    with mock_aws():
        yield boto3.client("dynamodb")


class Broken:
    """A client whose calls fail with `error` while it is set."""

    def __init__(self, client: Any, error: Exception | None = None) -> None:
        self.client = client
        self.error = error

    def __getattr__(self, name: str) -> Any:
        def call(**parameters: Any) -> Any:
            if self.error:
                raise self.error
            return getattr(self.client, name)(**parameters)

        return call


class Racing:
    """A client slower than other processes: what is in `first` happens before the first call of a method."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.first: dict[str, Callable[[], Any]] = {}

    def __getattr__(self, name: str) -> Any:
        def call(**parameters: Any) -> Any:
            self.first.pop(name, lambda: None)()
            return getattr(self.client, name)(**parameters)

        return call


DOWN = client_error("InternalServerError", "GetItem", 500)
DENIED = client_error("AccessDeniedException", "GetItem")


def count(client: Any, window: int) -> int:
    item = client.get_item(TableName="state", Key={"id": {"S": f"waiting#{window}"}}).get("Item")
    return int(item["waiting"]["N"]) if item else 0


# --- the secret ------------------------------------------------------------------------------------------


def test_all_processes_have_one_secret(client):
    """The first process makes the secret, and every other one reads it; it is long, and kept without an end."""
    first, second = make_state(client, now=lambda: 1_000.5).secret(), make_state(client).secret()
    assert first == second
    assert (len(first.value), first.made_at) == (SECRET_BYTES, 1_000)
    item = client.get_item(TableName="state", Key={"id": {"S": SECRET}})["Item"]
    assert "expires_at" not in item


def test_two_first_uses_at_once_make_one_secret(client):
    """Of two processes that make the secret at the same time, the slower one takes the other's."""
    other = make_state(client)
    racing = Racing(client)
    state = make_state(client)
    state._client = racing
    racing.first["put_item"] = other.secret
    assert state.secret() == other.secret()


def test_the_secret_is_read_once(client):
    """A process asks the table for the secret once, and does not remember a failure."""
    broken = Broken(client, DOWN)
    state = make_state(client)
    state._client = broken
    with pytest.raises(TransientError):
        state.secret()
    broken.error = None
    secret = state.secret()
    broken.error = DOWN
    assert state.secret() == secret


@pytest.mark.parametrize("item", [{}, {"value": {"S": "zz"}}, {"value": {"S": "00"}, "made_at": {"N": "1"}}])
def test_a_damaged_secret_is_neither_used_nor_replaced(client, item):
    """A damaged item is an error: with another secret, a repeated request would start another run."""
    state = make_state(client)
    client.put_item(TableName="state", Item={"id": {"S": SECRET}, **item})
    with pytest.raises(PermanentError, match="damaged"):
        state.secret()
    assert client.get_item(TableName="state", Key={"id": {"S": SECRET}})["Item"].keys() == {"id", *item}


# --- who waits -------------------------------------------------------------------------------------------


def test_so_many_wait_and_no_more(client):
    """The caller after the last allowed one may not wait, and one who leaves makes room for another."""
    state = make_state(client, max_waiting=2)
    with state.waiting() as first, state.waiting() as second:
        assert (first, second) == (True, True)
        with state.waiting() as third:
            assert third is False
    with state.waiting() as again:
        assert again is True


def test_a_caller_who_waits_into_the_next_window_is_still_counted(client):
    """Callers of the window before count as well, so that never more than the limit wait."""
    clock = [29.0]
    state = make_state(client, max_waiting=1, now=lambda: clock[0])
    with state.waiting() as admitted:
        assert admitted is True
        clock[0] = 31.0
        with state.waiting() as other:
            assert other is False
    with state.waiting() as later:
        assert later is True
    assert count(client, 0) == 0


def test_a_place_whose_function_died_is_free_after_two_windows(client):
    """A caller that was never subtracted keeps its place until the window after its own has ended."""
    clock = [10.0]
    state = make_state(client, max_waiting=1, now=lambda: clock[0])
    assert state._entered() is not None
    answers = []
    for clock[0] in (20.0, 59.0, 60.0):
        with state.waiting() as admitted:
            answers.append(admitted)
    assert answers == [False, False, True]


def test_a_window_expires_and_a_late_leave_does_not_bring_it_back(client):
    """A window's item expires when nobody can wait in it any more; who leaves later creates no item."""
    state = make_state(client, now=lambda: 35.0)
    with state.waiting() as admitted:
        assert admitted is True
        item = client.get_item(TableName="state", Key={"id": {"S": "waiting#1"}})["Item"]
        assert item["expires_at"]["N"] == "90"
        client.delete_item(TableName="state", Key={"id": {"S": "waiting#1"}})
    assert "Item" not in client.get_item(TableName="state", Key={"id": {"S": "waiting#1"}})


@pytest.mark.parametrize("limit", [0, -1])
def test_nobody_waits_where_nobody_may(client, limit):
    """With a limit of zero nobody waits."""
    with make_state(client, max_waiting=limit).waiting() as admitted:
        assert admitted is False


@pytest.mark.parametrize("error", [DOWN, DENIED], ids=["down", "denied"])
def test_without_the_table_nobody_waits(client, error):
    """A table that fails or refuses lets nobody wait, and causes no error."""
    state = make_state(client)
    state._client = Broken(client, error)
    with state.waiting() as admitted:
        assert admitted is False


def test_a_table_that_fails_on_leaving_spoils_no_answer(client):
    """If the caller cannot be subtracted, it still gets its answer; its place is free when its window is over."""
    broken = Broken(client)
    clock = [0.0]
    state = make_state(client, max_waiting=1, now=lambda: clock[0])
    state._client = broken
    with state.waiting() as admitted:
        broken.error = DOWN
    assert admitted is True
    broken.error = None
    clock[0] = 60.0
    with state.waiting() as later:
        assert later is True


def test_an_error_while_waiting_gives_the_place_back(client):
    """A wait that ends with an error is subtracted, too."""
    state = make_state(client, max_waiting=1)

    def fail() -> None:
        with state.waiting():
            raise TransientError("no table")

    with pytest.raises(TransientError):
        fail()
    with state.waiting() as admitted:
        assert admitted is True


def test_callers_who_come_at_once_never_exceed_the_limit(client):
    """A caller that finds room may not wait if others take it before it is counted."""
    state, others = make_state(client, max_waiting=2), make_state(client, max_waiting=2)
    racing = Racing(client)
    state._client = racing
    racing.first["update_item"] = lambda: [others._entered(), others._entered()]
    with state.waiting() as admitted:
        assert admitted is False
