"""Jobs: long work in the background that others see, join and stop, and that leaves a file of what it did.

A job is made, started once, and runs a generator whose values are its notes. Each note is on disk as soon as it is
yielded, so that whoever comes after a crash reads how far the job came. At most one job of a kind runs at a time,
also among several processes.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
from filelock import FileLock, Timeout
from msgspec import Raw, Struct

from operations.errors import NotFoundError, OperationError, RefusedError
from operations.stop import Stop

State = Literal["made", "running", "stopping", "done", "stopped", "failed", "interrupted"]
Work = Callable[[Stop], Iterator[Any]]

KEPT = 200
"""Jobs whose files are kept."""
GOODBYE_SECONDS = 5.0
_log = logging.getLogger(__name__)


class Job(Struct, frozen=True, kw_only=True):
    """One job as it is now. `about` says what is to be done, `order` how; both are JSON of whoever made the job.

    `interrupted`: its process ended before it did. What the last action came to may then not be noted.
    """

    number: int
    kind: str
    state: State
    made_at: datetime
    about: Raw
    order: Raw | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    notes: tuple[Raw, ...] = ()
    problem: str = ""

    @property
    def is_running(self) -> bool:
        return self.state in ("running", "stopping")


class BusyError(RefusedError):
    """Another job of this kind runs; `number` is its number, None if it is not known."""

    def __init__(self, number: int | None) -> None:
        name = "Another one" if number is None else f"Number {number}"
        super().__init__(f"{name} is being carried out. One runs at a time: wait for its end, or stop it.")
        self.number = number


class _Made(Struct, tag="made", frozen=True, kw_only=True):
    kind: str
    at: datetime
    about: Raw


class _Started(Struct, tag="started", frozen=True, kw_only=True):
    at: datetime
    order: Raw


class _Note(Struct, tag="note", frozen=True, kw_only=True):
    note: Raw


class _Ended(Struct, tag="ended", frozen=True, kw_only=True):
    at: datetime
    end: Literal["done", "stopped", "failed"]
    problem: str = ""


_LINE = msgspec.json.Decoder(_Made | _Started | _Note | _Ended)


class Jobs:
    """The jobs whose files are in a folder, which only its owner can read. Any thread may use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._running: dict[str, tuple[int, Stop, threading.Thread]] = {}

    def make(self, kind: str, about: Any) -> int:
        """Write a new job, which is to be started, and return its number."""
        made = _Made(kind=kind, at=datetime.now(UTC), about=_raw(about))
        with self._lock:
            try:
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                number = max(self._numbers(), default=0) + 1
                while not self._create(number):  # another process may take numbers, too
                    number += 1
                self._append(number, made)
            except OSError as error:
                raise RefusedError(f"The plan can't be kept in {self._folder}: {error.strerror}.") from error
            for old in sorted(self._numbers())[:-KEPT]:
                if not self._is_ours(old):
                    self._path(old).unlink(missing_ok=True)
        return number

    def read(self, number: int) -> Job:
        """Return a job. Raises NotFoundError."""
        job = self._read(number)
        if job is None:
            raise NotFoundError(f"There is no number {number}. The oldest are removed: {KEPT} are kept.")
        return job

    def latest(self, most: int = KEPT) -> list[Job]:
        """Return the newest jobs, the newest first."""
        found = map(self._read, sorted(self._numbers(), reverse=True)[:most])
        return [job for job in found if job is not None]

    def running(self, kind: str) -> int | None:
        """Return the number of the job of this kind that this process runs."""
        with self._lock:
            entry = self._running.get(kind)
            return entry[0] if entry else None

    def start(self, number: int, order: Any, work: Work) -> None:
        """Start a job, which can be started once.

        Raises BusyError if another of its kind runs, RefusedError if it was started before.
        """
        with self._lock:
            job = self.read(number)
            if (other := self.running(job.kind)) is not None and other != number:
                raise BusyError(other)
            if job.state != "made":
                raise RefusedError(f"Number {number} was started already. Nothing is done twice.")
            guard = self._guard(job.kind)
            try:
                guard.acquire(timeout=0)
            except Timeout as error:
                raise BusyError(None) from error
            try:
                self._append(number, _Started(at=datetime.now(UTC), order=_raw(order)))
                stop = Stop()
                thread = threading.Thread(
                    target=self._run, args=(number, job.kind, stop, work, guard), name="job", daemon=True
                )
                self._running[job.kind] = (number, stop, thread)
                thread.start()
            except OSError as error:
                guard.release()
                raise RefusedError(f"The job's file can't be written: {error.strerror}.") from error

    def stop(self, number: int) -> bool:
        """Ask a job to stop after what is under way; return whether it runs here."""
        with self._lock:
            for running, stop, _ in self._running.values():
                if running == number:
                    stop.requested = True
                    return True
        return False

    def join(self, number: int, seconds: float | None = None) -> None:
        """Wait until a job of this process has ended."""
        with self._lock:
            threads = [thread for running, _, thread in self._running.values() if running == number]
        for thread in threads:
            thread.join(seconds)

    def close(self, seconds: float = GOODBYE_SECONDS) -> None:
        """Ask all jobs of this process to stop, and give them time for what is under way."""
        with self._lock:
            entries = list(self._running.values())
        for _, stop, _ in entries:
            stop.requested = True
        for _, _, thread in entries:
            thread.join(seconds)

    def _run(self, number: int, kind: str, stop: Stop, work: Work, guard: FileLock) -> None:
        ended = _Ended(at=datetime.now(UTC), end="failed", problem="It ended without saying why.")
        try:
            for note in work(stop):
                self._append(number, _Note(note=_raw(note)))
            ended = _Ended(at=datetime.now(UTC), end="stopped" if stop.requested else "done")
        except OperationError as error:
            ended = _Ended(at=datetime.now(UTC), end="failed", problem=str(error))
        except OSError as error:
            ended = _Ended(
                at=datetime.now(UTC), end="failed", problem=f"Its file can't be written: {error.strerror}."
            )
        except Exception:  # noqa: BLE001 -- whatever it was, others must see that the job has ended
            _log.exception("job %d failed", number)
            problem = "The program itself failed; its terminal shows the error."
            ended = _Ended(at=datetime.now(UTC), end="failed", problem=problem)
        finally:
            with self._lock:
                try:
                    self._append(number, ended)
                except OSError:
                    _log.exception("job %d: its end can't be written", number)
                del self._running[kind]
                guard.release()

    def _read(self, number: int) -> Job | None:
        with self._lock:
            try:
                lines = self._path(number).read_bytes().splitlines()
            except OSError:
                return None
            job = _folded(number, lines)
            if job is None or job.state != "running":
                return job
            if self._is_ours(number):
                state: State = "stopping" if self._stop_of(number).requested else "running"
            else:
                state = "running" if self._is_held(job.kind) else "interrupted"
            return msgspec.structs.replace(job, state=state)

    def _is_ours(self, number: int) -> bool:
        return any(running == number for running, _, _ in self._running.values())

    def _stop_of(self, number: int) -> Stop:
        return next(stop for running, stop, _ in self._running.values() if running == number)

    def _is_held(self, kind: str) -> bool:
        """Return whether another process runs a job of this kind."""
        if kind in self._running:
            return False
        try:
            with self._guard(kind).acquire(timeout=0):
                return False
        except (Timeout, OSError) as error:
            return isinstance(error, Timeout)

    def _guard(self, kind: str) -> FileLock:
        return FileLock(self._folder / f"{kind}.lock", thread_local=False, mode=0o600)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.jsonl"

    def _numbers(self) -> list[int]:
        try:
            names = [path.stem for path in self._folder.glob("*.jsonl")]
        except OSError:
            return []
        return [int(name) for name in names if name.isascii() and name.isdecimal()]

    def _create(self, number: int) -> bool:
        try:
            os.close(os.open(self._path(number), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        return True

    def _append(self, number: int, line: Struct) -> None:
        with self._lock, self._path(number).open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")


def _raw(value: Any) -> Raw:
    return Raw(msgspec.json.encode(value))


def _folded(number: int, lines: list[bytes]) -> Job | None:
    """Return the job that the lines tell of; None if they tell of none. A line that is half there is the last one."""
    job: Job | None = None
    notes: list[Raw] = []
    for line in lines:
        try:
            one = _LINE.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            break
        if isinstance(one, _Made):
            job = Job(number=number, kind=one.kind, state="made", made_at=one.at, about=one.about)
        elif job is None:
            return None
        elif isinstance(one, _Started):
            job = msgspec.structs.replace(job, state="running", started_at=one.at, order=one.order)
        elif isinstance(one, _Note):
            notes.append(one.note)
        else:
            job = msgspec.structs.replace(job, state=one.end, ended_at=one.at, problem=one.problem)
    return job and msgspec.structs.replace(job, notes=tuple(notes))
