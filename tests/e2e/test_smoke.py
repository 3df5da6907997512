"""`pipeline smoke` on the engine: each step's verdict there, and that it leaves nothing behind but records."""

import pytest

from operations.smoke.steps import STEPS
from tests.e2e.conftest import Deployment
from tests.e2e.support import Shell, parked, shell

__all__ = ["shell"]

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

SERVICES = ("trigger", "analyzer", "chatbot", "enhancer", "logger")
VERDICTS = {
    "put-events": {
        "api publishes pipeline.requested": "passed",
        "workflow publishes stage requests": "passed",
        "logger publishes pipeline.completed": "passed",
        **{f"{service} publishes contract.rejected": "passed" for service in SERVICES},
        "policy for publishers": "not possible",
        "no forged events": "not possible",
    },
    "run": {"via API": "passed", "via bus": "passed", "cost": "passed"},
    "denied-model": {"other models": "not possible"},
    "stopped-run": {"recorded": "passed", "announced": "passed"},
    "redrive": {"continued": "not possible"},
    "alarm-mail": {"alarm": "not possible"},
    "clean-up": {"subscriber": "passed"},
}


def test_every_step_has_its_verdict_on_the_engine(pipeline: Deployment, shell: Shell):
    """Each step passes on the engine or says why it is not possible there, twice in a row; only records remain."""
    for _ in range(2):
        report = shell.json("smoke")
        assert {
            step["step"]: {check["subject"]: check["outcome"] for check in step["checks"]}
            for step in report["steps"]
        } == VERDICTS
        assert [step["step"] for step in report["steps"]] == [*(step.name for step in STEPS), "clean-up"]
        assert all(check["text"] for step in report["steps"] for check in step["checks"])
        assert report["passed"]
        assert parked(shell) == 0
        rules = pipeline.client("events").list_rules(EventBusName=pipeline.addresses["bus/name"])["Rules"]
        queues = pipeline.client("sqs").list_queues().get("QueueUrls", [])
        assert not [name for name in (*(rule["Name"] for rule in rules), *queues) if "smoke" in name]
        by_api, *others = report["runs"]
        assert pipeline.record(by_api)["status"] == "SUCCEEDED"
        assert all(name.startswith(report["name"]) for name in others)


def test_a_role_that_may_not_publish_fails_its_step_alone(pipeline: Deployment, shell: Shell):
    """If a service's role may not publish, the check of this role fails and says what to do; other roles' pass."""
    with pipeline.denied("analyzer", "events:PutEvents"):
        report = shell.json("smoke", "--only", "put-events", "--patience", "20", code=1)
    (step, _) = report["steps"]
    failures = [check for check in step["checks"] if check["outcome"] == "failed"]
    assert [check["subject"] for check in failures] == ["analyzer publishes contract.rejected"]
    assert "parked an invalid event" in failures[0]["text"]
    assert "RejectionsNotPublished" in failures[0]["fix"]
