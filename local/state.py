"""What an engine leaves in its state folder, `.pipeline/` unless a test brings its own.

engine.json     the running engine: process, port, instance
engine.log      its output; engine.previous.log is the run before
engine.lock     held while it is started, stopped or restarted
deployed.json   what was deployed to which instance
deploy.lock     held during a deployment
deploy.log      all output of the CDK CLI
cdk.out/        the synthesised app, cdk.out.one/ one service's; *.key beside it is the fingerprint of its sources
tmp/            the engine's temporary files: pid file, unpacked functions
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.errors import BusyError
from operations.progress import Progress, Step


class StateFolder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.record = path / "engine.json"
        self.engine_log = path / "engine.log"
        self.previous_engine_log = path / "engine.previous.log"
        self.deployed = path / "deployed.json"
        self.deploy_log = path / "deploy.log"
        self.assembly = path / "cdk.out"
        self.assembly_of_one = path / "cdk.out.one"
        self.tmp = path / "tmp"

    def read(self, file: Path) -> dict[str, Any]:
        """The file's object; empty if there is none, or it is broken."""
        with contextlib.suppress(OSError, ValueError):
            content = json.loads(file.read_text())
            if isinstance(content, dict):
                return content
        return {}

    def write(self, file: Path, content: dict[str, Any]) -> None:
        """At once or not at all: an interrupted write leaves what was there. Paths and times become text."""
        partial = file.with_name(f"{file.name}.partial")
        partial.write_text(json.dumps(content, indent=2, default=str))
        partial.replace(file)

    @contextlib.contextmanager
    def lock(self, name: str, progress: Progress, *, patience_seconds: float) -> Iterator[None]:
        """One command at a time. The system frees it when its holder dies. Raises BusyError."""
        # Slow to import, and most commands lock nothing.
        from filelock import FileLock, Timeout  # noqa: PLC0415

        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / f"{name}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            progress(Step("wait", "started", "waiting for another command that is busy with this engine"))
            try:
                lock.acquire(timeout=patience_seconds, poll_interval=0.1)
            except Timeout as error:
                raise BusyError(
                    "Another command has been busy with this engine for "
                    f"{patience_seconds:.0f} s. Wait until it ends, or end it, then try again."
                ) from error
            progress(Step("wait", "finished", "the other command is done"))
        try:
            yield
        finally:
            lock.release()
