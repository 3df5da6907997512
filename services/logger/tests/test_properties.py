"""Properties of the logger: the failure of an execution with any input can be recorded and announced."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.logger import core
from shared.contracts.envelope import Detail
from shared.contracts.reading import read
from shared.contracts.v1 import PipelineFailed
from shared.dynamodb import to_item
from shared.tests.strategies import JSON, nearly

pytestmark = pytest.mark.slow

INPUT = {
    "metadata": {"pipeline_id": "p-1", "correlation_id": "c", "accepted_at": "2026-11-22T10:00:00Z"},
    "request": {"user_message": "Hi", "history": []},
    "results": {"chat": {"data": None, "meter": None}},
}
CHANGE: dict[str, Any] = {
    "executionArn": "arn:aws:states:us-east-1:000000000000:execution:machine:p-1",
    "name": "p-1",
    "status": "FAILED",
    "startDate": 1_700_000_000_000,
    "stopDate": 1_700_000_001_000,
    "input": json.dumps(INPUT),
    "error": "Pipeline.Permanent",
    "cause": "denied",
}
CHANGES = st.one_of(
    nearly(CHANGE),
    st.integers().map(lambda moment: {**CHANGE, "startDate": moment}),
    (JSON | nearly(INPUT)).map(lambda state: {**CHANGE, "input": json.dumps(state)}),
)


@given(change=CHANGES)
def test_a_failure_is_recorded_whatever_the_input_was(change):
    """A status change is either rejected, or gives a record that DynamoDB accepts and a valid event."""
    try:
        run = core.failure(json.dumps(change).encode())
    except msgspec.MsgspecError:
        return
    stage = core.failed_stage(run.status, run.error, others=run.had_others)
    fields, first = core.failed_fields(run, stage)
    to_item({**fields, **first})
    event = read(msgspec.json.encode(core.failed_event(run, stage).detail()), Detail)
    assert read(event.data, PipelineFailed).error == run.error
