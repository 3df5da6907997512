"""`pipeline env`: the local engine's address and credentials for a shell."""

import os
import shlex
from collections.abc import Mapping, Sequence, Set

import click

from cli.session import Session, TargetCommand
from local.engine import Engine

STRAYS = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
KEPT = ("AWS_CLI_", "AWS_PAGER", "AWS_DEFAULT_OUTPUT", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
"""Beginnings of variables that say how the AWS CLI looks, and where its files are."""


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
    help="The shell to print commands for; posix is for bash, zsh and sh.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the variables as JSON.")
@click.pass_obj
def env(session: Session, *, shell: str, as_json: bool) -> None:
    """Point the AWS CLI and boto3 of a shell at the local engine.

    Prints commands for the shell to run. The credentials are valid for the engine
    only. If no engine is running, nothing is printed and the exit code is 4.

    Version 1 of the AWS CLI ignores AWS_ENDPOINT_URL for SQS: use version 2, or
    `aws --endpoint-url "$AWS_ENDPOINT_URL" sqs ...`.
    """
    if not session.is_local:
        raise click.UsageError(
            "`env` only describes the local engine; remove --env. On AWS, use your own credentials."
        )
    connection = Engine().running().connection
    variables = {
        "AWS_ENDPOINT_URL": connection.endpoint_url,
        "AWS_ACCESS_KEY_ID": connection.access_key_id,
        "AWS_SECRET_ACCESS_KEY": connection.secret_access_key,
        "AWS_REGION": connection.region,
        "AWS_DEFAULT_REGION": connection.region,
        **_proxy_exceptions(os.environ),
    }
    if as_json:
        session.json(variables)
        return
    removed = (*STRAYS, *_of_an_account(os.environ, {*variables, *STRAYS}))
    click.echo("\n".join(_SHELLS[shell](variables, removed)))


def _of_an_account(environment: Mapping[str, str], named: Set[str]) -> list[str]:
    """Return the other variables of AWS: another endpoint, the expiry of other credentials, settings of clients."""
    return sorted(
        name
        for name in environment
        if name.startswith("AWS_") and not name.startswith(KEPT) and name.isidentifier() and name not in named
    )


def _proxy_exceptions(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that keep a configured proxy from being used for the engine."""
    lower = {name.lower(): value for name, value in environment.items()}
    direct = lower.get("no_proxy", "")
    if not lower.get("http_proxy") or "127.0.0.1" in direct:
        return {}
    exceptions = ",".join(filter(None, [direct, "127.0.0.1", "localhost"]))
    return {"NO_PROXY": exceptions, "no_proxy": exceptions}


def _posix(variables: Mapping[str, str], removed: Sequence[str]) -> list[str]:
    return [
        *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
        f"unset {' '.join(removed)}",
    ]


def _fish(variables: Mapping[str, str], removed: Sequence[str]) -> list[str]:
    def quoted(value: str) -> str:
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

    return [
        *(f"set -gx {name} {quoted(value)};" for name, value in variables.items()),
        *(f"set -e {name};" for name in removed),
    ]


def _powershell(variables: Mapping[str, str], removed: Sequence[str]) -> list[str]:
    def quoted(value: str) -> str:
        return "'" + value.replace("'", "''") + "'"

    return [
        *(f"$env:{name} = {quoted(value)}" for name, value in variables.items()),
        *(f"Remove-Item Env:{name} -ErrorAction SilentlyContinue" for name in removed),
    ]


_SHELLS = {"posix": _posix, "fish": _fish, "powershell": _powershell}
