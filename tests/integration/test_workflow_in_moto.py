"""The deployed workflow definition, run by moto's interpreter with workers that the test plays."""

import json
from collections.abc import Iterator

import boto3
import msgspec
import pytest
from moto import mock_aws

from services.trigger.starter.core import execution_input
from shared.contracts.stages import ANSWERING, RECORDED, RETRY, STAGES
from shared.errors import ContractViolation, PermanentError, TransientError
from shared.records import Records
from shared.tests import vetting
from shared.tests.samples import ANALYSIS, CHAT, ENHANCEMENT, path
from tests.integration.workers import Fails
from tests.integration.workflow import ASKED, FOLLOW_UP, METADATA, METER, TURNS, Workflow, result


@pytest.fixture
def workflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workflow]:
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        monkeypatch.setattr("infra.definition.RETRY", msgspec.structs.replace(RETRY, interval_seconds=1))
        yield Workflow()


@pytest.fixture
def vetted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workflow]:
    """A workflow with a stage that may end the run, as the starter of that table begins it."""
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        monkeypatch.setattr("infra.definition.RETRY", msgspec.structs.replace(RETRY, interval_seconds=1))
        no_results = msgspec.to_builtins(vetting.Results())
        monkeypatch.setattr("services.trigger.starter.core._NO_RESULTS", no_results)
        yield Workflow(vetting.TABLE)


def test_every_stage_gets_what_the_ones_before_it_found(workflow):
    """A run visits the table's states in order, and each request contains the earlier results."""
    run = workflow.run()
    assert run.status == "SUCCEEDED"
    assert run.states == path()
    assert run.requests["chatbot"][0].data.analysis == ANALYSIS
    assert run.requests["enhancer"][0].data.chat == CHAT
    logged = run.requests["logger"][0].data
    assert logged.user_message == "Hi 👋"
    assert logged.results.enhancement.data == ENHANCEMENT
    assert logged.results.chat.meter == METER
    assert logged.errors == {}
    assert run.output["log"]["data"]["status"] == "SUCCEEDED"


def test_the_metadata_says_who_asks(workflow):
    """A request names its pipeline, execution, schema and attempt, and has an event id of its own."""
    run = workflow.run()
    for stage in STAGES:
        metadata = run.requests[stage.service][0].metadata
        assert metadata.event_id == f"p-1-{stage.state}-0"
        assert metadata.execution_arn is not None
        assert metadata.execution_arn.endswith(":p-1")
        assert (metadata.pipeline_id, metadata.correlation_id) == ("p-1", "correlation-1")
        assert (metadata.causation_id, metadata.attempt) == ("event-1", 0)


def test_a_transient_failure_is_tried_again(workflow):
    """Each attempt has its own number and event id, and the result of the last one counts.

    moto gives a retried task its old token, with the outcome already in it, so it may retry once too often.
    """
    run = workflow.run(analyzer=[Fails(TransientError.NAME), result(ANALYSIS)])
    tries = [request.metadata for request in run.requests["analyzer"]]
    assert len(tries) > 1
    assert [metadata.attempt for metadata in tries] == list(range(len(tries)))
    assert len({metadata.event_id for metadata in tries}) == len(tries)
    assert run.requests["chatbot"][0].data.analysis == ANALYSIS


@pytest.mark.parametrize("error", [PermanentError.NAME, ContractViolation.NAME])
def test_a_broken_analyzer_degrades_the_run(workflow, error):
    """A permanent error is not retried, and the run goes on without an analysis and says so."""
    run = workflow.run(analyzer=[Fails(error)])
    assert run.status == "SUCCEEDED"
    assert len(run.requests["analyzer"]) == 1
    assert run.requests["chatbot"][0].data.analysis is None
    assert run.requests["logger"][0].data.errors["analysis"].error == error
    assert run.requests["logger"][0].data.results.analysis.data is None


def test_a_broken_chatbot_fails_the_execution_at_its_state(workflow):
    """No state follows a failed critical stage, so that a redrive continues at that stage."""
    run = workflow.run(chatbot=[Fails(PermanentError.NAME)])
    assert run.status == "FAILED"
    assert run.states == path(until=ANSWERING)
    assert run.error == PermanentError.NAME


def test_a_broken_logger_does_not_cost_the_answer(workflow):
    """When the logger fails, the workflow stores the answer itself, and the record says that its log is missing."""
    workflow.records.accept("p-1", user_message="Hi 👋", accepted_at="2026-11-22T00:00:00.000Z")
    run = workflow.run(logger=[Fails(PermanentError.NAME)])
    assert run.status == "SUCCEEDED"
    assert run.states[-1] == "StoreAnswer"
    record = workflow.records.get("p-1")
    assert record is not None
    assert (record["status"], record["final_response"]) == ("SUCCEEDED", "Hello.")
    assert (record["user_message"], record["degraded"]) == ("Hi 👋", ["log"])
    assert record["timestamp"] == "2026-11-22T00:00:00.000Z"
    assert record["analysis"]["complexity"] == "simple"
    assert record["stages"] == {stage.key: msgspec.to_builtins(METER) for stage in RECORDED}
    assert record["errors"]["log"]["Error"] == PermanentError.NAME


def test_an_answer_is_stored_whatever_else_is_missing(workflow):
    """The workflow stores an answer even without analysis, enhancement and record."""
    broken = [Fails(PermanentError.NAME)]
    run = workflow.run(analyzer=broken, enhancer=broken, logger=broken)
    assert run.states[-1] == "StoreAnswer"
    record = workflow.records.get("p-1")
    assert record is not None
    assert (record["status"], record["final_response"]) == ("SUCCEEDED", "Hello.")
    assert record["analysis"] is None
    assert record["stages"].keys() == {stage.key for stage in RECORDED} - {"analysis", "enhancement"}
    assert record["stages"]["chat"] == msgspec.to_builtins(METER)
    assert record["errors"].keys() == {"analysis", "enhancement", "log"}


def test_a_stored_answer_is_deleted_when_the_starter_said(workflow):
    """If the workflow stores the answer, the record keeps the time of deletion that the starter set."""
    starter = Records(boto3.client("dynamodb"), "PipelineLogs", kept_seconds=86_400)
    starter.advance("p-1", "RUNNING", {})
    before = workflow.records.get("p-1")
    run = workflow.run(logger=[Fails(PermanentError.NAME)])
    assert run.states[-1] == "StoreAnswer"
    after = workflow.records.get("p-1")
    assert before is not None
    assert after is not None
    assert after["status"] == "SUCCEEDED"
    assert after["expires_at"] == before["expires_at"]


def test_a_later_truth_is_not_overwritten(workflow):
    """The workflow leaves a complete record unchanged and succeeds."""
    workflow.records.advance("p-1", "SUCCEEDED", {"final_response": "the logger's"})
    run = workflow.run(logger=[Fails(PermanentError.NAME)])
    assert run.status == "SUCCEEDED"
    assert run.states[-1] == "AnswerAlreadyStored"
    record = workflow.records.get("p-1")
    assert record is not None
    assert record["final_response"] == "the logger's"


def test_the_chatbot_is_asked_with_the_conversation(workflow):
    """Only the chatbot gets the earlier turns of a conversation; the other stages get the present question."""
    run = workflow.run(state=execution_input(FOLLOW_UP, METADATA))
    assert run.status == "SUCCEEDED"
    assert run.requests["chatbot"][0].data.history == TURNS
    assert run.requests["chatbot"][0].data.user_message == "Since when?"
    assert run.requests["analyzer"][0].data.user_message == "Since when?"
    assert run.requests["logger"][0].data.user_message == "Since when?"


@pytest.mark.parametrize("request_", [{"user_message": "Hi"}, {"user_message": "Hi", "history": []}])
def test_an_older_starters_execution_runs(workflow, request_):
    """An input without a history, from an older starter, runs like one with an empty history."""
    state = {**json.loads(execution_input(ASKED, METADATA)), "request": request_}
    run = workflow.run(state=json.dumps(state), analyzer=[Fails(PermanentError.NAME)])
    assert run.status == "SUCCEEDED"
    assert run.requests["chatbot"][0].data.history == ()


# --- a stage that may end the run --------------------------------------------------------------------------


def test_a_stage_ends_the_run_early(vetted):
    """After an early answer only the last stage runs, and it gets the answer: the model is not asked."""
    run = vetted.run(vetter=[result(vetting.REFUSED)])
    assert run.status == "SUCCEEDED"
    assert run.states == ["AnalyzeInput", "VetMessage", "AfterVetMessage", "LogResults"]
    assert run.requests["vetter"][0].data.analysis == ANALYSIS
    assert "chatbot" not in run.requests
    results = run.requests["logger"][0].data.results
    assert (results.vetting.data, results.chat.data) == (vetting.REFUSED, None)


def test_a_failed_stage_ends_no_run(vetted):
    """A stage that may end the run degrades it if it fails, like any other that is not critical."""
    run = vetted.run(vetter=[Fails(PermanentError.NAME)])
    assert run.status == "SUCCEEDED"
    assert run.states == path(vetting.TABLE, failed="vetting")
    assert run.requests["logger"][0].data.errors["vetting"].error == PermanentError.NAME


def test_a_broken_logger_does_not_cost_an_early_answer(vetted):
    """When the logger fails, the workflow stores the answer of the stage that ended the run, and says which did."""
    run = vetted.run(vetter=[result(vetting.REFUSED)], logger=[Fails(PermanentError.NAME)])
    assert run.status == "SUCCEEDED"
    record = vetted.records.get("p-1")
    assert record is not None
    assert (record["status"], record["final_response"]) == ("SUCCEEDED", "I can't help with that.")
    assert (record["ended_by"], record["end_reason"]) == ("vetting", "asks for a secret")
    assert record["errors"]["log"]["Error"] == PermanentError.NAME


def test_a_run_without_an_early_answer_goes_on(vetted):
    """A result without an early answer leads to the next stage, and a broken logger does not cost the answer then."""
    run = vetted.run(vetter=[result(vetting.ALLOWED)], logger=[Fails(PermanentError.NAME)])
    assert "AfterVetMessage" in path(vetting.TABLE)
    assert run.states == [*path(vetting.TABLE), "WhichAnswer", "StoreAnswer"]
    record = vetted.records.get("p-1")
    assert record is not None
    assert (record["status"], record["final_response"]) == ("SUCCEEDED", "Hello.")
    assert "ended_by" not in record
