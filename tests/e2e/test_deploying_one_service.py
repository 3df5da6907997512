"""A single service is deployed under load, without changing another stack or losing a message in flight."""

import threading
from pathlib import Path

import pytest

from local.deploy import deploy
from tests.e2e.checkout import copy_checkout
from tests.e2e.conftest import DEPLOYS, Deployment
from tests.e2e.support import complete

pytestmark = [pytest.mark.engine, DEPLOYS, pytest.mark.timeout(240)]


@pytest.fixture
def changed_checkout(tmp_path: Path) -> Path:
    """Return a copy of the checkout in which the analyzer has one more comment."""
    copy = tmp_path / "checkout"
    copy_checkout(copy)
    with (copy / "services" / "analyzer" / "__init__.py").open("a") as file:
        file.write("# changed\n")
    return copy


def stacks(pipeline: Deployment) -> dict[str, tuple[str, str]]:
    """Return each stack's last update and template."""
    cloudformation = pipeline.client("cloudformation")
    return {
        stack["StackName"]: (
            str(stack.get("LastUpdatedTime")),
            str(cloudformation.get_template(StackName=stack["StackName"])["TemplateBody"]),
        )
        for stack in cloudformation.describe_stacks()["Stacks"]
        if stack["StackName"].startswith("ai-pipeline-")
    }


def test_one_service_is_deployed_under_load(pipeline: Deployment, changed_checkout: Path):
    """While pipelines run, deploying the analyzer changes only its stack, and every run completes."""
    before = stacks(pipeline)
    ids: list[str] = []
    done = threading.Event()

    def load() -> None:
        number = 0
        while not done.wait(0.25) and number < 200:
            ids.extend(
                pipeline.publish(*({"data": {"user_message": f"Number {number + n}?"}} for n in range(2)))
            )
            number += 2

    # A message whose worker was replaced is delivered again after this time.
    with pipeline.visible_after("analyzer", 10):
        publisher = threading.Thread(target=load)
        publisher.start()
        try:
            assert deploy(pipeline.engine, "analyzer", root=changed_checkout) == ("analyzer",)
        finally:
            done.set()
            publisher.join()
        ids += pipeline.publish(*({"data": {"user_message": f"After {n}?"}} for n in range(5)))
        assert all(complete(pipeline.finished(event_id)) for event_id in ids)
    after = stacks(pipeline)
    assert {name for name in after if after[name] != before[name]} == {"ai-pipeline-local-analyzer"}
