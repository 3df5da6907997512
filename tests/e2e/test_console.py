"""The console over the local engine: from a question to its answer, and to everything that is known about its run."""

import re

import pytest

from console.live.stream import DONE
from console.tests.asking import console_of
from local.targets import local_target
from tests.e2e.conftest import Deployment, eventually

pytestmark = pytest.mark.engine


def test_a_question_is_asked_and_followed_in_the_console(pipeline: Deployment):
    """A message that is sent in the console is followed to its answer, and its run's pages show each stage."""
    console = console_of(local_target(pipeline.connection))
    key = re.findall(r'name="key" value="([^"]+)"', console.get("/ask").text)[0]
    sent = console.post("/ask/send", {"message": "What does the console show?", "key": key})
    assert sent.status == 303
    pipeline_id = sent.headers["location"].rpartition("/")[2]
    stream = console.watch(f"/live/asked/{pipeline_id}").body
    assert stream.endswith(DONE)
    assert b"succeeded" in stream
    assert 'aria-label="Answer"' in console.get(f"/asked/{pipeline_id}").text
    run = console.get(f"/runs/{pipeline_id}").text
    assert run.count('role="rowheader"') == 5
    assert "What does the console show?" in console.get(f"/runs/{pipeline_id}?tab=data").text
    assert "TaskSucceeded" in console.get(f"/runs/{pipeline_id}?tab=events").text
    assert "transition into AnalyzeInput" in console.get(f"/runs/{pipeline_id}?tab=cost").text
    eventually(
        lambda: "chatbot" in console.get(f"/runs/{pipeline_id}?tab=logs&read=1").text
    )  # after the callback
    assert f"/runs/{pipeline_id}" in console.get("/runs").text
    assert console.get(f"/find?q={pipeline_id}-accepted").headers["location"] == f"/runs/{pipeline_id}"
    assert "chat" in console.get("/").text
