"""Starts: which message of which deliveries is given up as the killer of its workers (on moto's DynamoDB)."""

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from shared.bus import Bus
from shared.contracts import v1
from shared.contracts.envelope import Metadata
from shared.contracts.stages import RECEIVES_BEFORE_LOST
from shared.errors import InProgress, PermanentError, TransientError
from shared.observability import logger
from shared.parking import ParkingLot
from shared.runtime import stage_route
from shared.tests.fakes import (
    FakeEvents,
    FakeSqs,
    FakeStepFunctions,
    client_error,
    open_starts,
    sqs_record,
    stage_event,
)
from shared.tests.samples import ANALYSIS
from shared.worker import ExternalRoute, Route, Worker
from shared.worker.outcome import Callback
from shared.worker.starts import KEPT_SECONDS, Starts

KILLER = "killer"


class Died(BaseException):
    """What a worker sees of its own death: nothing that it could catch."""


class Bench:
    """A worker of the analyzer whose function dies at each message with the text "killer"."""

    def __init__(self, table: Any, run: Callable[..., v1.Analysis] | None = None) -> None:
        """`run` replaces the stage's own function."""
        self.step_functions = FakeStepFunctions()
        self.dlq = FakeSqs()
        self.events = FakeEvents()
        self.table = table
        self.ran: list[str] = []
        self.outcome: Exception | None = None
        self.connected = 0
        self.worker = Worker(
            service="analyzer",
            routes={
                **stage_route("analyzer", run or self.run),
                "pipeline.requested.v1": Route(request=v1.PipelineRequested, run=self.run),
                "Something Happened": ExternalRoute(run=self.foreign, source="aws.states"),
            },
            callback=Callback(self.step_functions),
            parking=ParkingLot(lambda: self.dlq, dlq_url="https://queue/dlq", service="analyzer"),
            bus=Bus(lambda: self.events, "bus"),
            starts=lambda: Starts(self.connect, table="state", service="analyzer"),
        )

    def connect(self) -> Any:
        self.connected += 1
        return self.table

    def run(self, request: v1.AnalysisRequested, _: Metadata) -> v1.Analysis:
        self.ran.append(request.user_message)
        if request.user_message == KILLER:
            raise Died
        if self.outcome:
            raise self.outcome
        return ANALYSIS

    def foreign(self, delivery: Any) -> None:
        self.ran.append(KILLER)
        raise Died

    def deliver(self, receives: int, *records: dict[str, Any]) -> list[str] | None:
        """Deliver a batch; return the ids of the messages to deliver again, or None if the worker died."""
        for record in records:
            record["attributes"]["ApproximateReceiveCount"] = str(receives)
        try:
            answer = self.worker.handle({"Records": list(records)}, None)
        except Died:
            return None
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def items(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.table.scan(TableName="state")["Items"]
        return items

    def lost(self) -> list[str]:
        """Return the tokens of the tasks that failed because their workers were lost."""
        failures = self.step_functions.failures.items()
        return [token for token, (error, _) in failures if error == "Pipeline.WorkerLost"]


def request(text: str, *, token: str | None = None, **changes: Any) -> dict[str, Any]:
    event = stage_event("analysis.requested.v1", {"user_message": text}, token=token or text, **changes)
    return sqs_record(event)


@pytest.fixture
def bench(state_table) -> Bench:
    return Bench(state_table)


def test_a_first_delivery_writes_nothing(bench):
    """A message that is delivered once costs no call of DynamoDB and not even a client."""
    assert bench.deliver(1, request("Hi")) == []
    assert (bench.connected, bench.items()) == (0, [])


@pytest.mark.parametrize("receives", [2, 3, 4, 5])
def test_a_message_that_no_function_saw_is_run(bench, receives):
    """A throttled poller raises the receive count, and the message is run at whichever delivery first reaches a
    function.
    """
    assert bench.deliver(receives, request("Hi")) == []
    assert bench.ran == ["Hi"]
    assert "Hi" in bench.step_functions.successes
    assert [item.get("starts") for item in bench.items()] == [None]


def test_a_killer_is_given_up_after_two_counted_starts(bench):
    """A message that kills three workers, two of them counted, is parked and failed at its fourth delivery."""
    killer = request(KILLER)
    assert [bench.deliver(number, killer) for number in (1, 2, 3, 4)] == [None, None, None, []]
    assert bench.ran == [KILLER] * 3
    assert bench.lost() == [KILLER]
    assert bench.dlq.attributes()["error_type"] == "Pipeline.WorkerLost"
    (item,) = bench.items()
    assert item["id"]["S"] == f"starts#analyzer#{killer['messageId']}"
    assert sorted(item["starts"]["NS"]) == ["2", "3"]
    assert 0 < int(item["expires_at"]["N"]) - time.time() <= KEPT_SECONDS


@pytest.mark.parametrize("seen", [(1, 3, 4), (2, 3), (2, 4), (3, 4), (1, 2, 4)])
def test_a_killer_is_found_between_throttled_deliveries(bench, seen):
    """Deliveries that no function saw neither blame nor excuse a killer: it is given up at its fifth."""
    killer = request(KILLER)
    assert [bench.deliver(number, killer) for number in seen] == [None] * len(seen)
    assert bench.deliver(5, killer) == []
    assert bench.lost() == [KILLER]


def test_the_neighbours_of_a_killer_are_not_blamed(bench):
    """Neighbours that were received as often as the killer, and never started, are run once it is given up."""
    batch = [request(text) for text in (KILLER, "first", "second")]
    assert [bench.deliver(number, *batch) for number in (1, 2, 3)] == [None, None, None]
    assert bench.ran == [KILLER] * 3
    assert bench.deliver(RECEIVES_BEFORE_LOST, *batch) == []
    assert bench.lost() == [KILLER]
    assert bench.step_functions.successes.keys() == {"first", "second"}
    assert len(bench.dlq.sent) == 1


def test_neighbours_before_a_killer_are_not_blamed(bench):
    """Messages that ended well before the killer's turn are delivered again with it, and are never given up."""
    batch = [request(text) for text in ("first", KILLER)]
    assert [bench.deliver(number, *batch) for number in (1, 2, 3, 4)] == [None, None, None, []]
    assert bench.lost() == [KILLER]
    assert "first" in bench.step_functions.successes


def test_two_killers_in_one_batch_do_not_blame_their_neighbour(bench):
    """The second killer of a batch is counted in its own turn, and a neighbour behind both is never blamed."""
    batch = [request(KILLER, token="one"), request(KILLER, token="two"), request("neighbour")]
    assert [bench.deliver(number, *batch) for number in (1, 2, 3, 4, 5)] == [None] * 5
    assert bench.lost() == ["one"]
    assert "neighbour" not in bench.step_functions.failures
    assert bench.deliver(6, *batch[1:]) == []  # where a queue allows more deliveries than five
    assert bench.lost() == ["one", "two"]
    assert "neighbour" in bench.step_functions.successes


@pytest.mark.parametrize("route", ["pipeline.requested.v1", "Something Happened"])
def test_a_killer_without_a_task_is_parked(bench, route):
    """A start event or a status event that kills its workers is parked with the reason, too."""
    if route == "Something Happened":
        event = {"source": "aws.states", "detail-type": route, "id": "1", "detail": {}}
    else:
        detail = {"data": {"user_message": KILLER}}
        event = {"source": "ai.pipeline", "detail-type": route, "id": "evt", "detail": detail}
    killer = sqs_record(event)
    assert [bench.deliver(number, killer) for number in (1, 2, 3, 4)] == [None, None, None, []]
    assert bench.ran == [KILLER] * 3
    assert bench.dlq.attributes()["error_type"] == "Pipeline.WorkerLost"


def test_a_message_put_back_is_never_blamed(bench):
    """A message that waits for another delivery five times is put back each time, and its starts are taken back."""
    bench.outcome = InProgress("Another delivery is being handled.")
    waits = request("Hi")
    for number in (1, 2, 3, 4, 5):
        assert bench.deliver(number, waits) == [waits["messageId"]]
    bench.outcome = None
    assert bench.deliver(6, waits) == []
    assert bench.ran == ["Hi"] * 6
    assert (bench.lost(), bench.dlq.sent) == ([], [])


@pytest.mark.parametrize("error", [TransientError("t"), PermanentError("p"), KeyError("bug"), MemoryError()])
def test_every_end_that_the_worker_sees_takes_the_start_back(bench, error):
    """A failed run is an outcome: its start is not left open."""
    bench.outcome = error
    bench.deliver(3, request("Hi"))
    assert [item.get("starts") for item in bench.items()] == [None]


def test_a_failed_callback_is_not_blamed_on_its_message(bench):
    """A message whose callback failed five times is run and sent again at each delivery."""
    bench.step_functions.error = client_error("ServiceUnavailable", "SendTaskSuccess", 503)
    record = request("Hi")
    assert [bench.deliver(number, record) for number in (1, 2, 3, 4, 5)] == [[record["messageId"]]] * 5
    bench.step_functions.error = None
    assert bench.deliver(6, record) == []
    assert bench.dlq.sent == []


def test_a_killer_whose_task_is_over_is_acknowledged(bench):
    """A message that may not be started again, and whose task is over, is acknowledged instead of parked."""
    killer = request(KILLER)
    open_starts(bench.table, "analyzer", killer["messageId"])
    bench.step_functions.failures[KILLER] = ("States.Timeout", "")
    assert bench.deliver(4, killer) == []
    assert (bench.ran, bench.dlq.sent) == ([], [])


def test_a_killer_is_given_up_though_nobody_answers(bench):
    """If Step Functions can't be asked whether the task is over, the killer is parked, and stays in its queue."""
    killer = request(KILLER)
    open_starts(bench.table, "analyzer", killer["messageId"])
    bench.step_functions.error = client_error("ServiceUnavailable", "SendTaskHeartbeat", 503)
    assert bench.deliver(4, killer) == [killer["messageId"]]
    assert bench.dlq.attributes()["error_type"] == "Pipeline.WorkerLost"
    bench.step_functions.error = None
    assert bench.deliver(5, killer) == []
    assert (bench.ran, bench.lost()) == ([], [KILLER])


def test_a_stored_answer_is_sent_before_a_message_is_given_up(state_table):
    """A paid stage whose workers died recalls the answer that one of them stored, and pays no second time."""
    answer = v1.ChatAnswer(text="Hello", backend="bedrock", model_id="m", stop_reason="end_turn")
    asked: list[v1.ChatRequested] = []
    step_functions = FakeStepFunctions()

    def pay(data: v1.ChatRequested, _: Metadata) -> v1.ChatAnswer:
        asked.append(data)
        return answer

    worker = Worker(
        service="chatbot",
        routes=stage_route("chatbot", pay, recall=lambda *_: answer),
        callback=Callback(step_functions),
        parking=ParkingLot(FakeSqs, dlq_url="https://queue/dlq", service="chatbot"),
        bus=Bus(FakeEvents, "bus"),
        starts=lambda: Starts(lambda: state_table, table="state", service="chatbot"),
    )
    record = sqs_record(stage_event("chat.requested.v1", {"user_message": "Hi"}), receives=4)
    open_starts(state_table, "chatbot", record["messageId"])
    worker.handle({"Records": [record]}, None)
    assert (asked, step_functions.successes["token-1"]["data"]["text"]) == ([], "Hello")


class Refusing:
    """DynamoDB's client of a table that is missing, denied, throttled or out of reach."""

    def __init__(self, error: Exception, table: Any = None, after: int = 0) -> None:
        self._error, self._table, self._left = error, table, after

    def update_item(self, **parameters: Any) -> Any:
        if self._left:
            self._left -= 1
            return self._table.update_item(**parameters)
        raise self._error


REFUSALS: dict[str, Exception] = {
    **{
        code: client_error(code, "UpdateItem", status)
        for code, status in (
            ("ResourceNotFoundException", 400),
            ("AccessDeniedException", 400),
            ("ThrottlingException", 400),
            ("InternalServerError", 500),
        )
    },
    "ConnectTimeoutError": ConnectTimeoutError(endpoint_url="https://dynamodb"),
}


@pytest.mark.parametrize(("reason", "error"), REFUSALS.items(), ids=REFUSALS)
@pytest.mark.parametrize("receives", [2, 5])
def test_a_count_that_fails_holds_no_message_back(receives, reason, error, monkeypatch, capsys):
    """If the table can't be written, the message is run and a warning is logged."""
    monkeypatch.setenv(
        "POWERTOOLS_SERVICE_NAME", f"test-{uuid.uuid4().hex}"
    )  # a logger on this test's output
    logger.cache_clear()
    bench = Bench(Refusing(error))
    assert bench.deliver(receives, request("Hi")) == []
    assert "Hi" in bench.step_functions.successes
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (warning,) = [line for line in logged if line.get("level") == "WARNING"]
    assert warning["message"] == "the start of a message could not be counted"
    assert reason in warning["cause"]


def test_a_start_that_cannot_be_taken_back_blames_once(state_table):
    """If a start stays open because the table failed, the message is still run at its next delivery."""
    bench = Bench(Refusing(REFUSALS["ThrottlingException"], state_table, after=1))
    record = request("Hi")
    assert bench.deliver(2, record) == []
    bench.table = state_table
    assert [item["starts"]["NS"] for item in bench.items()] == [["2"]]
    again = Bench(state_table)
    assert again.deliver(3, record) == []
    assert again.ran == ["Hi"]


def test_a_repeated_write_counts_once(state_table):
    """A write that botocore repeats, because its answer was lost, is one start, and one taking back ends it."""

    class Repeating:
        def update_item(self, **parameters: Any) -> Any:
            state_table.update_item(**parameters)
            return state_table.update_item(**parameters)

    bench, killer, waits = Bench(Repeating()), request(KILLER), request("Hi")
    assert [bench.deliver(number, killer) for number in (2, 3)] == [None, None]
    assert bench.ran == [KILLER] * 2
    bench.outcome = InProgress("Another delivery is being handled.")
    assert [bench.deliver(number, waits) for number in (2, 3, 4)] == [[waits["messageId"]]] * 3
    assert bench.deliver(4, killer) == []
    assert bench.lost() == [KILLER]


def test_two_deliveries_at_once_are_both_run(state_table):
    """A message that is delivered again while a worker still handles it is run twice, and no start stays open."""
    second = Bench(state_table)
    record, again = (request("Hi") for _ in range(2))
    again["messageId"] = record["messageId"]

    def interrupted(data: v1.AnalysisRequested, metadata: Metadata) -> v1.Analysis:
        assert second.deliver(3, again) == []
        assert [item["starts"]["NS"] for item in second.items()] == [["2"]]
        return ANALYSIS

    first = Bench(state_table, run=interrupted)
    assert first.deliver(2, record) == []
    assert first.step_functions.successes.keys() == second.step_functions.successes.keys() == {"Hi"}
    assert [item.get("starts") for item in first.items()] == [None]


def test_the_same_message_of_another_service_has_its_own_count(bench):
    """Open starts at one service blame no message of another."""
    record = request("Hi")
    open_starts(bench.table, "enhancer", record["messageId"])
    assert bench.deliver(4, record) == []
    assert bench.ran == ["Hi"]


def test_a_start_is_taken_back_though_its_item_has_expired(state_table, capsys):
    """If the table deleted the item meanwhile, taking the start back writes no new one, and is no failure."""

    def expire(data: v1.AnalysisRequested, _: Metadata) -> v1.Analysis:
        (item,) = state_table.scan(TableName="state")["Items"]
        state_table.delete_item(TableName="state", Key={"id": item["id"]})
        return ANALYSIS

    bench = Bench(state_table, run=expire)
    assert bench.deliver(2, request("Hi")) == []
    assert bench.items() == []
    assert "WARNING" not in capsys.readouterr().out


def test_without_a_table_starts_are_not_counted():
    """A worker without a count of starts runs its messages at any delivery."""
    step_functions = FakeStepFunctions()
    worker = Worker(
        service="analyzer",
        routes=stage_route("analyzer", lambda data, _: ANALYSIS),
        callback=Callback(step_functions),
        parking=ParkingLot(FakeSqs, dlq_url="https://queue/dlq", service="analyzer"),
        bus=Bus(FakeEvents, "bus"),
    )
    worker.handle(
        {"Records": [sqs_record(stage_event("analysis.requested.v1", {"user_message": "Hi"}), receives=5)]},
        None,
    )
    assert "token-1" in step_functions.successes
