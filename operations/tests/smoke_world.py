"""An account for the smoke test: moto's AWS seen as AWS itself, with clients that tests replace."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from operations.smoke import alarm, listener, publishing, runs
from operations.smoke.trial import Trial
from operations.smoke.verdicts import Check
from operations.stop import Stop
from operations.target import Target
from operations.tests.world import FakeApi, deploy, shared_session

NAME = "smoke-261129100000aa"
API_RUN = f"p-{NAME[-8:]}-api"
"""The id that the fake API makes of the smoke test's idempotency key."""
BUS_RUN = f"{NAME}-bus"


def by_subject(checks: Iterable[Check]) -> dict[str, Check]:
    return {check.subject: check for check in checks}


def refusal(operation: str, code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": f"{code} says no."}}, operation)


class Client:
    """A client whose operations are given as functions, exceptions or answers; it keeps the calls.

    All others are those of the `real` one, if there is one.
    """

    def __init__(self, real: Any = None, **operations: Any) -> None:
        self._real = real
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self._operations = operations

    def __getattr__(self, operation: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.calls.append((operation, arguments))
            if isinstance(answer, Exception):
                raise answer
            return answer(**arguments) if callable(answer) else answer

        if operation.startswith("_"):
            raise AttributeError(operation)
        answer = (
            self._operations[operation] if operation in self._operations else getattr(self._real, operation)
        )
        return call

    def get_paginator(self, operation: str) -> Any:
        class Pages:
            def paginate(_, **arguments: Any) -> list[Any]:  # noqa: N805 -- `self` is the client
                return [getattr(self, operation)(**arguments)]

        return Pages()

    def of(self, operation: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.calls if name == operation]


class Ears:
    """A subscriber that hears these events; `data` of each is compared as the real one compares it."""

    name = "ears"

    def __init__(self, *events: Mapping[str, Any]) -> None:
        self.events = events

    def heard(self, detail_type: str, **data: str) -> Mapping[str, Any] | None:
        return next(
            (e for e in self.events if e["detail-type"] == detail_type and data.items() <= e["data"].items()),
            None,
        )


def hears(trial: Trial, *events: Mapping[str, Any]) -> None:
    """Let the trial's subscriber hear these events."""
    trial.__dict__["listener"] = Ears(*events)


@pytest.fixture
def account(aws: None, api: FakeApi) -> Target:
    """Return a target that is AWS itself, with everything deployed in environment dev."""
    deploy("dev", api.url)
    return Target(env="dev", session=shared_session())


def replace(target: Target, service: str, fake: Any) -> Any:
    """Replace one of the target's clients."""
    target._clients[service] = fake
    return fake


@pytest.fixture
def trial(account: Target, monkeypatch: pytest.MonkeyPatch) -> Trial:
    """Return a trial without patience: each wait looks once."""
    for module, constant in (
        (alarm, "SENT_SECONDS"),
        (listener, "READY_SECONDS"),
        (publishing, "DELETE_SECONDS"),
        (runs, "RECORDED_SECONDS"),
    ):
        monkeypatch.setattr(module, constant, 0.0)
    return Trial(account, patience=0, stop=Stop(), name=NAME)
