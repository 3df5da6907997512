"""The workflow: what must stay redrivable, what must degrade, what must fit the state, who hears of a failure."""

from infra.definition import CATCH_ALL
from infra.doctor.findings import Fault, Held, Result, Skipped
from infra.doctor.largest_run import largest_run_bytes
from infra.doctor.model import System
from infra.doctor.references import last
from shared.contracts.executions import FAILED
from shared.contracts.limits import STATE_BYTES
from shared.contracts.stages import BY_STATE
from shared.errors import DATA_LIMIT_ERROR

STATE_ROOM = 0.9
"""The share of Step Functions' limit that the largest run may take."""


def redrivable(system: System) -> Result:
    for machine in system.machines.values():
        if machine.kind != "STANDARD":
            yield Fault(
                where=machine.name,
                what=f"It is {machine.kind}.",
                mend="Make it STANDARD.",
                why="Only standard workflows wait for callbacks and can be redriven.",
            )
        for state in machine.states.values():
            if state.kind == "Fail":
                yield Fault(
                    where=f"{machine.name}, state {state.name}",
                    what="A Fail state ends the run.",
                    mend="Remove it: let the task itself fail.",
                )
            stage = BY_STATE.get(state.name)
            if stage is None or not stage.critical:
                continue
            if state.catches:
                yield Fault(
                    where=f"{machine.name}, state {state.name}",
                    what=f"This critical state has a Catch ({', '.join(state.catches)}).",
                    mend="Remove the Catch: the run then fails at this state, and can be redriven from it.",
                )
            else:
                yield Held(f"{state.name} has no Catch: a failed run stops there", state.name)


def degrades(system: System) -> Result:
    for machine in system.machines.values():
        for stage in BY_STATE.values():
            state = machine.states.get(stage.state)
            if stage.critical or state is None:
                continue
            missing = [error for error in (CATCH_ALL, DATA_LIMIT_ERROR) if error not in state.catches]
            if missing:
                yield Fault(
                    where=f"{machine.name}, state {state.name}",
                    what=f"This stage is not critical, and {', '.join(missing)} is not caught.",
                    mend=f"Add a Catch for {DATA_LIMIT_ERROR} and one for {CATCH_ALL}, which does not "
                    "cover it.",
                )
            else:
                yield Held("a failed stage that is not critical is caught", state.name)


def state_size(_: System) -> Result:
    largest = largest_run_bytes()
    if largest > STATE_BYTES * STATE_ROOM:
        yield Fault(
            where="shared/contracts/limits.py",
            what=f"The largest run takes {largest:,} bytes of state, more than {STATE_ROOM:.0%} of "
            f"{STATE_BYTES:,}.",
            mend="Lower the bounds of the message, the answer or the causes.",
        )
    else:
        yield Held(f"largest run {largest:,} bytes < {STATE_ROOM:.0%} of {STATE_BYTES:,}")


def failures_heard(system: System) -> Result:
    """Step Functions announces failed runs on the account's default bus; the logger records them."""
    if not system.machines:
        yield Skipped("There is no state machine in these templates.")
    for machine in system.machines.values():
        heard: set[str] = set()
        for rule in system.rules.values():
            machines = {last(str(arn)) for arn in rule.detail.get("stateMachineArn", ())}
            if rule.bus == "default" and "aws.states" in rule.sources and machine.name in machines:
                heard |= set(rule.detail.get("status", ())) if rule.enabled else set()
        if missing := sorted(set(FAILED) - heard):
            yield Fault(
                where=machine.name,
                what=f"No rule on the default bus hears of its runs that are {', '.join(missing)}.",
                mend="The logger's rule needs each of these statuses and this state machine's ARN.",
            )
        else:
            yield Held(f"{', '.join(sorted(FAILED))} of {machine.name} are heard")
