"""A run that waits for a person: the deployed definition in moto, the real worker of the approval, and its table."""

from functools import partial
from typing import Any

import boto3
import pytest
from moto import mock_aws

from services.approval.handler import run
from services.approval.settings import Settings
from services.trigger.starter.core import execution_input
from shared.bus import Bus
from shared.contracts.stages import BY_SERVICE, EVERY, STAGES
from shared.parking import ParkingLot
from shared.runtime import stage_route
from shared.tests.fakes import FakeEvents, FakeSqs, create_approvals_table, sqs_record, until
from shared.waiting import Verdict
from shared.waiting.store import Waiting
from shared.worker import Worker
from shared.worker.outcome import Callback
from tests.integration.workers import Workers
from tests.integration.workflow import ALL_WELL, ASKED, METADATA, Workflow

SETTINGS = Settings(approvals_table="approvals", approval_seconds=3_600)
ANN = "arn:aws:iam::123456789012:user/ann"


class Approving:
    """A run of all stages whose approval is handled by the real worker; the test plays the other services."""

    def __init__(self) -> None:
        self.workflow = Workflow(EVERY)
        clients = self.workflow.clients
        create_approvals_table(clients["dynamodb"])
        callback = Callback(clients["stepfunctions"])
        self.waiting = Waiting(clients["dynamodb"], "approvals", callback)
        self.sqs = FakeSqs()
        self.worker = Worker(
            service="approval",
            routes=stage_route("approval", partial(run, self.waiting, SETTINGS)),
            callback=callback,
            parking=ParkingLot(lambda: self.sqs, dlq_url="dlq", service="approval"),
            bus=Bus(FakeEvents, "bus"),
        )

    def start(self) -> str:
        answer = self.workflow.clients["stepfunctions"].start_execution(
            stateMachineArn=self.workflow.arn, name="p-1", input=execution_input(ASKED, METADATA)
        )
        return str(answer["executionArn"])

    def request(self) -> str:
        """Return the body of the approval's request, once it is in the queue."""
        url = self.workflow.queue_urls["approval"]
        (message,) = until(lambda: self.workflow.clients["sqs"].receive_message(QueueUrl=url).get("Messages"))
        return str(message["Body"])

    def deliver(self, body: str) -> None:
        answer = self.worker.handle({"Records": [sqs_record(body)]}, None)
        assert answer == {"batchItemFailures": []}

    def ended(self, arn: str) -> dict[str, Any]:
        def probe() -> dict[str, Any] | None:
            execution = self.workflow.clients["stepfunctions"].describe_execution(executionArn=arn)
            return dict(execution) if execution["status"] != "RUNNING" else None

        return until(probe)


@pytest.fixture
def approving():
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        yield Approving()


@pytest.mark.parametrize(
    ("verdict", "answer"),
    [
        (Verdict(decision="approved", by=ANN), None),
        (Verdict(decision="edited", by=ANN, text="Hello, Ann."), "Hello, Ann."),
    ],
    ids=["approved", "edited"],
)
def test_a_run_waits_for_a_person(approving, verdict, answer):
    """A run waits without a worker until somebody decides, and the logger gets the decision with who decided."""
    flow = approving.workflow
    with Workers(flow.clients, flow.queue_urls, ALL_WELL, STAGES) as workers:
        arn = approving.start()
        body = approving.request()
        approving.deliver(body)
        approving.deliver(body)  # a redelivery stores nothing anew
        item = approving.waiting.read("p-1")
        assert (item.state, item.answer, item.user_message) == ("waiting", "**Hello.**", "Hi 👋")
        assert flow.clients["stepfunctions"].describe_execution(executionArn=arn)["status"] == "RUNNING"
        approving.waiting.decide("p-1", verdict)
        execution = approving.ended(arn)
        assert execution["status"] == "SUCCEEDED"
        logged: Any = workers.requests["logger"][0].data
        approval = logged.results.approval
    assert (approval.data.decision, approval.data.decided_by) == (verdict.decision, ANN)
    assert (approval.data.early_answer.text if answer else None) == answer
    assert approval.meter is not None
    assert approving.sqs.sent == []


def test_a_deadline_that_fails_the_run_fails_it_at_its_state(approving):
    """A run whose wait fails has FAILED at the approval, so that a redrive asks again."""
    flow = approving.workflow
    with Workers(flow.clients, flow.queue_urls, ALL_WELL, STAGES):
        arn = approving.start()
        approving.deliver(approving.request())
        approving.waiting.decide("p-1", Verdict(decision="failed", by="deadline"))
        assert approving.ended(arn)["status"] == "FAILED"
    events = boto3.client("stepfunctions").get_execution_history(executionArn=arn)["events"]
    entered = [
        event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event
    ]
    assert entered[-1] == BY_SERVICE["approval"].state
