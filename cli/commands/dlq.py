"""`pipeline dlq`: list, show, replay, archive and export parked messages."""

from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from cli.commands.selection import carrying_out, selecting
from cli.output import escaped
from cli.session import Session, TargetCommand
from cli.view.interrupt import stoppable
from cli.view.replaying import Choices, follow, nothing_parked, replay_all
from cli.view.tables import grid
from cli.view.text import ago, counted, duration, in_a_line, printable
from local.exit_codes import FAILED, INTERRUPTED
from operations.dlq import journal as journals
from operations.dlq.messages import Parked, about
from operations.dlq.overview import QueueView, overview
from operations.dlq.plans import REASON_CHARS, Note
from operations.dlq.replay import Result, Selection, archive, plan, select
from operations.errors import InvalidInputError, NotFoundError
from operations.files import replace_file
from operations.health.rights import EXAMINATION, is_denial
from operations.json_text import parse, written
from operations.runs.advice import denial
from operations.runs.records import read_record


@click.group(
    epilog="""\b
Examples:
  pipeline dlq list
  pipeline dlq show 3f2a
  pipeline dlq replay --dry-run
  pipeline dlq replay --service chatbot --canary 3 --yes
  pipeline dlq archive --error ContractViolation --reason "a test" --yes""",
)
def dlq() -> None:
    """List, show, replay, archive or export parked messages.

    A message that could not be handled is parked in its service's dead-letter
    queue (DLQ), an event that EventBridge could not deliver in the rule DLQ. SQS
    deletes a message 14 days after it was parked. If SQS itself moved it there,
    its time in the queue before counts, too.
    """


@dlq.command("list", cls=TargetCommand)
@click.option("--json", "as_json", is_flag=True, help="Print the queues as JSON.")
@click.pass_obj
def list_(session: Session, *, as_json: bool) -> None:
    """List the parked messages per queue, with age and errors.

    Read-only: no message is consumed.
    """
    with _busy(session):
        views = overview(session.target)
    if as_json:
        session.json(views)
        return
    filled = [view for view in views if view.count or view.held]
    if not filled:
        session.note(f"No message is parked in any of the {len(views)} dead-letter queues.")
        return
    session.out.print(_queues(filled))
    for view in filled:
        session.out.print()
        session.out.print(Text(_queue_name(view), style="bold"))
        for group in view.errors[:10]:
            session.out.print(Text(f"  {group.count:>6,}  {in_a_line(f'{group.error_type}: {group.error}')}"))
        if len(view.errors) > 10:
            session.out.print(f"          and {len(view.errors) - 10} other errors; --json lists all of them")
    if any(is_denial(group.error_type, group.error) for view in filled for group in view.errors):
        session.note(f"\n{denial(session.command(*EXAMINATION))}")
    session.note(f"\nSee what a replay would do: {session.command('dlq', 'replay', '--dry-run')}")


def _queue_name(view: QueueView) -> str:
    return view.service if view.kind == "dlq" else f"{view.service} (rule)"


def _queues(views: list[QueueView]) -> Table:
    table = grid("queue", "messages", "oldest", "deleted by SQS")
    for view in views:
        count = f"{view.count:,}" + (f" (+{view.held} being read)" if view.held else "")
        left = view.seconds_left
        soon = left is not None and left < 2 * 86_400
        table.add_row(
            _queue_name(view),
            count,
            ago(view.oldest) if view.oldest else "",
            Text(f"in {duration(max(0, left) * 1_000)}" if left is not None else "", "red" if soon else ""),
        )
    return table


@dlq.command(cls=TargetCommand)
@click.argument("message_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print the message as JSON.")
@click.pass_obj
def show(session: Session, message_id: str, *, as_json: bool) -> None:
    """Show one parked message, its run, and what a replay would do.

    ID is the message's id or the beginning of it. The event is shown without its
    task token.
    """
    with _busy(session):
        message = _select_one(session, Selection(ids=(message_id,)))
        (planned,) = plan(session.target, [message])
        record = read_record(session.target, message.pipeline_id) if message.pipeline_id else None
    run = {name: record[name] for name in ("status", "stage", "error", "cause") if record and name in record}
    if as_json:
        decision = {"action": planned.decision.action, "reason": planned.decision.reason}
        session.json({**about(message), **decision, "event": _event(message), "run": run or None})
        return
    rows = [
        ("queue", f"{message.service} {message.kind}"),
        ("sent" if message.moved else "parked", _when(message.sent_at)),
        ("deleted", _deletion(message)),
        ("error", f"{message.error_type}: {message.error}"),
        ("pipeline", message.pipeline_id or "(unreadable)"),
        ("execution", message.execution_name or "-"),
        ("run", ", ".join(f"{name} {value}" for name, value in run.items() if value) or "no record"),
        ("replay", f"{planned.decision.action}. {planned.decision.reason}"),
    ]
    session.out.print(Text(message.id, style="bold"))
    for name, text in rows:
        session.out.print(Text.assemble((f"{name:<10}", "dim"), in_a_line(text)))
    session.out.print()
    event = _event(message)
    text = event if isinstance(event, str) else written(event, indent=2)
    session.out.print(Text(printable(text)))
    if is_denial(message.error_type, message.error):
        session.note(f"\n{denial(session.command(*EXAMINATION))}")


def _when(moment: datetime) -> str:
    return f"{ago(moment)} ({moment.astimezone():%Y-%m-%d %H:%M:%S})"


def _deletion(message: Parked) -> str:
    """Return when SQS deletes the message. A message that SQS moved lives by the time at which it was first sent."""
    if message.deleted_at is None:
        return "never"
    left = (message.deleted_at - datetime.now(UTC)).total_seconds()
    return f"by SQS, in {duration(left * 1_000)}" if left > 0 else "by SQS, at any moment"


def _event(message: Parked) -> Any:
    try:
        return parse(message.public_body)
    except ValueError:
        return message.public_body


def _select_one(session: Session, selection: Selection) -> Parked:
    messages = select(session.target, selection)
    if not messages:
        raise NotFoundError(
            f"No parked message has this id. See the parked messages: {session.command('dlq', 'list')}. "
            "A message that is being read by another command is hidden for up to two minutes."
        )
    if len(messages) > 1:
        raise InvalidInputError(
            f"{len(messages)} messages match: {', '.join(message.id for message in messages[:5])} … "
            "Give more characters of the id."
        )
    return messages[0]


@dlq.command(
    cls=TargetCommand,
    epilog="\b\nExit codes: 0 every message was handled, 1 some were not or a run failed,\n130 interrupted.",
)
@selecting
@carrying_out("messages", 500, canary="Replay N messages first; continue only if their runs succeed.")
@click.option("--restart", is_flag=True, help="Also restart runs that succeeded or were cancelled.")
@click.option("--edit", is_flag=True, help="Correct the data of the selected message in your editor first.")
@click.option(
    "--data",
    type=click.File("rb"),
    metavar="FILE.json",
    help="Replace the selected message's data with this file; `-` is stdin.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the plan or the results as JSON.")
@click.pass_obj
def replay(session: Session, /, selection: Selection, **options: Any) -> None:
    """Replay parked messages, and print for each what is done and why.

    A message whose task still waits, or that has no task, is moved back to its
    queue. If its run has failed, the run is redriven, or restarted under the same
    pipeline id. If its run goes on without it, has succeeded or was cancelled, the
    message is archived. Messages that cannot be handled safely (unreadable, or of
    an unknown execution) are left and listed. No answer is paid for twice. Ctrl-C
    stops after the current message; repeat the command to continue.
    """
    replay_all(session, selection, Choices(**options))


@dlq.command("archive", cls=TargetCommand)
@selecting
@click.option(
    "--reason", required=True, metavar="TEXT", help="The reason, which is stored with the messages."
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.pass_obj
def archive_(session: Session, selection: Selection, *, reason: str, yes: bool, as_json: bool) -> None:
    """Move messages from their DLQs to the operations table.

    Their runs are not changed. `pipeline dlq export --archived` prints archived
    messages.
    """
    if not reason.strip() or len(reason) > REASON_CHARS:
        raise click.BadParameter(
            f"Give a reason of 1 to {REASON_CHARS:,} characters; it is stored with every message.",
            param_hint="--reason",
        )
    with _busy(session):
        messages = select(session.target, selection)
    if not messages:
        session.note(nothing_parked(selection))
        if as_json:
            session.json([])
        return
    for message in messages[:20]:
        session.note(
            f"  {message.id}  {message.service:<9} {in_a_line(f'{message.error_type}: {message.error}')}"
        )
    if len(messages) > 20:
        session.note(f"  and {len(messages) - 20:,} more")
    session.confirm(f"Archive {counted(len(messages), 'message')}?", yes=yes)
    with stoppable() as stop:
        who = session.target.describe().caller
        archived = archive(session.target, messages, who=who, reason=reason, stop=stop)
        notes = chain([Note(phase="rest", total=len(messages))], (Note(result=one) for one in archived))
        results = [note.result for note in follow(session, notes, quiet=as_json) if note.result]
    _conclude(session, results, len(messages), as_json=as_json, interrupted=stop.requested)


def _conclude(
    session: Session, results: list[Result], total: int, *, as_json: bool, interrupted: bool
) -> None:
    if as_json:
        session.json(results)
    done = sum(result.reached for result in results)
    session.note(f"{done:,} of {counted(total, 'message')} archived.")
    if interrupted and done < total:
        raise click.exceptions.Exit(INTERRUPTED)
    if done < total:
        raise click.exceptions.Exit(FAILED)


@dlq.command(cls=TargetCommand)
@selecting
@click.option("--archived", is_flag=True, help="Export archived messages instead of parked ones.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file instead of stdout."
)
@click.pass_obj
def export(session: Session, selection: Selection, *, archived: bool, out: Path | None) -> None:
    """Export messages as JSON lines, without their task tokens.

    Read-only: no message is consumed.
    """
    if archived:
        now = datetime.now(UTC)
        pipeline = selection.pipelines[0] if len(selection.pipelines) == 1 else None
        lines = [
            journals.as_json_lines(message)
            for message in journals.archived(session.target, pipeline)
            if selection.takes(message.as_parked(), now)
        ][: selection.limit]
    else:
        with _busy(session):
            lines = [journals.as_json_lines(message) for message in select(session.target, selection)]
    text = "".join(f"{line}\n" for line in lines)
    if out is None:
        click.echo(escaped(text), nl=False)
        return
    try:
        replace_file(out, text.encode())
    except OSError as error:
        raise InvalidInputError(f"Cannot write {out}: {error.strerror}.") from error
    session.note(f"Wrote {counted(len(lines), 'message')} to {out}.")


def _busy(session: Session) -> Any:
    return session.err.status("reading the queues", spinner_style="dim")
