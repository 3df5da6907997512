"""What is deployed and what is skipped, with a stand-in for the CDK CLI that logs its calls."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.options import load
from local import cdk
from local import deploy as deploying
from local.deploy import deploy, is_current
from local.engine import Engine, Status, free_port
from local.errors import (
    BusyError,
    DeployError,
    EngineNotRunningError,
    UnknownServiceError,
)
from local.fingerprint import fingerprint
from local.settings import SMALL, Model, Settings
from local.small_model.smollm import ANSWER_SECONDS
from local.tests import fakes
from operations.progress import Step, silent

# Synthesises every part, deploys the selected stacks, fails if a file `fail` exists, and logs its calls.
_CLI = """
import json, os, pathlib, sys
parts, home, arguments = {parts!r}, pathlib.Path({home!r}), sys.argv[1:]
(home / "calls").open("a").write(json.dumps(arguments) + "\\n")
(home / "environment").write_text(json.dumps(dict(os.environ)))
names = ["ai-pipeline-local-" + part for part in parts]
if arguments[0] == "synth":
    folder = pathlib.Path(arguments[arguments.index("--output") + 1])
    folder.mkdir(exist_ok=True)
    manifest = {{"artifacts": {{name: {{"type": "aws:cloudformation:stack"}} for name in names}}}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
for name in [name for name in names if name in arguments or "--all" in arguments]:
    print(f"{{name}}: deploying... [1/1]")
    if (home / "fail").exists():
        print(f" ❌  {{name}} failed: the bucket is on fire")
        sys.exit(1)
    print(f" ✅  {{name}}")
"""
PARTS = ["platform", "trigger", "analyzer"]


class Cli:
    """The calls of the stand-in."""

    def __init__(self, home: Path) -> None:
        self.home = home

    @property
    def calls(self) -> list[list[str]]:
        log = self.home / "calls"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def fail(self) -> None:
        (self.home / "fail").touch()


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    script = tmp_path / "cdk.py"
    script.write_text(_CLI.format(parts=PARTS, home=str(tmp_path)))
    monkeypatch.setattr(cdk, "command", lambda: [sys.executable, str(script)])
    monkeypatch.setattr(deploying, "bootstrap", lambda _: None)
    monkeypatch.setattr(deploying, "context_of_removed", lambda *_: {})
    monkeypatch.setattr(deploying, "fingerprint", lambda context, _root: f"sources {sorted(context.items())}")
    return Cli(tmp_path)


@pytest.fixture
def engine(tmp_path: Path):
    engine = Engine(
        state=tmp_path / "state", settings=Settings(port=free_port()), python=fakes.interpreter(tmp_path)
    )
    yield engine
    engine.stop()


def verbs(cli: Cli) -> list[str]:
    return [call[0] for call in cli.calls]


def test_everything_once(cli: Cli, engine: Engine) -> None:
    """All stacks are deployed to a new engine, and a second deployment does nothing."""
    engine.start()
    steps: list[Step] = []
    assert deploy(engine, progress=steps.append) == tuple(PARTS)
    assert deploy(engine) == ()
    assert verbs(cli) == ["synth", "deploy"]
    assert is_current(engine)
    assert engine.status().deployed == tuple(PARTS)
    assert [step.name for step in steps if step.state == "finished"] == [
        "synth",
        "bootstrap",
        *PARTS,
        "deploy",
    ]


def test_a_new_engine_has_nothing(cli: Cli, engine: Engine) -> None:
    """After a restart everything is deployed again, from the app that was synthesised before."""
    engine.start()
    deploy(engine)
    engine.stop()
    engine.start()
    assert not is_current(engine)
    assert deploy(engine) == tuple(PARTS)
    assert verbs(cli) == ["synth", "deploy", "deploy"]


def test_a_lost_app_is_synthesised_again(cli: Cli, engine: Engine) -> None:
    """An app whose folder was deleted, as an error advises, is synthesised again from the same sources."""
    engine.start()
    deploy(engine)
    engine.stop()
    (engine.state.assembly / "manifest.json").unlink()
    engine.start()
    assert deploy(engine) == tuple(PARTS)
    assert verbs(cli) == ["synth", "deploy", "synth", "deploy"]


def test_settings_of_a_deployment(cli: Cli, engine: Engine) -> None:
    """Settings reach the app as context, changed ones are deployed, and none replaces the engine's own context."""
    running = engine.start()
    assert deploy(engine, context={"timeout_chatbot": "6", "engine": "http://elsewhere"}) == tuple(PARTS)
    assert "timeout_chatbot=6" in cli.calls[0]
    assert f"engine={running.connection.endpoint_url}" in cli.calls[0]
    assert deploy(engine, context={"timeout_chatbot": "6"}) == ()
    assert deploy(engine, "analyzer", context={"memory_analyzer": "256"}) == ("analyzer",)
    assert "memory_analyzer=256" in cli.calls[2]


def test_changed_sources(cli: Cli, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changed sources are synthesised and deployed; a deployment of one service touches only its stack."""
    engine.start()
    deploy(engine)
    monkeypatch.setattr(deploying, "fingerprint", lambda *_: "changed")
    assert deploy(engine, "analyzer") == ("analyzer",)
    assert cli.calls[-1][1:3] == ["ai-pipeline-local-analyzer", "--exclusively"]
    assert deploy(engine, "analyzer") == ()
    assert not is_current(engine)
    assert deploy(engine) == tuple(PARTS)
    assert verbs(cli) == ["synth", "deploy", "synth", "deploy", "synth", "deploy"]
    assert "only=analyzer" in cli.calls[2]


def test_one_service_first(cli: Cli, engine: Engine) -> None:
    """A single service can't be deployed to an empty engine."""
    engine.start()
    with pytest.raises(DeployError, match="make run"):
        deploy(engine, "analyzer")
    assert cli.calls == []


def test_optional_part_is_deployed_by_name_alone(
    cli: Cli, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An optional part is synthesised alone, and an outdated one does not make a full deployment outdated."""
    engine.start()
    deploy(engine)
    (cli.home / "cdk.py").write_text(_CLI.format(parts=[*PARTS, "monitoring"], home=str(cli.home)))
    assert deploy(engine, "monitoring") == ("monitoring",)
    assert "only=monitoring" in cli.calls[-2]
    monkeypatch.setattr(deploying, "fingerprint", lambda context, _root: f"new {sorted(context.items())}")
    (cli.home / "cdk.py").write_text(_CLI.format(parts=PARTS, home=str(cli.home)))
    assert deploy(engine) == tuple(PARTS)
    assert is_current(engine)


def test_unknown_service(cli: Cli, engine: Engine) -> None:
    """An unknown service is refused before anything is deployed, and the error lists the known ones."""
    with pytest.raises(UnknownServiceError, match="platform, trigger, analyzer"):
        deploy(engine, "analyser")
    assert cli.calls == []


def test_no_engine(cli: Cli, engine: Engine) -> None:
    """Without a running engine, a deployment is refused."""
    with pytest.raises(EngineNotRunningError):
        deploy(engine)
    assert cli.calls == []


def test_failure(cli: Cli, engine: Engine) -> None:
    """A failed stack is reported with the CLI's own reason and does not count as deployed."""
    engine.start()
    cli.fail()
    steps: list[Step] = []
    with pytest.raises(DeployError, match=r"the bucket is on fire[^$]*deploy\.log"):
        deploy(engine, progress=steps.append)
    assert ("platform", "failed") in [(step.name, step.state) for step in steps]
    assert engine.status().deployed == ()


def test_what_a_failed_deployment_left_is_deployed_over(
    cli: Cli, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a deployment that failed half-way, going back to the earlier sources deploys them again."""
    engine.start()
    deploy(engine)
    cli.fail()
    with monkeypatch.context() as patch:
        patch.setattr(deploying, "fingerprint", lambda *_: "changed")
        with pytest.raises(DeployError):
            deploy(engine)
    (cli.home / "fail").unlink()
    assert not is_current(engine)
    assert deploy(engine) == tuple(PARTS)
    assert deploy(engine) == ()


def test_engine_lost_on_the_way(cli: Cli, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the engine ends during a deployment, the error says so."""
    engine.start()
    cli.fail()
    monkeypatch.setattr(engine, "status", lambda: Status(state="stale"))
    running = engine._recorded()
    monkeypatch.setattr(engine, "running", lambda: running)
    with pytest.raises(DeployError, match="ended during the deployment"):
        deploy(engine)


def test_one_deployment_at_a_time(cli: Cli, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second deployment waits for the first, and gives up after a bounded time."""
    engine.start()
    monkeypatch.setattr(deploying, "LOCK_SECONDS", 0.2)
    with engine.state.lock("deploy", silent, patience_seconds=0), pytest.raises(BusyError):
        deploy(engine)


def test_cli_can_reach_the_engine_only(cli: Cli, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CLI gets the engine's address and dummy credentials, whatever the shell's variables are."""
    monkeypatch.setenv("AWS_PROFILE", "prod")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    running = engine.start()
    deploy(engine)
    seen = json.loads((cli.home / "environment").read_text())
    assert seen["AWS_ENDPOINT_URL"] == running.connection.endpoint_url
    assert (seen["AWS_ACCESS_KEY_ID"], seen["AWS_CONFIG_FILE"]) == ("test", os.devnull)
    assert "AWS_PROFILE" not in seen
    assert "CDK_DISABLE_CLI_TELEMETRY" in seen


def test_model_reaches_the_app(engine: Engine) -> None:
    """With a model server, the app is synthesised with that server's model name."""
    running = engine.start()
    assert deploying.context_of(running) == {"env": "local", "engine": running.connection.endpoint_url}
    model = Model(url="http://127.0.0.1:11434/v1", name="llama3.2")
    double: Any = SimpleNamespace(connection=running.connection, model=model)
    assert deploying.context_of(double) == {**deploying.context_of(running), "model_id": "llama3.2"}


def test_the_small_model_has_options_of_its_own(engine: Engine) -> None:
    """With the small model, the app has a lower temperature, and tasks that outlast a long queue."""
    double: Any = SimpleNamespace(connection=engine.start().connection, model=SMALL.at(1))
    context = deploying.context_of(double)
    assert (context["model_id"], context["temperature"]) == ("smollm2-135m", "0.2")
    local = load("local", context)
    assert local.task_seconds("chatbot") > 200 * (ANSWER_SECONDS + 1)


# --- the fingerprint -----------------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    for name in (
        "cdk.json", "package-lock.json", "requirements.txt", "requirements-dev.txt", "infra/app.py",
        "shared/worker.py", "services/analyzer/core.py", "services/analyzer/tests/test.py",
        "services/analyzer/README.md", "cli/main.py",
    ):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("before")
    return root


@pytest.mark.parametrize(
    "name", ["cdk.json", "package-lock.json", "requirements.txt", "infra/app.py", "shared/w.py", "services/new.json"]
)  # fmt: skip
def test_fingerprint_sees_what_is_deployed(checkout: Path, name: str) -> None:
    """A change of any deployed file, or of a file that decides how it is deployed, changes the fingerprint."""
    before = fingerprint({}, checkout)
    (checkout / name).write_text("after")
    assert fingerprint({}, checkout) != before


@pytest.mark.parametrize(
    "name", ["services/analyzer/tests/test.py", "services/analyzer/README.md", "cli/main.py"]
)
def test_fingerprint_ignores_the_rest(checkout: Path, name: str) -> None:
    """A change of a test, of documentation or of the command line leaves the fingerprint unchanged."""
    before = fingerprint({}, checkout)
    (checkout / name).write_text("after")
    assert fingerprint({}, checkout) == before


def test_fingerprint_sees_the_context(checkout: Path) -> None:
    """Another context changes the fingerprint, and a checkout that was moved still has one."""
    assert fingerprint({"env": "local"}, checkout) != fingerprint({"env": "local", "model_id": "m"}, checkout)
    elsewhere = checkout.with_name("elsewhere")
    checkout.rename(elsewhere)
    assert fingerprint({}, elsewhere)


@pytest.mark.synth
def test_parts_are_the_apps() -> None:
    """Every stack of the app is a part that can be deployed alone."""
    from infra import app, options, parts  # noqa: PLC0415 -- starts Node

    assert set(app.parts(options.load("local"), {})) == set(parts.PARTS)


def test_rights_to_removed_stages_are_kept(cli: Cli, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app is synthesised with the rights to reach removed stages while these are deployed, and then without."""
    engine.start()
    deploy(engine)
    monkeypatch.setattr(deploying, "context_of_removed", lambda *_: {"removed_queues": "vetting"})
    assert deploy(engine)
    assert "removed_queues=vetting" in cli.calls[-2]
    monkeypatch.setattr(deploying, "context_of_removed", lambda *_: {})
    assert deploy(engine)
    assert not [word for word in cli.calls[-2] if "removed_queues" in word]
