"""One local engine: a MiniStack process of this checkout, on one loopback port, with all its files in one folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from local.connection import Connection
from local.progress import Progress, silent
from local.settings import Model, Settings

ROOT = Path(__file__).resolve().parents[1]
STATE = ROOT / ".pipeline"


@dataclass(frozen=True, kw_only=True)
class Running:
    """An engine that answers. `instance` is new at every start: what was deployed to another one is gone."""

    instance: str
    pid: int
    port: int
    checkout: Path
    model: Model | None
    log_file: Path

    @property
    def connection(self) -> Connection:
        raise NotImplementedError

    @property
    def answers(self) -> str:
        """Who answers in Bedrock's place, for people: `canned answers`, or `llama3.2 at http://127.0.0.1:11434/v1`."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Status:
    """`stale`: a process that was recorded is gone or no longer answers."""

    state: Literal["running", "stopped", "stale"]
    running: Running | None = None
    deployed: tuple[str, ...] = ()
    """The stacks this instance has, by part: `platform`, `analyzer`, …"""


class Engine:
    def __init__(self, *, state: Path = STATE, settings: Settings | None = None) -> None:
        """`state` holds the process record, logs and temporary files; a test gives its own, and its own port.

        Without `settings` they are read from the environment when the engine is started.
        """
        raise NotImplementedError

    def start(self, progress: Progress = silent) -> Running:
        """Returns the running engine, started if need be; restarted if the model's settings changed.

        Raises PortTakenError, OtherCheckoutError, EngineStartError, BusyError, SettingsError, SetupMissingError.
        """
        raise NotImplementedError

    def stop(self, progress: Progress = silent) -> bool:
        """Ends the engine and every function process it started. False if there was none. Raises EngineStopError."""
        raise NotImplementedError

    def status(self) -> Status:
        """Never raises, never changes anything."""
        raise NotImplementedError

    def running(self) -> Running:
        """The engine that is up. Raises EngineNotRunningError."""
        raise NotImplementedError


def free_port() -> int:
    """A loopback port nobody listens on now, for tests."""
    raise NotImplementedError
