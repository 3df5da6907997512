"""Checks of the workflow: failed runs can be redriven or are degraded, the state fits, and failures are recorded."""

from infra.definition import CATCH_ALL
from infra.doctor.findings import Passed, Problem, Result, Skipped
from infra.doctor.largest_run import largest_run_bytes
from infra.doctor.model import System
from infra.doctor.references import last
from infra.functions import RECONCILER
from shared.contracts.executions import FAILED
from shared.contracts.limits import STATE_BYTES
from shared.contracts.stages import BY_STATE
from shared.errors import DATA_LIMIT_ERROR

STATE_ROOM = 0.9
"""The share of Step Functions' limit that the largest run may take."""


def redrivable(system: System) -> Result:
    for machine in system.machines.values():
        if machine.kind != "STANDARD":
            yield Problem(
                where=machine.name,
                what=f"This state machine has the type {machine.kind}.",
                fix="Make it a STANDARD state machine.",
                why="Only standard workflows wait for callbacks and can be redriven.",
            )
        for state in machine.states.values():
            if state.kind == "Fail":
                yield Problem(
                    where=f"{machine.name}, state {state.name}",
                    what="This Fail state ends the run.",
                    fix="Remove it, so that the task itself fails.",
                )
            stage = BY_STATE.get(state.name)
            if stage is None or not stage.critical:
                continue
            if state.catches:
                yield Problem(
                    where=f"{machine.name}, state {state.name}",
                    what=f"This critical stage has a Catch ({', '.join(state.catches)}).",
                    fix="Remove the Catch. The run then fails at this state and can be redriven from it.",
                )
            else:
                yield Passed(f"{state.name} has no Catch, so a failed run stops there", state.name)


def degrades(system: System) -> Result:
    for machine in system.machines.values():
        for stage in BY_STATE.values():
            state = machine.states.get(stage.state)
            if stage.critical or state is None:
                continue
            missing = [error for error in (CATCH_ALL, DATA_LIMIT_ERROR) if error not in state.catches]
            if missing:
                yield Problem(
                    where=f"{machine.name}, state {state.name}",
                    what=f"This stage is not critical, but it does not catch {', '.join(missing)}.",
                    fix=f"Add a Catch for {CATCH_ALL} and one for {DATA_LIMIT_ERROR}, which {CATCH_ALL} does "
                    "not cover.",
                )
            else:
                yield Passed("failures of a stage that is not critical are caught", state.name)


def state_size(_: System) -> Result:
    largest = largest_run_bytes()
    if largest > STATE_BYTES * STATE_ROOM:
        yield Problem(
            where="shared/contracts/limits.py",
            what=f"The largest run takes {largest:,} bytes of state, more than {STATE_ROOM:.0%} of "
            f"{STATE_BYTES:,}.",
            fix="Lower the limit of the message, the answer or the error causes in this file.",
        )
    else:
        yield Passed(f"largest run {largest:,} bytes < {STATE_ROOM:.0%} of {STATE_BYTES:,}")


def ends_reconciled(system: System) -> Result:
    """Check that a schedule invokes the reconciler, which records the failed runs that were not announced."""
    found = [function for function in system.functions.values() if function.module == RECONCILER.module]
    if not found:
        yield Skipped("These templates contain no reconciler.")
    for function in found:
        called = [one for one in system.schedules.values() if one.enabled and function.name in one.functions]
        if called:
            yield Passed(f"{called[0].name} invokes {function.name}")
        else:
            yield Problem(
                where=function.name,
                what="No enabled schedule invokes it.",
                fix="Deploy the logger's stack again, or enable its rule that ends in -reconcile.",
            )


def failures_heard(system: System) -> Result:
    """Check that a rule matches every failed run, which Step Functions announces on the account's default bus."""
    if not system.machines:
        yield Skipped("These templates contain no state machine.")
    for machine in system.machines.values():
        heard: set[str] = set()
        for rule in system.rules.values():
            machines = {last(str(arn)) for arn in rule.detail.get("stateMachineArn", ())}
            if rule.bus == "default" and "aws.states" in rule.sources and machine.name in machines:
                heard |= set(rule.detail.get("status", ())) if rule.enabled else set()
        if missing := sorted(set(FAILED) - heard):
            yield Problem(
                where=machine.name,
                what=f"No rule on the default bus matches its executions with status {', '.join(missing)}.",
                fix="Give the logger's rule each of these statuses and this state machine's ARN.",
            )
        else:
            yield Passed(f"a rule matches {', '.join(sorted(FAILED))} of {machine.name}")
