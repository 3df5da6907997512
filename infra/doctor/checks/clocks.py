"""Checks of the times: a queue's visibility timeout exceeds its function's timeout, a task's timeout exceeds all
deliveries of its message, and no event is delivered after its task has timed out.
"""

from infra.clocks import TASK_SECONDS, visibility_rule, visibility_seconds
from infra.doctor.findings import Passed, Problem, Result
from infra.doctor.model import Queue, State, System
from shared.contracts.stages import LEAST_TASK_SECONDS


def visibility(system: System) -> Result:
    for source in system.sources:
        queue, function = system.queues.get(source.queue), system.functions.get(source.function)
        if queue is None or function is None:
            continue  # the check `consumers` reports it
        timeout, window = function.timeout_seconds, source.window_seconds
        rule, needed = visibility_rule(timeout, window), visibility_seconds(timeout, window)
        if queue.visibility_seconds < needed:
            yield Problem(
                where=queue.name,
                what=f"Its visibility timeout of {queue.visibility_seconds} s is below {rule} = {needed} s.",
                fix=f"Give the queue a visibility timeout of {needed} s, or {function.name} a shorter timeout.",
            )
        else:
            yield Passed(f"visibility {queue.visibility_seconds} s ≥ {rule}", queue.name)


def task_timeouts(system: System) -> Result:
    for machine in system.machines.values():
        for state in machine.states.values():
            if state.kind != "Task":
                continue
            if state.timeout_seconds is None:
                yield Problem(
                    where=f"{machine.name}, state {state.name}",
                    what="It has no TimeoutSeconds, so it waits up to 99,999,999 s for an answer that is lost.",
                    fix="Give the state a timeout (`task_seconds` in infra/clocks.py).",
                )
            for queue in queues_of(system, state):
                if state.timeout_seconds is not None:
                    yield _outlasts(machine.name, state, queue, state.timeout_seconds)
                    yield from _known(system, machine.name, state, queue)


def _outlasts(machine: str, state: State, queue: Queue, timeout: int) -> Problem | Passed:
    receives = queue.receives or 1
    rule = f"{queue.visibility_seconds} s x {receives} receives"
    longest = queue.visibility_seconds * receives
    if timeout <= longest:
        return Problem(
            where=f"{machine}, state {state.name}",
            what=f"It times out after {timeout} s, but its message stays in {queue.name} for up to {rule} = "
            f"{longest} s.",
            fix="Deploy the workflow and the service with the same options, from which both times follow.",
        )
    return Passed(f"task timeout {timeout} s > {rule}", state.name)


def _known(system: System, machine: str, state: State, queue: Queue) -> Result:
    """Report a function that takes its stage's task to be longer or shorter than it is."""
    for source in system.sources:
        function = system.functions.get(source.function)
        if source.queue != queue.name or function is None:
            continue
        known = int(function.variables.get(TASK_SECONDS) or LEAST_TASK_SECONDS)
        if known != state.timeout_seconds:
            yield Problem(
                where=f"{machine}, state {state.name}",
                what=f"It times out after {state.timeout_seconds} s, but {function.name} expects {known} s.",
                fix="Deploy the workflow and the service with the same options.",
                why="A paid stage may begin with work that its task does not wait for, or leave out work that it "
                "would wait for.",
            )


def event_ages(system: System) -> Result:
    """Check that EventBridge gives up on a stage's request when the task times out: its token is settled then."""
    for machine in system.machines.values():
        for state in machine.states.values():
            for rule in system.rules.values():
                if state.detail_type not in rule.detail_types or state.timeout_seconds is None:
                    continue
                for target in rule.targets:
                    age, timeout = target.max_age_seconds, state.timeout_seconds
                    if age > timeout:
                        yield Problem(
                            where=rule.name,
                            what=f"EventBridge tries to deliver its events for {age} s, but the task of "
                            f"{state.name} times out after {timeout} s.",
                            fix=f"Set the target's MaximumEventAgeInSeconds to {timeout} or less.",
                        )
                    else:
                        yield Passed(f"delivery tried for {age} s ≤ task timeout {timeout} s", rule.name)


def queues_of(system: System, state: State) -> list[Queue]:
    """Return the queues that a state's request can reach."""
    names = [state.queue] if state.queue else []
    for rule in system.rules.values():
        if state.detail_type and state.detail_type in rule.detail_types and rule.bus == state.bus:
            names += [target.queue for target in rule.targets]
    return [system.queues[name] for name in names if name in system.queues]
