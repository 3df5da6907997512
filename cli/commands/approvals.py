"""`pipeline approvals`."""

from datetime import UTC, datetime
from pathlib import Path

import click
from rich.text import Text

from cli.session import Session, TargetCommand
from cli.view.tables import grid
from cli.view.text import duration, in_a_line, local, printable
from local.exit_codes import FAILED
from operations.approvals import Approvals
from operations.errors import InvalidInputError
from shared.waiting import Item

_EXIT_CODES = """Exit codes: 0 done, 1 refused (e.g. somebody else has decided), 2 wrong input,
3 nothing waits under this id, 4 not reachable or not switched on."""

reason = click.option(
    "--reason", default="", metavar="TEXT", help="Reason of the decision; the caller sees it."
)
yes = click.option("--yes", is_flag=True, help="Decide without asking for confirmation.")
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.group(
    epilog=f"""\b
Examples:
  pipeline approvals list
  pipeline approvals show 9f1c2e…
  pipeline approvals approve 9f1c2e… --yes
  pipeline approvals reject 9f1c2e… --reason "The figures are wrong."
  pipeline approvals edit 9f1c2e… --file answer.txt
\b
{_EXIT_CODES}""",
)
def approvals() -> None:
    """List answers that wait for a person's approval, and decide on them.

    Runs wait for approval if the environment's option `approval` is switched on. The
    first decision on an answer counts; whoever comes second is told who decided.
    """


@approvals.command("list", cls=TargetCommand, epilog=f"\b\n{_EXIT_CODES}")
@as_json_option
@click.pass_obj
def list_(session: Session, *, as_json: bool) -> None:
    """List the answers that nobody has decided on, the oldest first."""
    items = Approvals(session.target).listed()
    if as_json:
        session.json(items)
        return
    if not items:
        session.note("No answer waits for approval.")
        return
    now = datetime.now(UTC)
    table = grid("run", "waits for", "deadline in", "message", texts=4)
    for item in items:
        table.add_row(
            item.pipeline_id,
            duration((now - item.asked_at).total_seconds() * 1_000),
            duration(max(0.0, (item.deadline_at - now).total_seconds() * 1_000)) or "passed",
            in_a_line(item.excerpt),
        )
    session.out.print(table)


@approvals.command(cls=TargetCommand, epilog=f"\b\n{_EXIT_CODES}")
@click.argument("pipeline_id", metavar="ID")
@as_json_option
@click.pass_obj
def show(session: Session, pipeline_id: str, *, as_json: bool) -> None:
    """Show a message and the answer that waits, or the decision on it."""
    item = Approvals(session.target).read(pipeline_id)
    if as_json:
        session.json(item)
    else:
        _print(session, item)


@approvals.command(cls=TargetCommand, epilog=f"\b\n{_EXIT_CODES}")
@click.argument("pipeline_id", metavar="ID")
@reason
@yes
@as_json_option
@click.pass_obj
def approve(session: Session, pipeline_id: str, reason: str, *, yes: bool, as_json: bool) -> None:
    """Approve an answer: its caller gets it as it is."""
    inbox = Approvals(session.target)
    _confirm(session, inbox, pipeline_id, "Approve this answer?", yes=yes)
    _tell(session, inbox.approve(pipeline_id, reason=reason), as_json=as_json)


@approvals.command(cls=TargetCommand, epilog=f"\b\n{_EXIT_CODES}")
@click.argument("pipeline_id", metavar="ID")
@reason
@click.option(
    "--text", metavar="TEXT", help="Text that the caller gets instead; by default the environment's own."
)
@yes
@as_json_option
@click.pass_obj
def reject(  # noqa: PLR0913 -- one parameter for each option
    session: Session, pipeline_id: str, reason: str, text: str | None, *, yes: bool, as_json: bool
) -> None:
    """Reject an answer: its caller gets another text."""
    inbox = Approvals(session.target)
    if not reason.strip():
        raise click.UsageError("To reject an answer, give --reason; the caller sees it.")
    _confirm(session, inbox, pipeline_id, "Reject this answer?", yes=yes)
    _tell(session, inbox.reject(pipeline_id, reason=reason, text=text), as_json=as_json)


@approvals.command(cls=TargetCommand, epilog=f"\b\n{_EXIT_CODES}")
@click.argument("pipeline_id", metavar="ID")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File with the new answer; by default an editor is opened.",
)
@reason
@yes
@as_json_option
@click.pass_obj
def edit(  # noqa: PLR0913 -- one parameter for each option
    session: Session, pipeline_id: str, path: Path | None, reason: str, *, yes: bool, as_json: bool
) -> None:
    """Replace an answer by your own, which the caller gets instead."""
    inbox = Approvals(session.target)
    if path is None:
        text = click.edit(inbox.read(pipeline_id).answer or "", extension=".md")
        if text is None:
            session.note("The answer was not changed, so nothing was decided.")
            raise click.exceptions.Exit(FAILED)
    else:
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInputError(f"{path} is not UTF-8. Save it as UTF-8.") from error
    _confirm(session, inbox, pipeline_id, "Give the caller the new answer?", yes=yes)
    _tell(session, inbox.edit(pipeline_id, text=text.strip(), reason=reason), as_json=as_json)


def _confirm(session: Session, inbox: Approvals, pipeline_id: str, question: str, *, yes: bool) -> None:
    if not yes:
        _print(session, inbox.read(pipeline_id))
        session.out.print()
        session.confirm(question, yes=False)


def _tell(session: Session, item: Item, *, as_json: bool) -> None:
    if as_json:
        session.json(item)
    else:
        session.out.print(printable(f"{item.pipeline_id}: {item.decision} by {item.decided_by}."))


def _print(session: Session, item: Item) -> None:
    out = session.out
    out.print(Text(item.pipeline_id, style="bold"))
    out.print(Text(f"{sentence(item)}", "yellow" if item.state == "waiting" else ""))
    for name, text in (("message", item.user_message), ("answer", item.answer), ("instead", item.text)):
        if text:
            out.print()
            out.print(Text(f"{name}:", "dim"))
            out.print(Text(printable(text)))
    if item.is_cut:
        out.print(Text("The answer is longer than what is shown here.", "yellow"))


def sentence(item: Item) -> str:
    """Return the state of an answer that waits or waited."""
    if item.state == "waiting":
        return (
            f"waiting for approval since {local(item.asked_at):%Y-%m-%d %H:%M}, "
            f"deadline {local(item.deadline_at):%Y-%m-%d %H:%M}"
        )
    if item.decision is None:
        return "the run ended before anybody decided"
    why = f": {in_a_line(item.reason)}" if item.reason else ""
    return printable(f"{item.decision} by {item.decided_by}{why}")
