"""Runs the tools that `make test` installs for the documents. Each run has a folder of its own beside the tools."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.toolchain import bundled_node
from infra.users_settings import without_users_choices
from local import installing, setup_environment

ROOT = Path(__file__).resolve().parents[2]
SOURCES = Path(__file__).resolve().parent


class ToolError(AssertionError):
    """A tool failed; the text is its output."""


@dataclass(frozen=True)
class Workplace:
    """A folder in which Node finds the packages. `run` returns a tool's standard output, `node` that of a script."""

    folder: Path

    def run(self, *command: str | Path, env: Mapping[str, str] | None = None) -> str:
        """Run a tool in the folder. Raises ToolError if it fails."""
        path = os.pathsep.join([str(installing.CLIENTS_PYTHON.parent), os.environ["PATH"]])
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.folder,
            env={**without_users_choices(os.environ), "PATH": path, "NO_COLOR": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=180,
            check=False,
        )
        if done.returncode:
            raise ToolError(f"{command[0]} failed.\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def node(self, script: str, *arguments: str | Path, env: Mapping[str, str] | None = None) -> str:
        return self.run(str(bundled_node()), script, *arguments, env=env)

    def package(self, script: str) -> str:
        """Return the path of an installed Node package's script."""
        return str(installing.CLIENTS / "node_modules" / script)


@contextmanager
def workplace(*sources: str) -> Iterator[Workplace]:
    """Yield a workplace that holds copies of these files. Fails if the tools are not installed."""
    missing = [step.text for step in setup_environment.TESTS if not step.is_done()]
    assert not missing, f"Run `make test`, or `python3 local/setup_environment.py tests`: {missing}"
    with tempfile.TemporaryDirectory(dir=installing.CLIENTS) as folder:
        for source in sources:
            shutil.copy(SOURCES / source, folder)
        yield Workplace(Path(folder))
