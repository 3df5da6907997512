"""The console's process. `pipeline console` starts it; its options are described there."""

import argparse
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from filelock import FileLock

from console import announcement
from console.announcement import Announcement
from local.errors import LocalError
from local.exit_codes import FAILED, exit_code
from local.paths import STATE
from operations.errors import OperationError

STARTS_SECONDS = 60.0


def main(arguments: Sequence[str]) -> int:
    """Print a link to the console of an environment: of the running one, or of a new one, which is then served."""
    options = _options(arguments)
    try:
        if options.stop:
            return _stop(options)
        if options.background:
            return _start(options)
        return _serve(options)
    except (OperationError, LocalError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return exit_code(error)


def _serve(options: argparse.Namespace) -> int:
    env = str(options.env)
    STATE.mkdir(parents=True, exist_ok=True)
    with FileLock(STATE / f"console-{env}.lock"):  # of two that start, the second finds the first
        if there := announcement.running(env):
            _print_running(there[0], there[1], options)
            return 0
        server = _Prepared(options)
        announcement.announce(env, server.announcement)
    try:
        print(f"The console of environment {env} runs until Ctrl-C. Open this link; it works once:\n")
        print(f"  {server.link}{_place(options)}\n", flush=True)
        server.serve()
    finally:
        announcement.withdraw(env, server.announcement)
    print("The console has stopped.")
    return 0


class _Prepared:
    """A console that is ready to be served."""

    def __init__(self, options: argparse.Namespace) -> None:
        from console.app import console_app  # noqa: PLC0415 -- whoever finds a running console needs none of it
        from console.desk import Desk  # noqa: PLC0415
        from console.environment import Environment  # noqa: PLC0415
        from console.security import journal  # noqa: PLC0415
        from console.security.access import Access  # noqa: PLC0415
        from console.security.lock import Lock  # noqa: PLC0415
        from console.serving import listen  # noqa: PLC0415
        from console.warm import warm_up  # noqa: PLC0415

        env = str(options.env)
        environment = Environment(env, region=options.region, profile=options.profile)
        if not environment.is_local:
            print(f"Environment {env}: {environment.chip().where}", file=sys.stderr)
        self._listener = listen(options.port)
        port = int(self._listener.getsockname()[1])
        self._access = Access(port)
        self._desk = Desk(
            environment=environment,
            access=self._access,
            lock=Lock(env, is_local=environment.is_local, read_only=options.read_only),
            port=port,
            stop=lambda: signal.raise_signal(signal.SIGTERM),
        )
        self._app = console_app(self._desk)
        self.announcement = Announcement(
            pid=os.getpid(), port=port, control=self._access.control, read_only=options.read_only
        )
        warm_up(self._desk, self._app)
        journal.write_to(STATE / "console.log")

    @property
    def link(self) -> str:
        return f"{self.announcement.url}/open?t={self._access.new_link()}"

    def serve(self) -> None:
        from console.serving import serve  # noqa: PLC0415

        logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
        try:
            serve(self._app, self._listener, stopping=self._desk.wind_down)
        finally:
            self._desk.jobs.close()


def _start(options: argparse.Namespace) -> int:
    """Start a console that outlives this terminal, unless one runs; print its link."""
    env = str(options.env)
    there = announcement.running(env)
    if there is None:
        STATE.mkdir(parents=True, exist_ok=True)
        words = [word for word in sys.orig_argv[1:] if word not in ("--background", "--latest")]
        with (STATE / "console-output.log").open("wb") as log:
            started = subprocess.Popen(
                [sys.executable, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=STATE,
            )
        until = time.monotonic() + STARTS_SECONDS
        while there is None and started.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
            there = announcement.running(env)
    if there is None:
        print(f"The console did not start: {log.name} says why.", file=sys.stderr)
        return started.poll() or FAILED
    print(f"See it in a browser; this link works once:\n\n  {there[0].url}{there[1]}{_place(options)}\n")
    return 0


def _stop(options: argparse.Namespace) -> int:
    cut = announcement.stop(str(options.env))
    print("No console was running." if cut is None else "The console has stopped.")
    for one in cut or ():
        print(f"It was carrying out {one}, which ended after what was under way. Its page says what is left.")
    return 0


def _print_running(there: Announcement, path: str, options: argparse.Namespace) -> None:
    print(f"The console of environment {options.env} runs already. Open this link; it works once:\n")
    print(f"  {there.url}{path}{_place(options)}\n")
    if options.port not in (None, there.port) or options.read_only != there.read_only:
        print("To start it with other options, stop it first: pipeline console --stop", file=sys.stderr)


def _place(options: argparse.Namespace) -> str:
    return "&to=/latest" if options.latest else ""


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pipeline console", allow_abbrev=False)
    parser.add_argument("--env", required=True)
    parser.add_argument("--region")
    parser.add_argument("--profile")
    parser.add_argument("--port", type=int)
    for flag in ("--read-only", "--background", "--latest", "--stop"):
        parser.add_argument(flag, action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
