"""The functions that are measured do their real work, under Lambda's own runtime client."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import probing
from bench.functions import cgroup
from bench.functions.cold import once
from bench.functions.runtime import FunctionError
from bench.functions.subjects import Subject, subjects
from bench.functions.tls import SecureAws
from bench.goals import YARDSTICKS

CALLS = {
    "empty": {},
    "bare boto3": {"SendTaskSuccess": 1},
    "conventional": {"PutItem": 1, "UpdateItem": 1, "SendTaskSuccess": 1},
    "bare boto3, with byte code": {"SendTaskSuccess": 1},
    "api": {"PutItem": 1, "PutEvents": 1},
    "starter": {"StartExecution": 1, "UpdateItem": 1},
    "analyzer": {"SendTaskSuccess": 1},
    "chatbot": {"PutItem": 1, "converse": 1, "UpdateItem": 1, "SendTaskSuccess": 1},
    "enhancer": {"SendTaskSuccess": 1},
    "logger": {"UpdateItem": 1, "PutEvents": 1, "SendTaskSuccess": 1},
}
"""The AWS calls of each subject for one message, without failures."""


def calls_of(name: str) -> dict[str, int]:
    """Return the calls of a subject; a stage that is not listed makes only the call that every stage makes."""
    return CALLS.get(name, {"SendTaskSuccess": 1})


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Iterator[tuple[dict[str, Subject], SecureAws]]:
    """The functions from their zip files, and yardsticks, with an AWS that answers at once."""
    with subjects(
        tmp_path_factory.mktemp("subjects"), [name for name in YARDSTICKS if name in CALLS]
    ) as both:
        yield both


@pytest.mark.timeout(120)
def test_each_subject_does_its_work(made, monkeypatch):
    """Each subject makes exactly the calls of a successful message, for single messages and for batches."""
    calls: Counter[str] = Counter()
    answer = probing.Answers.do_POST

    def counted(self: probing.Answers) -> None:
        target = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        calls[target or self.path.rpartition("/")[2]] += 1
        answer(self)

    monkeypatch.setattr(probing.Answers, "do_POST", counted)
    chosen, aws = made
    assert set(CALLS) <= set(chosen)
    for name, subject in chosen.items():
        with subject.start(aws) as function:
            assert not calls, f"{name} calls before it is asked"
            function.invoke(subject.event(1))
            assert calls == calls_of(name), name
            if name not in YARDSTICKS and name != "api":
                function.invoke(subject.event(10))
                assert calls == {call: 11 * times for call, times in calls_of(name).items()}, name
        calls.clear()
    measured = once(chosen["enhancer"], aws, warm=2)
    assert 0 < measured["init_cpu_ms"] < measured["cold_cpu_ms"]
    assert 10 < measured["memory_mb"] < 200


@pytest.mark.timeout(120)
def test_a_measured_process_leaves_nothing_for_the_next_one(made):
    """No process writes into the folders that it runs from, not even byte code, so all rounds are alike."""
    chosen, aws = made
    for name in ("bare boto3", "analyzer"):
        before = written(chosen[name])
        with chosen[name].start(aws) as function:
            function.invoke(chosen[name].event(1))
        assert written(chosen[name]) == before, name


def written(subject: Subject) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for folder in subject.folders for path in folder.rglob("*")}


def test_a_function_that_fails_is_no_measurement(made):
    """A function's error ends the benchmark with its text and leaves no process behind."""
    chosen, aws = made
    with chosen["analyzer"].start(aws) as function:
        with pytest.raises(FunctionError, match="Records"):
            function.invoke({"no": "records"})
        process = function._process
    assert process.poll() is not None


def test_a_machine_without_cgroups_is_told(tmp_path, monkeypatch):
    """When no cgroup can be created, the error names the file or the missing CPU quota."""
    monkeypatch.setattr(cgroup, "ROOT", tmp_path / "missing")
    with (
        pytest.raises(cgroup.NoCgroupsError, match=r"no cgroup can be made: No such file.*missing"),
        cgroup.cgroup("x", 128),
    ):
        pass
    monkeypatch.setattr(cgroup, "ROOT", tmp_path)
    (tmp_path / "cgroup.controllers").touch()
    with pytest.raises(cgroup.NoCgroupsError, match="no CPU quota"), cgroup.cgroup("x", 128):
        pass
