"""`pipeline budget`."""

from datetime import datetime

import click

from cli.session import Session, TargetCommand
from cli.view.money import usd
from cli.view.text import ago, counted, in_columns
from operations.money import budget as operations
from operations.money.budget import Budget
from shared.budget import NANOS


class _TargetGroup(TargetCommand, click.Group):
    """Takes --env and the like before and after a subcommand's name."""


as_json_option = click.option("--json", "as_json", is_flag=True, help="Print it as JSON, in nano-dollars.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


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
Exit codes: 0 ok, 1 refused, 4 there is no budget.""",
)
@as_json_option
@click.pass_context
def budget(ctx: click.Context, *, as_json: bool) -> None:
    """The day's budget: what is spent, what is left, is the starter paused.

    Where a deployment has a budget per day (UTC) and what ran today has cost as
    much, nothing new is started until 00:00 UTC. Messages are accepted all the
    same and wait in the queue; what runs goes on to its end.
    """
    if ctx.invoked_subcommand is None:
        session: Session = ctx.obj
        _tell(session, operations.read_budget(session.target), as_json=as_json)


@budget.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline budget resume --add 2.50
  pipeline budget resume --for-today""",
)
@click.option("--for-today", is_flag=True, help="No limit until 00:00 UTC.")
@click.option("--add", metavar="USD", type=click.FloatRange(0, min_open=True), help="So much more today.")
@yes_option
@as_json_option
@click.pass_obj
def resume(session: Session, *, for_today: bool, add: float | None, yes: bool, as_json: bool) -> None:
    """Go on, although the budget is spent or somebody paused.

    What was said for today ends with it: at 00:00 UTC the usual limit is back.
    """
    if for_today and add:
        raise click.UsageError("Give --for-today or --add, not both.")
    _ask(session, "Start what waits?", yes=yes)
    more = round((add or 0) * NANOS)
    _tell(
        session,
        operations.resume(session.target, for_today=for_today, add_nano_usd=more),
        as_json=as_json,
    )


@budget.command(cls=TargetCommand, epilog="\b\nExamples:\n  pipeline budget pause")
@yes_option
@as_json_option
@click.pass_obj
def pause(session: Session, *, yes: bool, as_json: bool) -> None:
    """Start nothing new until somebody resumes.

    Whatever is left of the budget, and midnight does not end it. Messages wait in the queue for 14 days at most.
    """
    _ask(session, "Start nothing new?", yes=yes)
    _tell(session, operations.hold(session.target), as_json=as_json)


def _ask(session: Session, question: str, *, yes: bool) -> None:
    """On a real account only, which is named first."""
    if not session.is_local:
        _ = session.target
        session.confirm(question, yes=yes)


def _tell(session: Session, found: Budget, *, as_json: bool) -> None:
    if as_json:
        session.json(found)
        return
    session.out.print(in_columns(list(_rows(found)), indent=""))
    if found.silent:
        looked = f"has not looked since {found.looked_at}" if found.looked_at else "has not looked yet"
        session.note(f"The guard {looked}: this may be old. See its log, {session.env}-guard, and its alarm.")
    if found.unknown_runs:
        session.note(
            f"{counted(found.unknown_runs, 'run')} of today have a price that is not known: more is spent than "
            f"is counted. `{session.command('cost')}` names the price."
        )


def _rows(found: Budget) -> list[tuple[str, str]]:
    least = "at least " if found.at_least else ""
    limit = usd(found.limit_nano_usd) if found.limit_nano_usd is not None else "no limit today"
    if found.limit_nano_usd not in (None, found.per_day_nano_usd):
        limit += f" today, usually {usd(found.per_day_nano_usd)}"
    share = f", {found.share:.0%}" if found.share is not None else ""
    rows = [
        ("day (UTC)", found.day),
        ("starter", _standing(found)),
        ("spent", f"{least}{usd(found.spent_nano_usd)}{share}, by {counted(found.runs, 'run')} that ended"),
        ("limit", limit),
    ]
    if found.projected_nano_usd is not None:
        rows.append(("at this pace", f"{least}{usd(found.projected_nano_usd)} by the end of the day"))
    if found.looked_at:
        rows.append(("last look", ago(_moment(found.looked_at))))
    return rows


def _standing(found: Budget) -> str:
    text: str = found.standing
    if found.since:
        text += f" since {_moment(found.since):%H:%M} UTC"
    if found.resumes_at:
        text += ", until 00:00 UTC"
    return text


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
