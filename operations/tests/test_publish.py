import json

import pytest

from operations.asking.publish import ContractBrokenError, draft, publish
from operations.errors import InvalidInputError, RefusedError
from shared.tests.fakes import FakeEvents

TYPE = "pipeline.requested.v1"
DETAIL = {"data": {"user_message": "Hi"}}


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ({"source": "ai.pipeline", "detail-type": TYPE, "detail": DETAIL}, None),
        ({"detail-type": TYPE, "detail": DETAIL}, TYPE),
        ({"Source": "ai.pipeline", "DetailType": TYPE, "Detail": json.dumps(DETAIL)}, None),
        (DETAIL, TYPE),
    ],
)
def test_every_accepted_form_is_read(text, option):
    """A whole event in either spelling and a bare detail are read as the same event."""
    event = draft(json.dumps(text), detail_type=option)
    assert (event.detail_type, event.detail, event.pipeline_id) == (TYPE, DETAIL, None)


def broken(detail: object, detail_type: str = TYPE) -> dict[str, str]:
    with pytest.raises(ContractBrokenError) as caught:
        draft(json.dumps({"source": "ai.pipeline", "detail-type": detail_type, "detail": detail}))
    return {violation.path: violation.reason for violation in caught.value.violations}


def test_all_violations_are_told_with_their_paths():
    """The error for an event lists all its violations with their paths."""
    reasons = broken(
        {"data": {"user_message": 5, "mesage": "x"}, "metadata": {"pipeline_id": "a b"}, "extra": 1}
    )
    assert reasons == {
        "$.detail": "has no place for `extra`; it knows `data`, `metadata`",
        "$.detail.data": "has no place for `mesage`; it knows `user_message`",
        "$.detail.data.user_message": "must be of type string, not integer",
        "$.detail.metadata.pipeline_id": "must be 1 to 64 letters, digits, `_` or `-`",
    }


@pytest.mark.parametrize(
    ("detail", "path", "reason"),
    [
        ({}, "$.detail", "lacks `data`"),
        (5, "$.detail", "must be of type object, not integer"),
        ({"data": None}, "$.detail.data", "must be of type object, not null"),
        ({"data": {"user_message": ""}}, "$.detail.data.user_message", "must not be blank"),
        ({"data": {"user_message": " \n"}}, "$.detail.data.user_message", "must not be blank"),
        ({"data": {"user_message": "x" * 32_769}}, "$.detail.data.user_message", "at most 32,768 characters"),
        ({"data": {"user_message": "日" * 30_000}}, "$.detail.data", "at most 65,536 bytes"),
        (DETAIL | {"metadata": {"occurred_at": "yesterday"}}, "$.detail.metadata.occurred_at", "RFC3339"),
        (DETAIL | {"metadata": {"attempt": "1"}}, "$.detail.metadata.attempt", "type integer, not string"),
    ],
)
def test_each_kind_of_violation_reads_well(detail, path, reason):
    """Each kind of violation is reported once, at its path, with a readable reason."""
    reasons = broken(detail)
    assert reason in reasons[path]
    assert len(reasons) == 1


def test_an_empty_conversation_says_that_it_lacks_messages():
    """A conversation without a message is told how many it must have."""
    reasons = broken({"data": {"messages": []}}, "pipeline.requested.v2")
    assert reasons == {"$.detail.data.messages": "must have 1 or more items, has 0"}


def test_a_forged_source_is_refused():
    """An event whose source is not `ai.pipeline` is refused."""
    with pytest.raises(ContractBrokenError, match=r"\$\.source: must be 'ai.pipeline', got 'evil'"):
        draft(json.dumps({"source": "evil", "detail-type": TYPE, "detail": DETAIL}))


def test_a_stage_request_needs_what_only_the_workflow_has():
    """A stage's request without token and metadata breaks its contract."""
    reasons = broken({"data": {"user_message": "x"}}, "analysis.requested.v1")
    assert reasons == {"$.detail": "lacks `metadata`, `task_token`"} or "task_token" in reasons["$.detail"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not valid JSON"),
        ("[]", "JSON object"),
        ("{}", "The event has no detail"),
        ('{"detail": {}}', "no detail-type"),
        ('{"detail-type": "pipeline.requested.v9", "detail": {}}', "There is no event"),
        ('{"detail-type": "pipeline.requested.v1", "Detail": "{"}', "not valid JSON"),
    ],
)
def test_what_is_no_event_says_why(text, says):
    """A text that is not an event is refused with the reason."""
    with pytest.raises(InvalidInputError, match=says):
        draft(text)


def test_contradicting_detail_types_are_refused():
    """A detail-type in the file that differs from the option's is refused."""
    with pytest.raises(InvalidInputError, match="--detail-type says"):
        draft(json.dumps({"detail-type": TYPE, "detail": DETAIL}), detail_type="pipeline.failed.v1")


def test_the_events_id_is_the_pipelines(target):
    """The pipeline id is the one in the metadata, else the EventId that PutEvents returned."""
    published = publish(target, draft(json.dumps(DETAIL), detail_type=TYPE))
    assert published.event_id == published.pipeline_id
    named = draft(json.dumps(DETAIL | {"metadata": {"pipeline_id": "mine"}}), detail_type=TYPE)
    assert publish(target, named).pipeline_id == "mine"


def test_a_refused_event_is_an_error(target):
    """An entry that PutEvents refuses is reported as an error."""
    events = FakeEvents()
    events.refuse = {TYPE}
    target._clients["events"] = events
    with pytest.raises(RefusedError, match="ThrottlingException"):
        publish(target, draft(json.dumps(DETAIL), detail_type=TYPE))


TURNS = [
    {"role": "user", "text": "Who?"},
    {"role": "assistant", "text": "Me."},
    {"role": "user", "text": "Since when?"},
]


def test_each_version_is_checked_against_its_own_contract():
    """An event is checked against the contract of the version that its detail-type names."""
    event = draft(json.dumps({"data": {"messages": TURNS}}), detail_type="pipeline.requested.v2")
    assert event.detail == {"data": {"messages": TURNS}}
    assert "$.detail.data" in broken({"data": {"user_message": "Hi"}}, "pipeline.requested.v2")
    assert broken({"data": {"messages": TURNS[:2]}}, "pipeline.requested.v2") == {
        "$.detail.data": "`messages` must end with a message of the user"
    }


def test_a_version_that_contradicts_itself_is_refused():
    """Metadata that contradicts the detail-type's name or version is refused, as the trigger would do."""
    reasons = broken({"data": {"user_message": "Hi"}, "metadata": {"schema": "x", "schema_version": 2}})
    assert reasons == {
        "$.detail.metadata.schema": "must be `pipeline.requested`, as the detail-type says",
        "$.detail.metadata.schema_version": "must be `1`, as the detail-type says",
    }
