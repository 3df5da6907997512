"""`pipeline env`: the local engine's address and credentials for a shell."""

import os
import shlex
from collections.abc import Mapping, Sequence

import click

from cli.session import Session, TargetCommand
from local.engine import Engine

STRAYS = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  eval "$(pipeline env)" && aws dynamodb scan --table-name PipelineLogs
  pipeline env --shell fish | source
  pipeline env --shell powershell | Out-String | Invoke-Expression""",
)
@click.option(
    "--shell",
    type=click.Choice(["posix", "fish", "powershell"]),
    default="posix",
    show_default=True,
    help="The shell that reads it; posix is for bash, zsh and sh.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the variables as JSON.")
@click.pass_obj
def env(session: Session, *, shell: str, as_json: bool) -> None:
    """Point the AWS CLI and boto3 of a shell at the local engine.

    Prints commands for the shell to run. The credentials are worth nothing
    elsewhere. Prints nothing, and exits with 4, when no engine is up.
    """
    if not session.is_local:
        raise click.UsageError("`env` is about the local engine; on AWS your own login counts.")
    connection = Engine().running().connection
    wanted = {
        "AWS_ENDPOINT_URL": connection.endpoint_url,
        "AWS_ACCESS_KEY_ID": connection.access_key_id,
        "AWS_SECRET_ACCESS_KEY": connection.secret_access_key,
        "AWS_REGION": connection.region,
        "AWS_DEFAULT_REGION": connection.region,
        **_past_the_proxy(os.environ),
    }
    if as_json:
        session.json(wanted)
        return
    click.echo("\n".join(_SHELLS[shell](wanted, (*STRAYS, *_other_endpoints(os.environ)))))


def _other_endpoints(environment: Mapping[str, str]) -> list[str]:
    """A service's own endpoint would count more than ours."""
    return sorted(
        name
        for name in environment
        if name.startswith("AWS_ENDPOINT_URL_") or name == "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"
    )


def _past_the_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    lower = {name.lower(): value for name, value in environment.items()}
    direct = lower.get("no_proxy", "")
    if not lower.get("http_proxy") or "127.0.0.1" in direct:
        return {}
    without = ",".join(filter(None, [direct, "127.0.0.1", "localhost"]))
    return {"NO_PROXY": without, "no_proxy": without}


def _posix(wanted: Mapping[str, str], unwanted: Sequence[str]) -> list[str]:
    return [
        *(f"export {name}={shlex.quote(value)}" for name, value in wanted.items()),
        f"unset {' '.join(unwanted)}",
    ]


def _fish(wanted: Mapping[str, str], unwanted: Sequence[str]) -> list[str]:
    def quoted(value: str) -> str:
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

    return [
        *(f"set -gx {name} {quoted(value)};" for name, value in wanted.items()),
        *(f"set -e {name};" for name in unwanted),
    ]


def _powershell(wanted: Mapping[str, str], unwanted: Sequence[str]) -> list[str]:
    def quoted(value: str) -> str:
        return "'" + value.replace("'", "''") + "'"

    return [
        *(f"$env:{name} = {quoted(value)}" for name, value in wanted.items()),
        *(f"Remove-Item Env:{name} -ErrorAction SilentlyContinue" for name in unwanted),
    ]


_SHELLS = {"posix": _posix, "fish": _fish, "powershell": _powershell}
