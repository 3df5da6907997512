"""The steps `run`, `stopped-run` and `redrive`: runs that end in each way, and one that continues."""

from collections.abc import Iterator, Mapping
from typing import Any

from operations.runs import executions
from operations.smoke.trial import Run, Trial
from operations.smoke.verdicts import Check, failed, not_possible, passed
from shared.contracts.executions import STOPPED
from shared.contracts.record import Record, results_in
from shared.contracts.stages import ANSWERING
from shared.contracts.v1 import PipelineFailed

RECORDED_SECONDS = 90.0
"""How long the end of a stopped execution may take to be recorded. AWS announces it within seconds, as a rule."""


def run(trial: Trial) -> Iterator[Check]:
    yield trial.attempt("via API", lambda: _answered(trial, trial.api_run, "via API"))
    yield trial.attempt("via bus", lambda: _answered(trial, trial.bus_run, "via bus"))
    yield trial.attempt("cost", lambda: _cost(trial.bus_run))


def _answered(trial: Trial, run: Run, subject: str) -> Check:
    record = run.record
    if record is None:
        return failed(
            subject,
            f"The run {run.pipeline_id} did not end within {trial.patience:.0f} s.",
            fix=trial.why_not_started,
        )
    if not run.is_answered:
        return failed(
            subject,
            f"The run {run.pipeline_id} FAILED at {record.get('stage') or 'no stage'} with {record.get('error')}: "
            f"{record.get('cause')}",
            fix=_explain(trial, run.pipeline_id),
        )
    degraded = ", ".join(record.get("degraded") or ())
    if degraded or not record.get("final_response"):
        what = f"without the work of {degraded}" if degraded else "but has no answer"
        return failed(
            subject,
            f"The run {run.pipeline_id} SUCCEEDED {what}.",
            fix=_explain(trial, run.pipeline_id),
        )
    model = (results_in(record).get(ANSWERING.key) or {}).get("model_id") or "an existing function"
    return passed(
        subject,
        f"The run {run.pipeline_id} SUCCEEDED in {record.get('execution_time_ms')} ms, answered by {model}.",
    )


def _cost(run: Run) -> Check:
    subject = "cost"
    if not run.is_answered:
        return not_possible(subject, f"The run {run.pipeline_id} has not succeeded, so it has no full cost.")
    cost: Mapping[str, Any] = (run.record or Record()).get("cost") or {}
    unknown = ", ".join(cost.get("unknown") or ())
    if unknown:
        return passed(
            subject, f"The record says which price is unknown: {unknown}. A daily budget does not count it."
        )
    if cost.get("nano_usd") is not None:
        return passed(subject, f"The record has the cost of the run: ${cost['nano_usd'] / 1e9:.6f}.")
    return failed(
        subject,
        f"The record of {run.pipeline_id} has neither a cost nor the name of an unknown price.",
        fix="See the logger's lines: `pipeline logs`. A daily budget can't count such runs.",
    )


def stopped_run(trial: Trial) -> Iterator[Check]:
    deaf = trial.deafness  # who is to hear the run's end must listen before the run is stopped
    execution = trial.stopped_run
    pipeline_id = execution.pipeline_id
    record = _recorded(trial, pipeline_id)
    if record is None:
        yield failed(
            "recorded",
            f"The run {pipeline_id} was stopped, but its record does not say so after {RECORDED_SECONDS:.0f} s.",
            fix="The logger's rule `failures` hears Step Functions' status changes on the account's default bus. "
            f"Check it: `pipeline --env {trial.target.env} doctor --live`.",
        )
    else:
        yield passed(
            "recorded",
            f"The run {pipeline_id} was stopped. Its record says FAILED ({record.get('error')}), and that its "
            f"execution was {STOPPED}.",
        )
    if deaf is not None:
        yield deaf("announced")
        return
    name = PipelineFailed.detail_type()
    if trial.wait(lambda: trial.listener.heard(name, pipeline_id=pipeline_id), seconds=RECORDED_SECONDS):
        yield passed("announced", f"{name} of the run {pipeline_id} arrived at a subscriber of the bus.")
    else:
        yield failed(
            "announced",
            f"No {name} of the run {pipeline_id} arrived within {RECORDED_SECONDS:.0f} s.",
            fix=f"See the logger's lines: `pipeline --env {trial.target.env} logs {pipeline_id}`.",
        )


def _recorded(trial: Trial, pipeline_id: str) -> Record | None:
    """Wait until the stopped run is recorded as such."""

    def probe() -> Record | None:
        record = trial.record(pipeline_id)
        failed_and_stopped = (record.get("status"), record.get("execution_status")) == ("FAILED", STOPPED)
        return record if failed_and_stopped else None

    found: Record | None = trial.wait(probe, seconds=RECORDED_SECONDS)
    return found


def redrive(trial: Trial) -> Iterator[Check]:
    subject, execution = "continued", trial.stopped_run
    pipeline_id = execution.pipeline_id
    # The end of the first attempt is recorded before the next one begins.
    trial.wait(lambda: trial.record(pipeline_id).get("status") == "FAILED", seconds=RECORDED_SECONDS)
    current = executions.describe(trial.target, execution.arn) or execution
    if not trial.target.is_aws and not current.redrivable:
        yield not_possible(subject, "The local engine can't redrive an execution; there, a run is restarted.")
        return
    executions.redrive(trial.target, current)
    run = trial.finished(pipeline_id)
    if run.record is None:
        yield failed(
            subject,
            f"The run {pipeline_id} was redriven, but it did not end within {trial.patience:.0f} s.",
            fix=_explain(trial, pipeline_id),
        )
    elif run.is_answered:
        yield passed(
            subject,
            f"The stopped run {pipeline_id} continued where it was stopped, in the same execution, and SUCCEEDED.",
        )
    else:
        yield failed(
            subject,
            f"The run {pipeline_id} was redriven and ended as {run.record.get('status')}: {run.record.get('error')}.",
            fix=_explain(trial, pipeline_id),
        )


def _explain(trial: Trial, pipeline_id: str) -> str:
    return f"See why and what to do: `pipeline --env {trial.target.env} explain {pipeline_id}`."
