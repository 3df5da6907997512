"""A long answer on its way from the model to the record: whole, paid for once, by reference (on moto's DynamoDB)."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import msgspec
import pytest
from moto import mock_aws

from infra.doctor.largest_run import heaviest_analysis
from services.chatbot import core as chatbot
from services.chatbot.answers import StoredAnswers
from services.enhancer import handler as enhancer
from services.logger.recording import Logger
from shared import texts
from shared.bus import Bus
from shared.contracts import limits, packing
from shared.contracts.record import PACKED, expanded
from shared.contracts.stages import LogRequested
from shared.contracts.v1 import (
    ChatAnswer,
    ChatRequested,
    EnhancementRequested,
    Meter,
    StageError,
)
from shared.dynamodb import attributes
from shared.records import Records
from shared.tests.fakes import METADATA, FakeEvents, client_error

ANSWERS, RECORDS = "answers", "PipelineLogs"
ITEM_BYTES = 400 * 1_024
"""DynamoDB's limit, which moto has, too."""
MESSAGE = "é" * (limits.MESSAGE_BYTES // 2)
REQUEST = ChatRequested(user_message=MESSAGE)
METER = Meter(queue_wait_ms=5, work_ms=1, attempt=0, receives=1)
_CHANCE = random.Random(7)  # noqa: S311 -- texts for a test
_WORDS = ["".join(_CHANCE.choices("etaoinshrdlu", k=_CHANCE.randint(2, 7))) for _ in range(4_000)]
LARGEST = {
    "prose": " ".join(_CHANCE.choices(_WORDS, k=100_000)),
    "hanzi": "".join(chr(0x4E00 + _CHANCE.randrange(3_000)) for _ in range(128_000)),
    "digits": "".join(_CHANCE.choices("0123456789", k=3 * 128_000)),
}
"""Texts of 128,000 tokens that can hardly be compressed."""


class Run:
    """A run's way through the three services that handle its answer."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.text = ""
        self.paid = 0
        self.answers = StoredAnswers(self, client, table=ANSWERS, timeout_seconds=30)
        self.logger = Logger(
            Records(client, RECORDS),
            Bus(FakeEvents, "bus"),
            lambda: None,
            texts=lambda: texts.Texts(client, ANSWERS),
        )

    def ask(self, *_: Any) -> ChatAnswer:
        self.paid += 1
        return chatbot.answer(self.text, backend="bedrock", model_id="m", stop_reason="end_turn")

    def chat(self, text: str) -> ChatAnswer:
        self.text = text
        return self.answers.ask(REQUEST, METADATA).result

    def record(self, chat: ChatAnswer, *, enhance: bool = True) -> dict[str, Any]:
        """Let the enhancer and the logger do their work; return the record as its readers get it."""
        results: dict[str, Any] = {"chat": {"data": chat, "meter": METER}}
        errors = {"enhancement": StageError(error="Pipeline.Transient")}
        if enhance:
            enhanced = enhancer.run(EnhancementRequested(chat=chat, analysis=heaviest_analysis()), METADATA)
            assert len(enhanced.final_response.encode()) <= limits.ANSWER_BYTES + limits.DECORATION_BYTES
            results["enhancement"], errors = {"data": enhanced, "meter": METER}, {}
        times = dict.fromkeys(("accepted_at", "started_at"), "2026-11-29T10:00:00Z")
        request = {"user_message": MESSAGE, "results": results, "errors": errors, **times}
        self.logger.completed(
            msgspec.convert(msgspec.to_builtins(request), LogRequested), METADATA, meter=METER
        )
        return dict(Records(self.client, RECORDS).get(METADATA.pipeline_id) or {})

    def stored(self) -> dict[str, Any]:
        return attributes(self.client.scan(TableName=RECORDS)["Items"][0])


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    with mock_aws():
        dynamodb = boto3.client("dynamodb", region_name="us-east-1")
        for table, key in ((ANSWERS, "id"), (RECORDS, "pipeline_id")):
            dynamodb.create_table(
                TableName=table,
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        yield dynamodb


@pytest.fixture
def run(dynamodb, monkeypatch) -> Iterator[Run]:
    monkeypatch.setenv("ANSWERS_TABLE", ANSWERS)
    monkeypatch.setattr(enhancer, "client", lambda _: dynamodb)
    yield Run(dynamodb)
    for table, key in ((ANSWERS, "id"), (RECORDS, "pipeline_id")):
        for item in dynamodb.scan(TableName=table)["Items"]:
            dynamodb.delete_item(TableName=table, Key={key: item[key]})


@pytest.mark.parametrize("text", LARGEST.values(), ids=LARGEST)
def test_the_largest_answer_is_kept_whole(run, text):
    """An answer of 128,000 tokens in any script is paid for once, fits the state, and is whole in the record."""
    chats = [run.chat(text) for _ in range(2)]
    assert chats[0] == chats[1]
    assert run.paid == 1
    assert (chats[0].truncated, chats[0].text) == (False, limits.beginning(text))
    record = run.record(chats[0])
    assert text.strip() in record["final_response"]
    assert "refers to" in record["final_response"], "it is decorated"
    assert PACKED not in record
    assert "whole" not in record["chat"] | record["enhancement"]
    assert record["metered"]["record_bytes"] < ITEM_BYTES


def test_a_short_answer_is_stored_nowhere_else(run):
    """An answer that fits the state has no reference, no further item and no packed form."""
    chat = run.chat("Hello.")
    assert chat.whole is msgspec.UNSET
    assert run.record(chat)["final_response"].startswith("Hello.")
    assert PACKED not in run.stored()
    assert len(run.client.scan(TableName=ANSWERS)["Items"]) == 1


def test_without_the_enhancer_the_record_has_the_chatbots_own_text(run):
    """If the enhancer failed, the whole of the chatbot's answer is recorded."""
    assert run.record(run.chat(LARGEST["digits"]), enhance=False)["final_response"] == LARGEST["digits"]


def test_an_older_enhancer_does_not_cost_the_rest_of_the_answer(run, monkeypatch):
    """If the enhancer knows no references and has formatted the beginning only, the whole is recorded."""
    monkeypatch.delenv("ANSWERS_TABLE")
    assert run.record(run.chat(LARGEST["digits"]))["final_response"] == LARGEST["digits"]


def test_without_the_logger_the_workflow_has_the_beginning(run):
    """What the workflow itself would store of a long answer is its beginning, a text that is not empty."""
    chat = run.chat(LARGEST["digits"])
    assert 0 < len(chat.text) <= limits.ANSWER_CHARS
    assert LARGEST["digits"].startswith(chat.text)


@pytest.mark.parametrize("enhance", [True, False])
def test_a_text_that_is_gone_leaves_its_beginning(run, enhance):
    """If the long text was deleted, the run still ends, with its beginning; the enhancer marks that as cut."""
    chat = run.chat(LARGEST["digits"])
    assert chat.whole
    run.client.delete_item(TableName=ANSWERS, Key={"id": {"S": chat.whole.key}})
    response = run.record(chat, enhance=enhance)["final_response"]
    assert chat.text in response
    assert LARGEST["digits"] not in response
    assert ("was cut at the length limit" in response) is enhance


def test_an_answer_that_can_not_be_stored_is_cut_and_paid_for_once(run, monkeypatch):
    """If the table takes no long text, the answer that was paid for is cut and marked, and recalled as it is."""
    put = run.client.put_item

    def full(**parameters: Any) -> Any:
        if "packed" in parameters["Item"]:
            raise client_error("ProvisionedThroughputExceededException", "PutItem")
        return put(**parameters)

    monkeypatch.setattr(run.client, "put_item", full)
    chats = [run.chat(LARGEST["digits"]) for _ in range(2)]
    assert chats[0] == chats[1]
    assert (chats[0].truncated, chats[0].whole, run.paid) == (True, msgspec.UNSET, 1)
    assert run.record(chats[0])["final_response"].startswith(chats[0].text)


def test_an_answer_that_fits_no_item_is_cut_where_it_must_be(run):
    """Of characters by chance, as many are kept as an item has room for, and the answer is marked as cut."""
    text = "".join(chr(_CHANCE.randrange(0x10000, 0x20000)) for _ in range(200_000))
    chat = run.chat(text)
    assert chat.truncated is True
    assert chat.whole
    assert 0.8 * limits.PACKED_BYTES < chat.whole.stored_bytes <= limits.PACKED_BYTES
    assert chat.whole.characters > limits.ANSWER_CHARS
    assert text[: chat.whole.characters] in run.record(chat)["final_response"]


def other_beginning(record: dict[str, Any]) -> None:
    record["final_response"] = "another answer"


def garbage(record: dict[str, Any]) -> None:
    record[PACKED] = b"BZh9garbage"


def a_text(record: dict[str, Any]) -> None:
    record[PACKED] = "of a later release"


@pytest.mark.parametrize("changed", [other_beginning, garbage, a_text])
def test_a_packed_answer_that_is_not_the_records_is_ignored(run, changed: Callable[[dict[str, Any]], None]):
    """An older release may replace the answer and not its packed form; the answer that it wrote is shown."""
    run.record(run.chat(LARGEST["digits"]))
    record = run.stored()
    changed(record)
    shown = expanded(record)
    assert shown["final_response"] == record["final_response"]
    assert PACKED not in shown


def test_a_later_short_answer_removes_the_long_one(run):
    """A run that is run again and gets a short answer keeps nothing of the long one."""
    run.record(run.chat(LARGEST["digits"]))
    records = Records(run.client, RECORDS)
    records.expect(METADATA.pipeline_id, "arn:again")
    records.advance(
        METADATA.pipeline_id, "SUCCEEDED", {"final_response": "Short.", "execution_arn": "arn:again"}
    )
    assert PACKED not in run.stored()
    assert run.stored()["final_response"] == "Short."


@pytest.mark.parametrize("key", ["chat#abc", "starts#chatbot#m", "x"])
def test_a_reference_reads_nothing_but_long_texts(run, key):
    """A forged reference to another item of the table reads nothing."""
    texts_of_runs = texts.Texts(run.client, ANSWERS)
    run.client.put_item(TableName=ANSWERS, Item={"id": {"S": key}, "packed": {"B": packing.pack("secret")}})
    kept = texts_of_runs.keep("p-1", "chat", "text")
    assert texts_of_runs.read(kept) == "text"
    assert texts_of_runs.read(msgspec.structs.replace(kept, key=key)) is None
