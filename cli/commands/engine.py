"""`pipeline up`, `down` and `status`."""

from collections.abc import Mapping

import click

from cli.main import UNREACHABLE
from cli.operations.engine import EngineStatus, engine_status
from cli.operations.errors import UnreachableError
from cli.session import Session, TargetCommand, in_columns
from cli.steps import shown
from local import deploy as deploying
from local.engine import Engine


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
  PIPELINE_PORT=4570 pipeline up
  PIPELINE_MODEL_URL=http://127.0.0.1:11434/v1 PIPELINE_MODEL=llama3.2 \\
    pipeline up""",
)
@click.option("--json", "as_json", is_flag=True, help="Say where it is as JSON.")
@click.pass_obj
def up(session: Session, *, as_json: bool) -> None:
    """Start the local engine and deploy everything to it.

    Does only what is not done already. The engine stays up until it is stopped.
    Without a model of your own it gives canned answers.
    """
    _local_only(session, "up")
    with shown(session) as progress:
        deploying.up(Engine(), progress)
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
        click.echo("  PIPELINE_MODEL_URL=http://127.0.0.1:11434/v1 PIPELINE_MODEL=llama3.2 \\")
        click.echo(f"    {session.command('up')}")


@click.command(cls=TargetCommand)
@click.pass_obj
def down(session: Session) -> None:
    """Stop the local engine and every function it started.

    What was deployed and recorded is gone with it.
    """
    _local_only(session, "down")
    with shown(session) as progress:
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
