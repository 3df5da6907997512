"""`make picture`: the README's picture of a terminal, drawn from what a real run on the local engine prints."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

FILE = Path(__file__).parents[1] / "docs" / "terminal.svg"
MESSAGE = "What is an event-driven architecture, and when should I use one?"
COMMANDS = (
    ("submit", "--wait", MESSAGE),
    ("list", "--limit", "3"),
)
COLUMNS = 100
TIMEOUT_SECONDS = 120


def main() -> None:
    """Run the commands and write the picture. Raises SystemExit if a command fails; start the engine first."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for command in COMMANDS:
        quoted = " ".join(f'"{word}"' if " " in word else word for word in command)
        console.print(Text.assemble(("$ ", "bold green"), f"pipeline {quoted}"))
        console.print(Text.from_ansi(output_of(*command)))
    console.save_svg(str(FILE), title="pipeline", unique_id="terminal")


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
