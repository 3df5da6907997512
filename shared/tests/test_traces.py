"""Trace context: each run has one trace, with or without a publisher's trace context."""

import json
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.envelope import (
    Delivery,
    Detail,
    Metadata,
    named_alike,
    trace_id,
    traceparent_of,
    well_formed,
)
from shared.contracts.reading import read, read_metadata
from shared.contracts.v1 import PipelineRequested

TRACE = "0af7651916cd43dd8448eb211c80319c"
GIVEN = f"00-{TRACE}-b7ad6b7169203331-01"
GARBAGE: tuple[Any, ...] = (
    "",
    "junk",
    f"{GIVEN}\n",
    GIVEN.upper(),
    GIVEN.replace("00-", "ff-", 1),
    f"00-{'0' * 32}-b7ad6b7169203331-01",
    f"00-{TRACE}-{'0' * 16}-01",
    7,
    None,
    [GIVEN],
    {"traceparent": GIVEN},
)


def started_by(metadata: Any, event_id: str = "e-1") -> Metadata:
    detail = {"metadata": metadata, "data": {"user_message": "Hi"}}
    event = {
        "id": event_id,
        "source": "ai.pipeline",
        "detail-type": "pipeline.requested.v1",
        "detail": detail,
    }
    delivery = read(json.dumps(event), Delivery)
    return read_metadata(delivery, read(delivery.detail, Detail), PipelineRequested)


def test_a_publishers_trace_is_kept_as_it_is():
    """A publisher's valid traceparent is passed on unchanged."""
    assert started_by({"traceparent": GIVEN}).traceparent == GIVEN
    assert trace_id(GIVEN, "p-1") == TRACE


@pytest.mark.parametrize("garbage", GARBAGE, ids=repr)
def test_garbage_is_ignored(garbage):
    """An event with an invalid traceparent is accepted, with a trace derived from its id."""
    assert well_formed(garbage) is None
    assert started_by({"traceparent": garbage}).traceparent == traceparent_of("e-1")


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
def test_every_run_has_one_trace(pipeline_id):
    """A derived trace is valid and the same each time, so repeated and replayed requests share it."""
    assert well_formed(traceparent_of(pipeline_id)) == traceparent_of(pipeline_id)
    assert trace_id(None, pipeline_id) == traceparent_of(pipeline_id)[3:35]
    assert started_by(None, pipeline_id).traceparent == traceparent_of(pipeline_id)


@given(st.uuids(version=4))
def test_a_made_trace_leads_back_to_its_run(given_id: uuid.UUID):
    """Pipeline ids made by the API or by EventBridge can be derived from their trace id."""
    for pipeline_id in (given_id.hex, str(given_id)):
        assert pipeline_id in named_alike(trace_id(None, pipeline_id))


@pytest.mark.parametrize("pipeline_id", ["0" * 32, str(uuid.UUID(int=0)), "p", "A" * 32])
def test_other_ids_have_a_valid_trace_as_well(pipeline_id):
    """A pipeline id that is no UUID, or the UUID of zeros, has a trace id of its own."""
    assert well_formed(traceparent_of(pipeline_id))
    assert pipeline_id not in named_alike(trace_id(None, pipeline_id))
