"""Pure: what is to be done with a parked message, and why."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from operations.dlq.messages import STARTS, Parked, asked_hash, violation
from operations.runs.executions import Execution

Token = Literal["none", "alive", "dead"]


class Action(StrEnum):
    MOVE = "move back"
    REDRIVE = "redrive"
    RESTART = "restart"
    ARCHIVE = "archive"
    LEAVE = "leave"

    @property
    def starts_work(self) -> bool:
        return self in (Action.MOVE, Action.REDRIVE, Action.RESTART)


class Facts(Struct, frozen=True, kw_only=True):
    """What is known about a message's run.

    `unknown` says why something could not be found out. `cancelled`: its caller asked to stop it. `execution` is the
    one the message belongs to, `successor` what runs under the name of its restart, `restart_name` that name.
    """

    token: Token = "none"  # noqa: S105 -- a word, no token
    record_status: str | None = None
    record_hash: str | None = None
    cancelled: bool = False
    execution: Execution | None = None
    successor: Execution | None = None
    restart_name: str | None = None
    unknown: str | None = None


class Decision(Struct, frozen=True, kw_only=True):
    """`reason` is a sentence for people. `rerun`: the pipeline has succeeded and is to run again."""

    action: Action
    reason: str
    rerun: bool = False


def decide(  # noqa: PLR0911 -- the table of docs/operations.md, a row each
    message: Parked, facts: Facts, *, restart: bool = False, edited: bool = False
) -> Decision:
    """`restart`: run pipelines again that have succeeded. `edited`: the data was corrected, and is valid."""
    if facts.unknown:
        return _leave(facts.unknown)
    if facts.token != "dead":  # noqa: S105
        return _move(message, facts, edited=edited)
    execution = facts.execution
    if facts.record_status == "SUCCEEDED" or (execution and execution.status == "SUCCEEDED"):
        if restart and execution:
            return _again(facts, "The pipeline has succeeded; it runs again as asked.", rerun=True)
        return _archive("Its run has succeeded; there is nothing left to do.")
    if execution is None:
        return _leave("Step Functions does not know its run (any more), and the record is not a success.")
    if execution.failed and facts.cancelled and not (restart or edited):
        return _archive("Its caller cancelled it.")
    if not execution.failed:
        return _archive("Its run goes on with a newer attempt.")
    if facts.successor is not None:
        return _archive(f"Its run was started again as {facts.successor.name}.")
    if execution.redrivable and not edited:
        return Decision(
            action=Action.REDRIVE,
            reason=f"Its run ended as {execution.status} and can go on where it failed.",
        )
    why = "its data was corrected" if execution.redrivable else "it can't be redriven"
    return _again(facts, f"Its run ended as {execution.status} and {why}: it starts anew.")


def _move(message: Parked, facts: Facts, *, edited: bool) -> Decision:
    problem = None if edited else violation(message)
    if problem:
        return _leave(f"It breaks its contract: {problem.reason} (at {problem.path}).")
    if facts.token == "alive":  # noqa: S105
        return Decision(action=Action.MOVE, reason="Its task still waits for the outcome.")
    if message.detail_type in STARTS:
        asked = asked_hash(message)
        if facts.record_hash and asked is not None and facts.record_hash != asked and not edited:
            return _leave("Its pipeline id was used before for another message: it would be parked again.")
        return Decision(
            action=Action.MOVE, reason="It starts a pipeline; one that runs is not started twice."
        )
    if message.execution_arn and message.token is None and message.service == "logger":
        return Decision(action=Action.MOVE, reason="It tells of a run's end, which is to be recorded.")
    return Decision(action=Action.MOVE, reason="It waits for no task.")


def _again(facts: Facts, reason: str, *, rerun: bool = False) -> Decision:
    if facts.restart_name is None:
        return _leave("The name of its restart could not be found.")
    return Decision(action=Action.RESTART, reason=reason, rerun=rerun)


def _archive(reason: str) -> Decision:
    return Decision(action=Action.ARCHIVE, reason=reason)


def _leave(reason: str) -> Decision:
    return Decision(action=Action.LEAVE, reason=reason)


class Planned(Struct, frozen=True, kw_only=True):
    """A message and what is to be done with it."""

    message: Parked
    decision: Decision


def together(planned: Iterable[Planned]) -> list[Planned]:
    """Of several messages of one ended run, the first starts it again and the others are archived."""
    starts: dict[str, str] = {}
    result = []
    for item in planned:
        arn = item.message.execution_arn
        decision = item.decision
        if arn and decision.action in (Action.REDRIVE, Action.RESTART):
            if arn in starts:
                decision = _archive(f"The same run is started again by message {starts[arn][:8]}.")
            else:
                starts[arn] = item.message.id
        result.append(Planned(message=item.message, decision=decision))
    return result


def confirmed(planned: Decision, fresh: Decision) -> Decision:
    """What may be done now, of what was agreed to: less than the plan is done without asking, more never is."""
    if fresh.action in (planned.action, Action.ARCHIVE, Action.LEAVE):
        return fresh
    if planned.action is Action.ARCHIVE and fresh.rerun:
        return planned
    return _leave(f"Things have changed since the plan ({planned.action}, now {fresh.action}). Plan again.")
