"""One local engine: a MiniStack process of this checkout, on one loopback port, with all its files in one folder.

The engine tells who it is: its health answer carries the instance, the checkout and the state folder it was started
with. So a record on disk is believed only if the process it names was started as this folder's engine and the port
answers with the record's instance.
"""

import contextlib
import re
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from local import process
from local.connection import HOST, Connection
from local.errors import (
    EngineNotRunningError,
    EngineStartError,
    EngineStopError,
    OtherCheckoutError,
    PortTakenError,
    SetupMissingError,
)
from local.ministack import environment, identity_on
from local.paths import ENGINE_PROCESS, ENGINE_PYTHON, ROOT, STATE
from local.settings import DEFAULT_PORT, Model, Settings
from local.state import StateFolder
from operations.progress import Progress, Step, silent, step

READY_SECONDS = 60.0
LOCK_SECONDS = 2 * READY_SECONDS
RECOVERY_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Running:
    """An engine that answers. `instance` is new at every start: what was deployed to another one is gone."""

    instance: str
    pid: int
    started_at: datetime
    port: int
    checkout: Path
    state: Path
    model: Model | None

    @property
    def connection(self) -> Connection:
        return Connection(endpoint_url=f"http://{HOST}:{self.port}")

    @property
    def log_file(self) -> Path:
        return StateFolder(self.state).engine_log

    @property
    def answers(self) -> str:
        """Who answers in Bedrock's place, for people: `canned answers`, or `llama3.2 at http://127.0.0.1:11434/v1`."""
        return f"{self.model.name} at {self.model.url}" if self.model else "canned answers"


@dataclass(frozen=True, kw_only=True)
class Status:
    """`stale`: a process that was recorded is gone or no longer answers."""

    state: Literal["running", "stopped", "stale"]
    running: Running | None = None
    deployed: tuple[str, ...] = ()
    """The stacks this instance has, by part: `platform`, `analyzer`, …"""


class Engine:
    """The engine of one state folder."""

    def __init__(
        self, *, state: Path = STATE, settings: Settings | None = None, python: Path = ENGINE_PYTHON
    ) -> None:
        """`state` holds the process record, logs and temporary files; a test gives its own, and its own port.

        Without `settings` they are read from the environment when the engine is started. `python` is the interpreter
        that has MiniStack, and runs the functions.
        """
        self.state = StateFolder(state.absolute())
        self._settings = settings
        self._python = python

    @property
    def log(self) -> Path:
        return self.state.engine_log

    def start(self, progress: Progress = silent) -> Running:
        """Returns the running engine, started if need be; restarted if the port's or the model's settings changed.

        Raises PortTakenError, OtherCheckoutError, EngineStartError, BusyError, SettingsError, SetupMissingError.
        """
        settings = self._settings or Settings.from_environment()
        if settings.model:
            settings.model.require_reachable()
        with self.state.lock("engine", progress, patience_seconds=LOCK_SECONDS):
            found = self._recorded()
            port = settings.port or (found.port if found else DEFAULT_PORT)
            if found and (found.port, found.model) == (port, settings.model) and self._becomes_healthy(found):
                progress(Step("engine", "unchanged", f"the local engine runs on {HOST}:{port}"))
                return found
            if found:
                with step(
                    progress, "engine-stop", "stopping the engine; one with the new settings starts empty"
                ):
                    self._end(found)
            self._clear_orphans()
            self._require_free(port)
            if not self._python.exists():
                raise SetupMissingError("The local engine is not installed. Run: make setup")
            with step(progress, "engine", f"starting the local engine on {HOST}:{port}"):
                return self._launch(port, settings.model)

    def stop(self, progress: Progress = silent) -> bool:
        """Ends the engine and every function process it started. False if there was none. Raises EngineStopError."""
        if not self.state.path.exists():
            return False
        with self.state.lock("engine", progress, patience_seconds=LOCK_SECONDS):
            found = self._recorded()
            if found:
                with step(progress, "engine-stop", "stopping the local engine"):
                    self._end(found)
            self._clear_orphans()
            self._forget()
            return found is not None

    def status(self) -> Status:
        """Never raises, never changes anything."""
        recorded = self.state.read(self.state.record)
        found = self._recorded()
        if found is None:
            return Status(state="stale" if recorded else "stopped")
        if identity_on(found.port).get("instance") != found.instance:
            return Status(state="stale", running=found)
        deployed = self.state.read(self.state.deployed)
        parts = deployed.get("parts", {}) if deployed.get("instance") == found.instance else {}
        return Status(state="running", running=found, deployed=tuple(parts))

    def running(self) -> Running:
        """The engine that is up. Raises EngineNotRunningError."""
        status = self.status()
        if status.state == "running" and status.running:
            return status.running
        what = "has ended unexpectedly" if status.state == "stale" else "is not running"
        raise EngineNotRunningError(f"The local engine {what}. Start it: make run")

    # --- what is there ---

    def _recorded(self) -> Running | None:
        """The recorded engine, if its process is alive; without a record, the one found among the processes."""
        if not self.state.record.exists():
            return self._unrecorded()
        found = _from_record(self.state.read(self.state.record))
        return found if found and self._is_alive(found) else None

    def _unrecorded(self) -> Running | None:
        """An engine of this state folder whose record is lost, e.g. to `git clean -fdx`."""
        words = re.escape(" ".join(_arguments("PORT", self.state.path))).replace("PORT", r"(\d+)")
        matches = ((pid, re.search(rf"{words}$", command)) for pid, command in process.living())
        pid, port = next(((pid, int(match[1])) for pid, match in matches if match), (0, 0))
        if not pid:
            return None
        fallback = {"instance": "", "started_at": datetime.now(UTC).isoformat(), "model": None}
        identity = {**fallback, **identity_on(port)}
        where = {"checkout": ROOT, "state": self.state.path, "port": port}
        return _from_record({**identity, **where, "pid": pid})

    def _is_alive(self, engine: Running) -> bool:
        """Whether the process is this folder's engine: its id alone may belong to another program by now."""
        words = " ".join(_arguments(engine.port, self.state.path))
        return words in (process.command_line(engine.pid) or "")

    def _becomes_healthy(self, found: Running) -> bool:
        """False if it hangs, or its start was cut short."""
        until = time.monotonic() + RECOVERY_SECONDS
        while time.monotonic() < until and self._is_alive(found):
            if identity_on(found.port).get("instance") == found.instance:
                self._remember(found)
                return True
            time.sleep(0.1)
        return False

    def _require_free(self, port: int) -> None:
        if is_free(port):
            return
        choose = f"choose another port: PORT={port + 1} make run"
        claimed = identity_on(port)
        if claimed.get("checkout"):
            raise OtherCheckoutError(
                f"Port {port} is used by the engine of another checkout, {claimed['checkout']}. "
                f"Stop that one (make stop, in its folder), or {choose}"
            )
        raise PortTakenError(f"Port {port} is used by another program. End that one, or {choose}")

    # --- beginning and end ---

    def _launch(self, port: int, model: Model | None) -> Running:
        shutil.rmtree(self.state.tmp, ignore_errors=True)
        self.state.tmp.mkdir(parents=True)
        if self.state.engine_log.exists():
            self.state.engine_log.replace(self.state.previous_engine_log)
        instance = uuid.uuid4().hex
        started_at = datetime.now(UTC).replace(microsecond=0)
        identity = {
            "instance": instance,
            "started_at": started_at.isoformat(),
            "port": port,
            "checkout": str(ROOT),
            "state": str(self.state.path),
            "model": asdict(model) if model else None,
        }
        with self.state.engine_log.open("wb") as log:
            child = subprocess.Popen(
                [self._python, *_arguments(port, self.state.path)],
                cwd=self.state.path,
                env=environment(port, self.state, identity, model),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        child.returncode = 0  # it outlives this process on purpose: Popen need not warn
        running = _from_record({**identity, "pid": child.pid})
        assert running is not None  # noqa: S101 -- made of the fields it reads; tells the type checker
        try:
            self._remember(running)
            self._wait_ready(running)
        except BaseException:  # also Ctrl-C: a half-started engine is nobody's
            self._end(running)
            raise
        return running

    def _wait_ready(self, running: Running) -> None:
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            if process.command_line(running.pid) is None:
                raise EngineStartError(
                    f"The local engine ended while it started. Its last words:\n{self._last_words()}\n"
                    f"All of them: {self.state.engine_log}"
                )
            if identity_on(running.port).get("instance") == running.instance:
                return
            time.sleep(0.05)
        raise EngineStartError(
            f"The local engine is not ready after {READY_SECONDS:.0f} s. Look into {self.state.engine_log}, "
            "then try again."
        )

    def _last_words(self, lines: int = 8) -> str:
        text = self.state.engine_log.read_text(errors="replace").strip().splitlines()
        return "\n".join(f"  {line}" for line in text[-lines:])

    def _end(self, running: Running) -> None:
        if not process.end_group(running.pid):
            raise EngineStopError(
                f"The local engine (process {running.pid}) does not end. End it by hand: kill -9 -{running.pid}"
            )
        self._forget()

    def _clear_orphans(self) -> None:
        """Ends the function processes of an engine that crashed, which is gone itself."""
        crashed = _from_record(self.state.read(self.state.record))
        if crashed and process.group_members(crashed.pid, str(self.state.tmp)):
            process.end_group(crashed.pid)

    def _remember(self, running: Running) -> None:
        self.state.write(self.state.record, asdict(running))

    def _forget(self) -> None:
        self.state.record.unlink(missing_ok=True)
        shutil.rmtree(self.state.tmp, ignore_errors=True)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A loopback port nobody listens on now, for tests."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _arguments(port: int | str, state: Path) -> list[str]:
    """What the engine's Python is started with; also how an engine is recognised among the processes.

    Python ignores -X options it does not know. -P: the script's neighbours, such as local/ministack.py, are not to be
    found by import.
    """
    return ["-X", f"ai-pipeline-engine={port}:{state}", "-P", str(ENGINE_PROCESS)]


def _from_record(record: Mapping[str, Any]) -> Running | None:
    with contextlib.suppress(KeyError, TypeError, ValueError):
        return Running(
            instance=str(record["instance"]),
            pid=int(record["pid"]),
            started_at=datetime.fromisoformat(record["started_at"]),
            port=int(record["port"]),
            checkout=Path(record["checkout"]),
            state=Path(record["state"]),
            model=Model(**record["model"]) if record["model"] else None,
        )
    return None
