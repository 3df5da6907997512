"""Stored answers: after redelivery, crash, retry or restart, the model is asked only once (on moto's DynamoDB)."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import boto3
import msgspec
import pytest
from moto import mock_aws

from services.chatbot import answers as answers_module
from services.chatbot.answers import StoredAnswers
from shared.bus import Bus
from shared.contracts.envelope import Metadata
from shared.contracts.v1 import ChatAnswer, ChatRequested, Turn, Usage
from shared.errors import InProgress, ModelTimedOut, PermanentError, TransientError
from shared.parking import ParkingLot
from shared.runtime import stage_route
from shared.tests.fakes import (
    METADATA,
    PATIENCE_SECONDS,
    FakeEvents,
    FakeSqs,
    FakeStepFunctions,
    client_error,
    sqs_record,
    stage_event,
)
from shared.tests.samples import ANALYSIS
from shared.worker import Billed, Worker
from shared.worker.outcome import Callback

TABLE = "answers"
REQUEST = ChatRequested(user_message="Hi")
HISTORY = (Turn(role="user", text="Who?"), Turn(role="assistant", text="Me."))
ANSWER = ChatAnswer(
    text="Hello \N{GRINNING FACE}",
    backend="bedrock",
    model_id="m",
    stop_reason="end_turn",
    usage=Usage(input_tokens=3, output_tokens=5),
)


class Killed(BaseException):
    """Simulates SIGKILL: no code of the worker runs after it."""


class Model:
    """A backend that counts its calls; `outcome` is returned or raised, `during` is called meanwhile."""

    def __init__(self) -> None:
        self.paid = 0
        self.outcome: ChatAnswer | BaseException = ANSWER
        self.during: Any = lambda: None

    def ask(self, request: ChatRequested, metadata: Metadata) -> ChatAnswer:
        self.during()
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        self.paid += 1
        return self.outcome


@pytest.fixture
def table() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def answers(table, model) -> StoredAnswers:
    return StoredAnswers(model, table, table=TABLE, timeout_seconds=30)


def test_an_answer_is_paid_for_once(answers, model):
    """A second request for the same pipeline and message gets the whole stored answer."""
    assert [answers.ask(REQUEST, METADATA).result for _ in range(3)] == [ANSWER] * 3
    assert model.paid == 1


def test_an_answer_says_whether_it_was_bought(answers):
    """The meter distinguishes an answer that was paid for from a recalled one."""
    assert answers.recall(REQUEST, METADATA) is None
    recalled = [answers.ask(REQUEST, METADATA).billed.recalled for _ in range(2)]
    assert recalled == [False, True]
    another = answers.ask(ChatRequested(user_message="Another"), METADATA)
    assert another.billed == Billed(input_tokens=3, output_tokens=5, model_id="m")
    stored = answers.recall(REQUEST, METADATA)
    assert stored is not None
    assert stored.billed == Billed(input_tokens=3, output_tokens=5, model_id="m", recalled=True)


def test_another_worker_finds_the_answer(answers, model, table):
    """Answers are stored in the table, not in memory: the worker of a restarted execution finds them."""
    answers.ask(REQUEST, METADATA)
    other = StoredAnswers(Model(), table, table=TABLE, timeout_seconds=30)
    again = msgspec.structs.replace(METADATA, execution_arn="arn:restarted", attempt=2, event_id="other")
    assert (
        other.ask(
            ChatRequested(user_message="Hi", analysis=msgspec.structs.replace(ANALYSIS, has_code=True)), again
        ).result
        == ANSWER
    )


@pytest.mark.parametrize(
    ("request_", "metadata"),
    [
        (ChatRequested(user_message="Hi!"), METADATA),
        (REQUEST, msgspec.structs.replace(METADATA, pipeline_id="p-2")),
        (ChatRequested(user_message="Hi", history=HISTORY), METADATA),
    ],
    ids=["another message", "another pipeline", "another conversation"],
)
def test_another_question_is_another_answer(answers, model, request_, metadata):
    """An answer is never given to another message, after another conversation, or to another pipeline."""
    answers.ask(REQUEST, METADATA)
    answers.ask(request_, metadata)
    assert model.paid == 2


@pytest.mark.parametrize("error", [TransientError("throttled"), PermanentError("denied")])
def test_a_failed_call_is_not_stored(answers, model, error):
    """A failure is not stored: the next attempt asks the model."""
    model.outcome = error
    with pytest.raises(type(error)):
        answers.ask(REQUEST, METADATA)
    model.outcome = ANSWER
    assert answers.ask(REQUEST, METADATA).result == ANSWER


def test_two_deliveries_at_once_pay_once(answers, model):
    """While one delivery waits for the model, another raises InProgress: it neither asks the model nor fails."""
    asked, answered = threading.Event(), threading.Event()

    def slow() -> None:
        asked.set()
        assert answered.wait(PATIENCE_SECONDS)

    model.during = slow
    first = threading.Thread(target=lambda: answers.ask(REQUEST, METADATA))
    first.start()
    assert asked.wait(PATIENCE_SECONDS)
    try:
        with pytest.raises(InProgress):
            answers.ask(REQUEST, METADATA)
        with pytest.raises(InProgress):
            answers.recall(REQUEST, METADATA)
    finally:
        answered.set()
        first.join()
    assert answers.ask(REQUEST, METADATA).result == ANSWER
    assert model.paid == 1


def test_a_dead_workers_claim_expires(table, model):
    """A worker killed during the model call blocks its successor no longer than a function can run."""
    answers = StoredAnswers(model, table, table=TABLE, timeout_seconds=30)
    model.outcome = Killed()
    with pytest.raises(Killed):
        answers.ask(REQUEST, METADATA)
    (item,) = table.scan(TableName=TABLE)["Items"]
    assert item["status"]["S"] == "INPROGRESS"
    model.outcome = ANSWER
    with pytest.raises(InProgress):
        answers.ask(REQUEST, METADATA)
    past = {"in_progress_expiration": {"Value": {"N": "1"}}}
    table.update_item(TableName=TABLE, Key={"id": item["id"]}, AttributeUpdates=past)
    assert answers.recall(REQUEST, METADATA) is None
    assert answers.ask(REQUEST, METADATA).result == ANSWER


def test_a_paid_answer_is_given_though_it_cannot_be_stored(answers, model, table, monkeypatch):
    """If the table fails after the model was paid, the answer is still returned."""

    def broken(**_: Any) -> None:
        raise client_error("InternalServerError", "UpdateItem", 500)

    monkeypatch.setattr(table, "update_item", broken)
    assert answers.ask(REQUEST, METADATA).result == ANSWER
    assert model.paid == 1


def test_without_the_store_the_model_is_not_asked(answers, model, table, monkeypatch):
    """If the table can't be reached, the stage fails as transient before the model is paid."""

    def broken(**_: Any) -> None:
        raise client_error("ProvisionedThroughputExceededException", "PutItem")

    monkeypatch.setattr(table, "put_item", broken)
    with pytest.raises(TransientError):
        answers.ask(REQUEST, METADATA)
    assert model.paid == 0


def test_a_models_refusal_survives_a_broken_store(answers, model, table, monkeypatch):
    """A permanent failure stays permanent even if the claim on the answer can't be removed."""

    def broken(**_: Any) -> None:
        raise client_error("InternalServerError", "DeleteItem", 500)

    monkeypatch.setattr(table, "delete_item", broken)
    model.outcome = PermanentError("denied")
    with pytest.raises(PermanentError):
        answers.ask(REQUEST, METADATA)


def test_recall_never_asks(answers, model):
    """Recalling an answer that was never stored returns None and does not ask the model."""
    assert answers.recall(REQUEST, METADATA) is None
    answers.ask(REQUEST, METADATA)
    assert answers.recall(REQUEST, METADATA) == answers_module.paid(ANSWER, recalled=True)
    assert model.paid == 1


@pytest.mark.parametrize(
    "stored", [{"text": "Hello", "backend": "an agent", "model_id": "m"}, {"parts": []}, ["Hello"]]
)
def test_a_stored_answer_of_a_later_release_is_not_paid_for_again(answers, model, table, stored):
    """An answer that this release can't read fails at once, names the way out, and stays stored."""
    answers.ask(REQUEST, METADATA)
    (item,) = table.scan(TableName=TABLE)["Items"]
    table.put_item(TableName=TABLE, Item={**item, "data": {"S": json.dumps(stored)}})
    for find in (answers.ask, answers.recall):
        with pytest.raises(PermanentError, match="Deploy the release"):
            find(REQUEST, METADATA)
    assert model.paid == 1
    (item,) = table.scan(TableName=TABLE)["Items"]
    assert json.loads(item["data"]["S"]) == stored


def test_no_message_is_stored_beside_its_answer(answers, table):
    """The table holds a hash of the message, never its text, and its items expire."""
    answers.ask(ChatRequested(user_message="a secret question"), METADATA)
    (item,) = table.scan(TableName=TABLE)["Items"]
    assert "secret" not in json.dumps(item)
    assert item["id"]["S"].startswith("chat#")
    assert int(item["expiration"]["N"]) > 0


def sent_ms(*, ago: int = 0) -> int:
    return round(time.time() * 1_000) - ago


class Stage:
    """The chatbot's worker on doubles, with its table of answers on moto."""

    def __init__(self, answers: StoredAnswers) -> None:
        self.step_functions = FakeStepFunctions()
        self.dlq = FakeSqs()
        self.worker = Worker(
            service="chatbot",
            routes=stage_route("chatbot", answers.ask, recall=answers.recall),
            callback=Callback(self.step_functions),
            parking=ParkingLot(lambda: self.dlq, dlq_url="https://queue/dlq", service="chatbot"),
            bus=Bus(FakeEvents, "bus"),
        )

    def deliver(self, receives: int = 1, sent_ms: int | None = None, **changes: Any) -> bool:
        """Whether the message is settled and not left for redelivery."""
        event = stage_event("chat.requested.v1", {"user_message": "Hi"}, **changes)
        record = sqs_record(event, receives=receives, sent_ms=sent_ms)
        answer = self.worker.handle({"Records": [record]}, None)
        return not answer["batchItemFailures"]


@pytest.fixture
def stage(answers) -> Stage:
    return Stage(answers)


def test_killed_between_model_and_callback(stage, model):
    """If a worker dies after the model answered, the next one sends the stored answer."""
    callback = stage.step_functions.send_task_success

    def dies(**_: Any) -> None:
        raise Killed

    stage.step_functions.send_task_success = dies
    with pytest.raises(Killed):
        stage.deliver()
    stage.step_functions.send_task_success = callback
    assert stage.deliver(receives=2)
    assert stage.step_functions.successes["token-1"]["data"]["text"] == ANSWER.text
    assert model.paid == 1


def test_failed_callback_sends_the_stored_answer_again(stage, model):
    """If SendTaskSuccess fails, every redelivery sends the stored answer and none asks the model again."""
    stage.step_functions.error = client_error("ServiceUnavailable", "SendTaskSuccess", 503)
    assert [stage.deliver(receives=number) for number in (1, 2, 3)] == [False, False, False]
    stage.step_functions.error = None
    assert stage.deliver(receives=4)
    assert stage.step_functions.successes["token-1"]["data"]["text"] == ANSWER.text
    assert (model.paid, stage.dlq.sent) == (1, [])


def test_second_delivery_waits_for_the_first(stage, answers, model):
    """The second of two simultaneous deliveries is left for redelivery: no failure, no callback, nothing parked."""
    other = Stage(answers)
    inner: list[bool] = []

    def second() -> None:
        model.during = lambda: None
        inner.append(other.deliver())

    model.during = second
    assert stage.deliver()
    assert inner == [False]
    assert (other.step_functions.failures, other.dlq.sent, model.paid) == ({}, [], 1)


def failed_with(stage: Stage) -> str:
    """Return the error's name with which the run failed; its message must be parked with the same."""
    ((error, _),) = stage.step_functions.failures.values()
    assert {attributes["error_type"] for attributes in [stage.dlq.attributes()]} == {error}
    return str(error)


def test_a_call_that_timed_out_is_not_made_again_by_a_redelivery(stage, model):
    """If the failure of a call that may be billed can't be reported, redeliveries report it and never ask again."""
    model.outcome = ModelTimedOut("No answer within 895 s.")
    stage.step_functions.error = client_error("ServiceUnavailable", "SendTaskFailure", 503)
    assert not stage.deliver(sent_ms=sent_ms())
    model.outcome = ANSWER
    stage.step_functions.error = None
    assert stage.deliver(receives=2, sent_ms=sent_ms(ago=1_000))
    assert failed_with(stage) == "Pipeline.ModelTimedOut"
    assert model.paid == 0


def test_a_redriven_run_asks_again_after_a_timeout(stage, model):
    """A message that was sent after the call timed out, by an operator's redrive, asks the model, at once."""
    model.outcome = ModelTimedOut("No answer within 895 s.")
    assert stage.deliver(sent_ms=sent_ms(ago=900_000))
    model.outcome = ANSWER
    stage.step_functions.failures.clear()
    assert stage.deliver(receives=2, sent_ms=sent_ms(ago=-1_000)), (
        "SQS counted a throttled call as a delivery"
    )
    assert stage.step_functions.successes["token-1"]["data"]["text"] == ANSWER.text
    assert model.paid == 1


def test_a_timeout_is_told_though_its_claim_cannot_be_ended(answers, model, table, monkeypatch):
    """A table that fails after the timeout hides the timeout neither from the run nor from the next delivery."""

    def broken(**_: Any) -> None:
        raise client_error("InternalServerError", "UpdateItem", 500)

    monkeypatch.setattr(table, "update_item", broken)
    model.outcome = ModelTimedOut("No answer within 895 s.")
    with pytest.raises(ModelTimedOut):
        answers.ask(REQUEST, METADATA)
    with pytest.raises(InProgress):
        answers.recall(REQUEST, METADATA, 1)


def test_answers_stored_before_conversations_are_still_found():
    """The key of a message without a history is that of earlier releases, so an update loses no stored answer."""
    key = answers_module._key(REQUEST, METADATA)
    assert key == {"pipeline_id": "p-1", "stage": "chat", "input": hashlib.sha256(b"Hi").hexdigest()}
