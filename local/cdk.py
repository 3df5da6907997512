"""Runs the CDK CLI that is pinned in `node_modules`, on the Node of the project's environment.

To run the CLI by hand: `python -m local.cdk …`, e.g. `python -m local.cdk diff -c env=dev`.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from infra.toolchain import bundled_node
from local import process
from local.errors import DeployError, SetupMissingError
from local.paths import CDK, ROOT, STATE
from operations.progress import Progress, Step, silent

LINES = 12
"""Lines of a failed call's output that are shown, at most."""

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_STARTED = re.compile(r"^(?P<stack>[\w-]+): deploying\.\.\.")
_DONE = re.compile(r"^\s*✅\s+(?P<stack>[\w-]+)(?P<unchanged> \(no changes\))?")
_FAILED = re.compile(r"^\s*❌\s+(?P<stack>[\w-]+)")
_NAMES_A_CAUSE = re.compile(r"error|failed|❌|denied|not found", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A call of the CLI in `folder`, with this environment. All output is appended to `log`."""

    environment: Mapping[str, str]
    log: Path
    folder: Path = ROOT

    def __call__(self, arguments: Sequence[str], progress: Progress = silent) -> None:
        """Run the CLI and report each stack, by its name, as it starts and ends.

        Raises DeployError, SetupMissingError.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        lines: list[str] = []
        started_at: dict[str, float] = {}
        with self.log.open("a") as log:
            log.write(f"\n$ cdk {' '.join(arguments)}\n")
            child = subprocess.Popen(
                [*command(), *arguments],
                cwd=self.folder,
                env=environment(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # with the app and its bundling, so that all of them can be ended
            )
            with child:
                try:
                    for raw in child.stdout or ():
                        line = _ESCAPES.sub("", raw.rstrip())
                        lines.append(line)
                        log.write(line + "\n")
                        log.flush()
                        if event := _step(line):
                            progress(_timed(event, started_at))
                except BaseException:  # also Ctrl-C, which does not reach another session
                    process.end_group(child.pid)
                    raise
        if child.returncode:
            raise DeployError(
                f"cdk {arguments[0]} failed:\n{relevant(lines)}\n"
                f"Fix the cause, then run the same command again. The full output is in {self.log}"
            )


def command() -> list[str]:
    node = bundled_node()
    script = CDK / "bin" / "cdk"
    if node is None or not script.exists():
        raise SetupMissingError("The CDK CLI is not installed in this folder. Install it: make setup")
    return [str(node), str(script)]


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return `inherited` with the variables that stop the CLI's telemetry and give it writable folders.

    Those that lead jsii, on which the app runs, to another Node, runtime or cache are left out.
    """
    path = [
        str(Path(command()[0]).parent),
        str(Path(sys.executable).parent),
        inherited.get("PATH", os.defpath),
    ]
    return {
        **{name: value for name, value in inherited.items() if not name.startswith("JSII_")},
        "PATH": os.pathsep.join(path),
        "CDK_HOME": str(STATE / "cdk-home"),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "true",
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
        "HOME": _usable_home(inherited),
        "TMPDIR": tempfile.gettempdir(),  # the user's, or another if that one is not writable
        "CI": "true",  # progress as lines, on stdout
        "NO_COLOR": "1",
    }


def relevant(lines: Sequence[str]) -> str:
    """Return the lines that explain a failed call: from the first one that names an error, else the last ones."""
    kept = [line for line in lines if line.strip()]
    first = next((index for index, line in enumerate(kept) if _NAMES_A_CAUSE.search(line)), len(kept) - LINES)
    return "\n".join(f"  {line}" for line in kept[max(first, 0) :][:LINES])


def stack_names(assembly: Path) -> tuple[str, ...]:
    """Return the names of a synthesised app's stacks. Raises DeployError if the folder holds no such app."""
    return tuple(_stacks(assembly))


def protected_stacks(assembly: Path) -> tuple[str, ...]:
    """Return the names of a synthesised app's stacks that get termination protection. Raises DeployError."""
    return tuple(
        name
        for name, artifact in _stacks(assembly).items()
        if artifact.get("properties", {}).get("terminationProtection")
    )


def templates(assembly: Path) -> dict[str, Any]:
    """Return the templates of a synthesised app's stacks by stack name. Raises DeployError."""
    files = {name: artifact["properties"]["templateFile"] for name, artifact in _stacks(assembly).items()}
    return {name: _read(assembly, file) for name, file in files.items()}


def _stacks(assembly: Path) -> dict[str, Any]:
    try:
        artifacts = _read(assembly, "manifest.json")["artifacts"]
        return {
            name: artifact
            for name, artifact in artifacts.items()
            if artifact["type"] == "aws:cloudformation:stack"
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise _unreadable(assembly) from error


def _read(assembly: Path, file: str) -> Any:
    try:
        return json.loads((assembly / file).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(assembly) from error


def _unreadable(assembly: Path) -> DeployError:
    return DeployError(
        f"The synthesised app in {assembly} can't be read. Delete that folder, then deploy again."
    )


def _usable_home(inherited: Mapping[str, str]) -> str:
    """Return the user's home folder, which holds the caches of jsii and uv, or one of ours if it is not writable."""
    home = inherited.get("HOME", "")
    if home and os.access(home, os.W_OK):
        return home
    fallback = STATE / "home"
    fallback.mkdir(parents=True, exist_ok=True)
    return str(fallback)


def _step(line: str) -> Step | None:
    if started := _STARTED.search(line):
        return Step(started["stack"], "started", "deploying")
    if done := _DONE.search(line):
        return Step(done["stack"], "unchanged" if done["unchanged"] else "finished", "deployed")
    if failed := _FAILED.search(line):
        return Step(failed["stack"], "failed", "failed")
    return None


def _timed(event: Step, started_at: dict[str, float]) -> Step:
    """Add the seconds since the same stack's start to an event that ends the stack's deployment."""
    if event.state == "started":
        started_at[event.name] = time.monotonic()
    elif event.name in started_at:
        return replace(event, seconds=time.monotonic() - started_at[event.name])
    return event


if __name__ == "__main__":
    os.chdir(ROOT)
    os.execve(command()[0], [*command(), *sys.argv[1:]], environment(os.environ))  # noqa: S606 -- no shell wanted
