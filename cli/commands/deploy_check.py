"""`pipeline deploy-check`."""

from collections.abc import Sequence

import click
from rich.text import Text

from cli.exit_codes import FAILED
from cli.session import Session, TargetCommand
from cli.view.text import counted, printable
from operations.errors import NotDeployedError
from operations.inflight.looking import check
from operations.inflight.reading import Check, Look

SHOWN = 20
NOUNS = {
    "queue": "waiting message",
    "dlq": "parked message",
    "rule-dlq": "undelivered event",
    "execution": "open execution",
    "rule": "bus rule",
}


@click.command(
    "deploy-check",
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline deploy-check analyzer
  pipeline --env prod deploy-check
\b
Exit codes: 0 it can read all that was looked at, 1 it can't.""",
)
@click.argument("services", metavar="[SERVICE]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print what was looked at as JSON.")
@click.pass_obj
def deploy_check(session: Session, services: tuple[str, ...], *, as_json: bool) -> None:
    """Can this checkout read what is in flight?

    Looks at the service's queue, its dead-letter queues and the executions that
    are open, and says what this version could not read. For `workflow`: whether
    the deployed services are sent what it would ask them with. Without SERVICE:
    all.

    A look into a queue takes and hides nothing. It counts as one of a message's
    deliveries, so a queue is looked at once within the life of its messages.
    """
    try:
        checks = look(session, services)
    except NotDeployedError:
        session.note("Nothing is deployed there yet, so nothing is in flight.")
        checks = []
    if as_json:
        session.json(checks)
    else:
        show(session, checks)
    if any(one.blocking for one in checks):
        raise click.exceptions.Exit(FAILED)


def look(session: Session, services: Sequence[str]) -> list[Check]:
    with session.err.status("looking at what is in flight", spinner_style="dim"):
        return check(session.target, services)


def show(session: Session, checks: Sequence[Check]) -> None:
    for one in checks:
        for seen in one.looks:
            session.out.print(_line(seen))
            for finding in seen.findings[:SHOWN]:
                mark, style = ("✗", "red") if finding.blocks else ("·", "yellow")
                about = f" (pipeline {finding.pipeline_id})" if finding.pipeline_id else ""
                text = f"{finding.name} {finding.detail_type}{about}: {finding.reason}"
                session.out.print(Text.assemble((f"  {mark} ", style), printable(text)))
                if not finding.blocks:
                    session.out.print("    no version could read it; it refuses nothing")
            if len(seen.findings) > SHOWN:
                session.out.print(f"  … and {len(seen.findings) - SHOWN:,} more; --json has all")


def _line(seen: Look) -> Text:
    bad = sum(finding.blocks for finding in seen.findings)
    mark, style = ("✗", "red") if bad else ("✓", "green")
    what = counted(seen.looked, NOUNS[seen.place])
    of = f" of about {seen.there:,}" if seen.there > seen.looked else ""
    told = f": {bad:,} can't be read" if bad else ""
    note = f" ({seen.note})" if seen.note else ""
    return Text.assemble((f"{mark} ", style), f"{seen.service:<9} {what}{of}{told}{note}")
