"""Output fits any encoding, pipe, disk and terminal: nothing is cut, and nothing ends in a traceback."""

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.session import Session
from cli.view.replaying import PLAN_LINES, follow
from cli.view.steps import bar, time_left
from cli.view.tables import grid
from operations.dlq.plan import Action
from operations.dlq.plans import Note
from operations.dlq.replay import Result

ROOT = Path(__file__).resolve().parents[2]
ID = "0123456789abcdef" * 5
PRINTING = """
import sys
from cli import main, output, session
import click

@click.command()
def wide():
    out = session.Session(env="local", region=None, profile=None).out
    from cli.view.tables import grid
    table = grid("run", "took", "cause", texts=1)
    table.add_row("0123456789abcdef" * 5, "1 s", "x" * 200)
    for _ in range(int(sys.argv[-1])):
        out.print(table)
        out.print("\\u2713 f\\xfcr \\U0001f600 \\u2026")

main.COMMANDS["wide"] = main.Entry("", "", "")
main.Commands.get_command = lambda *_: wide
sys.argv = ["pipeline", "wide"] + sys.argv[1:]
wide.params.append(click.Argument(["times"], expose_value=False))
main.main()
"""


def run(*times: str, encoding: str = "utf-8", **options: Any) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, "-c", PRINTING, *(times or ("1",))],
        cwd=ROOT,
        env=environment,
        check=False,
        **options,
    )


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "\N{CHECK MARK} für \U0001f600 …"),
        ("latin-1", "+ für \\U0001f600 ..."),
        ("ascii", r"+ f\xfcr \U0001f600 ..."),
    ],
)
def test_any_encoding_prints_any_text(encoding, shown):
    """A character that the output's encoding lacks is printed as a plain sign or its escape."""
    result = run(encoding=encoding, capture_output=True)
    assert (result.returncode, result.stderr) == (0, b"")
    assert shown in result.stdout.decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "utf-16"])
def test_json_is_valid_in_any_encoding(encoding):
    """JSON output stays JSON in every encoding, with any text and number in it."""
    value = {"a": "f\u00fcr \u201cx\u201d \u2713 \U0001f600 \ud83d \uffff", "b": 10**30, "\u2026": 1}
    program = (
        "import ast, sys; from cli import output, session; output.make_safe();"
        "session.Session(env='local', region=None, profile=None).json(ast.literal_eval(sys.argv[1]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, ascii(value)],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    assert json.loads(result.stdout.decode(encoding)) == value


def test_nothing_is_cut_in_a_pipe():
    """In a pipe, ids and long cells are whole and each row is one line, whatever COLUMNS says."""
    lines = run(capture_output=True).stdout.decode().splitlines()
    assert any(ID in line and "x" * 200 in line for line in lines)


def test_a_closed_pipe_is_no_error():
    """A reader that stops reading ends the command silently with exit code 0."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = run("2000", stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert (result.returncode, result.stderr) == (0, b"")


def test_a_reader_of_the_help_may_go():
    """`pipeline -h | head -1` is no error either."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "cli.main", "-h"]
        result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writer)
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("times", ["1", "2000"])
def test_a_full_disk_is_told(times):
    """Output to a full disk ends with exit code 1 and a sentence, also if little was written."""
    with Path("/dev/full").open("wb") as full:
        result = run(times, stdout=full, stderr=subprocess.PIPE)
    assert (result.returncode, result.stderr) == (1, b"Error: No space left on device\n")


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_notes_that_no_one_takes_are_lost(redirection):
    """Without standard input or error, or with a full disk behind the latter, a command does the same work."""
    program = (
        "import sys; from cli import output; output.make_safe(); file = open(sys.argv[1], 'w');"
        "print('note' * 9_999, file=sys.stderr); sys.stderr.flush(); print('result');"
        "sys.stdin.read(); print(file.fileno() > 2); sys.exit(3)"
    )
    result = subprocess.run(
        ["bash", "-c", f'"$@" {redirection}', "-", sys.executable, "-c", program, os.devnull],
        cwd=ROOT,
        capture_output=True,
        input=b"",
        check=False,
    )
    assert (result.returncode, result.stderr) == (3, b"")
    assert result.stdout == (b"" if ">&- " in redirection else b"result\nTrue\n")


@pytest.mark.parametrize("columns", ["0", "-1", "abc", "", "\N{SUPERSCRIPT TWO}", "9" * 30])
def test_a_width_that_is_none_is_ignored(columns):
    """COLUMNS and LINES count only if a terminal can be that large."""
    program = (
        "import os, sys; from cli import output; os.environ.update(COLUMNS=sys.argv[1], LINES=sys.argv[1]);"
        "output.make_safe(); sys.exit('COLUMNS' in os.environ or 'LINES' in os.environ)"
    )
    assert subprocess.run([sys.executable, "-c", program, columns], cwd=ROOT, check=False).returncode == 0


def test_forced_colours_draw_no_bars_into_a_pipe(monkeypatch, capsys):
    """FORCE_COLOR, which many CI systems set, makes no terminal of a pipe."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    session = Session(env="local", region=None, profile=None)
    with bar(session.err, "answered", 10) as advance, session.err.status("reading"):
        advance(5, "")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("elapsed", "done", "remaining", "says"),
    [
        (90, 2, 198, ""),  # two answers say nothing about the others yet
        (30, 10, 190, "about 9 min 30 s left"),
        (60, 10, 190, "about 19 min 0 s left"),  # nothing has ended meanwhile: it takes longer
        (300, 199, 1, "about 2.0 s left"),
        (300, 200, 0, ""),
    ],
)
def test_the_time_left_follows_the_pace(elapsed, done, remaining, says):
    """The bar's time left is that of the average pace so far, and grows when nothing ends."""
    assert time_left(elapsed, done, remaining) == says


def test_a_bar_counts_the_pace_of_this_command_only():
    """A continued batch is not estimated from the items that earlier commands finished."""
    console = Console(force_terminal=True, width=120, record=True, _environ={"TERM": "xterm"})
    with bar(console, "answered", 100, completed=90) as advance:
        advance(92, "")
        console.print("two")
    with bar(console, "answered", 100, completed=90) as advance:
        advance(95, "")
        console.print("five")
    first, second = console.export_text().split("two", 1)
    assert "left" not in first
    assert "left" in second


@pytest.mark.parametrize(
    ("name", "before", "code", "says"),
    [
        ("SIGTERM", "SIG_DFL", 143, b"tidy\n"),
        ("SIGHUP", "SIG_DFL", 129, b"tidy\n"),
        ("SIGHUP", "SIG_IGN", 0, b"goes on\ntidy\n"),
    ],
)
def test_a_command_that_is_ended_tidies_up(name, before, code, says):
    """SIGTERM and SIGHUP end a command with the usual code, after its drafts and children are gone, unless they are
    ignored, as under nohup.
    """
    program = (
        "import signal, sys; from cli.ending import ending_in_order\n"
        "number, before = (getattr(signal, name) for name in sys.argv[1:])\n"
        "signal.signal(number, before)  # whatever the tests' own shell chose\n"
        "with ending_in_order():\n"
        "    try: signal.raise_signal(number); print('goes on')\n"
        "    finally: print('tidy')"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, name, before], cwd=ROOT, capture_output=True, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (code, says, b"")


def test_a_narrow_terminal_shows_whole_ids():
    """On a terminal that is narrower than an id, the id continues on the next row."""
    console = Console(width=30, record=True, color_system=None)
    table = grid("run", "took")
    table.add_row(ID, "1 s")
    console.print(table)
    rows = [line.split("  ")[0].strip() for line in console.export_text().splitlines()[1:]]
    assert "".join(rows) == ID


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", ["1", "40", "80"])
def test_a_narrow_terminal_shows_every_number(monkeypatch, columns):
    """A table is never made so narrow that a number is cut or a column disappears: the terminal breaks its lines."""
    monkeypatch.setenv("COLUMNS", columns)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    table = grid("stage", "status", "took", "queue", "work", "attempts", "tokens in", "out", texts=2)
    table.add_row("enhancement", "done", "177 ms", "44 ms", "18 ms", "4", "1,159", "442")
    Session("local", None, None).out.print(table)
    shown = terminal.getvalue().replace("\x1b[", " ").split()
    assert {"177", "44", "18", "4", "1,159", "442"} <= set(shown)


def outcomes(total: int, failed: int) -> Iterator[Note]:
    yield Note(phase="rest", total=total)
    for number in range(total):
        yield Note(
            result=Result(
                message_id=f"message-{number}",
                service="chatbot",
                pipeline_id=None,
                action=Action.MOVE,
                reason="fine",
                outcome="failed" if number < failed else "done",
                problem="refused" if number < failed else None,
            )
        )


def everything_from(terminal: int) -> bytes:
    """Return what arrives at a terminal, which may be later than it was written, until its other end is closed."""
    received = b""
    with suppress(OSError):  # Linux's answer when the other end is closed
        while piece := os.read(terminal, 65_536):
            received += piece
    return received


def on_terminal(total: int, failed: int) -> str:
    """Return what an 80-column terminal receives while a replay's outcomes arrive."""
    leader, follower = pty.openpty()
    session = Session(env="local", region=None, profile=None)
    with ThreadPoolExecutor(max_workers=1) as readers:
        with os.fdopen(follower, "w") as stream:
            received = readers.submit(everything_from, leader)
            console = Console(file=stream, width=80, force_terminal=True, color_system=None)
            session.__dict__.update(out=console, err=console)
            for _ in follow(session, outcomes(total, failed), quiet=False):
                pass
        screen = received.result()
    os.close(leader)
    return screen.decode()


def test_a_large_replay_shows_one_bar_and_what_matters():
    """On a terminal, a hundred outcomes show one moving bar, and a line for each that missed its goal only."""
    screen = on_terminal(100, failed=2)
    assert screen.count("message-") == 2
    assert "message-0" in screen
    lines_with_bar = [line for line in screen.split("\n") if "/100" in line]
    assert len(lines_with_bar) <= 2 + 2


def test_a_small_replay_shows_every_outcome():
    """On a terminal, a few outcomes are all printed."""
    assert on_terminal(3, failed=1).count("message-") == 3
    assert PLAN_LINES > 3
