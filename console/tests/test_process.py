"""The console's process: how it starts, is found again, and stops."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from console import __main__ as program
from console import announcement
from console.announcement import Announcement
from console.serving import listen
from console.tests.asking import FORM, Console
from local.errors import EngineNotRunningError
from operations.errors import InvalidInputError, RefusedError, UnreachableError
from shared.tests.fakes import PATIENCE_SECONDS

START = """
import sys
from pathlib import Path
import local.paths
local.paths.STATE = Path(sys.argv[1])
from console.__main__ import main
sys.exit(main(sys.argv[2:]))
"""
OWN = Announcement(pid=1, port=4_580, control="secret", read_only=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(announcement, "STATE", tmp_path)
    return tmp_path


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", START, str(folder), "--env", "local", *options]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_console_is_found_and_stops(folder: Path):
    """A second start prints a link to the first console; Ctrl-C ends that one with 0 and leaves no file behind."""
    with start(folder) as first:
        assert first.stdout
        link = next(line.strip() for line in first.stdout if "http://" in line)
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/open\?t=[\w-]{43}", link)
        assert (folder / "console-local.json").stat().st_mode & 0o777 == 0o600
        with start(folder) as second:
            out, _ = second.communicate(timeout=PATIENCE_SECONDS)
        assert second.returncode == 0
        assert "runs already" in out
        there = next(line.strip() for line in out.splitlines() if "http://" in line)
        assert (there.partition("?")[0], there != link) == (link.partition("?")[0], True)
        assert opened(there) == 303
        first.send_signal(signal.SIGINT)
        rest, errors = first.communicate(timeout=PATIENCE_SECONDS)
    assert (first.returncode, "stopped" in rest, errors) == (0, True, "")
    assert not (folder / "console-local.json").exists()
    assert "open" in (folder / "console.log").read_text()
    assert "t=" not in (folder / "console.log").read_text()


def test_a_console_in_the_background_stops_when_it_is_told(folder: Path):
    """A console in the background prints its link and returns; it is found by the next, and --stop ends it."""
    links = []
    try:
        for _ in range(2):
            with start(folder, "--background", "--latest") as one:
                out, errors = one.communicate(timeout=2 * PATIENCE_SECONDS)
            assert (one.returncode, errors) == (0, "")
            links.append(out.split()[-1])
        ports = {link.partition("/open")[0] for link in links}
        assert (len(ports), len(set(links))) == (1, 2)
        assert all(link.endswith("&to=/latest") for link in links)
        assert [opened(link) for link in links] == [303, 303]
    finally:
        with start(folder, "--stop") as last:
            told, _ = last.communicate(timeout=PATIENCE_SECONDS)
    assert "has stopped" in told
    with start(folder, "--stop") as nobody:
        assert "No console" in nobody.communicate(timeout=PATIENCE_SECONDS)[0]


def test_what_a_stop_cuts_is_told(
    console: Console, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
):
    """Whoever stops a console that carries out a plan is told which one, and that its page says what is left."""
    monkeypatch.setattr(console.desk.jobs, "running", lambda kind: 5 if kind == "replay" else None)
    headers = {"authorization": f"Bearer {console.desk.access.control}", "content-type": FORM}
    answer = json.loads(console.ask("POST", "/stop", headers=headers).body)
    assert answer["cut"] == ["plan 5"]
    announcement.announce("local", OWN)

    def ask(*_: object) -> object:
        announcement.withdraw("local", OWN)
        return answer

    monkeypatch.setattr(announcement, "_ask", ask)
    assert program.main(["--env", "local", "--stop"]) == 0
    assert "carrying out plan 5" in capsys.readouterr().out


def opened(link: str) -> int:
    """Open a link as a browser does, and return the status."""
    host, path = link.removeprefix("http://").split("/", 1)
    connection = http.client.HTTPConnection(host, timeout=PATIENCE_SECONDS)
    fetch = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    connection.request("GET", f"/{path}", headers=fetch)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"pid": 1}', '{"pid":1,"port":"x","control":"","read_only":0}']
)
def test_a_damaged_file_means_no_console(folder: Path, content: str):
    """A file that can't be read is taken for none."""
    (folder / "console-local.json").write_text(content)
    assert announcement.read("local") is None
    assert announcement.running("local") is None


def test_a_console_that_died_is_not_found(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """A file of a console that does not answer, or of a port that another program has taken, leads nowhere."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens yet, and nobody else can
        port = taken.getsockname()[1]
        announcement.announce("local", Announcement(pid=1, port=port, control="x", read_only=False))
        assert announcement.running("local") is None
        taken.listen()
        monkeypatch.setattr(announcement, "SECONDS", 0.2)
        assert announcement.running("local") is None


def test_only_its_own_file_is_deleted(folder: Path):
    """A console that stops leaves the file of the one that has replaced it."""
    later = Announcement(pid=2, port=4_581, control="other", read_only=True)
    announcement.announce("local", OWN)
    announcement.announce("local", later)
    announcement.withdraw("local", OWN)
    assert announcement.read("local") == later
    announcement.withdraw("local", later)
    assert announcement.read("local") is None


def test_a_port_that_is_taken_is_named():
    """A chosen port that is taken is an error; without a choice, another one is used."""
    with listen(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RefusedError, match=f"Port {port}"):
            listen(port)
        assert taken.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RefusedError("The port is taken."), 1),
        (InvalidInputError("No such region."), 2),
        (UnreachableError("Log in first."), 4),
        (EngineNotRunningError("Start it."), 4),
    ],
)
@pytest.mark.parametrize("options", [(), ("--background",), ("--stop",)])
def test_a_failure_has_the_exit_code_of_its_kind(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    code: int,
    options: Any,
):
    """The console ends with the same code as any other command that fails for the same reason, and says why."""

    def fail(_: object) -> int:
        raise error

    for name in ("_serve", "_start", "_stop"):
        monkeypatch.setattr(program, name, fail)
    assert program.main(["--env", "local", *options]) == code
    assert capsys.readouterr().err == f"Error: {error}\n"
