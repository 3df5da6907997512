"""Arbitrary messages as a dead-letter queue may hold them, for property-based tests (Hypothesis)."""

import json
from typing import Any

from hypothesis import strategies as st

from operations.json_text import written
from operations.tests.dead_letters import MACHINE

CARRIED = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
ODD = st.sampled_from(
    [
        "", "-", "p\n", "p\ud83d", "\uffff", "\u202egnp", "x" * 65, "x" * 81, "x" * 2_049, "a b", "a/b", "a:b", "..",
        "NaN", "\x1b[2J", "日本", "-restart-1", "p-restart-999999", "archived#0#000",
    ]
)  # fmt: skip
NUMBERS = st.sampled_from([0, -1, 2**64, 10**50, 1e308, float("nan"), float("inf")])
VALUES = st.one_of(
    st.none(), st.booleans(), NUMBERS, ODD, st.text(max_size=20), st.just([[[]]]), st.just({"a": {"b": [1]}})
)
ARNS = st.one_of(
    VALUES,
    ODD.map(lambda name: f"{MACHINE.replace('stateMachine', 'execution')}:{name}"),
    st.sampled_from(["arn:", "arn:aws:states:::execution::", MACHINE]),
)
TOKENS = st.one_of(VALUES, st.just("t" * 3_000), st.just("dead"), st.just("alive"))
TYPES = st.sampled_from(
    [
        "pipeline.requested.v1", "pipeline.requested.v2", "pipeline.requested.v9", "chat.requested.v1",
        "log.requested.v1", "Step Functions Execution Status Change",
    ]
)  # fmt: skip
TIMES = st.sampled_from(
    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2016-12-31T23:59:60Z", "2026-11-22T10:00:00Z"]
)
METADATA = st.fixed_dictionaries(
    {},
    optional={
        "event_id": VALUES,
        "pipeline_id": st.one_of(VALUES, st.just("normal")),
        "schema": VALUES,
        "schema_version": VALUES,
        "occurred_at": st.one_of(VALUES, TIMES),
        "correlation_id": VALUES,
        "execution_arn": ARNS,
        "attempt": VALUES,
        "traceparent": VALUES,
    },
)
DETAIL = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.one_of(METADATA, VALUES),
        "data": st.one_of(VALUES, st.fixed_dictionaries({"user_message": VALUES})),
        "task_token": TOKENS,
        "executionArn": ARNS,
        "name": VALUES,
        "status": st.one_of(VALUES, st.just("FAILED")),
        "startDate": VALUES,
        "stopDate": VALUES,
        "input": st.one_of(
            VALUES, METADATA.map(lambda metadata: json.dumps({"metadata": metadata})), st.just("[" * 5_000)
        ),
    },
)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "id": VALUES,
        "source": st.sampled_from(["ai.pipeline", "aws.states", "elsewhere", None]),
        "detail-type": st.one_of(TYPES, VALUES),
        "detail": st.one_of(DETAIL, VALUES, DETAIL.map(json.dumps)),
        "time": st.one_of(VALUES, TIMES),
    },
)


def filled(event: Any) -> str:
    """Return the event as the longest body that SQS takes."""
    text = json.dumps(event)
    return text[:-1] + " " * (1_048_576 - len(text)) + "}" if isinstance(event, dict) else text


BODIES = st.one_of(
    EVENTS.map(written),
    EVENTS.map(json.dumps),
    st.text(CARRIED, min_size=1, max_size=50),
    st.sampled_from(
        [
            "[" * 100_000, '{"detail": ' * 3_000, "9" * 5_000, '{"id": ' + "9" * 5_000 + "}", "\ufeff{}", "null",
            '{"a": 1, "a": 2}', '"task_token": "secret', '{"detail": ' + "[" * 300 + "]" * 300 + "}",
        ]
    ),
    st.just({}).map(filled),
)  # fmt: skip
ATTRIBUTE = st.one_of(
    st.text(CARRIED, min_size=1, max_size=20).map(lambda text: {"DataType": "String", "StringValue": text}),
    st.just({"DataType": "String", "StringValue": "e" * 9_000}),
    st.just({"DataType": "Binary", "BinaryValue": b"\xff\x00"}),
    st.just({"DataType": "Number", "StringValue": "9" * 38}),
    st.just({"DataType": "String.custom", "StringValue": "\u202e\x9b2J"}),
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        ["error_type", "error", "pipeline_id", "execution_arn", "detail_type", "ERROR_CODE", "other"]
    ),
    ATTRIBUTE,
    max_size=4,
)
PLACES = st.sampled_from([("trigger", "dlq"), ("trigger", "rule-dlq"), ("chatbot", "dlq"), ("logger", "dlq")])
MESSAGES = st.lists(st.tuples(PLACES, BODIES, ATTRIBUTES), max_size=4)
