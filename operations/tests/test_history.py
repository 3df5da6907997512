"""Reading execution histories that are built event by event in AWS's format."""

import json

from operations.runs.journey import Journey, assemble, told
from operations.tests.histories import METER, START, Story
from shared.contracts.record import METERED_BEFORE
from shared.contracts.stages import BY_KEY, LAST


def statuses(journey: Journey) -> dict[str, str]:
    """Return the statuses of the stages that every release has."""
    return {stage.key: stage.status for stage in journey.stages if stage.key in (*METERED_BEFORE, LAST.key)}


def test_a_running_execution_shows_where_it_is():
    """In a running execution, finished stages have times and meters, the current stage is running, and later ones
    wait.
    """
    history = Story().done("AnalyzeInput").enter("CallExistingChatbot").ask().read()
    journey = assemble("p", {"status": "RUNNING"}, history)
    assert statuses(journey) == {
        "analysis": "done",
        "chat": "running",
        "enhancement": "waiting",
        "log": "waiting",
    }
    analysis = journey.stages[0]
    assert (analysis.queue_wait_ms, analysis.work_ms, analysis.took_ms) == (4, 9, 50)
    assert not journey.finished


def test_a_retried_stage_counts_its_tries():
    """A stage that succeeded after two failed attempts is a success with two retries."""
    story = Story().enter("AnalyzeInput").ask().fail().ask().fail().ask()
    running = story.read().stages["analysis"]
    assert (running.status, running.retries, running.error) == ("running", 2, "Pipeline.Transient")
    done = story.succeed().leave().read().stages["analysis"]
    assert (done.status, done.error) == ("done", None)


def test_a_caught_failure_is_degraded():
    """A stage whose failure the workflow caught is marked as degraded."""
    history = Story().enter("AnalyzeInput").ask().fail("Pipeline.Permanent", "denied").leave().read()
    stage = history.stages["analysis"]
    assert (stage.status, stage.error, stage.cause) == ("degraded", "Pipeline.Permanent", "denied")


def test_a_timed_out_task_says_so():
    """A timeout that names no error gets the standard error name."""
    stage = Story().enter("AnalyzeInput").ask().add("TaskTimedOut").leave().read().stages["analysis"]
    assert (stage.status, stage.error) == ("degraded", "States.Timeout")


def test_a_failed_critical_stage_fails_the_pipeline():
    """When a critical stage fails, the execution names that stage, and the later stages are skipped."""
    story = Story().done("AnalyzeInput").enter("CallExistingChatbot").ask().fail("Pipeline.Permanent", "no")
    story.add("ExecutionFailed", executionFailedEventDetails={"error": "Pipeline.Permanent", "cause": "no"})
    journey = assemble("p", {"status": "FAILED", "error": "Pipeline.Permanent", "cause": "no"}, story.read())
    assert list(statuses(journey).values()) == ["done", "failed", "skipped", "skipped"]
    assert journey.finished
    assert journey.error == "Pipeline.Permanent"


def test_a_redriven_execution_runs_again():
    """After a redrive, the failed stage is shown as running again, and may succeed."""
    story = Story().enter("CallExistingChatbot").ask().fail()
    story.add("ExecutionFailed", executionFailedEventDetails={}).add("ExecutionRedriven").ask()
    assert story.read().status == "RUNNING"
    assert story.read().stages["chat"].status == "running"
    assert story.succeed().leave().read().stages["chat"].status == "done"


def test_the_pause_until_a_redrive_is_measured():
    """A redriven stage knows how long its execution had ended, and the run began when its execution did."""
    story = Story().enter("CallExistingChatbot").ask().fail()
    story.add("ExecutionFailed", executionFailedEventDetails={}).add("ExecutionRedriven").ask()
    record = {"status": "RUNNING", "started_at": "2026-11-22T12:00:00.000Z", "execution_time_ms": 60}
    journey = assemble("p", record, story.read())
    assert journey.stages[list(BY_KEY).index("chat")].paused_ms == 10
    assert (journey.started_at, journey.execution_time_ms, journey.finished_at) == (START, None, None)


def test_an_aborted_execution_fails_the_stage_it_was_at():
    """An abort ends the current stage without an error of that stage."""
    history = Story().enter("AnalyzeInput").ask().add("ExecutionAborted").read()
    assert (history.status, history.stages["analysis"].status) == ("ABORTED", "failed")


def test_an_answer_after_the_end_changes_nothing():
    """A stage that was stopped stays so if its worker's late answer is in the history, as on the local engine."""
    stopped = Story().enter("CallExistingChatbot").ask().add("ExecutionAborted").succeed().leave().read()
    assert (stopped.status, stopped.stages["chat"].status) == ("ABORTED", "failed")


def test_an_output_that_was_cut_has_no_meter():
    """A history whose outputs are missing or cut is read, without meters."""
    story = Story().enter("AnalyzeInput").ask()
    story.add("TaskSucceeded", taskSucceededEventDetails={"output": '{"data": {"a'})
    assert story.leave().read().stages["analysis"].meter is None


def test_states_of_no_stage_are_passed_over():
    """The fallback state that stores the answer does not appear as a stage."""
    story = Story().enter("LogResults").ask().fail().leave()
    history = story.enter("StoreAnswer").ask("updateItem").leave().add("ExecutionSucceeded").read()
    assert list(history.stages) == ["log"]
    assert (history.status, history.stages["log"].status) == ("SUCCEEDED", "degraded")


def test_a_record_alone_tells_a_finished_journey():
    """Without a history (AWS keeps it for 90 days), the record gives outcome, meters and failures."""
    record = {
        "status": "SUCCEEDED",
        "stages": {"chat": {**METER, "input_tokens": 1, "output_tokens": 2}},
        "errors": {"analysis": {"Error": "Pipeline.Transient", "Cause": "throttled"}},
        "degraded": ["analysis"],
        "accepted_at": "2026-11-22T10:00:00.000Z",
    }
    journey = assemble("p", record, None)
    assert list(statuses(journey).values()) == ["degraded", "done", "done", "done"]
    assert journey.stages[0].error == "Pipeline.Transient"
    chat = journey.stages[list(BY_KEY).index("chat")]
    assert (chat.took_ms, chat.output_tokens) == (13, 2)
    assert journey.accepted_at == START


def test_a_stage_that_this_release_lacks_is_shown():
    """A stage that was removed since, or is newer, has its place, its meter and its result in the journey."""
    meter = {**METER, "work_ms": 77}
    story = (
        Story().done("AnalyzeInput").enter("WeighInput").ask().succeed({"data": {}, "meter": meter}).leave()
    )
    record = {
        "status": "SUCCEEDED",
        "stages": {"analysis": METER, "chat": METER, "enhancement": METER, "weighing": meter},
        "weighing": {"grams": 5},
        "errors": {"signing": {"Error": "Pipeline.Transient", "Cause": "no ink"}},
    }
    for history in (None, story.read(), story.done("CallExistingChatbot").read()):
        journey = assemble("p", record, history)
        shown = {stage.key: stage for stage in journey.stages}
        assert (shown["weighing"].status, shown["weighing"].work_ms) == ("done", 77)
        assert (shown["signing"].status, shown["signing"].error) == ("degraded", "Pipeline.Transient")
        assert journey.results["weighing"] == {"grams": 5}
        assert told(journey)["weighing"] == {"grams": 5}
        assert list(shown)[-1] == "log"
    assert list(shown).index("weighing") == list(shown).index("analysis") + 1


def test_a_running_stage_that_this_release_lacks_is_shown_by_its_state():
    """While a run is at a stage that this release lacks, the journey has the state's name; then the record's key."""
    story = Story().done("AnalyzeInput").enter("WeighInput").ask()
    running = assemble("p", {"status": "RUNNING"}, story.read())
    assert {stage.key: stage.status for stage in running.stages}["WeighInput"] == "running"
    story.fail("Pipeline.Permanent", "no").add("ExecutionFailed", executionFailedEventDetails={})
    record = {"status": "FAILED", "stage": "weighing", "error": "Pipeline.Permanent"}
    (failed,) = [stage for stage in assemble("p", record, story.read()).stages if stage.status == "failed"]
    assert (failed.key, failed.state, failed.error) == ("weighing", "WeighInput", "Pipeline.Permanent")


def test_a_failed_record_without_a_history_leaves_stages_unknown():
    """Without a history, stages that the record of a failed run does not mention are unknown."""
    assert set(statuses(assemble("p", {"status": "FAILED"}, None)).values()) == {"unknown"}


def test_the_record_the_workflow_stores_itself_is_read():
    """A record that the workflow stored itself, with the results as JSON text, is read."""
    record = {
        "status": "SUCCEEDED",
        "final_response": "An answer.",
        "degraded": ["log"],
        "analysis_json": "null",
        "meters_json": json.dumps([None, METER, None]),
        "errors_json": json.dumps({"analysis": {"Error": "E", "Cause": "c"}}),
    }
    journey = assemble("p", record, None)
    assert list(statuses(journey).values()) == ["degraded", "done", "done", "degraded"]
    assert journey.stages[list(BY_KEY).index("chat")].work_ms == 9
