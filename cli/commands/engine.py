"""`pipeline up`, `down` and `status`."""

import os
from collections.abc import Iterator, Mapping

import click

from cli.session import Session, TargetCommand
from cli.view.steps import shown
from cli.view.text import counted, in_columns
from local import deploy as deploying
from local.engine import Engine
from local.engine_status import EngineStatus, SmallModelStatus, engine_status
from local.errors import EngineNotRunningError
from local.exit_codes import UNREACHABLE
from local.servers import ollama_models
from local.settings import Settings
from operations.errors import UnreachableError


def _local_only(session: Session, name: str) -> None:
    if not session.is_local:
        raise click.UsageError(
            f"`{name}` only controls the local engine; remove --env {session.env}, or unset PIPELINE_ENV."
        )


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline up
  pipeline up --port 4570
  pipeline up --model-url http://127.0.0.1:11434/v1 --model llama3.2
  pipeline up --model canned
\b
The variables PIPELINE_PORT, PIPELINE_MODEL_URL, PIPELINE_MODEL and
PIPELINE_MODEL_KEY_FILE can be used instead of the options. A server's key can
also be in the variable MODEL_KEY; it is not stored.""",
)
@click.option("--port", metavar="PORT", help="The engine's port on 127.0.0.1; 4566 by default.")
@click.option(
    "--model-url", metavar="URL", help="The address of Ollama or any OpenAI-compatible model server."
)
@click.option(
    "--model",
    metavar="NAME",
    help="The name of the model on that server. Without a server, `canned` gives canned answers.",
)
@click.option(
    "--model-key-file", metavar="FILE", help="A file with the model server's key, if the server requires one."
)
@click.option("--json", "as_json", is_flag=True, help="Print the engine's status as JSON.")
@click.pass_obj
def up(session: Session, /, *, as_json: bool, **options: str | None) -> None:
    """Start the local engine and deploy everything to it.

    Steps that are already done are skipped. The engine runs until it is stopped.
    Without --model-url and --model, a very small model on this machine answers,
    or canned text where that model can't run.
    """
    _local_only(session, "up")
    local_engine = Engine(settings=_settings(options))
    try:
        with shown(session.err) as progress:
            deploying.up(local_engine, progress)
    except KeyboardInterrupt:
        session.note(
            f"Completed steps are kept. Run `{session.command('up')}` to continue, or `make stop` to stop the engine."
        )
        raise
    engine = engine_status()
    if engine is None:
        raise UnreachableError("The engine was stopped while it was starting. Start it again: make run")
    if as_json:
        session.json(engine)
        return
    click.echo(f"The pipeline is up at {engine.endpoint} and stays up. Answers: {engine.answers}.")
    if engine.why_canned:
        click.echo(engine.why_canned)
    click.echo()
    rows = [
        ("Ask", session.command("submit", "--wait", '"What is a monad?"')),
        ("AWS CLI, boto3", f'eval "$({session.command("env")})"'),
        ("See its status", session.command("status")),
        ("Stop it", "make stop"),
    ]
    click.echo(in_columns(rows))
    if engine.canned or engine.small_model:
        click.echo()
        click.echo("\n".join(_better_model(ollama_models())))


def _better_model(installed: tuple[str, ...] | None) -> Iterator[str]:
    """Yield how to use a better model; `installed` are Ollama's models on this machine, None if it does not run."""
    command = "make run MODEL_URL=http://127.0.0.1:11434/v1 MODEL={}"
    if installed:
        others = f" (it also has {', '.join(installed[1:6])})" if len(installed) > 1 else ""
        yield f"Ollama runs on this machine. For its answers{others}:"
        yield f"  {command.format(installed[0])}"
    elif installed is not None:
        yield "Ollama runs on this machine, without a model. For its answers:"
        yield f"  ollama pull llama3.2 && {command.format('llama3.2')}"
    else:
        yield "For answers from a model of your own (Ollama or any OpenAI-compatible server):"
        yield f"  {command.format('llama3.2')}"


def _settings(options: Mapping[str, str | None]) -> Settings:
    """Return the engine's settings: options, then environment variables. Raises SettingsError."""
    chosen = {f"PIPELINE_{name.upper()}": value for name, value in options.items() if value is not None}
    return Settings.from_environment({**os.environ, **chosen})


@click.command(cls=TargetCommand)
@click.pass_obj
def down(session: Session) -> None:
    """Stop the local engine and every function it started.

    The engine's deployment and all recorded runs are lost.
    """
    _local_only(session, "down")
    with shown(session.err) as progress:
        stopped = Engine().stop(progress)
    click.echo("Stopped." if stopped else "No engine was running.")


@click.command(
    cls=TargetCommand, epilog="\b\nExit codes: 0 running and deployed, 4 not running or not deployed."
)
@click.option("--json", "as_json", is_flag=True, help="Print the status as JSON.")
@click.pass_obj
def status(session: Session, *, as_json: bool) -> None:
    """Show whether the engine runs, and what is deployed to it or to AWS."""
    if not session.is_local:
        _aws_status(session, as_json=as_json)
        return
    engine = engine_status()
    if as_json:
        session.json({"running": engine is not None, "engine": engine})
    elif engine is None:
        stale = Engine().status().state == "stale"
        click.echo(_why_stale() if stale else "The local engine is not running. Start it: make run")
    else:
        click.echo(in_columns(_rows(session, engine), indent=""))
    if engine is None or not engine.deployed:
        raise click.exceptions.Exit(UNREACHABLE)


def _why_stale() -> str:
    """Return why an engine that was started does not answer."""
    try:
        Engine().running()
    except EngineNotRunningError as error:
        return str(error)
    return "The local engine answers again. Repeat the command."


def _rows(session: Session, engine: EngineStatus) -> list[tuple[str, str]]:
    rows = [
        (
            "Engine",
            f"{engine.endpoint}, process {engine.pid}, since {engine.started_at.astimezone():%m-%d %H:%M:%S}",
        ),
        ("Answers", engine.answers if engine.why_canned is None else f"canned. {engine.why_canned}"),
        *_model_rows(engine.small_model),
        ("Log", engine.log_file),
    ]
    if not engine.deployed:
        return [*rows, ("Deployed", f"nothing yet. Deploy: {session.command('up')}")]
    when = f"since {engine.deployed_at.astimezone():%m-%d %H:%M:%S}" if engine.deployed_at else ""
    current = "" if engine.current else f"; the sources have changed since: {session.command('deploy')}"
    return [*rows, ("Deployed", f"{when}{current}"), *_deployed(engine.services, engine.addresses)]


def _model_rows(model: SmallModelStatus | None) -> list[tuple[str, str]]:
    if model is None:
        return []
    states = {
        "ready": f"ready, process {model.pid}, {counted(model.answered, 'answer')}, {model.waiting} waiting",
        "loading": "being loaded; questions wait for it",
        "starting": "its server is being started; questions wait for it",
        "down": "its server has ended and is not started again: its log says why. Restart the engine: make stop run",
    }
    return [("Model", states.get(model.state, model.state)), ("Model's log", model.log_file)]


def _deployed(services: tuple[str, ...], addresses: Mapping[str, str]) -> list[tuple[str, str]]:
    missing = "not deployed"
    return [
        ("Services", ", ".join(services) or missing),
        ("API", f"{addresses['api/url']}/pipeline" if "api/url" in addresses else missing),
        ("Bus", addresses.get("bus/name", missing)),
        ("Table", addresses.get("table/name", missing)),
    ]


def _aws_status(session: Session, *, as_json: bool) -> None:
    addresses = session.target.addresses
    if not as_json:
        click.echo(f"Deployed since {addresses.deployed_at:%Y-%m-%d %H:%M:%S %Z}")
        click.echo(in_columns(_deployed(addresses.services, addresses.values), indent=""))
        return
    identity = session.target.describe()
    session.json(
        {
            "env": session.env,
            "account": identity.account,
            "region": identity.region,
            "deployed_at": addresses.deployed_at,
            "services": addresses.services,
            "addresses": addresses.values,
        }
    )
