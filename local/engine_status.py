"""The status of the local engine: its process, and what is deployed to it."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from msgspec import Struct, ValidationError, convert, to_builtins
from msgspec.structs import replace

from local.deploy import is_current
from local.engine import Engine, Running
from local.errors import EngineNotRunningError
from local.servers import health
from local.state import StateFolder
from local.targets import local_target
from operations.addresses import Addresses, read_addresses
from operations.errors import NotDeployedError
from operations.target import Target


class SmallModelStatus(Struct, frozen=True, kw_only=True):
    """The status of the small model's server.

    `state`: `ready`, `loading`, `starting` (its process is being started, perhaps again) or `down` (given up).
    """

    name: str
    url: str
    state: str
    log_file: str
    pid: int | None = None
    waiting: int = 0
    answered: int = 0


class EngineStatus(Struct, frozen=True, kw_only=True):
    """The status of a running engine.

    `answers` says what answers in Bedrock's place; `why_canned`: why the small model, which was chosen, does not;
    `current`: all stacks but optional ones have the present sources.
    """

    endpoint: str
    port: int
    pid: int
    started_at: datetime
    answers: str
    canned: bool
    why_canned: str | None = None
    small_model: SmallModelStatus | None = None
    checkout: str
    log_file: str
    deployed: bool
    current: bool
    deployed_at: datetime | None
    services: tuple[str, ...]
    addresses: Mapping[str, str]


def engine_status(engine: Engine | None = None) -> EngineStatus | None:
    """Return the status of the engine, or None if it is not running."""
    engine = engine or Engine()
    try:
        running = engine.running()
    except EngineNotRunningError:
        return None
    addresses = _addresses(local_target(running.connection))
    return EngineStatus(
        endpoint=running.connection.endpoint_url,
        port=running.port,
        pid=running.pid,
        started_at=running.started_at,
        answers=running.answers,
        canned=running.model is None,
        why_canned=running.why_canned,
        small_model=_small_model(running),
        checkout=str(running.checkout),
        log_file=str(running.log_file),
        deployed=addresses is not None,
        current=addresses is not None and is_current(engine),
        deployed_at=addresses.deployed_at if addresses else None,
        services=addresses.services if addresses else (),
        addresses=addresses.values if addresses else {},
    )


def _small_model(running: Running) -> SmallModelStatus | None:
    model = running.model
    if model is None or not model.small:
        return None
    said = health(model)
    log = StateFolder(running.state).model_log
    status = SmallModelStatus(name=model.name, url=model.url, state="down", log_file=str(log))
    if said is None:
        return status
    with suppress(ValidationError):
        return convert({**to_builtins(status), "state": "starting", **said}, SmallModelStatus)
    return replace(status, state="starting")


def _addresses(target: Target) -> Addresses | None:
    try:
        return read_addresses(target.client("ssm"), target.env)
    except NotDeployedError:
        return None
