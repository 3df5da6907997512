"""The engine's life: started detached on loopback, found by its record, stopped with all its workers."""

import contextlib
import fcntl
import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from local import process
from local.connection import ACCESS_KEY_ID, ACCOUNT, HOST, REGION, SECRET_ACCESS_KEY, Connection
from local.errors import (
    BusyError,
    EngineNotRunningError,
    EngineStartError,
    EngineStopError,
    OtherCheckoutError,
    PortTakenError,
    SetupMissingError,
)
from local.paths import ENGINE_PYTHON, ROOT, STATE
from local.progress import Progress, Step, silent
from local.settings import DEFAULT_PORT, Model, Settings

READY_SECONDS = 60

SERVICES = (
    "apigateway",
    "bedrock-runtime",
    "cloudformation",
    "cloudwatch",
    "dynamodb",
    "ecr",
    "events",
    "iam",
    "lambda",
    "logs",
    "s3",
    "sns",
    "sqs",
    "ssm",
    "states",
    "sts",
)
"""Only what the app uses; `ecr` and `s3` because `cdk bootstrap` makes a repository and a bucket."""


_started: list[subprocess.Popen[bytes]] = []
"""Engines outlive the command that started them; kept, so that Python does not take them for forgotten."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """An engine that answers. `instance` is new at every start: what was deployed to another one is gone."""

    instance: str
    pid: int
    process_start: str
    port: int
    checkout: Path
    model: Model | None
    log_file: Path
    started_at: datetime

    @property
    def connection(self) -> Connection:
        return Connection(endpoint_url=f"http://{HOST}:{self.port}")

    @property
    def answers(self) -> str:
        """Who answers in Bedrock's place, for people: `canned answers`, or `llama3.2 at http://127.0.0.1:11434/v1`."""
        return f"{self.model.name} at {self.model.url}" if self.model else "canned answers"

    def to_json(self) -> str:
        values = {**self.__dict__, "model": self.model and self.model.__dict__}
        return json.dumps({name: value for name, value in values.items() if value is not None}, default=str)

    @classmethod
    def from_json(cls, text: str) -> "Running":
        """Raises ValueError, TypeError or KeyError for anything else than what `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        model = values.pop("model", None)
        return cls(
            **{
                **values,
                "model": Model(**model) if model else None,
                "checkout": Path(values["checkout"]),
                "log_file": Path(values["log_file"]),
                "started_at": datetime.fromisoformat(values["started_at"]),
            }
        )

    def is_alive(self) -> bool:
        return process.start_time(self.pid) == self.process_start


@dataclass(frozen=True, kw_only=True)
class Status:
    """`stale`: a process that was recorded is gone."""

    state: Literal["running", "stopped", "stale"]
    running: Running | None = None
    deployed: tuple[str, ...] = ()
    """The stacks this instance has, by part: `platform`, `analyzer`, …"""


class Engine:
    """The engine of one state folder; a test gives its own, and its own port."""

    def __init__(
        self, *, state: Path = STATE, settings: Settings | None = None, python: Path = ENGINE_PYTHON
    ) -> None:
        """Without `settings` they are read from the environment when the engine is started."""
        self.state = state
        self.log = state / "engine.log"
        self._settings = settings
        self._python = python
        self._record = state / "engine.json"

    def _found(self) -> Running | None:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            found = Running.from_json(self._record.read_text())
            return found if found.is_alive() else None
        return None

    def running(self) -> Running:
        """The engine that is up. Raises EngineNotRunningError."""
        if found := self._found():
            return found
        raise EngineNotRunningError("The local engine is not running. Start it: make run (or: pipeline up)")

    def status(self) -> Status:
        """Never raises, never changes anything."""
        if found := self._found():
            return Status(state="running", running=found, deployed=deployed_parts(self.state, found.instance))
        return Status(state="stale" if self._record.exists() else "stopped")

    def start(self, progress: Progress = silent) -> Running:
        """The running engine, started if need be; restarted if another port or model is asked for.

        Raises PortTakenError, OtherCheckoutError, EngineStartError, BusyError, SettingsError, SetupMissingError.
        """
        settings = self._settings or Settings.from_environment()
        with self._lock():
            found = self._found()
            port = settings.port or (found.port if found else DEFAULT_PORT)
            if found and (found.model, found.port) == (settings.model, port):
                self._wait_ready(found)
                return found
            if found:
                self._end(found)
            _require_free(port)
            if not self._python.exists():
                raise SetupMissingError("The local engine is not installed. Run: make setup")
            progress(Step("engine", "started", f"starting the local engine on {HOST}:{port}"))
            began = time.monotonic()
            launched = self._launch(port, settings.model)
            try:
                self._wait_ready(launched)
            except BaseException:  # also Ctrl-C: a half-started engine is nobody's
                self._end(launched)
                raise
            progress(Step("engine", "finished", f"engine on {HOST}:{port}", time.monotonic() - began))
            return launched

    def stop(self, progress: Progress = silent) -> bool:
        """Ends the engine and every function process it started. False if there was none. Raises EngineStopError."""
        with self._lock():
            if found := self._found():
                progress(Step("engine", "started", f"stopping the engine on {HOST}:{found.port}"))
                self._end(found)
            self._record.unlink(missing_ok=True)
            return found is not None

    def _end(self, running: Running) -> None:
        process.end_group(running.pid)
        self._record.unlink(missing_ok=True)
        _claim(running.port).unlink(missing_ok=True)
        if process.group_alive(running.pid):
            raise EngineStopError(f"The engine does not end. End it by hand: kill -9 -{running.pid}")

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        self.state.mkdir(parents=True, exist_ok=True)
        with (self.state / "engine.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise BusyError(
                    "Another command is starting or stopping this engine. Wait for it, then try again."
                ) from error
            yield

    def _launch(self, port: int, model: Model | None) -> Running:
        (self.state / "tmp").mkdir(exist_ok=True)
        with self.log.open("wb") as log:
            child = subprocess.Popen(
                [self._python, "-m", "ministack"],
                cwd=self.state,
                env=environment(port, self.state, model),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _started.append(child)
        running = Running(
            instance=uuid.uuid4().hex,
            pid=child.pid,
            process_start=process.start_time(child.pid) or "",
            port=port,
            checkout=ROOT,
            model=model,
            log_file=self.log,
            started_at=datetime.now(UTC).replace(microsecond=0),
        )
        for file in (self._record, _claim(port)):
            file.write_text(running.to_json())
        return running

    def _wait_ready(self, running: Running) -> None:
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(running.pid, os.WNOHANG)
            if not running.is_alive():
                raise EngineStartError(
                    f"The engine ended while it started. Its last words:\n{self._last_words()}"
                )
            if _health(running.port) is not None:
                return
            time.sleep(0.1)
        raise EngineStartError(f"The engine is not ready after {READY_SECONDS} s. Its log: {self.log}")

    def _last_words(self, lines: int = 8) -> str:
        text = self.log.read_text(errors="replace").strip().splitlines()
        return "\n".join(f"  {line}" for line in text[-lines:])


def environment(port: int, state: Path, model: Model | None) -> Mapping[str, str]:
    """All the engine, and every function it runs, gets to see: nothing of the user's environment but PATH.

    Functions inherit it, so it can hold no credentials, profile or proxy that leads anywhere else.
    """
    variables = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(state),
        "TMPDIR": str(state / "tmp"),
        "LANG": "C.UTF-8",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": HOST,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "SERVICES": ",".join(SERVICES),
        "AUTH": "true",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "INFO",
        "PYTHONUNBUFFERED": "1",
    }
    if model:
        variables["MINISTACK_BEDROCK_PROXY_URL"] = model.url.removesuffix("/v1")
    return variables


def _claim(port: int) -> Path:
    """Where an engine on `port` says which checkout it belongs to, for the other checkouts of this user."""
    return Path(tempfile.gettempdir()) / f"ai-pipeline-engine-{os.getuid()}-{port}.json"


def deployed_parts(state: Path, instance: str) -> tuple[str, ...]:
    """What the engine `instance` has, as the last deployment noted it."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        noted = json.loads((state / "deployed.json").read_text())
        return tuple(noted["parts"]) if noted["instance"] == instance else ()
    return ()


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise _taken(port) from error


def _taken(port: int) -> PortTakenError | OtherCheckoutError:
    other = f"PORT={port + 1} make run"
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        found = Running.from_json(_claim(port).read_text())
        if found.is_alive():
            return OtherCheckoutError(
                f"Port {port} is used by the engine of another checkout, {found.checkout}. "
                f"Stop that one (make stop, there), or choose another port: {other}"
            )
    who = "a MiniStack that was not started from here" if _health(port) is not None else "another program"
    return PortTakenError(f"Port {port} is used by {who}. Stop it, or choose another port: {other}")


def free_port() -> int:
    """A loopback port nobody listens on now, for tests."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _health(port: int) -> dict[str, object] | None:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/_ministack/health", timeout=2) as answer:
            return dict(json.loads(answer.read()))
    except (OSError, ValueError, urllib.error.URLError):
        return None
