"""The smoke test's steps about runs: what each says when its run ends, fails, never ends or can't be made."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from operations.smoke.runs import redrive, run, stopped_run
from operations.smoke.steps import smoke
from operations.smoke.trial import STOP_TRIES, Trial
from operations.tests.smoke_world import API_RUN, BUS_RUN, NAME, Client, by_subject, hears, refusal, replace
from operations.tests.world import FakeApi, client, finish
from shared.contracts.record import iso
from shared.records import Records

STOPPED = f"{NAME}-stopped-1"
COST = {"nano_usd": 1_234_000, "unknown": []}
GONE = refusal("StopExecution", "ExecutionDoesNotExist")


@pytest.fixture
def records(account):
    return Records(client("dynamodb"), account.addresses.table_name)


def outcomes(checks: Any) -> dict[str, str]:
    return {check.subject: check.outcome for check in checks}


# --- run -----------------------------------------------------------------------------------------------------


def test_answered_runs_with_a_cost_pass(trial: Trial, records: Records):
    """Runs that were answered via API and bus pass, and so does a known cost."""
    finish(records, API_RUN, cost=COST)
    finish(records, BUS_RUN, cost=COST)
    checks = by_subject(run(trial))
    assert {check.outcome for check in checks.values()} == {"passed"}
    assert "$0.001234" in checks["cost"].text
    assert trial.left == [API_RUN, BUS_RUN]


def test_an_unknown_price_that_is_said_passes_and_no_cost_at_all_fails(trial: Trial, records: Records):
    """The cost passes if the record names the price that is unknown, and fails if the record is silent."""
    finish(records, API_RUN, cost=COST)
    finish(records, BUS_RUN, cost={"nano_usd": 5, "unknown": ["a-model"]})
    check = by_subject(run(trial))["cost"]
    assert (check.outcome, "a-model" in check.text) == ("passed", True)
    again = Trial(trial.target, patience=0, stop=trial.stop, name="smoke-261129100000bb")
    finish(records, f"{again.name}-bus")
    check = by_subject(run(again))["cost"]
    assert check.outcome == "failed"
    assert check.fix


def test_runs_that_never_end_fail_with_where_to_look(trial: Trial):
    """A run that does not end in time fails, and its cost is not judged."""
    checks = by_subject(run(trial))
    assert outcomes(checks.values()) == {"via API": "failed", "via bus": "failed", "cost": "not possible"}
    assert "did not end" in checks["via bus"].text
    assert "doctor --live" in str(checks["via bus"].fix)


def test_a_failed_and_a_degraded_run_fail_with_their_reasons(trial: Trial, records: Records):
    """A run that failed, or answered without a stage, fails the step and names the stage."""
    finish(records, API_RUN, status="FAILED", stage="chat")
    finish(records, BUS_RUN, degraded=["analysis"], cost=COST)
    checks = by_subject(run(trial))
    assert "FAILED at chat with Pipeline.Permanent: the model said no" in checks["via API"].text
    assert "without the work of analysis" in checks["via bus"].text
    assert f"explain {BUS_RUN}" in str(checks["via bus"].fix)


def test_a_denied_api_does_not_keep_the_bus_from_being_tried(trial: Trial, api: FakeApi, records: Records):
    """If the API refuses the caller, its check fails with the API's words, and the run via the bus is judged."""
    api.answers = [(403, {"message": "User is not authorized"})]
    finish(records, BUS_RUN, cost=COST)
    checks = by_subject(run(trial))
    assert outcomes(checks.values()) == {"via API": "failed", "via bus": "passed", "cost": "passed"}
    assert "User is not authorized" in checks["via API"].text


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refusal("PutEvents", "ThrottlingException"), "ThrottlingException"),
        (refusal("PutEvents", "AccessDeniedException"), "do not allow PutEvents"),
        (
            {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "half"}]},
            "InternalFailure: half",
        ),
    ],
    ids=["throttled", "denied", "half accepted"],
)
def test_an_event_that_is_not_accepted_fails_with_the_reason(
    trial: Trial, records: Records, monkeypatch, answer, words
):
    """A PutEvents that is throttled, denied, or answered with FailedEntryCount is a failed check, not a run."""
    monkeypatch.setattr("operations.asking.submit.backoff", lambda _tries: 0)
    finish(records, API_RUN, cost=COST)
    replace(trial.target, "events", Client(put_events=answer))
    checks = by_subject(run(trial))
    assert outcomes(checks.values()) == {"via API": "passed", "via bus": "failed", "cost": "failed"}
    assert words in checks["via bus"].text
    assert BUS_RUN not in trial.left


# --- stopped-run ---------------------------------------------------------------------------------------------


ABORTED_AT = datetime(2026, 11, 23, tzinfo=UTC)


def execution(name: str = STOPPED, **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "status": "ABORTED",
        "startDate": datetime.now(UTC),
        "stopDate": ABORTED_AT,
        "redriveStatus": "REDRIVABLE",
        **fields,
    }


def machine(trial: Trial, **operations: Any) -> Client:
    """Replace Step Functions by one in which a stopped run is ABORTED."""
    answers = {
        "stop_execution": {},
        "describe_execution": lambda executionArn: execution(executionArn.rpartition(":")[2]),
        "redrive_execution": {"redriveDate": ABORTED_AT},
    }
    fake: Client = replace(trial.target, "stepfunctions", Client(**{**answers, **operations}))
    return fake


def aborted(records: Records) -> None:
    ended = {"error": "Smoke.Stopped", "execution_status": "ABORTED", "finished_at": iso(ABORTED_AT)}
    finish(records, STOPPED, status="FAILED", **ended)


def announced(name: str = STOPPED) -> dict[str, Any]:
    return {"detail-type": "pipeline.failed.v1", "data": {"pipeline_id": name}}


def test_a_stopped_run_that_is_recorded_and_announced_passes(trial: Trial, records: Records):
    """A stopped run passes when its record says so and its end is heard on the bus."""
    fake = machine(trial)
    aborted(records)
    hears(trial, announced())
    assert outcomes(stopped_run(trial)) == {"recorded": "passed", "announced": "passed"}
    (stop,) = fake.of("stop_execution")
    assert stop["executionArn"].endswith(f":{STOPPED}")
    assert stop["error"] == "Smoke.Stopped"


def test_a_stopped_run_that_nobody_records_or_announces_fails(trial: Trial):
    """A stopped run whose record and announcement never come fails twice, and names the rule to look at."""
    machine(trial)
    hears(trial)
    checks = by_subject(stopped_run(trial))
    assert outcomes(checks.values()) == {"recorded": "failed", "announced": "failed"}
    assert "`failures`" in str(checks["recorded"].fix)


def test_a_run_that_failed_by_itself_is_not_taken_for_the_stopped_one(trial: Trial, records: Records):
    """A record that is FAILED for another reason does not prove that stops are recorded."""
    machine(trial)
    finish(records, STOPPED, status="FAILED", execution_status="FAILED")
    hears(trial, announced())
    assert outcomes(stopped_run(trial)) == {"recorded": "failed", "announced": "passed"}


def test_a_run_that_does_not_start_can_not_be_stopped(trial: Trial):
    """If no execution ever starts, the step fails and says where the message may wait."""
    machine(trial, stop_execution=GONE)
    hears(trial)
    (verdict,) = smoke(trial, only=["stopped-run"])
    assert verdict.outcome == "failed"
    assert "No execution was started" in verdict.checks[0].text


def test_runs_that_are_too_quick_to_be_stopped_are_tried_a_few_times(trial: Trial):
    """A run that ends before the stop is tried again with another id, a bounded number of times."""
    fake = machine(
        trial,
        stop_execution=refusal("StopExecution", "ValidationException"),
        describe_execution=execution(status="SUCCEEDED"),
    )
    hears(trial)
    (verdict,) = smoke(trial, only=["stopped-run"])
    assert verdict.outcome == "failed"
    assert len(fake.of("stop_execution")) == len(trial.left) == STOP_TRIES


def test_a_denied_stop_fails_with_the_missing_right(trial: Trial):
    """A caller who may not stop executions gets a failed step that names the right."""
    machine(trial, stop_execution=refusal("StopExecution", "AccessDeniedException"))
    hears(trial)
    (verdict,) = smoke(trial, only=["stopped-run"])
    assert "do not allow StopExecution" in verdict.checks[0].text


# --- redrive -------------------------------------------------------------------------------------------------


def redriven(records: Records, status: str | None) -> Any:
    """Return RedriveExecution, after which the run ends with `status`, or never."""

    def answer(**_arguments: Any) -> dict[str, Any]:
        if status is not None:
            ended = iso(ABORTED_AT + timedelta(seconds=5))
            finish(records, STOPPED, status=status, execution_status=status, finished_at=ended)
        return {"redriveDate": ABORTED_AT}

    return answer


@pytest.mark.parametrize(
    ("status", "outcome", "words"),
    [
        ("SUCCEEDED", "passed", "in the same execution"),
        ("FAILED", "failed", "ended as FAILED"),
        (None, "failed", "did not end"),
    ],
)
def test_a_redriven_run_is_judged_by_its_end(trial: Trial, records: Records, status, outcome, words):
    """A redriven run passes if it succeeds, and fails if it fails again or never ends."""
    fake = machine(trial, redrive_execution=redriven(records, status))
    aborted(records)
    (check,) = redrive(trial)
    assert (check.outcome, words in check.text) == (outcome, True)
    assert len(fake.of("redrive_execution")) == 1


def test_a_redrive_that_aws_refuses_fails(trial: Trial, records: Records):
    """An execution that Step Functions can't redrive fails the step."""
    machine(trial, redrive_execution=refusal("RedriveExecution", "ExecutionNotRedrivable"))
    aborted(records)
    (verdict,) = smoke(trial, only=["redrive"])
    assert verdict.outcome == "failed"
    assert "can't be redriven" in verdict.checks[0].text


def test_the_stopped_run_is_the_one_that_is_redriven(trial: Trial, records: Records):
    """The step `redrive` continues the run of `stopped-run`: one run and one model call serve both."""
    fake = machine(trial, redrive_execution=redriven(records, "SUCCEEDED"))
    aborted(records)
    hears(trial, announced())
    verdicts = list(smoke(trial, only=["stopped-run", "redrive"]))
    assert [verdict.outcome for verdict in verdicts] == ["passed", "passed"]
    assert trial.left == [STOPPED]
    assert len(fake.of("stop_execution")) == 1
