"""`pipeline destroy`."""

import click

from cli.session import Session, TargetCommand
from cli.view import teardown as view
from cli.view.steps import shown
from local.aws_deploy import require_account
from local.exit_codes import FAILED
from operations.deployment import teardown
from operations.deployment.remains import remains


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline --env dev destroy --dry-run
  pipeline --env dev destroy
  pipeline --env dev destroy --yes dev
\b
Exit codes: 0 deleted or nothing deployed, 1 refused or only partly deleted.""",
)
@click.option("--dry-run", is_flag=True, help="Print what would be deleted and kept; delete nothing.")
@click.option(
    "--yes",
    "typed",
    metavar="NAME",
    help="Delete without being asked, if NAME is the environment's name.",
)
@click.option(
    "--lose-work",
    is_flag=True,
    help="Delete although runs are open or messages wait or are parked; they are lost.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was deleted and what is left as JSON.")
@click.pass_obj
def destroy(session: Session, *, dry_run: bool, typed: str | None, lose_work: bool, as_json: bool) -> None:
    """Delete a deployment on AWS.

    Prints what will be deleted and what is kept (the tables of an environment that
    keeps its data), and asks for the environment's name to be typed. Refused while
    runs are open or messages wait or are parked. Afterwards it lists what is left in
    the account, with the commands that remove it. After a failure half-way, the same
    command continues.
    """
    if session.is_local:
        raise click.UsageError(
            "`destroy` deletes a deployment on AWS; `pipeline down` stops the local engine and everything in it."
        )
    target = session.target
    require_account(session.env, target.describe().account)
    planned = teardown.plan(target)
    deleted: tuple[str, ...] = ()
    if planned.stacks:
        session.note("\n".join(view.plan_lines(planned)))
        if not dry_run:
            _require_no_work(session, planned, losing_work=lose_work)
            _require_name(session, typed)
            with shown(session.err) as progress:
                deleted = teardown.destroy(target, planned, losing_work=lose_work, progress=progress)
    elif not as_json:
        click.echo(f"Nothing is deployed in environment {session.env!r}.")
    left = () if dry_run and planned.stacks else remains(target)
    if as_json:
        session.json({"env": session.env, "deleted": deleted, "planned": planned, "remains": left})
        return
    if deleted:
        click.echo(f"Deleted: {', '.join(deleted)}")
    click.echo("\n".join(view.remnant_lines(left)))


def _require_no_work(session: Session, planned: teardown.Plan, *, losing_work: bool) -> None:
    """Exit unless nothing would be lost, or that is accepted."""
    if not planned.work or losing_work:
        return
    session.note(
        f"Nothing was deleted: {teardown.describe(planned.work)}. Wait until they are handled (`pipeline dlq` deals "
        "with parked messages), or give them up with --lose-work."
    )
    raise click.exceptions.Exit(FAILED)


def _require_name(session: Session, typed: str | None) -> None:
    """Ask for the environment's name; exit unless it is given."""
    if typed is None:
        question = f"Type the environment's name ({session.env}) to delete it"
        try:
            typed = str(click.prompt(question, default="", show_default=False, err=True))
        except click.Abort:
            session.note(f"Nothing was deleted. Add --yes {session.env} to delete without being asked.")
            raise
    if typed.strip() != session.env:
        session.note(
            f"Nothing was deleted: {typed.strip()!r} is not the environment's name, {session.env!r}."
        )
        raise click.exceptions.Exit(FAILED)
