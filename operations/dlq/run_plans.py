"""Plans for chosen runs: those that failed run again, those that go on are cancelled.

A run is decided on again when its turn comes. A run with a parked message is left to the replay of that message.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from operations.asking.cancel import cancel
from operations.dlq.plan import Action, Decision
from operations.dlq.plans import Line, Order, Plan
from operations.dlq.redrive import FailedRun, find_chosen, parked_runs, run_again
from operations.dlq.replay import Outcome, Result
from operations.errors import OperationError
from operations.money.estimate import Rates, estimate, read_rates, work_of_run
from operations.runs.records import read_records
from operations.stop import Stop
from operations.target import Target
from shared.contracts.record import FINAL, Record

FIELDS = ("status", "stage", "error", "cause", "accepted_at")
GOES_ON = "The run goes on; the API is asked to cancel it, as its caller would."


def again_plan(target: Target, pipeline_ids: Sequence[str]) -> Plan:
    """Return a plan that runs failed runs again: redriven where that is possible, else restarted."""
    chosen = find_chosen(target, pipeline_ids, parked_runs(target))
    runs = {name: run for name, run in chosen.items() if isinstance(run, FailedRun)}
    starts = any(run.decision.action.starts_work for run in runs.values())
    rates = read_rates(target) if starts else Rates()
    decisions = {name: _decision(run) for name, run in chosen.items()}
    costs = {name: work_of_run(run).cost(rates) for name, run in runs.items()}
    works = [work_of_run(run) for run in runs.values()]
    return Plan(
        what="again",
        seen_at=datetime.now(UTC),
        lines=_lines(target, decisions, costs),
        estimate=estimate(works, rates),
    )


def cancel_plan(target: Target, pipeline_ids: Sequence[str]) -> Plan:
    """Return a plan that cancels the runs that go on."""
    records = read_records(target, pipeline_ids, fields=("status",))
    decisions = {}
    for pipeline_id in pipeline_ids:
        ended = records.get(pipeline_id, Record()).get("status") in FINAL
        decisions[pipeline_id] = (
            Decision(action=Action.LEAVE, reason="The run has ended.")
            if ended
            else Decision(action=Action.CANCEL, reason=GOES_ON)
        )
    return Plan(
        what="cancel",
        seen_at=datetime.now(UTC),
        lines=_lines(target, decisions, {}),
        estimate=estimate([], Rates()),
    )


def acted(target: Target, plan: Plan, how: Order, lines: Sequence[Line], stop: Stop) -> Iterator[Result]:
    """Act on runs of a plan, and yield what came of each."""
    return _cancelled(target, lines, stop) if plan.what == "cancel" else _again(target, how, lines, stop)


def _again(target: Target, how: Order, lines: Sequence[Line], stop: Stop) -> Iterator[Result]:
    by_id = {line.message_id: line for line in lines}
    chosen = find_chosen(target, list(by_id), parked_runs(target))
    for name, run in chosen.items():
        if isinstance(run, str):
            yield _result(by_id[name], Action.LEAVE, run, "left")
    runs = [run for run in chosen.values() if isinstance(run, FailedRun)]
    yield from run_again(target, runs, who=how.who, rate=how.rate, stop=stop)


def _cancelled(target: Target, lines: Sequence[Line], stop: Stop) -> Iterator[Result]:
    for line in lines:
        if stop.requested:
            return
        try:
            answer = cancel(target, line.message_id)
        except OperationError as error:
            yield _result(line, line.action, line.reason, "failed", problem=str(error))
            continue
        reason = "The run had been cancelled before." if answer.before else line.reason
        yield _result(line, line.action, reason, "done")


def _result(line: Line, action: Action, reason: str, outcome: Outcome, problem: str | None = None) -> Result:
    return Result(
        message_id=line.message_id,
        service=line.service,
        pipeline_id=line.pipeline_id,
        action=action,
        reason=reason,
        outcome=outcome,
        problem=problem,
    )


def _decision(run: FailedRun | str) -> Decision:
    return Decision(action=Action.LEAVE, reason=run) if isinstance(run, str) else run.decision


def _lines(target: Target, decisions: dict[str, Decision], costs: dict[str, int | None]) -> tuple[Line, ...]:
    records = read_records(target, decisions, fields=FIELDS)
    return tuple(
        Line(
            message_id=name,
            service=str(records.get(name, Record()).get("stage") or ""),
            parked_at=datetime.now(UTC),
            error_type=str(records.get(name, Record()).get("error") or ""),
            error=str(records.get(name, Record()).get("cause") or ""),
            detail_type="",
            pipeline_id=name,
            execution_arn=None,
            action=decision.action,
            reason=decision.reason,
            nano_usd=costs.get(name) if decision.action.starts_work else 0,
        )
        for name, decision in decisions.items()
    )
