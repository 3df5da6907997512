"""`pipeline deploy-check`."""

from collections.abc import Sequence

import click
from rich.text import Text

from cli.session import Session, TargetCommand
from cli.view.text import counted, in_a_line
from local.exit_codes import FAILED
from operations.errors import NotDeployedError
from operations.inflight.looking import check
from operations.inflight.reading import NOUNS, Check, Look

SHOWN = 20


@click.command(
    "deploy-check",
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline deploy-check analyzer
  pipeline --env prod deploy-check
\b
Exit codes: 0 everything checked is readable, 1 something is not.""",
)
@click.argument("services", metavar="[SERVICE]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
@click.pass_obj
def deploy_check(session: Session, services: tuple[str, ...], *, as_json: bool) -> None:
    """Check that this checkout can read what is in flight.

    Checks the messages in the service's queue and dead-letter queues, and the open
    executions, and lists what this version cannot read. For `workflow`: checks that
    the deployed services receive the requests that the workflow of this checkout
    would send. Without SERVICE, all services and the workflow are checked.

    Reading a queue removes no message, but counts as one delivery of each message
    read (ten at most). So for a while after one check, the next ones judge the
    messages remembered from it instead of reading the queue again.
    """
    try:
        checks = look(session, services)
    except NotDeployedError:
        session.note("Nothing is deployed in this environment yet, so nothing is in flight.")
        checks = []
    if as_json:
        session.json(checks)
    else:
        show(session, checks)
    if any(entry.blocking for entry in checks):
        raise click.exceptions.Exit(FAILED)


def look(session: Session, services: Sequence[str]) -> list[Check]:
    with session.err.status("reading what is in flight", spinner_style="dim"):
        return check(session.target, services)


def show(session: Session, checks: Sequence[Check]) -> None:
    for entry in checks:
        for snapshot in entry.looks:
            session.out.print(_line(snapshot))
            for finding in snapshot.findings[:SHOWN]:
                mark, style = ("✗", "red") if finding.blocks else ("·", "yellow")
                run = f" (run {finding.pipeline_id})" if finding.pipeline_id else ""
                text = f"{finding.name} {finding.detail_type}{run}: {finding.reason}"
                session.out.print(Text.assemble((f"  {mark} ", style), in_a_line(text)))
                if not finding.blocks:
                    session.out.print(
                        "    no released version can read it; this does not block the deployment"
                    )
            if len(snapshot.findings) > SHOWN:
                session.out.print(
                    f"  … and {len(snapshot.findings) - SHOWN:,} more; --json lists all of them"
                )


def _line(snapshot: Look) -> Text:
    bad = sum(finding.blocks for finding in snapshot.findings)
    mark, style = ("✗", "red") if bad else ("✓", "green")
    messages = counted(snapshot.looked, NOUNS[snapshot.place])
    total = f" of about {snapshot.there:,}" if snapshot.there > snapshot.looked else ""
    unreadable = f": {bad:,} cannot be read" if bad else ""
    note = f" ({snapshot.note})" if snapshot.note else ""
    return Text.assemble((f"{mark} ", style), f"{snapshot.service:<9} {messages}{total}{unreadable}{note}")
