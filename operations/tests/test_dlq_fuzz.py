"""A queue filled with arbitrary messages: every operation ends, and treats a normal message beside them right.

PROPERTY_EXAMPLES=5000 searches for more.
"""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operations.dlq import journal as journals
from operations.dlq.messages import parked as read_message
from operations.dlq.overview import overview
from operations.dlq.plan import Action
from operations.dlq.replay import Options, Replay, Selection, archive, plan, select
from operations.inflight.looking import check
from operations.tests.dead_letters import StepFunctions
from operations.tests.odd_messages import MESSAGES
from operations.tests.strict import Queues, StrictStepFunctions, StrictTable
from operations.tests.world import OPERATIONS, TABLE, client
from shared.tests.fakes import stage_event

pytestmark = pytest.mark.slow

SERVICES = ("trigger", "chatbot", "logger")


class World:
    """The target of a test, with doubles that keep to AWS's limits; `fill` begins an example."""

    def __init__(self, target: Any) -> None:
        self.target = target
        self.values = dict(target.addresses.values)
        for path in list(target.addresses.values):
            if path.startswith("services/") and path.split("/")[1] not in SERVICES:
                del target.addresses.values[path]
        target._clients["dynamodb"] = StrictTable(target.client("dynamodb"))

    def fill(self, messages: list[Any]) -> tuple[StepFunctions, str]:
        """Put the messages, and a normal one of a run that failed, into queues; return the latter's id."""
        self.empty()
        self.queues, machine = Queues(), StrictStepFunctions()
        machine.alive.add("alive")
        self.target._clients |= {"sqs": self.queues, "stepfunctions": machine}
        for (service, kind), body, attributes in messages:
            room = sum(len(json.dumps(value, default=str)) for value in attributes.values()) + 200
            self.send(service, kind, body if len(body) < 1_000_000 else body[room:], attributes)
        arn = machine.fail("normal-run")
        event = stage_event(
            "chat.requested.v1",
            {"user_message": "Hi"},
            token="dead",
            pipeline_id="normal-run",
            execution_arn=arn,
        )
        return machine, self.send("chatbot", "dlq", json.dumps(event), {})

    def send(self, service: str, kind: str, body: str, attributes: dict[str, Any]) -> str:
        url = self.values[f"services/{service}/{kind}-url"]
        return self.queues.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)

    def empty(self) -> None:
        for table, keys in ((OPERATIONS, ("pipeline_id", "entry")), (TABLE, ("pipeline_id",))):
            for item in client("dynamodb").scan(TableName=table)["Items"]:
                client("dynamodb").delete_item(TableName=table, Key={name: item[name] for name in keys})

    @property
    def parked(self) -> set[str]:
        urls = [url for path, url in self.values.items() if path.endswith("dlq-url")]
        return {name for url in urls for name in self.queues.messages.get(url, {})}


@pytest.fixture
def world(target):
    return World(target)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(messages=MESSAGES, restart=st.booleans())
def test_replay_of_arbitrary_messages(world, messages, restart):
    """Listing, exporting, planning and replaying end, account for every message, and restart the normal run."""
    machine, normal = world.fill(messages)
    target, total = world.target, len(messages) + 1
    assert sum(view.count for view in overview(target)) == total
    selected = select(target, Selection())
    assert len(selected) == total
    for message in selected:
        json.loads(journals.as_json_lines(message).encode())
    planned = plan(target, selected, restart=restart)
    assert len(world.parked) == total
    actions = {item.message.id: item.decision.action for item in planned}
    assert actions[normal] is Action.RESTART
    results = list(Replay(target, who="arn:me", options=Options(restart=restart)).run(planned))
    assert sorted(result.message_id for result in results) == sorted(actions)
    outcomes = {result.message_id: result.outcome for result in results}
    assert outcomes[normal] == "done"
    assert set(outcomes.values()) <= {"done", "left"}
    assert {name for name, outcome in outcomes.items() if outcome == "left"} == world.parked
    assert "normal-run-restart-1" in machine.runs
    for archived in journals.archived(target):
        json.loads(journals.as_json_lines(archived).encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(messages=MESSAGES)
def test_archiving_arbitrary_messages(world, messages):
    """Every message is archived with its body, without its token, and the check of what is in flight ends, too."""
    _, normal = world.fill(messages)
    checks = check(world.target, SERVICES)
    assert (
        sum(look.looked for each in checks for look in each.looks if "dlq" in look.place) == len(messages) + 1
    )
    selected = {message.id: message for message in select(world.target, Selection())}
    results = list(archive(world.target, list(selected.values()), who="arn:me", reason="a fuzz"))
    assert [result.outcome for result in results] == ["done"] * len(selected)
    assert not world.parked
    kept = {message.message_id: message for message in journals.archived(world.target)}
    assert {name: message.body for name, message in kept.items()} == {
        name: message.public_body for name, message in selected.items()
    }
    assert kept[normal].pipeline_id == "normal-run"
    assert '"dead"' not in kept[normal].body
    for archived in kept.values():
        assert json.loads(journals.as_json_lines(archived).encode())["message_id"] == archived.message_id
        assert archived.as_parked().id == archived.message_id


def test_a_token_is_removed_wherever_the_body_has_it():
    """A task token is removed from a detail that is JSON, JSON in a text, or broken."""
    for body in (
        '{"detail": {"task_token": "secret"}}',
        json.dumps({"detail": json.dumps({"task_token": "secret"})}),
        '{"detail": {"task_token": "secret',
        '{"detail": {"deep": ' + "[" * 5_000 + '], "task_token": "secret"}}',
    ):
        message = {"MessageId": "m", "Body": body, "Attributes": {"SentTimestamp": "0"}}
        assert "secret" not in read_message(message, "chatbot", "dlq").public_body
