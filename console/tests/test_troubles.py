"""The pages while the environment is down, permissions lack, credentials expire or the console itself fails."""

from collections.abc import Callable
from typing import Any

import pytest

from console.tests.asking import Console, console_of
from console.tests.world import add_run
from shared.tests.fakes import client_error


def refused(code: str) -> Callable[..., Any]:
    """Return a call that AWS refuses."""

    def call(**options: Any) -> Any:
        raise client_error(code, "BatchGetItem" if "RequestItems" in options else "ListExecutions")

    return call


def test_an_environment_that_is_down_says_what_to_do():
    """Without an engine every page says so, and how to start it."""
    console = console_of(None)
    for path in ("/runs", "/runs/p", "/find?q=p"):
        answer = console.get(path)
        assert (answer.status, "pipeline up" in answer.text) == (503, True)
        assert "data-again" in answer.text
    form = console.post("/ask/send", {"message": "Why?", "key": "console-1234567890"})
    assert (form.status, "data-again" in form.text, "Why?" in form.text) == (502, False, True)


def test_a_new_engine_explains_lost_runs(console: Console, machine):
    """After the engine was restarted, a run that is gone is explained by that."""
    assert "engine was restarted" not in console.get("/runs").text
    console.desk.environment.restarts = 1
    for path in ("/runs/gone", "/runs"):
        assert "engine was restarted" in console.get(path).text


def test_without_permission_the_rest_of_the_list_stays(console: Console, machine, records, monkeypatch):
    """Whoever may not read the records sees the runs, and which permission lacks; a search in records is refused."""
    add_run(machine, records, "p")
    target = console.desk.environment.target()
    monkeypatch.setattr(target.client("dynamodb"), "batch_get_item", refused("AccessDeniedException"))
    text = console.get("/runs").text
    for part in ('href="/runs/p"', "do not allow BatchGetItem", "succeeded"):
        assert part in text, part
    assert console.get("/runs?degraded=1").status == 403


def test_expired_credentials_are_taken_anew(machine, records, target, monkeypatch):
    """Credentials that AWS does not accept any more lead to the login; the next request takes the new ones."""
    console = console_of(target, "prod")
    forgotten = []
    monkeypatch.setattr(type(console.desk.environment), "forget", lambda _: forgotten.append(True))
    monkeypatch.setattr(machine, "list_executions", refused("ExpiredTokenException"))
    for path in ("/runs", "/"):
        answer = console.get(path)
        assert (answer.status, "Log in again" in answer.text, "aws sso login" in answer.text) == (
            503,
            True,
            True,
        )
    assert forgotten == [True, True]


def test_what_may_not_be_looked_at_is_not_called_unreachable(console: Console, machine, monkeypatch):
    """The first page of somebody without permission says so, and which call was refused."""
    monkeypatch.setattr(machine, "list_executions", refused("AccessDeniedException"))
    answer = console.get("/")
    assert (answer.status, "do not allow ListExecutions" in answer.text) == (403, True)


def test_a_mistake_of_the_console_is_a_page(console: Console, monkeypatch):
    """An error of the console itself is a page that says so and shows none of it; the terminal has it."""
    from console.pages import runs  # noqa: PLC0415

    def broken(*_args, **_options):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(runs, "runs_page", broken)
    with pytest.raises(ZeroDivisionError):
        console.get("/runs")
