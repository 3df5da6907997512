"""The approval on the engine: switched on, a run waits for a person, is decided on, and ends; switched off again."""

import pytest

from local.deploy import deploy
from local.targets import local_target
from operations.approvals import Approvals
from operations.deployment.removed import delete_removed, removed_stages
from operations.errors import NotDeployedError, RefusedError
from operations.inflight.looking import check
from tests.e2e.conftest import DEPLOYS, eventually
from tests.e2e.support import STAGES, stop_what_others_left

pytestmark = [pytest.mark.engine, DEPLOYS, pytest.mark.timeout(400)]

ON = {"approval": "true"}


@pytest.fixture(scope="module")
def inbox(pipeline):
    """Yield the waiting answers of a deployment with the approval, which is switched off while a run waits."""
    with pytest.raises(NotDeployedError, match="not switched on"):
        Approvals(local_target(pipeline.connection)).listed()
    with pipeline.another_app():
        deploy(pipeline.engine, context=ON)
        target = local_target(pipeline.connection)
        yield Approvals(target)
        switched_off(pipeline, Approvals(target))
    del pipeline.addresses  # they were read with those of the approval
    with pytest.raises(NotDeployedError, match="not switched on"):
        Approvals(local_target(pipeline.connection)).listed()


def switched_off(pipeline, inbox: Approvals) -> None:
    """Switch the approval off while a run waits for it and another one has still to reach it: both are decided on as
    they began, a new run does not wait, and then the approval's stack is deleted.
    """
    stop_what_others_left(pipeline)
    waiting = asked(pipeline, inbox, "Who waits when the approval goes?")
    with pipeline.stopped("enhancer") as queue:
        (coming,) = pipeline.publish({"data": {"user_message": "Who comes later?"}})
        eventually(lambda: depth(pipeline, queue) == 1)
        target = local_target(pipeline.connection)
        (states,) = check(target, ["states"])
        assert states.blocking == ()
        deploy(pipeline.engine)
    eventually(lambda: coming in {item.pipeline_id for item in inbox.listed()})
    (stage,) = removed_stages(target, lambda _: None)
    assert (stage.part, stage.needed_by, stage.undecided, stage.idle) == ("approval", 2, 2, False)
    listed = pipeline.call("GET", "/approvals")
    assert (listed.status, len(listed.body["approvals"])) == (200, 2)
    for name in (waiting, coming):
        inbox.approve(name)
        assert pipeline.finished(name)["approval"]["decision"] == "approved"
    (plain,) = pipeline.publish({"data": {"user_message": "And without an approval?"}})
    assert "approval" not in pipeline.finished(plain)
    eventually(lambda: removed_stages(target, lambda _: None)[0].idle)
    (stage,) = removed_stages(target, lambda _: None)
    delete_removed(target, stage, lambda _: None)


def depth(pipeline, queue: str) -> int:
    count = "ApproximateNumberOfMessages"
    answer = pipeline.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=[count])
    return int(answer["Attributes"][count])


def asked(pipeline, inbox: Approvals, text: str) -> str:
    """Publish a request and return its id as soon as it waits for approval."""
    (name,) = pipeline.publish({"data": {"user_message": text}})
    eventually(lambda: name in {item.pipeline_id for item in inbox.listed()})
    return str(name)


def test_a_run_waits_over_a_restart_and_a_redeployment(pipeline, inbox):
    """A waiting run survives a restart of its function and a deployment of its service, is approved and ends.

    It has then everything that a run without the approval has, and who decided.
    """
    name = asked(pipeline, inbox, "What is approved?")
    with pipeline.set("approval", RESTARTED="yes"):
        second = asked(pipeline, inbox, "What is rejected?")
    deploy(pipeline.engine, "approval", context={**ON, "approval_hours": "48"})
    third = asked(pipeline, inbox, "What is edited?")
    item = inbox.read(name)
    assert (item.state, item.user_message) == ("waiting", "What is approved?")
    assert item.answer
    inbox.approve(name, reason="as it should be")
    record = pipeline.finished(name)
    assert record["final_response"] == item.answer
    assert record["approval"]["decision"] == "approved"
    assert record["approval"]["decided_by"].startswith("arn:")
    assert "ended_by" not in record
    with pytest.raises(RefusedError, match="has already decided"):
        inbox.reject(name, reason="too late")
    inbox.reject(second, reason="not like this")
    rejected = pipeline.finished(second)
    assert (rejected["ended_by"], rejected["end_reason"]) == ("approval", "not like this")
    assert rejected["final_response"] == "This answer was not released."
    inbox.edit(third, text="An answer of my own.")
    assert pipeline.finished(third)["final_response"] == "An answer of my own."
    assert record["stages"].keys() == {*STAGES, "approval"}
