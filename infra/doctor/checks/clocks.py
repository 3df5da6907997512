"""The clocks: a queue waits longer than its function, a task longer than its queue, no event outlives its task."""

from infra.clocks import VISIBILITY_FACTOR
from infra.doctor.findings import Fault, Held, Result
from infra.doctor.model import Queue, State, System


def visibility(system: System) -> Result:
    for source in system.sources:
        queue, function = system.queues.get(source.queue), system.functions.get(source.function)
        if queue is None or function is None:
            continue  # `consumers` says so
        timeout, window = function.timeout_seconds, source.window_seconds
        rule = f"{VISIBILITY_FACTOR} x {timeout} s + {window} s"
        needed = VISIBILITY_FACTOR * timeout + window
        if queue.visibility_seconds < needed:
            yield Fault(
                where=queue.name,
                what=f"Visibility {queue.visibility_seconds} s is below {rule} = {needed} s.",
                mend=f"Give the queue a visibility of {needed} s, or {function.name} a shorter timeout.",
            )
        else:
            yield Held(f"visibility {queue.visibility_seconds} s ≥ {rule}", queue.name)


def task_timeouts(system: System) -> Result:
    for machine in system.machines.values():
        for state in machine.states.values():
            if state.kind != "Task":
                continue
            if state.timeout_seconds is None:
                yield Fault(
                    where=f"{machine.name}, state {state.name}",
                    what="It has no TimeoutSeconds: it waits up to 99,999,999 s for an answer that is lost.",
                    mend="Give the state a timeout: `timeout_seconds` in the stage table.",
                )
            for queue in queues_of(system, state):
                if state.timeout_seconds is not None:
                    yield _outlasts(machine.name, state, queue, state.timeout_seconds)


def _outlasts(machine: str, state: State, queue: Queue, timeout: int) -> Fault | Held:
    receives = queue.receives or 1
    rule = f"{queue.visibility_seconds} s x {receives} receives"
    longest = queue.visibility_seconds * receives
    if timeout <= longest:
        return Fault(
            where=f"{machine}, state {state.name}",
            what=f"It times out after {timeout} s; its message lives {rule} = {longest} s in {queue.name}.",
            mend="Lengthen the stage's timeout, or shorten the function's timeout and with it the visibility.",
        )
    return Held(f"task timeout {timeout} s > {rule}", state.name)


def event_ages(system: System) -> Result:
    """A stage's request carries a task token, which is worthless once the task is over."""
    for machine in system.machines.values():
        for state in machine.states.values():
            for rule in system.rules.values():
                if state.detail_type not in rule.detail_types or state.timeout_seconds is None:
                    continue
                for target in rule.targets:
                    age, timeout = target.max_age_seconds, state.timeout_seconds
                    if age > timeout:
                        yield Fault(
                            where=rule.name,
                            what=f"EventBridge tries to deliver for {age} s; the task of {state.name} "
                            f"is over after {timeout} s.",
                            mend="Give the target a MaximumEventAgeInSeconds of the task's timeout.",
                        )
                    else:
                        yield Held(f"tried for {age} s ≤ task timeout {timeout} s", rule.name)


def queues_of(system: System, state: State) -> list[Queue]:
    """Where a state's request may end up."""
    names = [state.queue] if state.queue else []
    for rule in system.rules.values():
        if state.detail_type and state.detail_type in rule.detail_types and rule.bus == state.bus:
            names += [target.queue for target in rule.targets]
    return [system.queues[name] for name in names if name in system.queues]
