"""`make picture`: the README's picture of a terminal, drawn from what a real run on the local engine prints."""

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

FILE = Path(__file__).parents[1] / "docs" / "terminal.svg"
MESSAGE = "What is an event-driven architecture, and when should I use one?"
COLUMNS = 100
TIMEOUT_SECONDS = 120


def main() -> None:
    """Ask a question, show its run, write the picture. Raises SystemExit if that fails; start the engine first."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    answer = output_of("submit", "--wait", MESSAGE)
    run = re.search(r"show ([0-9a-f-]{32,})", answer)
    if run is None:
        raise SystemExit("`pipeline submit` named no run.")
    journey = output_of("show", run[1])
    for command, output in ((f'submit --wait "{MESSAGE}"', answer), (f"show {run[1]}", journey)):
        console.print(Text.assemble(("$ ", "bold green"), f"pipeline {command}"))
        console.print(Text.from_ansi(output), "")
    picture = console.export_svg(title="pipeline", unique_id="terminal")
    FILE.write_text(
        re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL), "utf-8"
    )  # fonts from the network


def output_of(*command: str) -> str:
    """Return what the `pipeline` command prints to a terminal, its final state without live updates."""
    reader, writer = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "dumb", "FORCE_COLOR": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", *command], stdout=writer, stderr=writer, env=environment
    )
    os.close(writer)
    pieces = []
    while True:
        try:
            piece = os.read(reader, 65_536)
        except OSError:  # the terminal's other end is closed
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(reader)
    if process.wait(TIMEOUT_SECONDS):
        raise SystemExit(f"`pipeline {' '.join(command)}` failed. Start the engine first: make run")
    return b"".join(pieces).decode().replace("\r\n", "\n").strip("\n")


if __name__ == "__main__":
    main()
