"""Jobs and their files: what others see of them, stop, join and find after a crash."""

import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from operations.errors import NotFoundError, OperationError, RefusedError
from operations.jobs import BusyError, Jobs
from operations.stop import Stop
from shared.tests.fakes import PATIENCE_SECONDS


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path / "jobs")


def finished(jobs: Jobs, work: Any, kind: str = "replay") -> Any:
    number = jobs.make(kind, {"what": "x"})
    jobs.start(number, {}, work)
    jobs.join(number)
    return jobs.read(number)


def test_a_job_leaves_a_file_of_what_it_did(jobs: Jobs, tmp_path: Path):
    """A job's notes, order and end are read by whoever comes later; only the owner can read its file."""
    job = finished(jobs, lambda _: iter([1, 2]))
    again = Jobs(tmp_path / "jobs").read(job.number)
    assert again == job
    assert (again.state, [bytes(note) for note in again.notes], bytes(again.about)) == (
        "done",
        [b"1", b"2"],
        b'{"what":"x"}',
    )
    assert stat.S_IMODE((tmp_path / "jobs" / "1.jsonl").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "jobs").stat().st_mode) == 0o700


def test_a_job_is_started_once(jobs: Jobs):
    """A job that was started, by a second press or a reload, is refused and done once."""
    times: list[int] = []

    def work(_: Stop) -> Any:
        times.append(1)
        yield 1

    job = finished(jobs, work)
    with pytest.raises(RefusedError, match="started already"):
        jobs.start(job.number, {}, work)
    assert len(times) == 1


class Waiting:
    """Work that notes its beginning and waits until it may go on."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()

    def __call__(self, stop: Stop) -> Any:
        yield "began"
        self.began.set()
        assert self.go.wait(PATIENCE_SECONDS)
        if not stop.requested:
            yield "went on"


def test_one_job_of_a_kind_runs_at_a_time(jobs: Jobs, tmp_path: Path):
    """A second job of the kind is told which one runs, in this process or another; another kind may start."""
    work = Waiting()
    first, second, other = jobs.make("replay", {}), jobs.make("replay", {}), jobs.make("report", {})
    jobs.start(first, {}, work)
    assert work.began.wait(PATIENCE_SECONDS)
    with pytest.raises(BusyError) as busy:
        jobs.start(second, {}, lambda _: iter(()))
    assert busy.value.number == first
    elsewhere = Jobs(tmp_path / "jobs")
    assert (elsewhere.read(first).state, elsewhere.running("replay")) == ("running", None)
    with pytest.raises(BusyError):
        elsewhere.start(second, {}, lambda _: iter(()))
    jobs.start(other, {}, lambda _: iter(()))
    jobs.join(other)
    work.go.set()
    jobs.join(first)
    jobs.start(second, {}, lambda _: iter(()))
    jobs.join(second)
    assert [job.state for job in jobs.latest()] == ["done"] * 3


def test_a_job_stops_when_asked(jobs: Jobs):
    """A job that is asked to stop says so until it has, and starts nothing new."""
    work = Waiting()
    number = jobs.make("replay", {})
    jobs.start(number, {}, work)
    assert work.began.wait(PATIENCE_SECONDS)
    assert jobs.stop(number)
    assert jobs.read(number).state == "stopping"
    work.go.set()
    jobs.join(number)
    job = jobs.read(number)
    assert (job.state, len(job.notes), jobs.stop(number)) == ("stopped", 1, False)


def test_whoever_comes_after_a_crash_reads_how_far_it_came(jobs: Jobs, tmp_path: Path):
    """A job whose process ended in the middle is interrupted: its whole notes count, and it can't start again."""
    job = finished(jobs, lambda _: iter([1, 2]))
    file = tmp_path / "jobs" / f"{job.number}.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-1])[:-4])  # neither the end nor the whole last note was written
    again = Jobs(tmp_path / "jobs")
    seen = again.read(job.number)
    assert (seen.state, len(seen.notes)) == ("interrupted", 1)
    with pytest.raises(RefusedError):
        again.start(job.number, {}, lambda _: iter(()))


def test_an_error_ends_a_job_with_its_text(jobs: Jobs):
    """An error of an operation is the job's problem; one of the program is told without its details."""

    def raising(error: Exception) -> Any:
        def work(_: Stop) -> Any:
            yield 1
            raise error

        return work

    refused = finished(jobs, raising(OperationError("The queue is gone. Look again.")))
    assert (refused.state, refused.problem) == ("failed", "The queue is gone. Look again.")
    broken = finished(jobs, raising(ZeroDivisionError("secret")))
    assert (broken.state, "secret" in broken.problem, len(broken.notes)) == ("failed", False, 1)


def test_a_full_disk_ends_a_job(jobs: Jobs, tmp_path: Path):
    """A job that can't note what it does stops at once, and a new one can start."""
    folder = tmp_path / "jobs"

    def work(_: Stop) -> Any:
        yield 1
        (folder / "1.jsonl").unlink()
        (folder / "1.jsonl").mkdir()
        yield 2
        pytest.fail("went on")

    number = jobs.make("replay", {})
    jobs.start(number, {}, work)
    jobs.join(number)
    assert jobs.running("replay") is None
    (folder / "1.jsonl").rmdir()
    assert finished(jobs, lambda _: iter(())).state == "done"


def test_damaged_and_strange_files_are_left_out(jobs: Jobs, tmp_path: Path):
    """Files that are no jobs, or damaged ones, hide no other job; a job that is not there is not found."""
    job = finished(jobs, lambda _: iter(()))
    for name, content in (
        ("7.jsonl", b"\xff\x00{"),
        ("8.jsonl", b""),
        ("x.jsonl", b"{}"),
        ("９.jsonl", b"{}"),
    ):
        (tmp_path / "jobs" / name).write_bytes(content)
    assert [one.number for one in jobs.latest()] == [job.number]
    for number in (7, 8, 99, -1):
        with pytest.raises(NotFoundError):
            jobs.read(number)
    assert jobs.make("replay", {}) == 9


def test_the_oldest_files_are_removed(jobs: Jobs, monkeypatch: pytest.MonkeyPatch):
    """Only the newest jobs are kept, and never fewer than the one that runs."""
    monkeypatch.setattr("operations.jobs.KEPT", 3)
    work = Waiting()
    running = jobs.make("replay", {})
    jobs.start(running, {}, work)
    for _ in range(6):
        jobs.make("replay", {})
    assert {job.number for job in jobs.latest(99)} == {running, 5, 6, 7}
    work.go.set()
    jobs.join(running)
