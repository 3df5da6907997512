"""Runs the pinned CDK CLI of `node_modules` on the Node of the project's environment.

`python -m local.cdk …` runs it by hand, e.g. `python -m local.cdk diff -c env=dev`.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from infra.toolchain import bundled_node
from local.errors import DeployError, SetupMissingError
from local.paths import CDK, ROOT, STATE
from operations.progress import Progress, Step, silent

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_BEGINS = re.compile(r"^(?P<stack>[\w-]+): deploying\.\.\.")
_DONE = re.compile(r"^\s*✅\s+(?P<stack>[\w-]+)(?P<unchanged> \(no changes\))?")
_FAILED = re.compile(r"^\s*❌\s+(?P<stack>[\w-]+)")
_SAYS_WHY = re.compile(r"error|failed|❌|denied|not found", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One call of the CLI: its environment, and the file that gets all its output."""

    environment: Mapping[str, str]
    log: Path
    folder: Path = ROOT

    def __call__(self, arguments: Sequence[str], progress: Progress = silent) -> None:
        """Reports each stack by its name as it begins and ends. Raises DeployError, SetupMissingError."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        lines: list[str] = []
        began: dict[str, float] = {}
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
            )
            with child:
                try:
                    for raw in child.stdout or ():
                        line = _ESCAPES.sub("", raw.rstrip())
                        lines.append(line)
                        log.write(line + "\n")
                        log.flush()
                        if reported := _step(line):
                            progress(_timed(reported, began))
                except BaseException:  # also Ctrl-C
                    child.terminate()
                    raise
        if child.returncode:
            raise DeployError(f"cdk {arguments[0]} failed:\n{relevant(lines)}\nAll of its output: {self.log}")


def command() -> list[str]:
    node = bundled_node()
    script = CDK / "bin" / "cdk"
    if node is None or not script.exists():
        raise SetupMissingError("The CDK CLI is not installed. Run: make setup")
    return [str(node), str(script)]


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """`given`, and what keeps the CLI from calling home and from needing a home folder."""
    path = [str(Path(command()[0]).parent), str(Path(sys.executable).parent), given.get("PATH", os.defpath)]
    return {
        **given,
        "PATH": os.pathsep.join(path),
        "CDK_HOME": str(STATE / "cdk-home"),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "true",
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
        "HOME": _usable_home(given),
        "CI": "true",  # progress as lines, on stdout
        "NO_COLOR": "1",
    }


def relevant(lines: Sequence[str], most: int = 12) -> str:
    """The lines of a failed run that say why: from the first that names an error, else the last ones."""
    kept = [line for line in lines if line.strip()]
    first = next((index for index, line in enumerate(kept) if _SAYS_WHY.search(line)), len(kept) - most)
    return "\n".join(f"  {line}" for line in kept[max(first, 0) :][:most])


def stack_names(assembly: Path) -> tuple[str, ...]:
    """The stacks of a synthesised app. Raises DeployError if there is none."""
    try:
        artifacts = json.loads((assembly / "manifest.json").read_text())["artifacts"]
        return tuple(name for name, its in artifacts.items() if its["type"] == "aws:cloudformation:stack")
    except (OSError, ValueError, KeyError) as error:
        raise DeployError(f"{assembly} holds no synthesised app. Remove it, then try again.") from error


def _usable_home(given: Mapping[str, str]) -> str:
    """The user's, where jsii and uv have their caches; one of ours if there is none."""
    home = given.get("HOME", "")
    if home and os.access(home, os.W_OK):
        return home
    own = STATE / "home"
    own.mkdir(parents=True, exist_ok=True)
    return str(own)


def _step(line: str) -> Step | None:
    if begins := _BEGINS.search(line):
        return Step(begins["stack"], "started", "deploying")
    if done := _DONE.search(line):
        return Step(done["stack"], "unchanged" if done["unchanged"] else "finished", "deployed")
    if failed := _FAILED.search(line):
        return Step(failed["stack"], "failed", "failed")
    return None


def _timed(reported: Step, began: dict[str, float]) -> Step:
    """With the seconds since the same stack's start, once it is over."""
    if reported.state == "started":
        began[reported.name] = time.monotonic()
    elif reported.name in began:
        return replace(reported, seconds=time.monotonic() - began[reported.name])
    return reported


if __name__ == "__main__":
    os.chdir(ROOT)
    os.execve(command()[0], [*command(), *sys.argv[1:]], environment(os.environ))  # noqa: S606 -- no shell wanted
