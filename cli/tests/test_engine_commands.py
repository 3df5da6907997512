"""The output and questions of `up`, `down`, `status` and `deploy`, around a fake of the local library."""

import itertools
import json
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.tests.support import call
from local import deploy as deploying
from local import engine_status as engines
from local import targets
from local.connection import Connection
from local.engine import Engine
from local.errors import DeployError, PortTakenError
from local.settings import SMALL
from local.small_model.place import TITLE
from operations.progress import Step
from operations.runs.records import read_record
from operations.tests.world import finish
from shared.contracts.stages import BY_STATE

RUNNING = SimpleNamespace(
    connection=Connection(endpoint_url="http://127.0.0.1:4999"),
    stand_in="canned answer",
    port=4999,
    pid=4711,
    started_at=datetime(2026, 11, 22, 10, tzinfo=UTC),
    answers="canned answers",
    model=None,
    why_canned=None,
    checkout=Path("checkout"),
    log_file=Path("engine.log"),
)


@pytest.fixture
def engine(target, monkeypatch):
    """A running engine with everything deployed."""
    monkeypatch.setattr(Engine, "running", lambda _self: RUNNING)
    monkeypatch.setattr(engines, "local_target", lambda _connection: target)
    monkeypatch.setattr(engines, "is_current", lambda _engine: True)
    monkeypatch.setattr("cli.commands.engine.ollama_models", lambda: None)


def test_up_says_where_it_is_how_to_ask_and_how_to_stop(engine, monkeypatch):
    """`up` prints its steps to stderr and the next commands to stdout."""

    def up(_engine, progress):
        progress(Step("analyzer", "started", "deploying"))
        progress(Step("analyzer", "finished", "deployed", 1.25))
        return RUNNING

    monkeypatch.setattr(deploying, "up", up)
    result = call("up")
    assert result.exit_code == 0
    assert "✓ analyzer" in result.stderr
    for part in ("http://127.0.0.1:4999", "stays up", "make stop", "submit --wait", "pipeline env", "11434"):
        assert part in result.stdout
    assert json.loads(call("up", "--json").stdout)["port"] == 4999


def test_an_engine_that_can_not_start_is_one_sentence(engine, monkeypatch):
    """An error of the local library is printed unchanged."""

    def up(_engine, _progress):
        raise PortTakenError("Port 4566 is used by another program.")

    monkeypatch.setattr(deploying, "up", up)
    result = call("up")
    assert (result.exit_code, result.stderr) == (1, "Error: Port 4566 is used by another program.\n")


def test_an_interrupted_up_says_what_stays(engine, monkeypatch):
    """Ctrl-C during `up` gives exit code 130 and the commands to continue or to stop."""

    def up(_engine, _progress):
        raise KeyboardInterrupt

    monkeypatch.setattr(deploying, "up", up)
    result = call("up")
    assert result.exit_code == 130
    assert "make stop" in result.stderr


@pytest.mark.parametrize(("was_up", "says"), [(True, "Stopped."), (False, "No engine was running.")])
def test_down_says_whether_there_was_something_to_stop(monkeypatch, was_up, says):
    """`down` without a running engine is not an error."""
    monkeypatch.setattr(Engine, "stop", lambda _self, _progress: was_up)
    result = call("down")
    assert (result.exit_code, result.stdout) == (0, f"{says}\n")


def test_status_tells_engine_and_deployment(engine):
    """`status` prints the engine's address, process and start time, and what is deployed."""
    result = call("status")
    assert result.exit_code == 0
    for part in ("http://127.0.0.1:4999", "4711", "PipelineLogs", "analyzer, ", "chatbot, "):
        assert part in result.stdout
    assert json.loads(call("status", "--json").stdout)["engine"]["deployed"] is True


@pytest.mark.parametrize(
    ("health", "says"),
    [
        (
            {"state": "ready", "pid": 99, "answered": 3, "waiting": 1},
            "ready, process 99, 3 answers, 1 waiting",
        ),
        ({"state": "loading"}, "being loaded"),
        ({}, "being started"),
        (None, "make stop run"),
    ],
)
def test_status_tells_the_small_model(engine, monkeypatch, health, says):
    """`status` says what the small model is, what its server does, and what to do if it has ended."""
    monkeypatch.setattr(RUNNING, "model", SMALL.at(1))
    monkeypatch.setattr(RUNNING, "answers", TITLE)
    monkeypatch.setattr(RUNNING, "state", Path("state"), raising=False)
    monkeypatch.setattr(engines, "health", lambda _model: health)
    shown = call("status").stdout
    assert "not for facts" in shown
    assert says in shown
    assert "model.log" in shown
    small = json.loads(call("status", "--json").stdout)["engine"]["small_model"]
    assert small["name"] == "smollm2-135m"


def test_status_and_up_tell_why_answers_are_canned(engine, monkeypatch):
    """Where the small model can't run, `up` and `status` say why and what to do."""
    monkeypatch.setattr(RUNNING, "why_canned", "There is no wheel. Use MODEL_URL.")
    monkeypatch.setattr(deploying, "up", lambda _engine, _progress: RUNNING)
    assert "There is no wheel. Use MODEL_URL." in call("up").stdout
    assert "canned. There is no wheel." in call("status").stdout


@pytest.fixture
def nothing_in_flight(monkeypatch):
    """Nothing is in flight, and no stage was removed."""
    monkeypatch.setattr("cli.commands.deploy.look", lambda *_: [])
    monkeypatch.setattr("cli.commands.deploy.removed_stages", lambda *_: ())
    monkeypatch.setattr("cli.commands.deploy.deployed_states", lambda _target: BY_STATE)
    monkeypatch.setattr(targets, "find_target", lambda *_, **__: None)


@pytest.mark.usefixtures("nothing_in_flight")
def test_deploying_one_service_names_what_was_deployed(engine, monkeypatch):
    """`deploy --service` deploys that service and prints its name."""
    monkeypatch.setattr(deploying, "deploy", lambda _engine, service, _progress: (service,))
    assert call("deploy", "--service", "analyzer").stdout == "Deployed: analyzer\n"
    monkeypatch.setattr(deploying, "deploy", lambda *_: ())
    assert "Nothing has changed" in call("deploy").stdout


@pytest.mark.usefixtures("nothing_in_flight")
def test_a_failed_deployment_is_exit_code_1(engine, monkeypatch):
    """A failed deployment gives exit code 1 and the CDK's reason."""

    def fail(*_):
        raise DeployError("cdk deploy failed:\n  no such bucket")

    monkeypatch.setattr(deploying, "deploy", fail)
    result = call("deploy")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no such bucket" in result.stderr


def test_ctrl_c_while_waiting_leaves_the_pipeline_alone(local_engine, api, records):
    """Ctrl-C during `submit --wait` gives exit code 130, the run's id and the command to follow it."""

    def interrupt(request):
        records.accept("p-k-1", user_message="x", accepted_at="2026-11-22T10:00:00Z")
        os.kill(os.getpid(), signal.SIGINT)

    api.on_request = interrupt
    result = call("submit", "--wait", "--idempotency-key", "k-1", "Hello")
    assert (result.exit_code, result.stdout) == (130, "")
    assert "Run p-k-1" in result.stderr
    assert "pipeline show --follow p-k-1" in result.stderr


def test_ctrl_c_while_following_stops_watching(local_engine, records, monkeypatch):
    """Ctrl-C during `show --follow` gives exit code 130 and a note that the run continues."""
    records.accept("p", user_message="x", accepted_at="2026-11-22T10:00:00Z")

    def interrupted(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        return read_record(*arguments)

    monkeypatch.setattr("operations.runs.journey.read_record", interrupted)
    result = call("show", "--follow", "p")
    assert result.exit_code == 130
    assert "the run continues" in result.stderr


def test_no_news_ends_the_wait(local_engine, api, records, monkeypatch):
    """After --patience seconds without progress the exit code is 1."""
    records.accept("p-k-1", user_message="x", accepted_at="2026-11-22T10:00:00Z")
    clock = itertools.count(0, 30)  # a minute passes with every other look
    monkeypatch.setattr("operations.runs.journey.time", SimpleNamespace(monotonic=lambda: next(clock)))
    result = call("submit", "--wait", "--patience", "60", "--idempotency-key", "k-1", "Hello")
    assert result.exit_code == 1
    assert "No progress for 60 s; the run continues." in result.stderr


def test_the_answer_of_a_finished_pipeline_needs_no_wait(local_engine, api, records):
    """A repeated request of a finished run prints its answer at once."""
    finish(records, "p-k-1")
    api.answers = [(202, {"pipeline_id": "p-k-1", "status": "SUCCEEDED"})]
    result = call("submit", "--wait", "--idempotency-key", "k-1", "Hello")
    assert (result.exit_code, result.stdout) == (0, "An answer for p-k-1.\n")
