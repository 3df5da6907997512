"""The console's process. `pipeline console` starts it; its options are described there."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from filelock import FileLock

from console import announcement
from console.announcement import Announcement
from console.environment import Environment
from local.errors import LocalError
from local.paths import STATE
from operations.errors import OperationError


def main(arguments: Sequence[str]) -> int:
    """Print a link to the console of an environment: of the running one, or of a new one, which is then served."""
    options = _options(arguments)
    try:
        return _run(options)
    except (OperationError, LocalError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    from console.app import console_app  # noqa: PLC0415 -- a running console needs none of it
    from console.desk import Desk  # noqa: PLC0415
    from console.security import journal  # noqa: PLC0415
    from console.security.access import Access  # noqa: PLC0415
    from console.security.lock import Lock  # noqa: PLC0415
    from console.serving import listen, serve  # noqa: PLC0415

    env = str(options.env)
    STATE.mkdir(parents=True, exist_ok=True)
    with FileLock(STATE / f"console-{env}.lock"):  # of two that start, the second finds the first
        if there := announcement.running(env):
            _print_running(there[0], there[1], options)
            return 0
        environment = Environment(env, region=options.region, profile=options.profile)
        if not environment.is_local:
            print(f"Environment {env}: {environment.chip().where}", file=sys.stderr)
        listener = listen(options.port)
        port = int(listener.getsockname()[1])
        access = Access(port)
        lock = Lock(env, is_local=environment.is_local, read_only=options.read_only)
        desk = Desk(environment=environment, access=access, lock=lock, port=port)
        app = console_app(desk)
        own = Announcement(pid=os.getpid(), port=port, control=access.control, read_only=options.read_only)
        announcement.announce(env, own)
    try:
        journal.write_to(STATE / "console.log")
        logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
        print(f"The console of environment {env} runs until Ctrl-C. Open this link; it works once:\n")
        print(f"  {own.url}/open?t={access.new_link()}\n", flush=True)
        serve(app, listener, stopping=desk.feeds.stop)
    finally:
        announcement.withdraw(env, own)
    print("The console has stopped.")
    return 0


def _print_running(there: Announcement, path: str, options: argparse.Namespace) -> None:
    print(f"The console of environment {options.env} runs already. Open this link; it works once:\n")
    print(f"  {there.url}{path}\n")
    if options.port not in (None, there.port) or options.read_only != there.read_only:
        print("To start it with other options, stop it first (Ctrl-C in its terminal).", file=sys.stderr)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pipeline console", allow_abbrev=False)
    parser.add_argument("--env", required=True)
    parser.add_argument("--region")
    parser.add_argument("--profile")
    parser.add_argument("--port", type=int)
    parser.add_argument("--read-only", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
