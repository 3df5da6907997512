"""The local engine, and deploying to it or to AWS: what `local` does, for this library's targets."""

from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec import Struct

from cli.operations.addresses import Addresses, read_addresses
from cli.operations.errors import InvalidInputError, NotDeployedError
from cli.operations.target import Target, local_target, running_engine
from local import deploy as deploying
from local.engine import Engine, Running
from shared.contracts.stages import SERVICES

Say = Callable[[str], None]
"""Told in a line what is being done."""

PARTS = ("platform", *SERVICES, "workflow")
"""What can be deployed alone."""


class EngineStatus(Struct, frozen=True, kw_only=True):
    """An engine that is up. `current`: it runs the sources as they are now."""

    endpoint: str
    port: int
    pid: int
    started_at: datetime
    model: str | None
    model_url: str | None
    checkout: str
    log_file: str
    deployed: bool
    current: bool
    deployed_at: datetime | None
    addresses: Mapping[str, str]
    services: tuple[str, ...]

    @property
    def answers(self) -> str:
        """Who answers in Bedrock's place."""
        return f"{self.model} at {self.model_url}" if self.model_url else "canned answers"


def up(settings: Mapping[str, str], say: Say) -> EngineStatus:
    """Starts the engine and deploys everything to it; does nothing that is done already.

    `settings` may hold PIPELINE_PORT, PIPELINE_MODEL_URL and PIPELINE_MODEL. Raises InvalidInputError, LocalError.
    """
    port = settings.get("PIPELINE_PORT") or None
    if port and not port.isdecimal():
        raise InvalidInputError(f"PIPELINE_PORT must be a number, not {port!r}.")
    url, model = settings.get("PIPELINE_MODEL_URL") or None, settings.get("PIPELINE_MODEL") or None
    if bool(url) != bool(model):
        raise InvalidInputError(
            "A model needs both: PIPELINE_MODEL_URL (its server) and PIPELINE_MODEL (its name)."
        )
    engine = Engine()
    running = engine.start(port=int(port) if port else None, model_url=url, model=model, say=say)
    deploying.deploy_local(running, say=say)
    return _status(engine, running)


def down() -> bool:
    """False if no engine was up."""
    return Engine().stop()


def engine_status() -> EngineStatus | None:
    """None when no engine is up."""
    engine = Engine()
    running = engine.running()
    return _status(engine, running) if running else None


def _status(engine: Engine, running: Running) -> EngineStatus:
    addresses = _addresses(local_target(running.connection()))
    return EngineStatus(
        endpoint=running.endpoint_url,
        port=running.port,
        pid=running.pid,
        started_at=datetime.fromisoformat(running.started_at),
        model=running.model,
        model_url=running.model_url,
        checkout=running.checkout,
        log_file=str(engine.log),
        deployed=addresses is not None,
        current=addresses is not None and deploying.deployed(running),
        deployed_at=addresses.deployed_at if addresses else None,
        addresses=addresses.values if addresses else {},
        services=addresses.services if addresses else (),
    )


def _addresses(target: Target) -> Addresses | None:
    try:
        return read_addresses(target.client("ssm"), target.env)
    except NotDeployedError:
        return None


def check_part(part: str | None) -> None:
    """Raises InvalidInputError for what can't be deployed alone."""
    if part is not None and part not in PARTS:
        raise InvalidInputError(f"There is no service {part!r}. Known: {', '.join(PARTS)}.")


def deploy(target: Target, part: str | None, say: Say) -> bool:
    """Deploys all stacks, or one alone. False if the engine had it all already. Raises LocalError.

    To AWS: ask before calling, `target.describe()` says where it goes.
    """
    check_part(part)
    if target.is_local:
        return deploying.deploy_local(running_engine(), service=part, say=say)
    deploying.deploy_aws(target.env, service=part, region=target.region, profile=target.profile, say=say)
    return True
