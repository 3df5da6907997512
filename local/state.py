"""The files of an engine in its state folder, which is `.pipeline/` unless a test passes its own.

engine.json     the running engine: process, port, instance
engine.log      the engine's output; engine.previous.log is that of the engine before
model.log       the output of the small model's server; model.previous.log likewise
engine.lock     held while the engine is started, stopped or restarted
deployed.json   what was deployed to which instance
deploy.lock     held during a deployment
deploy.log      all output of the CDK CLI
cdk.out/        the synthesised app (cdk.out.one/: one service's stack); *.key beside it is its sources' fingerprint
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
        self.model_log = path / "model.log"
        self.deployed = path / "deployed.json"
        self.deploy_log = path / "deploy.log"
        self.assembly = path / "cdk.out"
        self.assembly_of_service = path / "cdk.out.one"
        self.tmp = path / "tmp"

    def begin_logs(self) -> None:
        """Keep the logs of the engine before under another name."""
        for log in (self.engine_log, self.model_log):
            if log.exists():
                log.replace(log.with_suffix(".previous.log"))

    def read(self, file: Path) -> dict[str, Any]:
        """Return the JSON object in the file; empty if the file is missing or broken."""
        with contextlib.suppress(OSError, ValueError, RecursionError):
            content = json.loads(file.read_text())
            if isinstance(content, dict):
                return content
        return {}

    def deployed_parts(self, instance: str) -> dict[str, str]:
        """Return the fingerprint of each part that was deployed to an instance; none if the file is broken."""
        recorded = self.read(self.deployed)
        parts = recorded.get("parts") if recorded.get("instance") == instance else None
        if not isinstance(parts, dict):
            return {}
        return {part: value for part, value in parts.items() if isinstance(value, str)}

    def write(self, file: Path, content: dict[str, Any]) -> None:
        """Write the file atomically: an interrupted write leaves the old content. Paths and times become text."""
        partial = file.with_name(f"{file.name}.partial")
        partial.write_text(json.dumps(content, indent=2, default=str))
        partial.replace(file)

    @contextlib.contextmanager
    def lock(self, name: str, progress: Progress, *, patience_seconds: float) -> Iterator[None]:
        """Hold a lock of this folder. The system frees it when its holder ends. Raises BusyError after the wait."""
        # filelock is slow to import, and most commands lock nothing.
        from filelock import FileLock, Timeout  # noqa: PLC0415

        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / f"{name}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            progress(Step("wait", "started", "waiting for another command that uses this engine"))
            try:
                lock.acquire(timeout=patience_seconds, poll_interval=0.1)
            except Timeout as error:
                raise BusyError(
                    f"Another command has been using this engine for {patience_seconds:.0f} s. Wait until it ends, "
                    "or end it, then try again."
                ) from error
            progress(Step("wait", "finished", "the other command has ended"))
        try:
            yield
        finally:
            lock.release()
