"""`pipeline logs`."""

import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.text import Text

from cli.output import escaped
from cli.session import Session, TargetCommand
from cli.view.interrupt import stoppable
from cli.view.text import counted, printable
from local.exit_codes import INTERRUPTED
from operations.runs.beginnings import known_id
from operations.runs.logs import Line, Progress, Read, follow_logs, read_logs

STYLES = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}
MARKS = {"WARNING": "!", "ERROR": "✗", "CRITICAL": "✗"}
INDENT = 27
SHOWN_ELSEWHERE = (
    "level", "location", "message", "timestamp", "service", "pipeline_id", "trace_id", "xray_trace_id",
    "event_id", "delivery_id", "message_id",
)  # fmt: skip
"""Fields that are part of the line already or never shown; `--json` has all of them."""
ORDINARY = {"outcome": "Succeeded", "attempt": 0, "receives": 1}


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline logs 9f1c2e…
  pipeline logs --follow 9f1c2e…
  pipeline logs --json 9f1c2e… | jq 'select(.level != "INFO")'
\b
Exit codes: 0 shown, 3 no such run, 130 interrupted.""",
)
@click.argument("pipeline_id", metavar="ID")
@click.option("--follow", "following", is_flag=True, help="Print new lines until the run ends.")
@click.option("--reads", is_flag=True, help="Include log lines of API status reads.")
@click.option("--json", "as_json", is_flag=True, help="Print each line as a JSON object with all its fields.")
@click.pass_obj
def logs(session: Session, pipeline_id: str, *, following: bool, reads: bool, as_json: bool) -> None:
    """Print the log lines of one run from all services, in order of time.

    Logs are searched between the run's start and its end. For a recent run, the
    first six characters of its id are enough. If you have another id (event,
    message, trace), find its run with `pipeline explain` first.
    """
    pipeline_id = known_id(session.target, pipeline_id)
    with stoppable() as stop:
        if following:
            for line in follow_logs(session.target, pipeline_id, reads=reads, stop=stop):
                _print(session, line, as_json=as_json)
        else:
            with reading(session) as progress:
                search = read_logs(session.target, pipeline_id, reads=reads, stop=stop, progress=progress)
            for line in search.lines:
                _print(session, line, as_json=as_json)
            _notes(session, pipeline_id, search)
        if stop.requested:
            raise click.exceptions.Exit(INTERRUPTED)


@contextmanager
def reading(session: Session) -> Iterator[Progress]:
    """Yield a callback that shows the progress of a search, without a terminal as a line every two seconds."""
    console = session.err
    text = "reading the logs"
    if console.is_terminal:
        with console.status(text, spinner_style="dim") as status:
            yield lambda search: status.update(f"{text}: {_progress(search)}")
        return
    last = time.monotonic()

    def report(search: Read) -> None:
        nonlocal last
        if time.monotonic() - last >= 2:
            last = time.monotonic()
            session.note(f"{text}: {_progress(search)}")

    yield report


def _progress(search: Read) -> str:
    return f"{counted(search.searched, 'function')} read, {counted(len(search.lines), 'line')} found"


def _notes(session: Session, pipeline_id: str, search: Read) -> None:
    if not search.lines:
        session.note(
            "There are no log lines of this run: they have not arrived yet, or the log groups have deleted them. "
            f"See the run: {session.command('show', pipeline_id)}"
        )
    if search.reads:
        session.note(
            f"{counted(search.reads, 'log line')} of API status reads left out; add --reads to include them."
        )
    if search.cut:
        session.note(f"These logs were not read to the end: {', '.join(sorted(search.cut))}.")
    if search.missing:
        session.note(
            "These functions have no log group; they were never called or are not deployed: "
            f"{', '.join(sorted(search.missing))}."
        )


def _print(session: Session, line: Line, *, as_json: bool) -> None:
    if as_json:
        click.echo(escaped(line.as_json()))
        return
    style = STYLES.get(line.level, "")
    text = printable(line.text).replace("\n", " ")
    fields = " ".join(f"{name}={_value(value)}" for name, value in _extra_fields(line))
    head = f"{line.at.astimezone():%H:%M:%S.%f}"[:-3] + f"  {line.function:<10} "
    mark = MARKS.get(line.level, " ")
    for number, row in enumerate(_rows(session, f"{text}  {fields}".strip())):
        session.out.print(
            Text.assemble((head if not number else " " * (INDENT - 2), "dim"), (f"{mark} ", style), row)
        )
        mark = " "


def _rows(session: Session, text: str) -> list[str]:
    """Wrap a text to fit beside time and function on a terminal; leave it in one piece elsewhere."""
    if not session.out.is_terminal:
        return [text]
    return textwrap.wrap(text, max(20, session.out.width - INDENT), break_on_hyphens=False) or [""]


def _extra_fields(line: Line) -> Iterator[tuple[str, object]]:
    for name, value in line.fields.items():
        if name not in SHOWN_ELSEWHERE and value not in (None, "") and ORDINARY.get(name) != value:
            yield name, value


def _value(value: object) -> str:
    text = printable(str(value)).replace("\n", " ")
    return f'"{text}"' if " " in text else text
