"""Contracts: which events are read, which are rejected and with what reason, and that files and types agree."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, Literal

import jsonschema
import msgspec
import pytest

from shared.contracts import limits, schemas, v1, v2
from shared.contracts.envelope import Delivery, Detail, Outgoing
from shared.contracts.message import request_hash
from shared.contracts.reading import read, read_data, read_metadata, unknown_fields
from shared.contracts.record import RESERVED
from shared.contracts.stages import (
    ANSWERING,
    BY_SERVICE,
    BY_STATE,
    EVERY,
    LAST,
    RETRY,
    STAGES,
    Results,
)
from shared.contracts.upcasting import EVENTS
from shared.errors import ContractViolation
from shared.tests import vetting
from shared.tests.fakes import stage_event

EVENT_SCHEMAS = {kind.detail_type(): schemas.event_schema(kind) for kind in EVENTS}


def request(detail: Any, **delivery: Any) -> tuple[Delivery, Detail]:
    whole = {"source": "ai.pipeline", "detail-type": "pipeline.requested.v1", "detail": detail, **delivery}
    read_delivery = read(json.dumps(whole), Delivery)
    return read_delivery, read(read_delivery.detail, Detail, at="$.detail")


def test_committed_schemas_match_the_types():
    """The JSON Schemas in the repository are those generated from the types."""
    assert schemas.outdated() == []


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.detail_type())
def test_schemas_are_valid_and_closed(kind):
    """Each event's schema is a valid JSON Schema and refuses a field it does not name."""
    schema = schemas.event_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert schema["$defs"][kind.__name__]["additionalProperties"] is False


def test_published_event_satisfies_its_schema():
    """The bus client sends exactly the fields that the schema describes."""
    event = Outgoing(
        data=v1.PipelineRequested(user_message="Hello"),
        pipeline_id="p-1",
        event_id="p-1",
        correlation_id="p-1",
    )
    detail = json.loads(msgspec.json.encode(event.detail()))
    jsonschema.validate(detail, EVENT_SCHEMAS["pipeline.requested.v1"])


def test_detail_types_name_event_and_version():
    """A detail-type is the event's name and major version, and none is used twice."""
    names = [kind.detail_type() for kind in EVENTS]
    assert "analysis.requested.v1" in names
    assert len(set(names)) == len(names)


def test_stage_table_is_consistent():
    """Each stage has its own state, key, service and request, and its inputs are fields of that request."""
    for attribute in ("state", "key", "service", "request"):
        values = [getattr(stage, attribute) for stage in EVERY]
        assert len(set(values)) == len(values), attribute
    for stage in EVERY:
        assert set(stage.inputs) == set(stage.request.__struct_fields__)
        assert stage.critical != bool(stage.without), "what the caller gets without it, if the run goes on"
        assert not stage.answer or stage.answer in stage.result.__struct_fields__
    assert Results.__struct_fields__ == tuple(stage.key for stage in EVERY[:-1])
    assert RESERVED.isdisjoint(Results.__struct_fields__)


def test_stage_order_and_retry_are_the_promised_ones():
    """The four stages of every release are there, in order; without the chatbot there is no answer; retries wait 2 s,
    doubling, three times.
    """
    promised = ["AnalyzeInput", "CallExistingChatbot", "EnhanceResponse", "LogResults"]
    assert [stage.state for stage in STAGES if stage.state in promised] == promised
    assert [stage.critical for stage in STAGES if stage.state in promised] == [False, True, False, False]
    assert ANSWERING is BY_STATE["CallExistingChatbot"]
    assert LAST is BY_STATE["LogResults"]
    assert (RETRY.interval_seconds, RETRY.backoff_rate, RETRY.max_attempts) == (2, 2.0, 3)
    assert BY_SERVICE["logger"].via == "queue"


def test_minimal_publication_is_enough():
    """A publisher may send data alone: the event's own id becomes the pipeline's."""
    delivery, detail = request({"data": {"user_message": "Hi"}}, id="evt-1", time="2026-11-22T10:00:00Z")
    metadata = read_metadata(delivery, detail, v1.PipelineRequested)
    assert (metadata.pipeline_id, metadata.event_id, metadata.correlation_id) == ("evt-1", "evt-1", "evt-1")
    assert metadata.occurred_at == datetime(2026, 11, 22, 10, tzinfo=UTC)


def test_publishers_ids_are_kept():
    """A pipeline id and a correlation id given by the publisher are used as they are."""
    metadata = {"pipeline_id": "mine-1", "correlation_id": "order-7"}
    delivery, detail = request({"metadata": metadata, "data": {"user_message": "Hi"}}, id="evt-1")
    got = read_metadata(delivery, detail, v1.PipelineRequested)
    assert (got.pipeline_id, got.correlation_id, got.event_id) == ("mine-1", "order-7", "evt-1")


def test_reading_is_open():
    """A consumer ignores fields it does not know, at every level."""
    _, detail = request({"data": {"user_message": "Hi", "colour": "red"}, "extra": 1}, id="e", more=2)
    assert read_data(detail, v1.PipelineRequested).user_message == "Hi"


def test_unknown_fields_are_found_by_path():
    """The check before publishing names the first unknown field, however deep."""
    value = v1.PipelineRequested(user_message="Hi")
    assert unknown_fields('{"user_message": "Hi"}', value) is None
    assert unknown_fields('{"user_message": "Hi", "x": 1}', value) == "$.x"
    outcome = v1.Outcome[v1.Usage](data=v1.Usage(input_tokens=1, output_tokens=2))
    raw = '{"data": {"input_tokens": 1, "output_tokens": 2, "z": 3}}'
    assert unknown_fields(raw, outcome) == "$.data.z"


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (None, "Expected `str`, got `null`"),
        (7, "Expected `str`, got `int`"),
        ("", "length >= 1"),
        (" \n\t\u3000", "must not be blank"),
        ("x" * (limits.MESSAGE_CHARS + 1), "length <= 32768"),
        ("\N{GRINNING FACE}" * 16_385, "at most 65,536 bytes"),
        ("x" + "\x01" * 20_000, "too many control characters"),
        ("\u200b\ufeff", "must not be blank"),
        ("\u3164\u2800\ufe0f\u034f\U000e0041", "must not be blank"),
        ("\x00", "must not be blank"),
    ],
    ids=["null", "number", "empty", "blank", "long", "bytes", "controls", "invisible", "fillers", "nul"],
)
def test_bad_messages_are_refused_with_a_reason(message, says):
    """Every rule for user_message has its own sentence, which never quotes the message."""
    with pytest.raises(ContractViolation) as caught:
        read(json.dumps({"user_message": message}), v1.PipelineRequested, at="$.detail.data")
    assert says in caught.value.reason
    assert caught.value.path.startswith("$.detail.data")


SECRET = "somebody's text - at `$.x`"


class Keyed(msgspec.Struct):
    """A type with fields whose invalid values msgspec quotes."""

    shape: Literal["a", "b"] = "a"
    keyed: dict[Literal["a"], int] = {}


@pytest.mark.parametrize(
    ("data", "path"),
    [({"shape": SECRET}, "$.shape"), ({"keyed": {SECRET: 1}}, "$.keyed")],
    ids=["value", "key"],
)
def test_a_reason_never_quotes_what_was_sent(data, path):
    """If msgspec's error quotes the value, e.g. of an enum, the violation names only the path and the rule."""
    with pytest.raises(ContractViolation) as caught:
        read(json.dumps(data), Keyed)
    assert (caught.value.path, caught.value.reason) == (path, "Invalid enum value")


@pytest.mark.parametrize(
    "message", ["x" * limits.MESSAGE_CHARS, "é" * limits.MESSAGE_CHARS, "\N{GRINNING FACE}" * 16_384]
)
def test_messages_at_the_bound_are_accepted(message):
    """A message exactly at its bounds is accepted."""
    raw = json.dumps({"user_message": message}, ensure_ascii=False)
    assert read(raw, v1.PipelineRequested).user_message == message


@pytest.mark.parametrize("raw", ["", "{", "\ud800", '{"a": "\\ud800"}', "[" * 5_000, "NaN"])
def test_broken_json_is_a_contract_violation(raw):
    """Every text that is not JSON is rejected with the same reason, deep nesting and lone surrogates included."""
    with pytest.raises(ContractViolation):
        read(raw.encode("utf-8", "surrogatepass"), v1.PipelineRequested)


def test_metadata_of_another_schema_is_refused():
    """Metadata that names another schema than the detail-type is a contract violation."""
    event = stage_event("analysis.requested.v1", {"user_message": "x"}, schema="chat.requested")
    delivery = read(json.dumps(event), Delivery)
    with pytest.raises(ContractViolation, match="another schema"):
        read_metadata(delivery, read(delivery.detail, Detail), v1.AnalysisRequested)


@pytest.mark.parametrize("bad", ["with space", "a" * 65, "", "ümlaut", "a/b"])
def test_pipeline_ids_fit_an_execution_name(bad):
    """A pipeline id that Step Functions would refuse as a name is a contract violation."""
    delivery, detail = request({"metadata": {"pipeline_id": bad}, "data": {"user_message": "x"}}, id="e")
    with pytest.raises(ContractViolation) as caught:
        read_metadata(delivery, detail, v1.PipelineRequested)
    assert caught.value.path == "$.detail.metadata.pipeline_id"


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"role": "assistant" if index % 2 else "user", "text": text} for index, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (("\N{GRINNING FACE}" * 10_000, "x", "\N{GRINNING FACE}" * 6_400), "at most 65,536 bytes"),
        (("x" + "\x01" * 9_000, "x", "x" + "\x01" * 9_000), "too many control characters"),
        (("x" * 16_384, "x" * 16_384, "x"), "at most 32,768 characters together"),
        (("x", " \n", "x"), "`messages[1].text` must not be blank"),
        (("x", "x"), "must end with a message of the user"),
    ],
    ids=["bytes", "controls", "characters", "blank", "end"],
)
def test_a_conversation_shares_the_bounds_of_a_message(texts, says):
    """The bounds of one message apply to all turns of a conversation together, so the state is no larger."""
    with pytest.raises(ContractViolation) as caught:
        read(json.dumps({"messages": turns(*texts)}), v2.PipelineRequested)
    assert says in caught.value.reason


def test_a_conversation_at_the_bounds_is_accepted():
    """A conversation with the maximum of turns and characters is accepted."""
    texts = ["x" * (limits.MESSAGE_CHARS - limits.TURNS + 1), *["y"] * (limits.TURNS - 1)]
    got = read(json.dumps({"messages": turns(*texts)}), v2.PipelineRequested)
    assert (got.user_message, len(got.history)) == ("y", 20)


def test_a_history_must_lead_up_to_the_message():
    """A chat request whose history does not fit its message is a contract violation before Bedrock is asked."""
    for history in (turns("x"), turns("x", "y", "z"), list(reversed(turns("x", "y")))):
        with pytest.raises(ContractViolation):
            read(json.dumps({"user_message": "Hi", "history": history}), v1.ChatRequested)
    good = json.dumps({"user_message": "Hi", "history": turns("x", "y")})
    assert len(read(good, v1.ChatRequested).history) == 2


def test_requests_are_told_apart_by_all_that_was_said():
    """A message's hash is that of earlier releases; with another history, or words split otherwise, it differs."""

    def said(*texts: str) -> str:
        *before, last = [v1.Turn(role="user", text=text) for text in texts]
        return request_hash(last.text, before)

    assert request_hash("Hi") == hashlib.sha256(b"Hi").hexdigest()
    hashes = [
        request_hash("Hi"),
        said("a", "b", "Hi"),
        said("a", "bH", "i"),
        said("ab", "", "Hi"),
        said("c", "Hi"),
    ]
    assert len(set(hashes)) == len(hashes)


@pytest.mark.parametrize(
    ("metadata", "path", "reason"),
    [
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "$.detail.metadata.occurred_at", "years 1 to 9999"),
        ({"occurred_at": "9999-12-31T23:59:59-12:00"}, "$.detail.metadata.occurred_at", "years 1 to 9999"),
        ({"occurred_at": "2016-12-31T23:59:60Z"}, "$.detail.metadata.occurred_at", "datetime"),
        ({"pipeline_id": "order-7\n"}, "$.detail.metadata.pipeline_id", "line break"),
        ({"pipeline_id": "order 7"}, "$.detail.metadata.pipeline_id", "regex"),
        ({"correlation_id": "c" * 257}, "$.detail.metadata.correlation_id", "at most 256"),
        ({"event_id": "e" * 257}, "$.detail.metadata.event_id", "at most 256"),
        ({"causation_id": "e" * 257}, "$.detail.metadata.causation_id", "at most 256"),
    ],
)
def test_metadata_that_would_fail_later_are_refused_at_once(metadata, path, reason):
    """A time that overflows in UTC, an id with a line break and an endless id are violations with a path."""
    delivery, detail = request({"metadata": metadata, "data": {"user_message": "Hi"}}, id="e")
    with pytest.raises(ContractViolation) as refusal:
        read_metadata(delivery, detail, v1.PipelineRequested)
    assert refusal.value.path == path
    assert reason in refusal.value.reason


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-01T00:00:00+23:59"]
)
def test_every_other_time_is_read(moment):
    """The first and the last moment in UTC, and any offset, are accepted."""
    delivery, detail = request({"metadata": {"occurred_at": moment}, "data": {"user_message": "Hi"}}, id="e")
    assert read_metadata(delivery, detail, v1.PipelineRequested).occurred_at


@pytest.mark.parametrize("event_id", ["", "a b", "x" * 65, "e\n", None])
def test_an_event_id_that_can_be_no_pipeline_id_is_refused(event_id):
    """Without a pipeline id, the event's own id is used, and must be possible as one."""
    delivery, detail = request({"data": {"user_message": "Hi"}}, id=event_id)
    with pytest.raises(ContractViolation, match=r"\$\.id"):
        read_metadata(delivery, detail, v1.PipelineRequested)


@pytest.mark.parametrize("sign", ["\ufffe", "\uffff"])
def test_characters_that_sqs_does_not_carry_are_refused(sign):
    """A text with a noncharacter, which SQS would replace or refuse, is refused where it enters."""
    for data, kind in (
        ({"user_message": f"a{sign}"}, v1.PipelineRequested),
        ({"messages": [{"role": "user", "text": f"a{sign}"}]}, v2.PipelineRequested),
    ):
        with pytest.raises(ContractViolation, match=r"U\+FFFE, U\+FFFF or half"):
            read(json.dumps(data), kind)


def test_a_stage_that_may_end_the_run_has_a_field_for_its_answer():
    """A row can't say that its stage may end the run if the result has no early answer."""
    with pytest.raises(TypeError, match="early_answer"):
        msgspec.structs.replace(vetting.VETTING, result=v1.Analysis)


@pytest.mark.parametrize(
    "text",
    ["", "\u200b \n", "x" * (limits.ANSWER_CHARS + 1), "\x01" * 6_000, "half \ud800"],
    ids=["empty", "blank", "long", "controls", "surrogate"],
)
def test_an_early_answer_is_bounded(text):
    """An early answer is a visible text for which the state has room."""
    with pytest.raises((msgspec.ValidationError, ValueError)):
        msgspec.convert({"text": text, "reason": "r"}, v1.EarlyAnswer)
