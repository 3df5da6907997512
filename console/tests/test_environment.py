"""What a running console learns of what is deployed while it runs."""

import threading
import time
from pathlib import Path

import pytest

from console import environment
from console.environment import Environment
from console.tests.asking import Console
from operations.dlq.queues import find_queues
from operations.errors import NotDeployedError
from operations.target import Target
from operations.tests.dead_letters import url
from operations.tests.world import client

STAGE = "/ai-pipeline/local/services/translator/"


@pytest.fixture
def watched(target: Target, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Return an environment that has read its addresses."""
    monkeypatch.setattr(environment, "find_target", lambda *_, **__: target)
    known = Environment("dev")
    assert known.target().addresses.services
    return known


def after(known: Environment, seconds: float) -> Target:
    """Return the target that a page gets so many seconds after what is deployed was read."""
    known._deployed_at = time.monotonic() - seconds
    return known.target()


def later(known: Environment) -> Target:
    """Return the target when half a minute has passed, and what is deployed was read."""
    target = after(known, environment.DEPLOYED_SECONDS)
    joined()
    return target


def joined() -> None:
    """Wait until what is deployed was read beside the pages."""
    for thread in threading.enumerate():
        if thread.name == "addresses":
            thread.join()


def add_stage() -> None:
    for name in ("queue-url", "dlq-url"):
        client("ssm").put_parameter(Name=f"{STAGE}{name}", Value=url("chatbot"), Type="String")


def test_what_was_deployed_is_noticed(watched: Environment):
    """The dead-letter queue of a stage that was deployed while the console runs is read without a restart."""
    add_stage()
    assert "translator" not in {queue.service for queue in find_queues(watched.target())}
    assert "translator" in {queue.service for queue in find_queues(later(watched))}


def test_the_first_page_after_a_while_shows_what_is_deployed(watched: Environment):
    """If nobody has looked for a minute, what is deployed is read before the next page, not beside it."""
    add_stage()
    assert "translator" in after(watched, environment.OLD_SECONDS).addresses.services


def test_a_deployment_that_goes_on_is_read_again_soon(watched: Environment):
    """What was read in the middle of a deployment is no state that lasts: a second later it is read again."""
    gone = "/ai-pipeline/local/state-machine/arn"
    arn = client("ssm").get_parameter(Name=gone)["Parameter"]["Value"]
    client("ssm").delete_parameter(Name=gone)
    assert not later(watched).addresses.is_whole
    client("ssm").put_parameter(Name=gone, Value=arn, Type="String")
    after(watched, environment.KNOWN_SECONDS)
    joined()
    assert watched.target().addresses.state_machine_arn == arn


def test_what_was_deleted_is_noticed(watched: Environment):
    """When nothing is deployed any more, the next page says so."""
    for path in watched.target().addresses.values:
        client("ssm").delete_parameter(Name=f"/ai-pipeline/local/{path}")
    with pytest.raises(NotDeployedError):
        _ = later(watched).addresses


def test_a_stage_that_needs_a_restart_is_named(
    console: Console, target: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Each page names a stage that was added to code and deployment since, and the commands that restart the console.

    One without a folder was removed, or is of another checkout: there a restart would not help.
    """
    monkeypatch.setattr(environment, "SERVICES", tmp_path)
    add_stage()
    assert "translator" in target.addresses.services
    console.desk.environment._target = target
    assert "Added since" not in console.get("/events").text
    (tmp_path / "translator").mkdir()
    page = console.get("/events").text
    assert "Added since this console began: translator." in page
    assert ">pipeline console --stop</code>, then <code" in page
