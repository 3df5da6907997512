"""The engine's start and end in every case, with a stand-in for its process."""

import dataclasses
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local import engine as engine_module
from local import process
from local.engine import Engine, free_port
from local.errors import (
    BusyError,
    EngineNotRunningError,
    EngineStartError,
    OtherCheckoutError,
    PortTakenError,
    SettingsError,
    SetupMissingError,
)
from local.ministack import environment
from local.settings import Model, Settings
from local.state import StateFolder
from local.tests import fakes
from operations.progress import Step, silent
from shared.tests.fakes import until


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def make(tmp_path: Path, state: Path) -> Iterator[Callable[..., Engine]]:
    """Make engines of one state folder; an engine that still runs at the end of the test is stopped."""

    def engine(behaviour: fakes.Behaviour = "well", **settings) -> Engine:
        return Engine(
            state=state, settings=Settings(**settings), python=fakes.interpreter(tmp_path, behaviour)
        )

    yield engine
    engine().stop()


def gone(group: int) -> bool:
    def ended() -> bool:
        process.reap(group)
        return not process.group_members(group)

    return until(ended)


# --- start ---------------------------------------------------------------------------------------------------


def test_starts_on_the_port_it_was_given(make) -> None:
    """An engine that was started runs on its port, and its status says so."""
    port = free_port()
    running = make(port=port).start()
    assert (running.port, running.connection.endpoint_url) == (port, f"http://127.0.0.1:{port}")
    assert make().running() == running
    assert make().status().state == "running"


def test_reuses_what_runs(make) -> None:
    """A second start without a port finds and reuses the engine of the first one."""
    first = make(port=free_port()).start()
    steps: list[Step] = []
    assert make().start(steps.append) == first
    assert [(step.name, step.state) for step in steps] == [("engine", "unchanged")]


def test_restarts_for_another_model(make) -> None:
    """With another model server, the engine is stopped and a new one is started on the same port."""
    first = make(port=free_port()).start()
    with fakes.server({"/v1/models": {"data": [{"id": "llama3.2:latest"}]}}) as port:
        second = make(model=Model(url=f"http://127.0.0.1:{port}/v1", name="llama3.2")).start()
    assert gone(first.pid)
    assert (second.port, second.instance != first.instance) == (first.port, True)
    assert second.answers == f"llama3.2 at http://127.0.0.1:{port}/v1"


def test_model_server_must_answer(make) -> None:
    """A model server that does not answer is reported before the engine starts."""
    model = Model(url=f"http://127.0.0.1:{free_port()}/v1", name="llama3.2")
    with pytest.raises(SettingsError, match="ollama serve"):
        make(model=model).start()
    assert make().status().state == "stopped"


def test_port_taken_by_another_program(make) -> None:
    """When the port is in use, the error names it and says how to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError, match=rf"Port {port} .* PORT={port + 1} make run"):
            make(port=port).start()


def test_port_taken_by_another_checkout(make) -> None:
    """When another checkout's engine uses the port, the error names that checkout."""
    identity = {"instance": "i", "checkout": "/home/me/other", "state": "/home/me/other/.pipeline"}
    with (
        fakes.server({"/_ministack/health": {"edition": json.dumps(identity)}}) as port,
        pytest.raises(OtherCheckoutError, match="/home/me/other"),
    ):
        make(port=port).start()


def test_port_taken_by_a_stranger_of_the_same_make(make) -> None:
    """A MiniStack that was not started by this project counts as another program."""
    with (
        fakes.server({"/_ministack/health": {"edition": "light"}}) as port,
        pytest.raises(PortTakenError),
    ):
        make(port=port).start()


def test_not_installed(state: Path, tmp_path: Path) -> None:
    """Without a set-up, the error names `make setup`."""
    missing = Engine(state=state, settings=Settings(port=free_port()), python=tmp_path / "none")
    with pytest.raises(SetupMissingError, match="make setup"):
        missing.start()


def test_death_at_the_start(make, state: Path) -> None:
    """When an engine ends while it is starting, the error quotes its log and no engine is left."""
    with pytest.raises(EngineStartError, match="there is no memory left"):
        make("dies", port=free_port()).start()
    assert make().status().state == "stopped"
    assert (state / "engine.log").exists()


def test_never_ready(make, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that never answers is stopped after a bounded time."""
    monkeypatch.setattr(engine_module, "READY_SECONDS", 0.5)
    with pytest.raises(EngineStartError, match="not ready"):
        make("mute", port=free_port()).start()
    assert make().status().state == "stopped"


def test_interrupted_start(make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C during the start leaves no process behind."""
    launched: list[int] = []

    def interrupted(_self: Engine, running: engine_module.Running) -> None:
        launched.append(running.pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(Engine, "_wait_ready", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make(port=free_port()).start()
    assert gone(launched[0])
    assert make().status().state == "stopped"


def test_replaces_one_that_hangs(make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A running engine that does not answer is stopped, and a new one is started."""
    monkeypatch.setattr(engine_module, "RECOVERY_SECONDS", 0.5)
    port = free_port()
    with monkeypatch.context() as patched:
        patched.setattr(Engine, "_wait_ready", lambda *_: None)
        hanging = make("mute", port=port).start()
    assert make().status().state == "stale"
    with pytest.raises(EngineNotRunningError, match="does not answer"):
        make().running()
    assert make(port=port).start().pid != hanging.pid
    assert gone(hanging.pid)


def test_one_that_is_busy_is_waited_for(make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A running engine that answers late is found; only who has no patience is told that it does not answer."""
    started = make(port=free_port()).start()
    answers: list[dict[str, Any]] = [{}, {}, {"instance": started.instance}]
    monkeypatch.setattr(engine_module, "identity_on", lambda *_: answers.pop(0))
    with pytest.raises(EngineNotRunningError, match="does not answer"):
        make().running(patience_seconds=0)
    assert make().running() == started


def test_keeps_the_log_of_the_run_before(make, state: Path) -> None:
    """The log of the engine before can still be read after the next start."""
    make(port=free_port()).start()
    (state / "engine.log").write_text("Traceback")
    make().stop()
    make(port=free_port()).start()
    assert (state / "engine.previous.log").read_text() == "Traceback"


# --- what is recorded ----------------------------------------------------------------------------------------


def test_stale_record(make) -> None:
    """A crashed engine is reported as stale, and the next start makes a new one."""
    crashed = make(port=free_port()).start()
    os.killpg(crashed.pid, signal.SIGKILL)
    assert gone(crashed.pid)
    assert make().status().state == "stale"
    with pytest.raises(EngineNotRunningError, match="ended unexpectedly"):
        make().running()
    assert make(port=free_port()).start().instance != crashed.instance


def test_reused_process_id(make, state: Path) -> None:
    """Another program that got the recorded process id is not taken for the engine and is not stopped."""
    recorded = dataclasses.asdict(make(port=free_port()).start())
    make().stop()
    StateFolder(state).write(state / "engine.json", {**recorded, "pid": os.getpid(), "started": "long ago"})
    assert make().status().state == "stale"
    assert make().stop() is False


@pytest.mark.parametrize(
    "odd",
    [
        {"pid": -1}, {"pid": 0}, {"pid": 1}, {"pid": 10**30}, {"pid": float("inf")}, {"pid": "x"}, {"port": 10**30},
        {"port": 0}, {"started_at": "0001-01-01T00:00:00+14:00"}, {"started_at": 3}, {"checkout": None}, {"model": 7},
        {"model": {"x": 1}}, {"deep": "[" * 100_000},
    ],
)  # fmt: skip
def test_a_damaged_record_is_none(make, state: Path, odd: dict[str, Any]) -> None:
    """A record with values that no engine has stops no command, and leads to no process."""
    record = {
        "instance": "i", "pid": 2**31 - 1, "started_at": "2026-11-29T00:00:00+00:00", "port": 4566,
        "checkout": "/c", "state": "/s", "model": None, **odd,
    }  # fmt: skip
    state.mkdir()
    text = json.dumps(record).replace('"' + "[" * 100_000 + '"', "[" * 100_000)
    (state / "engine.json").write_text(text)
    assert make().status().running is None
    assert make().stop() is False


@pytest.mark.parametrize(
    "content",
    ["", "[", "[" * 100_000, "7", '{"instance": "i", "parts": []}', '{"instance": "i", "parts": {"a": 1}}'],
)
def test_a_damaged_note_of_what_is_deployed_is_none(state: Path, content: str) -> None:
    """If the note of what is deployed can't be read, everything is deployed again."""
    state.mkdir()
    folder = StateFolder(state)
    folder.deployed.write_text(content)
    assert folder.deployed_parts("i") == {}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"pid": null, "started": 3}'])
def test_broken_record(make, state: Path, content: str) -> None:
    """A record that can't be read is ignored, and an engine can be started."""
    state.mkdir()
    (state / "engine.json").write_text(content)
    assert make().status().running is None
    assert make(port=free_port()).start().pid


def test_a_damaged_record_hides_no_engine(make, state: Path) -> None:
    """A running engine whose record is damaged is found among the processes, and stopped."""
    running = make(port=free_port()).start()
    (state / "engine.json").write_bytes(b"\xff{")
    assert make().running().pid == running.pid
    assert make().stop() is True
    assert gone(running.pid)


def test_lost_record(make, state: Path) -> None:
    """A running engine whose record was deleted is still found, reused and stopped."""
    started = make(port=free_port()).start()
    (state / "engine.json").unlink()
    assert make().running() == started
    assert make().start() == started
    (state / "engine.json").unlink()
    assert make().stop() is True
    assert gone(started.pid)


# --- stop ----------------------------------------------------------------------------------------------------


def test_stop_ends_the_functions_too(make, state: Path) -> None:
    """A stop leaves no process, no record and no temporary files of the engine."""
    started = make(port=free_port()).start()
    assert make().stop() is True
    assert gone(started.pid)
    assert make().status().state == "stopped"
    assert not (state / "tmp").exists()
    assert make().stop() is False


def test_stop_kills_what_does_not_listen(make, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine and functions that ignore SIGTERM are killed after a bounded wait."""
    monkeypatch.setattr(process, "TERM_SECONDS", 0.3)
    started = make("stubborn", port=free_port()).start()
    assert make().stop() is True
    assert gone(started.pid)


def test_functions_of_a_crashed_engine_are_ended(make) -> None:
    """The function processes that a crashed engine left behind are ended by the next command."""
    crashed = make(port=free_port()).start()
    os.kill(crashed.pid, signal.SIGKILL)
    until(lambda: process.command_line(crashed.pid) is None)
    assert process.group_members(crashed.pid)
    assert make().stop() is False
    assert gone(crashed.pid)


def test_stop_without_anything(make, state: Path) -> None:
    """A stop without any engine does nothing and creates no files."""
    assert make().stop() is False
    assert not state.exists()


# --- two commands at once ------------------------------------------------------------------------------------


def test_two_starts_at_once(make) -> None:
    """Of two starts at once, the second waits for the first and gets the same engine."""
    port = free_port()
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda engine: engine.start(), [make(port=port), make(port=port)])
    assert first == second


def test_busy(make, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that waits for another reports that, and gives up after a bounded time."""
    monkeypatch.setattr(engine_module, "LOCK_SECONDS", 0.3)
    steps: list[Step] = []
    with (
        StateFolder(state).lock("engine", silent, patience_seconds=0),
        pytest.raises(BusyError, match="try again"),
    ):
        make(port=free_port()).start(steps.append)
    assert [(step.name, step.state) for step in steps] == [("wait", "started")]


# --- what the engine sees ------------------------------------------------------------------------------------


def test_sees_nothing_of_the_user(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    """The engine's environment, which functions inherit, has no profile, credentials, proxy or home of the user."""
    for name, value in {
        "AWS_PROFILE": "work", "AWS_SESSION_TOKEN": "secret", "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "HTTPS_PROXY": "http://proxy", "HOME": "/home/me", "PYTHONPATH": "/home/me", "PATH": "/home/me/bin",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    seen = environment(4566, StateFolder(state), {}, None)
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTPS_PROXY", "PYTHONPATH"} & seen.keys()
    assert seen["AWS_ACCESS_KEY_ID"] == "test"
    assert not [value for value in seen.values() if "/home/me" in value]
    assert (seen["BIND_HOST"], seen["AUTH"]) == ("127.0.0.1", "true")


def test_engine_outwaits_the_chatbot(state: Path) -> None:
    """The engine waits longer for the model than the chatbot does, so that the chatbot gives up first."""
    from services.chatbot.settings import Settings as Chatbot  # noqa: PLC0415 -- a test may look across, code may not

    seen = environment(4566, StateFolder(state), {}, Model(url="http://127.0.0.1:1/v1", name="m"))
    assert seen["MINISTACK_BEDROCK_PROXY_URL"] == "http://127.0.0.1:1"
    assert float(seen["MINISTACK_BEDROCK_PROXY_TIMEOUT_SECONDS"]) > Chatbot().read_seconds
