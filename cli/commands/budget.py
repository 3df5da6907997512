"""`pipeline budget`."""

import click

from cli.bounds import Number
from cli.session import Session, TargetCommand
from cli.view.text import counted, in_columns
from operations.money import budget as operations
from operations.money.budget import Budget
from operations.money.words import budget_rows, silence
from shared.budget import NANOS


class _TargetGroup(TargetCommand, click.Group):
    """A command group that accepts --env, --region and --profile before and after a subcommand's name."""


as_json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the budget as JSON, in nano-dollars."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


@click.group(
    cls=_TargetGroup,
    invoke_without_command=True,
    epilog="""\b
Examples:
  pipeline budget
  pipeline budget --json | jq .share
  pipeline budget resume --add 2.50
  pipeline budget resume --for-today
  pipeline budget pause
\b
Exit codes: 0 done, 1 refused, 4 the deployment has no budget.""",
)
@as_json_option
@click.pass_context
def budget(ctx: click.Context, *, as_json: bool) -> None:
    """Show today's budget and spending, and whether the starter is paused.

    When today's finished runs have cost as much as the daily budget, the starter
    is paused until 00:00 UTC: no new run is started. Messages are still accepted
    and wait in the queue; runs that have started continue to their end.
    """
    if ctx.invoked_subcommand is None:
        session: Session = ctx.obj
        _show(session, operations.read_budget(session.target), as_json=as_json)


@budget.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline budget resume --add 2.50
  pipeline budget resume --for-today""",
)
@click.option("--for-today", is_flag=True, help="Remove the limit until 00:00 UTC today.")
@click.option(
    "--add",
    metavar="USD",
    type=Number(0, 1_000_000, min_open=True),
    help="Raise today's limit by this amount (USD).",
)
@yes_option
@as_json_option
@click.pass_obj
def resume(session: Session, *, for_today: bool, add: float | None, yes: bool, as_json: bool) -> None:
    """Resume the starter after a pause.

    If the budget is spent, give --add or --for-today. Both are valid for today
    only: at 00:00 UTC the usual limit applies again.
    """
    if for_today and add:
        raise click.UsageError("Give either --for-today or --add, not both.")
    _ask(session, "Resume the starter, so that waiting messages start their runs?", yes=yes)
    amount = round((add or 0) * NANOS)
    _show(
        session,
        operations.resume(session.target, for_today=for_today, add_nano_usd=amount),
        as_json=as_json,
    )


@budget.command(cls=TargetCommand, epilog="\b\nExamples:\n  pipeline budget pause")
@yes_option
@as_json_option
@click.pass_obj
def pause(session: Session, *, yes: bool, as_json: bool) -> None:
    """Pause the starter until `pipeline budget resume`.

    No new run is started, whatever is left of the budget; midnight does not end
    the pause. Messages wait in the queue for at most 14 days.
    """
    _ask(session, "Pause the starter?", yes=yes)
    _show(session, operations.hold(session.target), as_json=as_json)


def _ask(session: Session, question: str, *, yes: bool) -> None:
    """On AWS, print the account and ask for confirmation."""
    if not session.is_local:
        _ = session.target  # prints the account and region
        session.confirm(question, yes=yes)


def _show(session: Session, report: Budget, *, as_json: bool) -> None:
    if as_json:
        session.json(report)
        return
    session.out.print(in_columns(budget_rows(report), indent=""))
    if silent := silence(report, session.env):
        session.note(silent)
    if report.unknown_runs:
        session.note(
            f"The price of {counted(report.unknown_runs, 'run')} of today is unknown, so more is spent than shown. "
            f"See which price is missing: {session.command('cost')}"
        )
