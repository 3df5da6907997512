"""Sets up everything the project needs, inside the checkout. Run by the machine's own Python, without packages.

Each finished step leaves a stamp, a hash of its inputs. A step with an up-to-date stamp is skipped; an interrupted
step has none and runs again. `installing.py` has what the steps do.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from local import installing
from local.installing import (
    BROWSER,
    BROWSER_FILES,
    CHECKOV_PYTHON,
    CLIENTS,
    CLIENTS_FILES,
    CLIENTS_PYTHON,
    LOG,
    PYODIDE_SITE,
    PYTHON,
    STAMPS,
    UV,
    VENV,
    SetupError,
)
from local.paths import ENGINE_PYTHON, ROOT, STATE
from local.small_model import place

OLDEST = (3, 11)


@dataclass(frozen=True)
class Step:
    """A step of the set-up. It runs again when one of its `inputs` has changed or a path in `makes` is missing."""

    text: str
    make: Callable[[], None]
    inputs: tuple[str, ...]
    makes: tuple[Path, ...]

    @property
    def stamp(self) -> Path:
        return STAMPS / self.make.__name__

    def key(self) -> str:
        """Return the hash of the inputs and of the checkout's path: an environment that was moved does not work."""
        digest = hashlib.sha256(str(ROOT).encode())
        for name in self.inputs:
            digest.update((ROOT / name).read_bytes())
        return digest.hexdigest()

    def is_done(self) -> bool:
        made = all(path.exists() for path in self.makes)
        return made and self.stamp.exists() and self.stamp.read_text() == self.key()


STEPS = (
    Step("creating .venv", installing.make_venv, ("requirements-uv.txt",), (PYTHON, UV)),
    Step(
        "installing the project's packages",
        installing.install_packages,
        ("requirements-dev.txt", "pyproject.toml"),
        (VENV / "bin" / "pipeline",),
    ),
    Step(
        "installing the local engine",
        installing.install_engine,
        ("requirements-engine.txt",),
        (ENGINE_PYTHON,),
    ),
    Step(
        "installing the CDK CLI and linters",
        installing.install_cdk,
        ("package-lock.json",),
        (
            ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk",
            ROOT / "node_modules" / "htmx.org",
            ROOT / "node_modules" / "pyodide",
        ),
    ),
    Step(
        "fetching the functions' packages",
        installing.fetch_function_packages,
        ("requirements.txt",),
        (STATE / "site",),
    ),
)


CHECKS = Step(
    "installing checkov", installing.install_checkov, ("requirements-checkov.txt",), (CHECKOV_PYTHON,)
)
"""The step that only `make check` needs: it installs 190 MB."""

TESTS = (
    Step(
        "fetching msgspec for Pyodide",
        installing.fetch_msgspec_for_pyodide,
        ("requirements.txt",),
        (PYODIDE_SITE / "msgspec",),
    ),
    Step(
        "installing a generator of Python clients",
        installing.install_python_clients,
        ("requirements-clients.txt",),
        (CLIENTS_PYTHON,),
    ),
    Step(
        "installing a generator of TypeScript clients and an AsyncAPI parser",
        installing.install_node_clients,
        CLIENTS_FILES,
        (CLIENTS / "node_modules" / "typescript" / "bin" / "tsc",),
    ),
    Step(
        "installing what drives a browser",
        installing.install_playwright,
        ("requirements-browser.txt", "requirements-dev.txt"),
        (VENV / "bin" / "playwright",),
    ),
    Step(
        "installing a headless Chromium",
        installing.install_browser,
        BROWSER_FILES,
        (BROWSER / "chromium", BROWSER / "node_modules" / "axe-core" / "axe.min.js"),
    ),
)
"""The steps that only `make test` needs: they install 400 MB. It also tries the small model."""

MODEL = Step(
    "installing a small model (150 MB)",
    installing.install_small_model,
    (place.REQUIREMENTS,),
    (place.PYTHON,),
)
"""The step that only a run with the small model needs."""

FOR = {"checks": (CHECKS,), "tests": TESTS}
"""The steps for each argument of the set-up."""


def set_up(steps: tuple[Step, ...] = STEPS) -> None:
    """Run the steps that are not up to date. If the first one runs, all run: they need the environment it creates."""
    if not installing.unfinished().exists() and all(step.is_done() for step in steps):
        return
    STAMPS.mkdir(parents=True, exist_ok=True)
    with exclusive():
        LOG.unlink(missing_ok=True)
        if installing.unfinished().exists() or not steps[0].is_done():
            for step in steps:
                step.stamp.unlink(missing_ok=True)
        for step in steps:
            if step.is_done():
                continue
            step.stamp.unlink(missing_ok=True)
            say(f"set-up: {step.text} …")
            started = time.monotonic()
            step.make()
            step.stamp.write_text(step.key())
            say(f"set-up: {step.text} took {time.monotonic() - started:.0f} s")


def set_up_model() -> None:
    """Install the small model, if the user wants it and this machine can run it.

    A failure is reported and stops nothing: the engine then gives canned answers and says why.
    """
    own = any(os.environ.get(name, "").strip() for name in ("PIPELINE_MODEL_URL", "PIPELINE_MODEL"))
    if own or not can_have_model():
        return
    try:
        set_up((*STEPS, MODEL))
    except SetupError as error:
        say(
            f"The small model could not be installed, so answers will be canned: {error}\nTry again: make stop run"
        )


def can_have_model() -> bool:
    """Tell whether the small model is still to be installed, and can run here."""
    return not (MODEL.is_done() or place.misfit() or place.shortage())


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """Hold the lock of the set-up; a second set-up waits for the first one and then has nothing to do."""
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


def main(arguments: Sequence[str] = ()) -> int:
    """Set up what `make setup` needs; with `checks` and `tests`, also what `make check` and `make test` need.

    With `model`, only the small model is set up.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if sys.version_info < OLDEST:
        say(
            f"Python {'.'.join(map(str, OLDEST))} or newer is needed; {sys.executable} is {sys.version.split()[0]}. "
            "Install a newer one and name it, for example: make PYTHON=python3.12 run"
        )
        return 1
    try:
        if arguments == ["model"]:
            set_up_model()
            return 0
        set_up((*STEPS, *(step for argument in arguments for step in FOR[argument])))
        if "tests" in arguments:
            set_up_model()
    except SetupError as error:
        say(
            f"The set-up failed: {error}\nFix the cause, then run the command again. Finished steps are kept."
        )
        return 1
    except OSError as error:
        say(
            f"The set-up failed: {error.strerror or error}: {error.filename or ROOT}\nIt writes into {ROOT} only."
        )
        return 1
    except KeyboardInterrupt:
        say("The set-up was interrupted. Finished steps are kept; run the command again to continue.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
