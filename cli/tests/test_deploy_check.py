"""The in-flight gate finds, reports and refuses what a version cannot read, and changes nothing itself."""

import json
import time
from typing import Any

import pytest

from cli.tests.support import call
from infra.definition import definition
from local import deploy as local_deploy
from local.engine import Engine
from operations.errors import OperationError
from operations.inflight import looking, memory, reading
from operations.inflight.reading import of_definition, of_rules, of_states, sends
from operations.tests.dead_letters import StepFunctions, count, park, url
from operations.tests.world import BUS, OPERATIONS, client
from shared.contracts.stages import BY_STATE, OPTIONAL, SERVICES, STAGES
from shared.errors import ContractViolation
from shared.tests import vetting
from shared.tests.fakes import client_error, stage_event

pytestmark = pytest.mark.slow

QUEUES = {stage.service: "https://queue" for stage in STAGES if stage.via == "queue"}
DEFINITION = json.dumps(definition(bus_name="bus", queue_urls=QUEUES, table_name="table"))
OLDER = DEFINITION.replace("chat.requested.v1", "chat.requested.v0")


# --- pure ------------------------------------------------------------------------------------------------


def test_a_definition_says_what_it_sends():
    """The detail-types of all stages are found in a definition, whether sent to the bus or to a queue."""
    assert sends(DEFINITION) == {stage.state: stage.request.detail_type() for stage in STAGES}


@pytest.mark.parametrize(
    ("entered", "found"),
    [(None, True), ("AnalyzeInput", True), ("CallExistingChatbot", True), ("EnhanceResponse", False)],
)
def test_an_open_execution_is_read_with_its_own_definition(entered, found):
    """Of an open execution only the requests that it has still to send are checked."""
    assert bool(of_definition("chatbot", OLDER, "p-1", entered=entered)) is found
    assert of_definition("chatbot", DEFINITION, "p-1", entered=entered) is None
    assert of_definition("analyzer", OLDER, "p-1", entered=entered) is None


@pytest.mark.parametrize(
    ("entered", "found"),
    [
        (None, True),
        ("AnalyzeInput", True),
        ("VetMessage", True),
        ("AfterVetMessage", False),
        ("LogResults", False),
    ],
)
def test_a_removed_state_is_found_while_runs_have_still_to_enter_it(entered, found):
    """An open execution that has still to enter a state of a stage that is gone refuses the deployment; the state of
    a removed stage that is still deployed does not.
    """
    vetted = definition(bus_name="bus", queue_urls=QUEUES, table_name="table", stages=vetting.TABLE)
    finding = of_states(json.dumps(vetted), "p-1", entered=entered)
    assert bool(finding) is found
    if finding:
        assert "VetMessage" in finding.reason
    assert of_states(DEFINITION, "p-1", entered=entered) is None
    kept = {"vetting.requested.v1"}
    assert of_states(json.dumps(vetted), "p-1", entered=entered, kept=kept) is None


def test_a_workflow_that_sends_what_no_rule_takes_is_found():
    """A request that no rule routes to its service is reported with the service to deploy first."""
    taken = {stage.service: [stage.request.detail_type()] for stage in STAGES}
    assert list(of_rules(taken)) == []
    (finding,) = of_rules({**taken, "chatbot": ["chat.requested.v0"]})
    assert finding.blocks
    assert "chatbot" in finding.reason


# --- on moto's queues ------------------------------------------------------------------------------------


@pytest.fixture
def deployed(local_engine: None, machine: StepFunctions, monkeypatch: pytest.MonkeyPatch) -> StepFunctions:
    """Everything is deployed, with rules; executions run by `DEFINITION`."""
    events = client("events")
    for stage in STAGES:
        if stage.via == "bus":
            pattern = {"source": ["ai.pipeline"], "detail-type": [stage.request.detail_type()]}
            events.put_rule(
                Name=f"ai-pipeline-local-{stage.service}-requests",
                EventBusName=BUS,
                EventPattern=json.dumps(pattern),
            )

    class Known:
        ExecutionDoesNotExist = KeyError

    machine.exceptions = Known  # type: ignore[attr-defined]
    machine.definition = DEFINITION  # type: ignore[attr-defined]
    monkeypatch.setattr(
        machine,
        "describe_state_machine_for_execution",
        lambda **_: {"definition": machine.definition},  # type: ignore[attr-defined]
        raising=False,
    )
    monkeypatch.setattr(
        machine,
        "get_execution_history",
        lambda **_: {"events": [{"stateEnteredEventDetails": {"name": "AnalyzeInput"}}]},
        raising=False,
    )
    return machine


def send(service: str, detail_type: str, data: dict[str, Any] | None = None, *, token: str = "t") -> None:
    event = stage_event(detail_type, data or {"user_message": "Hi"}, token=token)
    client("sqs").send_message(QueueUrl=url(service, ""), MessageBody=json.dumps(event))


def received(service: str) -> list[int]:
    answer = client("sqs").receive_message(
        QueueUrl=url(service, ""), MaxNumberOfMessages=10, VisibilityTimeout=0, AttributeNames=["All"]
    )
    return [int(message["Attributes"]["ApproximateReceiveCount"]) for message in answer.get("Messages", [])]


def blocked(*services: str) -> list[dict[str, Any]]:
    result = call("deploy-check", *services, "--json")
    findings = [
        finding
        for check in json.loads(result.stdout)
        for seen in check["looks"]
        for finding in seen["findings"]
        if finding["blocks"]
    ]
    assert result.exit_code == (1 if findings else 0), result.output
    return findings


@pytest.mark.usefixtures("deployed")
def test_what_can_be_read_passes():
    """If everything is readable the exit code is 0, with a line of at most 80 columns for each place."""
    send("chatbot", "chat.requested.v1")
    park("p-1")
    assert blocked() == []
    result = call("deploy-check", "chatbot")
    assert result.exit_code == 0
    assert "1 waiting message" in result.stdout
    assert "1 parked message" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.usefixtures("deployed")
def test_a_look_takes_nothing_hides_nothing_and_counts_once():
    """Repeated checks leave a message in its queue and count as one delivery of it."""
    send("chatbot", "chat.requested.v0")
    for _ in range(3):
        (finding,) = blocked("chatbot")
        assert (finding["place"], finding["detail_type"]) == ("queue", "chat.requested.v0")
    assert "each reading is a delivery" in call("deploy-check", "chatbot").stdout
    assert count(url("chatbot", "")) == 1
    assert received("chatbot") == [2]  # the look, and this one


@pytest.mark.usefixtures("deployed")
def test_a_look_that_was_broken_off_may_have_counted(monkeypatch):
    """If a check dies while it reads a queue, the next one does not read that queue again."""
    send("chatbot", "chat.requested.v0")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(looking, "parked", die)
        assert call("deploy-check", "chatbot").exit_code != 0
    assert "interrupted" in call("deploy-check", "chatbot").stdout
    assert received("chatbot") == [2]


@pytest.mark.usefixtures("deployed")
def test_what_was_seen_is_judged_by_who_asks(monkeypatch):
    """Messages that one checkout has read are judged by the next without reading the queue again."""
    send("chatbot", "chat.requested.v1")
    assert blocked("chatbot") == []
    with monkeypatch.context() as patched:
        patched.setattr(
            reading, "violation", lambda _: ContractViolation("$.detail-type", "not read any more")
        )
        assert len(blocked("chatbot")) == 1
    assert blocked("chatbot") == []
    assert received("chatbot") == [2]


@pytest.mark.usefixtures("deployed")
def test_what_is_too_large_to_keep_is_judged_by_its_version(monkeypatch):
    """A message too large to keep is judged by its version alone."""
    send("chatbot", "chat.requested.v1", {"user_message": "x" * 5_000})
    monkeypatch.setattr(memory, "KEPT_BYTES", 100)
    assert blocked("chatbot") == []
    assert blocked("chatbot") == []
    assert "x" * 100 not in json.dumps(client("dynamodb").scan(TableName=OPERATIONS)["Items"])


@pytest.mark.usefixtures("deployed")
def test_a_look_keeps_no_token():
    """The copy that is kept of a message contains no task token."""
    send("chatbot", "chat.requested.v1", token="T0KEN")
    assert blocked("chatbot") == []
    kept = json.dumps(client("dynamodb").scan(TableName=OPERATIONS)["Items"])
    assert "chat.requested.v1" in kept
    assert "T0KEN" not in kept


@pytest.mark.usefixtures("deployed")
def test_who_may_not_note_a_look_makes_none(monkeypatch):
    """Without permission to write to the operations table no queue is read, and the error says so."""
    send("chatbot", "chat.requested.v1")

    def denied(**_: Any) -> None:
        raise client_error("AccessDeniedException", "PutItem")

    with monkeypatch.context() as patched:
        patched.setattr(client("dynamodb"), "put_item", denied)
        result = call("deploy-check", "chatbot")
    assert result.exit_code == 1
    assert "AccessDenied" in result.stderr
    assert received("chatbot") == [1]


@pytest.mark.usefixtures("deployed")
def test_a_look_is_forgotten_with_its_messages(monkeypatch):
    """A queue is read again once the messages read before can no longer be waiting."""
    send("chatbot", "chat.requested.v0")
    assert len(blocked("chatbot")) == 1
    client("sqs").purge_queue(QueueUrl=url("chatbot", ""))
    assert blocked("chatbot") == []
    send("chatbot", "chat.requested.v1")
    assert len(blocked("chatbot")) == 1  # what was seen may be what is there
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86_400)
    assert blocked("chatbot") == []


@pytest.mark.usefixtures("deployed")
def test_parked_messages_count_unless_nobody_could_read_them():
    """A parked message that this version can't replay blocks, in whatever version it was sent; one that was refused
    for its content is told, and blocks nothing.
    """
    sqs = client("sqs")
    for error_type, detail_type, data in (
        ("Pipeline.Transient", "chat.requested.v1", {"user_message": ["SECRET"]}),
        ("Pipeline.ContractViolation", "chat.requested.v1", {"user_message": ["SECRET"]}),
        ("Pipeline.ContractViolation", "chat.requested.v0", {"user_message": "SECRET"}),
    ):
        sqs.send_message(
            QueueUrl=url("chatbot"),
            MessageBody=json.dumps(stage_event(detail_type, data, token="T0KEN")),
            MessageAttributes={"error_type": {"DataType": "String", "StringValue": error_type}},
        )
    entries = blocked("chatbot")
    assert sorted(entry["detail_type"] for entry in entries) == ["chat.requested.v0", "chat.requested.v1"]
    assert {entry["place"] for entry in entries} == {"dlq"}
    result = call("deploy-check", "chatbot")
    assert "no released version can read it; this does not block the deployment" in result.stdout
    assert "SECRET" not in result.output
    assert "T0KEN" not in result.output
    assert count(url("chatbot")) == 3


def test_open_executions_of_an_older_definition_count(deployed: StepFunctions):
    """An open execution that will send a request this version can't read is reported."""
    deployed.runs["p-1"] = {"status": "RUNNING", "input": "{}"}
    assert blocked("chatbot") == []
    deployed.definition = OLDER  # type: ignore[attr-defined]
    (finding,) = blocked("chatbot")
    assert (finding["place"], finding["name"]) == ("execution", "p-1")
    assert blocked("analyzer") == []


@pytest.mark.usefixtures("deployed")
def test_a_workflow_waits_for_its_consumers(monkeypatch):
    """A workflow whose requests no rule routes is refused, with the service to deploy first.

    Only a disabled rule does not route: AWS knows several states of an enabled one.
    """
    client("events").put_rule(
        Name="ai-pipeline-local-chatbot-requests",
        EventBusName=BUS,
        EventPattern=json.dumps({"source": ["ai.pipeline"], "detail-type": ["chat.requested.v1"]}),
        State="ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS",
    )
    assert blocked("workflow") == []
    pattern = {"source": ["ai.pipeline"], "detail-type": ["analysis.requested.v0"]}
    client("events").put_rule(
        Name="ai-pipeline-local-analyzer-requests", EventBusName=BUS, EventPattern=json.dumps(pattern)
    )
    (finding,) = blocked("workflow")
    assert (finding["place"], finding["name"]) == ("rule", "analyzer")
    client("events").disable_rule(Name="ai-pipeline-local-chatbot-requests", EventBusName=BUS)
    assert [entry["name"] for entry in blocked("workflow")] == ["analyzer", "chatbot"]


@pytest.mark.usefixtures("deployed")
def test_unknown_service_is_told():
    """An unknown service gives exit code 3 and the existing names."""
    result = call("deploy-check", "analyser")
    assert result.exit_code == 3
    assert "analyzer" in result.stderr


# --- deploy ----------------------------------------------------------------------------------------------


@pytest.fixture
def deploys(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The services that `pipeline deploy` has deployed."""
    done: list[str | None] = []

    def deploy(_engine: Any, service: str | None, _progress: Any) -> tuple[str, ...]:
        done.append(service)
        return (service or "all",)

    monkeypatch.setattr(local_deploy, "deploy", deploy)
    monkeypatch.setattr(Engine, "running", lambda _: None)
    monkeypatch.setattr("cli.commands.deploy.deployed_states", lambda _: BY_STATE)
    return done


@pytest.mark.usefixtures("deployed")
def test_deploy_refuses_what_could_not_read_its_queue(deploys):
    """An unreadable queue gives exit code 1 and no deployment; --force and other services still deploy."""
    send("chatbot", "chat.requested.v0")
    for words in (("--service", "chatbot"), ()):
        refused = call("deploy", *words)
        assert refused.exit_code == 1
        assert "chat.requested.v0" in refused.stdout
        assert "--force" in refused.stderr
    assert deploys == []
    assert call("deploy", "--service", "analyzer").exit_code == 0
    assert call("deploy", "--service", "platform").exit_code == 0
    assert call("deploy", "--service", "chatbot", "--force").exit_code == 0
    assert deploys == ["analyzer", "platform", "chatbot"]


@pytest.mark.usefixtures("deployed")
def test_everything_together_brings_its_consumers(deploys):
    """A workflow ahead of its consumers is refused alone, and accepted together with them."""
    pattern = {"source": ["ai.pipeline"], "detail-type": ["analysis.requested.v0"]}
    client("events").put_rule(
        Name="ai-pipeline-local-analyzer-requests", EventBusName=BUS, EventPattern=json.dumps(pattern)
    )
    assert call("deploy", "--service", "workflow").exit_code == 1
    assert call("deploy").exit_code == 0
    assert deploys == [None]


@pytest.mark.usefixtures("deployed")
def test_deploy_refuses_while_it_can_not_look(deploys, monkeypatch):
    """If a queue can't be read, the deployment is refused with the reason; --force deploys."""

    def fail(*_: object, **__: object) -> None:
        raise OperationError("Could not look into the queue: AccessDenied.")

    monkeypatch.setattr("cli.commands.deploy.look", fail)
    refused = call("deploy", "--service", "chatbot")
    assert refused.exit_code == 1
    assert "AccessDenied" in refused.stderr
    assert deploys == []
    assert call("deploy", "--service", "chatbot", "--force").exit_code == 0


def test_every_service_can_be_checked():
    """Every service of the stage table, and the trigger, can be checked and reads some event."""
    assert set(looking.SERVICES) == {*SERVICES, *(stage.service for stage in OPTIONAL)}
    assert all(reading.reads(service) for service in looking.SERVICES)
