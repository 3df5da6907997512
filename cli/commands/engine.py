"""`pipeline up`, `down` and `status`."""

import click

from cli.main import UNREACHABLE
from cli.operations.addresses import Addresses, read_addresses
from cli.operations.errors import NotDeployedError
from cli.operations.target import local_target
from cli.session import Session, TargetCommand, in_columns
from cli.steps import shown
from local import deploy as deploying
from local.engine import Engine, Running, Status


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
  PIPELINE_MODEL_URL=http://127.0.0.1:11434/v1 PIPELINE_MODEL=llama3.2 pipeline up""",
)
@click.option("--json", "as_json", is_flag=True, help="Say where it is as JSON.")
@click.pass_obj
def up(session: Session, *, as_json: bool) -> None:
    """Start the local engine and deploy everything to it.

    Does only what is not done already. The engine stays up until it is stopped.
    Without a model of your own it gives canned answers.
    """
    _local_only(session, "up")
    engine = Engine()
    with shown(session) as progress:
        running = deploying.up(engine, progress)
    addresses = local_target(running.connection).addresses
    if as_json:
        session.json(_facts(running, engine.status(), addresses))
        return
    rows = [
        ("Ask it", session.command("submit", "--wait", '"What is a monad?"')),
        ("The API", f"{addresses.api_url}/pipeline"),
        ("AWS CLI, boto3", f'eval "$({session.command("env")})"'),
    ]
    if running.model is None:
        rows.append(
            ("Your own model", "PIPELINE_MODEL_URL=http://127.0.0.1:11434/v1 PIPELINE_MODEL=llama3.2 \\")
        )
        rows.append(("", f"  {session.command('up')}    (Ollama, or any server like OpenAI's)"))
    rows.append(("Stop it", "make stop"))
    click.echo(f"The pipeline is up at {running.connection.endpoint_url} and stays up ({running.answers}).")
    click.echo(in_columns(rows))


@click.command(cls=TargetCommand)
@click.pass_obj
def down(session: Session) -> None:
    """Stop the local engine and every function it started.

    What it recorded is gone with it, unless the engine keeps its state on disk.
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
    if session.is_local:
        good = _local_status(session, as_json=as_json)
    else:
        good = _aws_status(session, as_json=as_json)
    if not good:
        raise click.exceptions.Exit(UNREACHABLE)


def _local_status(session: Session, *, as_json: bool) -> bool:
    found = Engine().status()
    running = found.running
    if found.state != "running" or running is None:
        if as_json:
            session.json({"state": found.state})
        else:
            text = "was started, and is gone" if found.state == "stale" else "is not running"
            click.echo(f"The local engine {text}. Start it: {session.command('up')}")
        return False
    addresses = _addresses(running)
    if as_json:
        session.json(_facts(running, found, addresses))
        return addresses is not None
    rows = [
        ("Engine", f"{running.connection.endpoint_url} (process {running.pid})"),
        ("Answers", running.answers),
        ("Checkout", str(running.checkout)),
        ("Log", str(running.log_file)),
    ]
    if addresses is None:
        rows.append(("Deployed", f"nothing. Deploy: {session.command('up')}"))
    else:
        rows += _deployed(addresses)
    click.echo(in_columns(rows, indent=""))
    return addresses is not None


def _aws_status(session: Session, *, as_json: bool) -> bool:
    addresses = session.target.addresses
    if as_json:
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
    else:
        click.echo(in_columns(_deployed(addresses), indent=""))
    return True


def _deployed(addresses: Addresses) -> list[tuple[str, str]]:
    values = addresses.values
    return [
        ("Deployed", f"{', '.join(addresses.services)} (since {addresses.deployed_at:%Y-%m-%d %H:%M:%S %Z})"),
        ("API", f"{values['api/url']}/pipeline" if "api/url" in values else "not deployed"),
        ("Bus", values.get("bus/name", "not deployed")),
        ("Table", values.get("table/name", "not deployed")),
    ]


def _addresses(running: Running) -> Addresses | None:
    try:
        target = local_target(running.connection)
        return read_addresses(target.client("ssm"), target.env)
    except NotDeployedError:
        return None


def _facts(running: Running, found: Status, addresses: Addresses | None) -> dict[str, object]:
    return {
        "state": "running",
        "endpoint": running.connection.endpoint_url,
        "port": running.port,
        "pid": running.pid,
        "answers": running.answers,
        "log_file": str(running.log_file),
        "stacks": found.deployed,
        "deployed_at": addresses.deployed_at if addresses else None,
        "services": addresses.services if addresses else (),
        "addresses": addresses.values if addresses else {},
    }
