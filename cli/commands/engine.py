"""`pipeline up`, `down` and `status`."""

import os
from collections.abc import Mapping

import click

from cli.exit_codes import UNREACHABLE
from cli.session import Session, TargetCommand
from cli.view.steps import shown
from cli.view.text import in_columns
from local import deploy as deploying
from local.engine import Engine
from local.engine_status import EngineStatus, engine_status
from local.settings import Settings
from operations.errors import UnreachableError


def _local_only(session: Session, name: str) -> None:
    if not session.is_local:
        raise click.UsageError(
            f"`{name}` is about the engine on this machine; leave --env {session.env} away."
        )


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline up
  pipeline up --port 4570
  pipeline up --model-url http://127.0.0.1:11434/v1 --model llama3.2
\b
PIPELINE_PORT, PIPELINE_MODEL_URL and PIPELINE_MODEL are the same as options.""",
)
@click.option("--port", metavar="PORT", help="The engine's port on 127.0.0.1; 4566 by default.")
@click.option("--model-url", metavar="URL", help="Ollama, or any server like OpenAI's.")
@click.option("--model", metavar="NAME", help="The model there.")
@click.option("--json", "as_json", is_flag=True, help="Say where it is as JSON.")
@click.pass_obj
def up(
    session: Session, *, port: str | None, model_url: str | None, model: str | None, as_json: bool
) -> None:
    """Start the local engine and deploy everything to it.

    Does only what is not done already. The engine stays up until it is stopped.
    Without a model of your own it gives canned answers.
    """
    _local_only(session, "up")
    engine = Engine(settings=_settings(port, model_url, model))
    try:
        with shown(session.err) as progress:
            deploying.up(engine, progress)
    except KeyboardInterrupt:
        session.note(f"What is done stays done. Go on: {session.command('up')}. Stop the engine: make stop")
        raise
    found = engine_status()
    if found is None:
        raise UnreachableError("The engine was stopped meanwhile.")
    if as_json:
        session.json(found)
        return
    click.echo(f"The pipeline is up at {found.endpoint} and stays up. It gives {found.answers}.")
    click.echo()
    rows = [
        ("Ask it", session.command("submit", "--wait", '"What is a monad?"')),
        ("AWS CLI, boto3", f'eval "$({session.command("env")})"'),
        ("What runs", session.command("status")),
        ("Stop it", "make stop"),
    ]
    click.echo(in_columns(rows))
    if found.canned:
        click.echo()
        click.echo("For answers from a model of your own (Ollama, or any server like OpenAI's):")
        click.echo("  make run MODEL_URL=http://127.0.0.1:11434/v1 MODEL=llama3.2")


def _settings(port: str | None, model_url: str | None, model: str | None) -> Settings:
    """The environment's, and before them the options'. Raises SettingsError."""
    options = {"PIPELINE_PORT": port, "PIPELINE_MODEL_URL": model_url, "PIPELINE_MODEL": model}
    given = {name: value for name, value in options.items() if value is not None}
    return Settings.from_environment({**os.environ, **given})


@click.command(cls=TargetCommand)
@click.pass_obj
def down(session: Session) -> None:
    """Stop the local engine and every function it started.

    What was deployed and recorded is gone with it.
    """
    _local_only(session, "down")
    with shown(session.err) as progress:
        stopped = Engine().stop(progress)
    click.echo("Stopped." if stopped else "No engine was running.")


@click.command(cls=TargetCommand, epilog="\b\nExit codes: 0 up and deployed, 4 not.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_obj
def status(session: Session, *, as_json: bool) -> None:
    """What runs and what is deployed: the engine, or an environment on AWS."""
    if not session.is_local:
        _aws_status(session, as_json=as_json)
        return
    found = engine_status()
    if as_json:
        session.json({"running": found is not None, "engine": found})
    elif found is None:
        click.echo(f"The local engine is not running. Start it: {session.command('up')}")
    else:
        click.echo(in_columns(_rows(session, found), indent=""))
    if found is None or not found.deployed:
        raise click.exceptions.Exit(UNREACHABLE)


def _rows(session: Session, found: EngineStatus) -> list[tuple[str, str]]:
    rows = [
        (
            "Engine",
            f"{found.endpoint}, process {found.pid}, since {found.started_at.astimezone():%m-%d %H:%M:%S}",
        ),
        ("Gives", found.answers),
        ("Log", found.log_file),
    ]
    if not found.deployed:
        return [*rows, ("Deployed", f"nothing yet. Deploy: {session.command('up')}")]
    when = f"since {found.deployed_at.astimezone():%m-%d %H:%M:%S}" if found.deployed_at else ""
    current = "" if found.current else f"; the sources have changed since: {session.command('deploy')}"
    return [*rows, ("Deployed", f"{when}{current}"), *_deployed(found.services, found.addresses)]


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
    known = session.target.describe()
    session.json(
        {
            "env": session.env,
            "account": known.account,
            "region": known.region,
            "deployed_at": addresses.deployed_at,
            "services": addresses.services,
            "addresses": addresses.values,
        }
    )
