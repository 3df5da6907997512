"""Failures for lack of a right are told from others, and lead to the doctor."""

import pytest
from botocore.exceptions import ClientError

from operations.health.rights import is_denial
from operations.runs import advice
from operations.runs.explain import Explanation
from operations.runs.journey import assemble
from operations.tests.histories import Story
from services.chatbot.backends import refusal
from shared.aws import translated_errors
from shared.bus import Bus
from shared.contracts.envelope import Outgoing
from shared.contracts.v1 import PipelineRequested
from shared.errors import PipelineError
from shared.tests.fakes import client_error

REQUEST = {"inferenceConfig": {"temperature": 0.5}, "modelId": "m"}


def failure(error: ClientError) -> PipelineError:
    """Return what a function makes of an answer of AWS."""
    with pytest.raises(PipelineError) as raised, translated_errors():
        raise error
    return raised.value


def denial(text: str = "") -> ClientError:
    error = client_error("AccessDeniedException", "Converse", 403)
    error.response["Error"]["Message"] = text
    return ClientError(error.response, "Converse")


@pytest.mark.parametrize(
    "code", ["AccessDenied", "AccessDeniedException", "com.amazon#AccessDeniedException"]
)
def test_a_denied_call_of_a_function_is_a_denial(code: str):
    """The cause that a function reports of a denied call is recognised, alone and within a longer text."""
    cause = failure(client_error(code, "StartExecution", 403)).cause
    for text in (cause, f"b, asked in its place: {cause}", f"{cause}. Paid for: 1 input token of m."):
        assert is_denial("Pipeline.Permanent", text), text


def test_an_event_that_the_bus_refuses_is_a_denial():
    """A single event that the function may not publish is recognised in the text of the bus's client."""

    class Events:
        def put_events(self, *, Entries: list[object]) -> dict[str, object]:
            refused = {"ErrorCode": "NotAuthorizedForSourceException"}
            return {"FailedEntryCount": len(Entries), "Entries": [refused for _ in Entries]}

    data = PipelineRequested(user_message="Hi")
    event = Outgoing(data=data, pipeline_id="p", event_id="p-requested", correlation_id="p")
    with pytest.raises(PipelineError) as raised:
        Bus(Events, "bus").publish([event])
    assert is_denial(raised.value.NAME, raised.value.cause)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("EventBridge.AccessDeniedException", None),
        ("States.Permissions", ""),
        ("DynamoDB.AmazonDynamoDBException", "User: arn:x is not authorized to perform: dynamodb:UpdateItem"),
        (
            "EventBridge.FailedEntry",
            '{"Entries":[{"ErrorCode":"AccessDeniedException"}],"FailedEntryCount":1}',
        ),
        ("NO_PERMISSIONS", "Lack of permissions to invoke the target"),
    ],
)
def test_what_workflow_and_rules_may_not_do_is_a_denial(error: str, cause: str | None):
    """The errors of Step Functions' own calls, and of EventBridge's deliveries, are recognised."""
    assert is_denial(error, cause)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (None, None),
        ("Pipeline.Transient", "Converse answered ThrottlingException (HTTP 429)"),
        ("Pipeline.Permanent", "Invoke answered KMSAccessDeniedException (HTTP 502)"),
        ("Pipeline.Permanent", "The chatbot function failed (Unhandled: AccessDeniedException)."),
        ("Pipeline.Permanent", "Converse answered ValidationException (HTTP 400)"),
    ],
)
def test_other_failures_are_none(error: str | None, cause: str | None):
    """What no role of ours decides is no denial: limits, another team's function, a key's policy."""
    assert not is_denial(error, cause)


@pytest.mark.parametrize(
    "text", ["aws-marketplace:Subscribe is missing", "temperature is not supported by this model"]
)
def test_a_denial_whose_cause_is_told_needs_no_doctor(text: str):
    """A refusal of Bedrock's that says itself what to do is no matter of a role."""
    error = denial(text)
    told = refusal(failure(error), REQUEST)
    assert "HTTP 403" in told.cause
    assert not is_denial(told.NAME, told.cause)
    assert is_denial(told.NAME, refusal(failure(denial("no")), REQUEST).cause)


def test_a_stage_that_was_left_out_counts_too():
    """A run that succeeded without a stage that was denied a call lacks a right as a failed one does."""
    cause = "GetItem answered AccessDeniedException (HTTP 403)"
    story = Story().enter("AnalyzeInput").ask().fail("Pipeline.Permanent", cause).leave()
    degraded = assemble("p", {"status": "RUNNING"}, story.read())
    failed = assemble("q", {"status": "FAILED", "error": "Pipeline.Permanent", "cause": cause}, None)
    well = assemble("r", {"status": "FAILED", "error": "Pipeline.Permanent", "cause": "not valid"}, None)
    assert [advice.lacks_right(one) for one in (degraded, failed, well)] == [True, True, False]


def test_the_doctor_is_named_once_and_first():
    """The commands for a denied run begin with the doctor, however many runs of a trace were denied."""
    cause = "Converse answered AccessDeniedException (HTTP 403)"
    record = {"status": "FAILED", "error": "Pipeline.Permanent", "cause": cause}
    journeys = tuple(assemble(name, record, None) for name in ("p", "q"))
    explanation = Explanation(any_id="t", kind="trace id", where="the logs", journeys=journeys)
    steps = [command for _, command in advice.next_steps(explanation)]
    assert steps[0] == ("doctor", "--live")
    assert steps.count(("doctor", "--live")) == 1
