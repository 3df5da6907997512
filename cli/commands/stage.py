"""`pipeline stage new`, `remove`, `list`."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from cli.session import Session
from cli.view.steps import shown
from operations.errors import RefusedError
from operations.progress import Progress, step
from scaffold import stages as planning
from scaffold.changes import Change, write
from shared.contracts.stages import STAGES

_EXPORT = ("cli.main", "contracts", "export")
"""The module, with its arguments, that writes what is generated from the contracts."""


@click.group(
    epilog="""\b
Examples:
  pipeline stage list
  pipeline stage new moderation --after analysis
  pipeline stage remove moderation"""
)
def stage() -> None:
    """Add a stage of your own to this checkout, or remove it."""


@stage.command(
    epilog="""\b
Examples:
  pipeline stage new moderation --after analysis
  pipeline stage new greeting --after enhancement --dry-run
  pipeline stage new moderation --after request --may-end
  pipeline stage new translation --after chat --critical --via queue --yes
\b
Exit codes: 0 written, 1 refused, 2 an impossible name or place."""
)
@click.argument("name")
@click.option(
    "--after",
    required=True,
    metavar="STAGE",
    help="The stage that the new one follows (see `pipeline stage list`), or `request` to be the first.",
)
@click.option(
    "--critical", is_flag=True, help="A run fails if this stage fails; otherwise it goes on without it."
)
@click.option("--may-end", is_flag=True, help="The stage may end a run early, with an answer of its own.")
@click.option(
    "--via",
    type=click.Choice(["bus", "queue"]),
    default="bus",
    show_default=True,
    help="How its requests travel: as events to which others may subscribe, or straight to its queue.",
)
@click.option(
    "--allow-dirty", is_flag=True, help="Also edit files that hold changes which are not committed."
)
@click.option("--dry-run", is_flag=True, help="Print what would be written; write nothing.")
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
@click.pass_obj
def new(  # noqa: PLR0913 -- its options
    session: Session,
    name: str,
    *,
    after: str,
    critical: bool,
    may_end: bool,
    via: str,
    allow_dirty: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Make a stage: folder, contract and row in the stage table.

    The new stage already works: it counts the words of the message. Replace that
    in its core and its contract with the work that you need. NAME has 2 to 20
    lower-case letters and digits. Every change is printed before it is written.
    """
    plan = planning.new(
        name,
        after=after,
        via="queue" if via == "queue" else "bus",
        critical=critical,
        may_end=may_end,
        dirty=allow_dirty,
    )
    place = f"after {plan.after}" if plan.after else "first"
    without = "If it fails, the run fails." if critical else "If it fails, the run goes on without it."
    session.note(f"The stage {name} will run {place}, before {plan.before}. {without}")
    _carry_out(session, plan, dry_run=dry_run, yes=yes)
    _print(session, plan, as_json=as_json, dry_run=dry_run)
    if not dry_run:
        session.note(
            "Next:\n" + "\n".join(f"  {command}" for command in planning.steps(plan)) + f"\n{_TABLES}"
        )


@stage.command(
    epilog="""\b
Examples:
  pipeline stage remove moderation --dry-run
  pipeline stage remove moderation
\b
Exit codes: 0 removed, 1 refused, 3 no such stage."""
)
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Print what would be deleted and edited; change nothing.")
@click.option("--yes", is_flag=True, help="Remove without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print what was removed as JSON.")
@click.pass_obj
def remove(session: Session, name: str, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Remove a stage that `pipeline stage new` has made.

    Deletes its folder and its contract, and its row in the stage table. Refused
    while another stage reads its result, or if git has no copy of what you wrote.
    The next deployment of everything takes the stage out of the workflow, and
    deletes its stack once no run needs it.
    """
    plan = planning.removal(name)
    place = (
        f"{plan.before} will follow {plan.after}" if plan.after else f"{plan.before} will be the first stage"
    )
    session.note(f"The stage {plan.name.key} will be removed: {place}.")
    _carry_out(session, plan, dry_run=dry_run, yes=yes)
    _print(session, plan, as_json=as_json, dry_run=dry_run)
    if not dry_run:
        session.note(f"Next:\n  make deploy\n{_TABLES}")


@stage.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the stages as JSON.")
@click.pass_obj
def list_(session: Session, *, as_json: bool) -> None:
    """List the stages of this checkout in their order."""
    rows = [
        {
            "stage": row.key,
            "service": row.service,
            "via": row.via,
            "critical": row.critical,
            "may_end": row.may_end,
            "request": row.request.detail_type(),
            "result": row.result.__name__,
        }
        for row in STAGES
    ]
    if as_json:
        session.json(rows)
        return
    from cli.view.tables import grid  # noqa: PLC0415 -- rich

    table = grid("stage", "service", "request", "via", "if it fails", texts=5)
    for row in STAGES:
        ends = "the run fails" if row.critical else "the run goes on"
        table.add_row(row.key, row.service, row.request.detail_type(), row.via, ends)
    session.out.print(table)


_TABLES = "Before a commit, write anew what `make test` compares (a minute or two):\n  make tables"
_SIGNS = {"create": "create", "edit": "edit  ", "delete": "delete"}


def _lines(changes: Sequence[Change]) -> str:
    written = [f"  {_SIGNS[change.kind]}  {change.path}" for change in changes]
    return "\n".join([*written, "  write   the documents of the contracts (schemas, docs)"])


def _carry_out(session: Session, plan: planning.Plan, *, dry_run: bool, yes: bool) -> None:
    session.note(_lines(plan.changes))
    if dry_run:
        return
    session.confirm("Change these files?", yes=yes)
    write(planning.ROOT, plan.changes)
    with shown(session.err) as progress:
        _derive(progress)


@contextmanager
def _told_what_is_left() -> Iterator[None]:
    """Say what to do if the block is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo("The stage's files are changed. Write the documents later: make schemas", err=True)
        raise


def _derive(progress: Progress) -> None:
    """Write the documents of the contracts, in a process that reads the stage table anew. Raises RefusedError."""
    with step(progress, "documents", "writing the documents of the contracts"), _told_what_is_left():
        done = subprocess.run(
            [sys.executable, "-m", *_EXPORT],
            cwd=planning.ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    if done.returncode != 0:
        raise RefusedError(
            "The stage's files are changed, but not the documents of the contracts: "
            f"… {done.stderr.strip()[-600:]}\nFix that, then run: make schemas"
        )


def _print(session: Session, plan: planning.Plan, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        session.json(
            {
                "stage": plan.name.key,
                "written": not dry_run,
                "changes": [{"kind": change.kind, "path": change.path} for change in plan.changes],
            }
        )
