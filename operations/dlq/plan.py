"""Decides what a replay does with a parked message, and says why. Pure: `decide` gets facts and calls nothing."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from operations.dlq.messages import STARTS, Parked, hash_of_request, violation
from operations.runs.executions import Execution
from shared.contracts.executions import GOING_ON

Token = Literal["none", "alive", "dead"]


class Action(StrEnum):
    MOVE = "move back"
    REDRIVE = "redrive"
    RESTART = "restart"
    ARCHIVE = "archive"
    LEAVE = "leave"
    CANCEL = "cancel"
    """Of a run that goes on. No message is ever cancelled."""

    @property
    def starts_work(self) -> bool:
        return self in (Action.MOVE, Action.REDRIVE, Action.RESTART)


class Facts(Struct, frozen=True, kw_only=True):
    """Facts about a message's run.

    `unknown` says why the facts could not be read. `cancelled`: the caller asked to cancel the run. `failed_at` is
    the end in the record of a FAILED run. `execution` is the execution to which the message belongs, `restart_name`
    the name of that execution's restart, `successor` the execution that has this name already.
    """

    token: Token = "none"  # noqa: S105 -- a word, no token
    record_status: str | None = None
    record_hash: str | None = None
    cancelled: bool = False
    failed_at: str | None = None
    execution: Execution | None = None
    successor: Execution | None = None
    restart_name: str | None = None
    unknown: str | None = None

    @property
    def running(self) -> Execution | None:
        """The execution in which the run goes on."""
        known = (self.successor, self.execution)
        return next((one for one in known if one is not None and one.status == "RUNNING"), None)


class Decision(Struct, frozen=True, kw_only=True):
    """An action and its reason, a sentence for people. `rerun`: the run has succeeded and is to run again."""

    action: Action
    reason: str
    rerun: bool = False


def decide(  # noqa: PLR0911 -- the table of docs/operations.md, a row each
    message: Parked, facts: Facts, *, restart: bool = False, edited: bool = False
) -> Decision:
    """Decide on one message.

    `restart`: runs that have succeeded or were cancelled run again, too. `edited`: the message's data was corrected,
    and keeps its contract; a cancelled run then runs again as well.
    """
    if facts.unknown:
        return _leave(facts.unknown)
    if facts.token != "dead":  # noqa: S105
        return _move(message, facts, edited=edited)
    execution = facts.execution
    if facts.record_status == "SUCCEEDED" or (execution and execution.status == "SUCCEEDED"):
        if restart and execution:
            return _again(
                facts, "The run has succeeded; it is restarted because --restart was given.", rerun=True
            )
        return _archive("The run has succeeded; there is nothing left to do.")
    if execution is None:
        return _leave(
            "Step Functions does not know the execution (any more), and the record does not say SUCCEEDED."
        )
    if execution.failed and facts.cancelled and not (restart or edited):
        return _archive("The caller cancelled the run.")
    if not execution.failed:
        return _goes_on(execution)
    if facts.successor is not None:
        return _archive(f"The run was already restarted as {facts.successor.name}.")
    if execution.redrivable and not edited:
        return Decision(
            action=Action.REDRIVE,
            reason=f"The run ended as {execution.status} and can continue at the stage that failed.",
        )
    cause = "its data was corrected" if execution.redrivable else "can't be redriven"
    return _again(
        facts, f"The run ended as {execution.status} and {cause}, so it is restarted from the beginning."
    )


def _move(message: Parked, facts: Facts, *, edited: bool) -> Decision:
    problem = None if edited else violation(message)
    if problem:
        return _leave(f"The message breaks its contract: {problem.reason} (at {problem.path}).")
    if facts.token == "alive":  # noqa: S105
        return Decision(action=Action.MOVE, reason="The task still waits for this message's outcome.")
    if message.detail_type in STARTS:
        asked = hash_of_request(message)
        if facts.record_hash and asked is not None and facts.record_hash != asked and not edited:
            return _leave(
                "The message's pipeline id belongs to a run of another text, so it would be parked again."
            )
        return Decision(
            action=Action.MOVE, reason="The message starts a run; a run that exists is not started twice."
        )
    if message.execution_arn and message.token is None and message.service == "logger":
        return Decision(
            action=Action.MOVE, reason="The message reports the end of a run, which must be recorded."
        )
    return Decision(action=Action.MOVE, reason="No task waits for this message's outcome.")


def _goes_on(execution: Execution) -> Decision:
    if execution.status in GOING_ON:
        return _archive("The run continues with a newer attempt.")
    return _leave(f"The execution has the status {execution.status}, which this version does not know.")


def _again(facts: Facts, reason: str, *, rerun: bool = False) -> Decision:
    if facts.restart_name is None:
        return _leave("The name for a restart of the run could not be determined.")
    return Decision(action=Action.RESTART, reason=reason, rerun=rerun)


def _archive(reason: str) -> Decision:
    return Decision(action=Action.ARCHIVE, reason=reason)


def _leave(reason: str) -> Decision:
    return Decision(action=Action.LEAVE, reason=reason)


class Planned(Struct, frozen=True, kw_only=True):
    """A parked message and the decision on it. `has_run`: its run was started, as far as anything tells of one."""

    message: Parked
    decision: Decision
    has_run: bool = True


def planned(message: Parked, facts: Facts, *, restart: bool = False, edited: bool = False) -> Planned:
    """Return a message with the decision on it."""
    return Planned(
        message=message,
        decision=decide(message, facts, restart=restart, edited=edited),
        has_run=_has_run(message, facts),
    )


def _has_run(message: Parked, facts: Facts) -> bool:
    """Return whether a record, an execution or a task that waits tells of the message's run, or all is unknown.

    The report of an execution's end, which has no token, tells of one by itself.
    """
    reports_an_end = message.service == "logger" and not message.token and bool(message.execution_arn)
    waits = facts.token == "alive"  # noqa: S105 -- a word, no token
    return bool(facts.unknown or facts.record_status or facts.execution or waits or reports_an_end)


def together(items: Iterable[Planned]) -> list[Planned]:
    """Let only the first of several messages of one execution redrive or restart the run; archive the others."""
    starts: dict[str, str] = {}
    result = []
    for item in items:
        arn = item.message.execution_arn
        decision = item.decision
        if arn and decision.action in (Action.REDRIVE, Action.RESTART):
            if arn in starts:
                decision = _archive(f"Message {starts[arn]} continues or restarts the same run.")
            else:
                starts[arn] = item.message.id
        result.append(replace(item, decision=decision))
    return result


def confirmed(planned: Decision, fresh: Decision) -> Decision:
    """Return the decision to carry out: the fresh one if it does no more than the confirmed plan.

    A planned archiving stays, even if the run has succeeded since and could be restarted. Otherwise the message is
    left.
    """
    if fresh.action in (planned.action, Action.ARCHIVE, Action.LEAVE):
        return fresh
    if planned.action is Action.ARCHIVE and fresh.rerun:
        return planned
    return _leave(
        f"The run has changed since the plan was made (planned: {planned.action}, now: {fresh.action}). Plan again."
    )
