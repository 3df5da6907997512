"""`pipeline console`."""

import os
import sys

import click

from cli.session import Session, TargetCommand


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline console
  pipeline console --env dev --profile work
  pipeline console --env prod --read-only
  pipeline console --stop
\b
Exit codes: 0 served and stopped, or a link printed; 1 not started;
2 wrong usage; 4 not reachable or no credentials.""",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    metavar="PORT",
    help="The port on 127.0.0.1; by default 4580, or any free one if that is taken.",
)
@click.option("--read-only", is_flag=True, help="Show everything and change nothing.")
@click.option("--background", is_flag=True, help="Return at once; the console runs until --stop.")
@click.option("--latest", is_flag=True, help="Make the link open the run that was started last.")
@click.option("--stop", is_flag=True, help="Stop the running console.")
@click.pass_obj
def console(session: Session, /, *, port: int | None, **flags: bool) -> None:
    """Serve the web console on this machine, and print a link to it.

    The link opens the console in one browser, once; run the command again for
    another link. The console answers at 127.0.0.1 only; to use it on a remote
    machine, forward its port with `ssh -L`. On AWS it acts with your credentials.
    """
    options = {"--env": session.env, "--region": session.region, "--profile": session.profile, "--port": port}
    words = [f"{name}={value}" for name, value in options.items() if value is not None]
    # The console is a face of its own, which this one does not know: it is started as a program. With -P, a folder
    # named `console` in the present directory is not taken for it.
    sys.stdout.flush()
    words += [f"--{name.replace('_', '-')}" for name, given in flags.items() if given]
    arguments = [sys.executable, "-P", "-m", "console", *words]
    os.execv(sys.executable, arguments)  # noqa: S606 -- fixed arguments, no shell
