"""One service is deployed alone, under load: nothing else changes and nothing in flight is lost."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.deploy import deploy
from tests.e2e.conftest import DEPLOYS, Deployment, sources
from tests.e2e.test_pipeline import complete

pytestmark = [pytest.mark.engine, DEPLOYS, pytest.mark.timeout(240)]

SETTINGS = Path(__file__).resolve().parents[2] / "services" / "analyzer" / "__init__.py"


@pytest.fixture
def changed_analyzer() -> Iterator[None]:
    """The analyzer's sources with one more comment, put back afterwards."""
    with sources(change=True):
        before = SETTINGS.read_bytes()
        SETTINGS.write_bytes(before + b"# changed\n")
        yield
        SETTINGS.write_bytes(before)


def stacks(pipeline: Deployment) -> dict[str, tuple[str, str]]:
    """Each stack's last update and template."""
    cloudformation = pipeline.client("cloudformation")
    return {
        stack["StackName"]: (
            str(stack.get("LastUpdatedTime")),
            str(cloudformation.get_template(StackName=stack["StackName"])["TemplateBody"]),
        )
        for stack in cloudformation.describe_stacks()["Stacks"]
        if stack["StackName"].startswith("ai-pipeline-")
    }


@pytest.mark.usefixtures("changed_analyzer")
def test_one_service_is_deployed_under_load(pipeline: Deployment):
    """While pipelines run, the analyzer is replaced: its stack alone changes and every run completes."""
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

    publisher = threading.Thread(target=load)
    publisher.start()
    try:
        assert deploy(pipeline.engine, "analyzer") == ("analyzer",)
    finally:
        done.set()
        publisher.join()
    ids += pipeline.publish(*({"data": {"user_message": f"After {n}?"}} for n in range(5)))
    assert all(complete(pipeline.finished(event_id)) for event_id in ids)
    after = stacks(pipeline)
    assert {name for name in after if after[name] != before[name]} == {"ai-pipeline-local-analyzer"}
