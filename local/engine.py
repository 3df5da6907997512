"""The local engine: a MiniStack process of this checkout, on one loopback port, with all its files in one folder.

An engine's health answer names its instance, its checkout and its state folder. The record on disk is trusted only if
the recorded process was started as this folder's engine and the port answers with the recorded instance.
"""

import contextlib
import hashlib
import hmac
import json
import re
import secrets
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
from local.ministack import HEALTH_SECONDS, environment, identity_on
from local.paths import ENGINE_PROCESS, ENGINE_PYTHON, ROOT, STATE
from local.servers import require_reachable
from local.settings import DEFAULT_PORT, Model, Settings
from local.small_model import starting
from local.small_model.place import TITLE
from local.state import StateFolder
from operations.progress import Progress, Step, silent, step

READY_SECONDS = 60.0
LOCK_SECONDS = 2 * READY_SECONDS
RECOVERY_SECONDS = 10.0
FIRST_OWN_PORT, OWN_PORTS = 20_000, 12_768
"""Ports below those that Linux and macOS give to connections, and to programs that leave the choice to them."""
MOST = 2**31 - 1
"""No process has a larger id."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """A running engine. `instance` is new at every start, because a start discards what was deployed before."""

    instance: str
    pid: int
    started_at: datetime
    port: int
    checkout: Path
    state: Path
    model: Model | None
    key_mark: str | None = None
    """A hash of the instance and the model server's key, by which another key is noticed; None without a key."""
    why_canned: str | None = None
    """Why the small model does not answer although it was chosen; None if it answers, or was not chosen."""

    @property
    def connection(self) -> Connection:
        return Connection(endpoint_url=f"http://{HOST}:{self.port}")

    @property
    def log_file(self) -> Path:
        return StateFolder(self.state).engine_log

    @property
    def answers(self) -> str:
        """What answers in Bedrock's place: `canned answers`, or e.g. `llama3.2 at http://127.0.0.1:11434/v1`."""
        if self.model and self.model.small:
            return TITLE
        return f"{self.model.name} at {self.model.url}" if self.model else "canned answers"

    @property
    def stand_in(self) -> str:
        """What answers in the place of AWS's models: the model's name, or that answers are canned."""
        return self.model.name if self.model else "canned answer"


@dataclass(frozen=True, kw_only=True)
class Status:
    """The state of an engine. `stale`: the recorded process has ended or no longer answers."""

    state: Literal["running", "stopped", "stale"]
    running: Running | None = None
    deployed: tuple[str, ...] = ()
    """The parts deployed to this instance: `platform`, `analyzer`, …"""


class Engine:
    """The engine of one state folder."""

    def __init__(
        self, *, state: Path = STATE, settings: Settings | None = None, python: Path = ENGINE_PYTHON
    ) -> None:
        """Name the engine of a state folder; nothing is started.

        `state` holds the process record, logs and temporary files; a test passes a folder and a port of its own.
        Without `settings`, they are read from the environment when the engine is started. `python` is the interpreter
        that MiniStack is installed in; it also runs the functions.
        """
        self.state = StateFolder(state.absolute())
        self._settings = settings
        self._python = python

    @property
    def log(self) -> Path:
        return self.state.engine_log

    def start(self, progress: Progress = silent, *, without_small: str | None = None) -> Running:
        """Return the running engine; start it if there is none, restart it if it hangs or for another port or model.

        If the small model is chosen and can't run here, canned answers are given; `without_small` says why it can't,
        if the caller knows. Raises PortTakenError, OtherCheckoutError, EngineStartError, BusyError, SettingsError,
        SetupMissingError.
        """
        settings = self._settings or Settings.from_environment()
        if settings.model and not settings.model.small:
            require_reachable(settings.model, settings.key)
        with self.state.lock("engine", progress, patience_seconds=LOCK_SECONDS):
            engine = self._recorded()
            port = settings.port or (engine.port if engine else DEFAULT_PORT)
            if (
                engine
                and engine.port == port
                and _suits(engine, settings, without_small)
                and self._answers(engine)
            ):
                self._remember(engine)
                progress(Step("engine", "unchanged", f"the local engine already runs on {HOST}:{port}"))
                return engine
            if engine:
                with step(progress, "engine-stop", "stopping the old engine; the new one starts empty"):
                    self._end(engine)
            self._clear_orphans()
            self._require_free(port)
            if not self._python.exists():
                raise SetupMissingError(
                    "The local engine is not installed in this folder. Install it: make setup"
                )
            why_canned = (
                (without_small or starting.obstacle()) if settings.model and settings.model.small else None
            )
            with step(progress, "engine", f"starting the local engine on {HOST}:{port}"):
                return self._launch(port, settings, why_canned)

    def stop(self, progress: Progress = silent) -> bool:
        """End the engine and its function processes. Return False if there was no engine.

        Raises EngineStopError, BusyError.
        """
        if not self.state.path.exists():
            return False
        with self.state.lock("engine", progress, patience_seconds=LOCK_SECONDS):
            engine = self._recorded()
            if engine:
                with step(progress, "engine-stop", "stopping the local engine"):
                    self._end(engine)
            self._clear_orphans()
            self._forget()
            return engine is not None

    def status(self) -> Status:
        """Return the engine's state. Changes nothing and raises nothing."""
        record = self.state.read(self.state.record)
        engine = self._recorded()
        if engine is None:
            return Status(state="stale" if record else "stopped")
        if identity_on(engine.port).get("instance") != engine.instance:
            return Status(state="stale", running=engine)
        return Status(
            state="running", running=engine, deployed=tuple(self.state.deployed_parts(engine.instance))
        )

    def running(self, *, patience_seconds: float | None = None) -> Running:
        """Return the running engine; wait `patience_seconds` for one that is too busy to answer, or RECOVERY_SECONDS.

        Raises EngineNotRunningError.
        """
        status = self.status()
        if status.running and (status.state == "running" or self._answers(status.running, patience_seconds)):
            return status.running
        if status.running:
            raise EngineNotRunningError(
                f"The local engine (process {status.running.pid}) does not answer on {HOST}:{status.running.port}. "
                "It may be busy or suspended: try again in a moment. If it stays so, its log says why: "
                f"{self.log}. `make run` starts it anew, without its runs."
            )
        if status.state == "stale":
            raise EngineNotRunningError(
                f"The local engine has ended unexpectedly. Its log {self.log} says why. Start it again: make run"
            )
        raise EngineNotRunningError("The local engine is not running. Start it: make run")

    # --- which engine is there ---

    def _recorded(self) -> Running | None:
        """Return the recorded engine if its process is alive; without a readable record, search the processes."""
        engine = _from_record(self.state.read(self.state.record))
        if engine is None:
            return self._unrecorded()
        return engine if self._is_alive(engine) else None

    def _unrecorded(self) -> Running | None:
        """Find an engine of this state folder whose record is damaged, or was deleted, e.g. by `git clean -fdx`."""
        words = re.escape(" ".join(_arguments("PORT", self.state.path))).replace("PORT", r"(\d+)")
        matches = ((pid, re.search(rf"{words}$", command)) for pid, command in process.living())
        pid, port = next(((pid, int(match[1])) for pid, match in matches if match), (0, 0))
        if not pid:
            return None
        fallback = {"instance": "", "started_at": datetime.now(UTC).isoformat(), "model": None}
        identity = {**fallback, **identity_on(port)}
        known = {"checkout": ROOT, "state": self.state.path, "port": port}
        return _from_record({**identity, **known, "pid": pid})

    def _is_alive(self, engine: Running) -> bool:
        """Tell whether the process is this folder's engine: another program may have got its id since."""
        words = " ".join(_arguments(engine.port, self.state.path))
        return words in (process.settled_command_line(engine.pid) or "")

    def _answers(self, engine: Running, patience_seconds: float | None = None) -> bool:
        """Wait until the engine answers. False if it hangs, or if its start was interrupted."""
        until = time.monotonic() + (RECOVERY_SECONDS if patience_seconds is None else patience_seconds)
        while (left := until - time.monotonic()) > 0 and self._is_alive(engine):
            if identity_on(engine.port, max(left, HEALTH_SECONDS)).get("instance") == engine.instance:
                return True
            time.sleep(0.1)
        return False

    def _require_free(self, port: int) -> None:
        if is_free(port):
            return
        choose = f"choose another port: PORT={port + 1} make run"
        owner = identity_on(port)
        if owner.get("checkout"):
            raise OtherCheckoutError(
                f"Port {port} is used by the local engine of another checkout, {owner['checkout']}. "
                f"Stop that engine (run `make stop` in that folder), or {choose}"
            )
        raise PortTakenError(f"Port {port} is used by another program. End that program, or {choose}")

    # --- start and end ---

    def _launch(self, port: int, settings: Settings, why_canned: str | None) -> Running:
        shutil.rmtree(self.state.tmp, ignore_errors=True)
        self.state.tmp.mkdir(parents=True)
        self.state.begin_logs()
        instance = uuid.uuid4().hex
        started_at = datetime.now(UTC).replace(microsecond=0)
        with contextlib.ExitStack() as stack:
            model, listener = None if why_canned else settings.model, None
            if model and model.small:
                listener = stack.enter_context(socket.create_server((HOST, 0)))
                model = model.at(listener.getsockname()[1])
            identity = {
                "instance": instance,
                "started_at": started_at.isoformat(),
                "port": port,
                "checkout": str(ROOT),
                "state": str(self.state.path),
                "model": asdict(model) if model else None,
                "why_canned": why_canned,
            }
            log = stack.enter_context(self.state.engine_log.open("wb"))
            child = subprocess.Popen(
                [self._python, *_arguments(port, self.state.path)],
                cwd=self.state.path,
                env=environment(port, self.state, identity, model),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(listener.fileno(),) if listener else (),
            )
            _tell(child, {"key": settings.key, "model": starting.instructions(self.state, listener)})
        child.returncode = 0  # the engine outlives this process on purpose, so Popen must not warn about it
        running = _from_record({**identity, "pid": child.pid, "key_mark": _mark(instance, settings.key)})
        assert running is not None  # noqa: S101 -- for the type checker: `identity` has all fields
        try:
            self._remember(running)
            self._wait_ready(running)
        except BaseException:  # also Ctrl-C, which must not leave a half-started engine behind
            self._end(running)
            raise
        return running

    def _wait_ready(self, running: Running) -> None:
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            if process.command_line(running.pid) is None:
                raise EngineStartError(
                    f"The local engine ended while it was starting. The end of its log:\n{self._log_tail()}\n"
                    f"Fix the cause, then start it again: make run. The full log is in {self.state.engine_log}"
                )
            if identity_on(running.port).get("instance") == running.instance:
                return
            time.sleep(0.05)
        raise EngineStartError(
            f"The local engine was stopped because it was not ready after {READY_SECONDS:.0f} s. Its log "
            f"{self.state.engine_log} shows how far it came. Start it again: make run"
        )

    def _log_tail(self) -> str:
        text = self.state.engine_log.read_text(errors="replace").strip().splitlines()
        return "\n".join(f"  {line}" for line in text[-8:])

    def _end(self, running: Running) -> None:
        if not process.end_group(running.pid):
            raise EngineStopError(
                f"The local engine (process {running.pid}) could not be stopped. End it by hand, then try again: "
                f"kill -9 -{running.pid}"
            )
        self._forget()

    def _clear_orphans(self) -> None:
        """End the function processes that a crashed engine left behind."""
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
    """Return a loopback port that is free now, and that no system gives to a connection meanwhile. For tests."""
    while not is_free(port := FIRST_OWN_PORT + secrets.randbelow(OWN_PORTS)):
        pass
    return port


def _arguments(port: int | str, state: Path) -> list[str]:
    """Return the arguments of the engine's Python, by which an engine is also recognised among the processes.

    Python ignores -X options it does not know. With -P, the script can't import its neighbours in `local/` by
    mistake: local/ministack.py would hide the package `ministack`.
    """
    return ["-X", f"ai-pipeline-engine={port}:{state}", "-P", str(ENGINE_PROCESS)]


def _tell(child: subprocess.Popen[bytes], instructions: Mapping[str, Any]) -> None:
    """Write to the child's standard input, which neither the process list nor the child's children show."""
    assert child.stdin is not None  # noqa: S101 -- for the type checker: it is a pipe
    with contextlib.suppress(BrokenPipeError), child.stdin:  # a child that ended at once is noticed soon
        child.stdin.write(json.dumps(instructions).encode())


def _mark(instance: str, key: str | None) -> str | None:
    return hmac.new(instance.encode(), key.encode(), hashlib.sha256).hexdigest() if key else None


def _suits(engine: Running, settings: Settings, without_small: str | None) -> bool:
    """Tell whether an engine has the model that the settings ask for.

    An engine that gives canned answers instead of the small model is kept: a restart would discard its runs.
    """
    if settings.model and settings.model.small:
        return engine.why_canned is not None or bool(
            engine.model and engine.model.small and without_small is None
        )
    return engine.model == settings.model and engine.key_mark == _mark(engine.instance, settings.key)


def _from_record(record: Mapping[str, Any]) -> Running | None:
    with contextlib.suppress(KeyError, TypeError, ValueError, OverflowError):
        pid, port = int(record["pid"]), int(record["port"])
        if not (1 < pid <= MOST and 0 < port <= 65_535):
            return None
        return Running(
            instance=str(record["instance"]),
            pid=pid,
            started_at=datetime.fromisoformat(record["started_at"]).astimezone(UTC),
            port=port,
            checkout=Path(record["checkout"]),
            state=Path(record["state"]),
            model=Model(**record["model"]) if record["model"] else None,
            key_mark=record.get("key_mark"),
            why_canned=record.get("why_canned"),
        )
    return None
