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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from local import process
from local.connection import ACCESS_KEY_ID, ACCOUNT, HOST, REGION, SECRET_ACCESS_KEY, Connection
from local.errors import EngineError
from local.paths import ENGINE_PYTHON, ROOT, STATE

DEFAULT_PORT = 4566
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

Say = Callable[[str], None]

_started: list[subprocess.Popen[bytes]] = []
"""Engines outlive the command that started them; kept, so that Python does not take them for forgotten."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """An engine that is up. `instance` changes with each start: a stopped engine forgets everything."""

    pid: int
    started: str
    port: int
    instance: str
    started_at: str
    checkout: str
    model_url: str | None = None
    model: str | None = None

    @property
    def endpoint_url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def connection(self) -> Connection:
        return Connection(endpoint_url=self.endpoint_url)


class Engine:
    """The engine of one state folder. Raises EngineError, whose text says what to do."""

    def __init__(self, state: Path = STATE, *, python: Path = ENGINE_PYTHON) -> None:
        self._state = state
        self._python = python
        self._record = state / "engine.json"
        self.log = state / "engine.log"

    def running(self) -> Running | None:
        """The engine, if the process that was started here is still there."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            found = Running(**json.loads(self._record.read_text()))
            if process.start_time(found.pid) == found.started:
                return found
        return None

    def start(
        self,
        *,
        port: int | None = None,
        model_url: str | None = None,
        model: str | None = None,
        say: Say = lambda _: None,
    ) -> Running:
        """The engine, ready to answer.

        One that is up already is used, unless another port or model server is asked for. Without `port` it is
        the port in use, else 4566.
        """
        with self._lock():
            found = self.running()
            port = port or (found.port if found else DEFAULT_PORT)
            if found and (found.model_url, found.model, found.port) == (model_url, model, port):
                self._wait_ready(found)
                return found
            if found:
                say("restarting the engine with its new settings")
                self._end(found)
            self._require_free(port)
            self._require_installed()
            say(f"starting the local engine on {HOST}:{port}")
            launched = self._launch(port, model_url, model)
            try:
                self._wait_ready(launched)
            except BaseException:  # also Ctrl-C: a half-started engine is nobody's
                self._end(launched)
                raise
            return launched

    def stop(self) -> bool:
        """Ends the engine and every worker it started. False if none was up."""
        with self._lock():
            found = self.running()
            if found:
                self._end(found)
            self._record.unlink(missing_ok=True)
            return found is not None

    def _end(self, running: Running) -> None:
        process.end_group(running.pid)
        self._record.unlink(missing_ok=True)
        _claim(running.port).unlink(missing_ok=True)
        if process.group_alive(running.pid):
            raise EngineError(
                f"The engine (process {running.pid}) does not end. End it by hand: kill -9 {running.pid}"
            )

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        self._state.mkdir(parents=True, exist_ok=True)
        with (self._state / "engine.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise EngineError(
                    "Another command is starting or stopping this engine. Wait for it, then try again."
                ) from error
            yield

    def _require_installed(self) -> None:
        if not self._python.exists():
            raise EngineError("The local engine is not installed. Run: make setup")

    @staticmethod
    def _require_free(port: int) -> None:
        if not 1024 <= port <= 65535:
            raise EngineError(f"Port {port} can't be used. Choose one from 1024 to 65535: PORT=4567 make run")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                raise EngineError(_who_has(port)) from error

    def _launch(self, port: int, model_url: str | None, model: str | None) -> Running:
        scratch = self._state / "tmp"
        scratch.mkdir(exist_ok=True)
        with self.log.open("wb") as log:
            child = subprocess.Popen(
                [self._python, "-m", "ministack"],
                cwd=self._state,
                env=environment(port, self._state, model_url),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _started.append(child)
        running = Running(
            pid=child.pid,
            started=process.start_time(child.pid) or "",
            port=port,
            instance=uuid.uuid4().hex,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            checkout=str(ROOT),
            model_url=model_url,
            model=model,
        )
        self._record.write_text(json.dumps(asdict(running)))
        _claim(port).write_text(json.dumps(asdict(running)))
        return running

    def _wait_ready(self, running: Running) -> None:
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(running.pid, os.WNOHANG)
            if process.start_time(running.pid) != running.started:
                raise EngineError(f"The engine ended while it started. Its last words:\n{self._last_words()}")
            if _health(running.port) is not None:
                return
            time.sleep(0.1)
        raise EngineError(f"The engine is not ready after {READY_SECONDS} s. Its log: {self.log}")

    def _last_words(self, lines: int = 8) -> str:
        text = self.log.read_text(errors="replace").strip().splitlines()
        return "\n".join(f"  {line}" for line in text[-lines:])


def environment(port: int, state: Path, model_url: str | None) -> Mapping[str, str]:
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
    if model_url:
        variables["MINISTACK_BEDROCK_PROXY_URL"] = model_url.rstrip("/").removesuffix("/v1")
    return variables


def _claim(port: int) -> Path:
    """Where an engine on `port` says which checkout it belongs to, for the other checkouts of this user."""
    return Path(tempfile.gettempdir()) / f"ai-pipeline-engine-{os.getuid()}-{port}.json"


def _who_has(port: int) -> str:
    other = f"Choose another: PORT={port + 1} make run"
    with contextlib.suppress(OSError, ValueError, TypeError):
        found = Running(**json.loads(_claim(port).read_text()))
        if process.start_time(found.pid) == found.started:
            return (
                f"Port {port} is used by the engine of another checkout, {found.checkout}. "
                f"Stop that one (make stop, there), or choose another port: PORT={port + 1} make run"
            )
    if _health(port) is not None:
        return f"Port {port} is used by a MiniStack that was not started from here. {other}"
    return f"Port {port} is used by another program. {other}"


def _health(port: int) -> dict[str, object] | None:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/_ministack/health", timeout=2) as answer:
            return dict(json.loads(answer.read()))
    except (OSError, ValueError, urllib.error.URLError):
        return None
