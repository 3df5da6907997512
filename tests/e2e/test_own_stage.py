"""The tutorial of a stage of one's own, followed as written on an engine under load."""

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local.paths import ROOT
from shared.contracts.stages import BY_KEY, SERVICES
from tests.e2e.checkout import copy_everything
from tests.e2e.conftest import Deployment, deployed, eventually
from tests.e2e.support import stacks_of

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

TUTORIAL = ROOT / "docs" / "your-own-stage.md"
_BLOCK = re.compile(r"```(?P<kind>sh|python)\n(?P<text>.*?)```", re.DOTALL)
_PATH = re.compile(r"`(services/[^`]+\.py)`")
_AS_TESTED = {"make deploy": "pipeline deploy"}
"""Commands of the tutorial in the words of the copy, in which nothing is to be set up."""


def blocks(section: str) -> Iterator[tuple[str, str, str]]:
    """Yield the section's blocks: its kind, its text, and the file that the sentence before names."""
    (text,) = re.findall(
        rf"^## {section}\. .*?(?=^## |\Z)", TUTORIAL.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    for block in _BLOCK.finditer(text):
        paths = _PATH.findall(text[: block.start()])
        yield block["kind"], block["text"], paths[-1] if paths else ""


class Reader:
    """Someone who follows the tutorial in a copy of the checkout, beside the tests' engine."""

    def __init__(self, copy: Path, engine: Path) -> None:
        self._copy = copy
        self._bin = copy_everything(copy, engine)

    def follow(self, section: str) -> str:
        """Do what a section says, and return what the commands printed."""
        printed = ""
        for kind, text, path in blocks(section):
            if kind == "python":
                (self._copy / path).write_text(text, "utf-8")
                continue
            for command in filter(None, text.splitlines()):
                if (
                    command != "make deploy SERVICE=moderation"
                ):  # the same as deploying one service of the four
                    printed += self._run(_AS_TESTED.get(command, command))
        return printed

    def again(self) -> bool:
        """Deploy once more, as a deployment says that keeps a removed stage's stack. Return False."""
        self._run("pipeline deploy")
        return False

    def leave(self) -> None:
        """Stop the console, which the tutorial leaves running."""
        self._run("pipeline console --stop")

    def changed(self) -> str:
        """Return the files that differ from the first commit."""
        first = self._run("git rev-list --max-parents=0 HEAD").strip()
        return self._run(f"git add --all && git diff --stat {first}")

    def _run(self, command: str) -> str:
        who = {
            f"GIT_{role}_{part}": "a@example.com"
            for role in ("AUTHOR", "COMMITTER")
            for part in ("NAME", "EMAIL")
        }
        done = subprocess.run(  # noqa: S602 -- the commands of our own document
            command,
            shell=True,
            cwd=self._copy,
            env={
                **{
                    name: value
                    for name, value in os.environ.items()
                    if not name.startswith(("GIT_", "PYTEST"))
                },
                **who,
                "PATH": os.pathsep.join((str(self._bin), os.environ["PATH"])),
                "PYTHONPATH": str(self._copy),  # before the checkout that is installed
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def pipeline() -> Iterator[Deployment]:
    """Yield a pipeline of this test alone: the workflow keeps its right to reach the removed stage until the next
    deployment, and the records name the stage for ever.

    Each deployment replaces all workers. The message that one of them handled is soon delivered again: until its run
    has ended, the removed stage stays.
    """
    with deployed("own-stage") as deployment, ExitStack() as queues:
        for service in SERVICES:
            queues.enter_context(deployment.visible_after(service, 30))
        yield deployment


@pytest.mark.skipif("moderation" in BY_KEY, reason="this checkout has the tutorial's stage already")
def test_tutorial_holds_as_written(pipeline: Deployment, tmp_path: Path):
    """Every block of the tutorial does what the text says, and runs that go on meanwhile all complete."""
    reader = Reader(tmp_path / "checkout", pipeline.engine.state.path)
    ids: list[str] = []
    done = threading.Event()

    def load() -> None:
        while not done.wait(1) and len(ids) < 200:
            ids.extend(pipeline.publish({"data": {"user_message": f"Meanwhile {len(ids)}?"}}))

    reader.follow("1")
    reader.follow("2")
    publisher = threading.Thread(target=load)
    publisher.start()
    try:
        printed = reader.follow("3")
        assert "ended by moderation; the model was not asked" in printed
        assert "Sorry, I can't help with this." in printed
        (refused,) = pipeline.publish({"data": {"user_message": "Which casino is best?"}})
        assert pipeline.finished(refused)["ended_by"] == "moderation"
        reader.follow("4")
    finally:
        done.set()
        publisher.join()
        reader.leave()
    assert not any("casino" in str(request["messages"]) for request in pipeline.model.requests)
    # A run that was open at the look keeps the stack until the next one.
    eventually(lambda: not stacks_of(pipeline, "moderation") or reader.again(), seconds=240)
    records = [pipeline.finished(event_id) for event_id in ids]
    assert {(record["status"], *record["degraded"]) for record in records} == {("SUCCEEDED",)}
    assert all(record["final_response"] for record in records)
    assert reader.changed() == ""
