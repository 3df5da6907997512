"""Replaying and archiving parked messages: plan, confirm, then decide again and act on each message.

A message is deleted only after the action on it. An interrupted replay therefore loses nothing and, since executions
have names and answers are stored, repeats nothing.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from msgspec import Struct

from operations.dlq import facts as fact_finding
from operations.dlq.corrections import Step, applied, told
from operations.dlq.journal import UNKNOWN, Entry, Journal
from operations.dlq.messages import Parked, data_of, with_data
from operations.dlq.plan import Action, Decision, Facts, Planned, confirmed, decide, planned, together
from operations.dlq.queues import Dlq, Held, find_queues, held
from operations.errors import InvalidInputError, OperationError, RefusedError
from operations.json_text import loosely, written
from operations.runs import executions
from operations.stop import Stop
from operations.target import Target
from operations.violations import KINDS, violations
from services.logger.core import DETAIL_TYPE as STATUS_CHANGE
from shared.contracts.record import iso
from shared.contracts.v2 import PipelineRequested

Outcome = Literal["done", "left", "gone", "failed", "changed"]
FACTS_AT_ONCE = 200


class Selection(Struct, frozen=True, kw_only=True):
    """A selection of parked messages; empty fields select all. `ids` may be the beginnings of message ids."""

    services: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    pipelines: tuple[str, ...] = ()
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    limit: int | None = None

    def takes(self, message: Parked, now: datetime) -> bool:
        age = now - message.sent_at
        text = f"{message.error_type}: {message.error}".lower()
        return (
            (not self.services or message.service in self.services)
            and (not self.errors or any(error.lower() in text for error in self.errors))
            and (not self.ids or any(message.id.startswith(start) for start in self.ids))
            and (not self.pipelines or message.pipeline_id in self.pipelines)
            and (self.older_than is None or age >= self.older_than)
            and (self.newer_than is None or age <= self.newer_than)
        )


class Result(Struct, frozen=True, kw_only=True):
    """The result of the action on one message. Outcome `gone`: the message was no longer in its queue.

    `sent_id` is the new id of a message that was moved back.
    """

    message_id: str
    service: str
    pipeline_id: str | None
    action: Action
    reason: str
    outcome: Outcome
    problem: str | None = None
    execution_arn: str | None = None
    detail_type: str = ""
    sent_id: str | None = None

    @property
    def reached(self) -> bool:
        return self.outcome in ("done", "gone")

    @property
    def starts_run(self) -> bool:
        """Whether the action starts or continues a run, whose end can be awaited; the report of an end does not."""
        reports_an_end = self.detail_type == STATUS_CHANGE
        return bool(
            self.outcome == "done" and self.action.starts_work and self.pipeline_id and not reports_an_end
        )


def select(target: Target, selection: Selection) -> list[Parked]:
    """Return the selected parked messages, oldest first, and leave them in their queues."""
    now = datetime.now(UTC)
    messages: list[Parked] = []
    for queue in find_queues(target, selection.services):
        with held(target, queue) as items:
            messages += [item.message for item in items if selection.takes(item.message, now)]
    messages.sort(key=lambda message: message.sent_at)
    return messages[: selection.limit]


def plan(
    target: Target, messages: Sequence[Parked], *, restart: bool = False, edited: bool = False
) -> list[Planned]:
    known: list[Facts] = []
    for start in range(0, len(messages), FACTS_AT_ONCE):
        known += fact_finding.gather(target, messages[start : start + FACTS_AT_ONCE], restart=restart)
    return together(
        planned(message, facts, restart=restart, edited=edited)
        for message, facts in zip(messages, known, strict=True)
    )


class Options(Struct, frozen=True, kw_only=True):
    """Options of a replay. `rate` is the maximum number of messages per second. `restart`: runs that have succeeded
    or were cancelled run again, too. `data` replaces the data of the only message that is replayed; `steps` correct
    that of each message.
    """

    rate: float | None = None
    restart: bool = False
    data: Mapping[str, Any] | None = None
    steps: tuple[Step, ...] = ()

    def data_for(self, message: Parked) -> Mapping[str, Any] | None:
        """Return the data that replaces a message's own; None if it stays as it is."""
        return applied(self.steps, data_of(message)) if self.steps else self.data


class Replay:
    """The execution of a plan, which audit lines attribute to `who`."""

    def __init__(self, target: Target, *, who: str, options: Options, stop: Stop | None = None) -> None:
        self._target = target
        self._journal = Journal(target, who)
        self._gap = 1 / options.rate if options.rate else 0.0
        self._restart = options.restart
        self._options = options
        self._stop = stop or Stop()
        self._next = 0.0

    def run(self, planned: Sequence[Planned]) -> Iterator[Result]:
        """Act on the planned messages and yield the results; stop between two messages when asked to."""
        wanted = {item.message.id: item for item in planned}
        for queue in find_queues(self._target):
            of_queue = {
                item.message.id
                for item in planned
                if (item.message.service, item.message.kind) == (queue.service, queue.kind)
            }
            if of_queue:
                yield from self._queue(queue, of_queue, wanted)
            if self._stop.requested:
                return
        for item in wanted.values():
            yield _result(item.message, item.decision, "gone")

    def _queue(self, queue: Dlq, left: set[str], wanted: dict[str, Planned]) -> Iterator[Result]:
        with held(self._target, queue) as items:
            for item in items:
                if item.message.id not in left:
                    continue
                if item.message.id in wanted:
                    self._wait()
                    if self._stop.requested:
                        return
                    left.discard(item.message.id)
                    yield self._one(item, wanted.pop(item.message.id).decision)
                if not left:
                    return

    def _wait(self) -> None:
        now = time.monotonic()
        self._stop.wait(self._next - now)
        self._next = max(now, self._next) + self._gap

    def _one(self, item: Held, agreed: Decision) -> Result:
        message = item.message
        data = self._options.data_for(message)
        if agreed.action is Action.LEAVE and (data is None or self._options.steps):
            return _result(message, agreed, "left")
        facts = fact_finding.gather(self._target, [message], restart=self._restart)[0]
        fresh = decide(message, facts, restart=self._restart, edited=data is not None)
        decision = fresh if self._options.data is not None else confirmed(agreed, fresh)
        if decision.action is Action.LEAVE:
            return _result(message, decision, "left")
        try:
            arn, sent_id = self._act(item, decision, facts, data)
        except OperationError as error:
            return _result(message, decision, "failed", problem=str(error))
        return _result(message, decision, "done", execution_arn=arn, sent_id=sent_id)

    def _act(
        self, item: Held, decision: Decision, facts: Facts, data: Mapping[str, Any] | None
    ) -> tuple[str | None, str | None]:
        """Act on a message, with this data if there is any.

        Returns the execution in which its run goes on, and the id of what was sent.
        """
        message, arn, sent_id = item.message, None, None
        if decision.action is Action.MOVE:
            sent_id = item.put_back(None if data is None else corrected(message, data))
        elif decision.action is Action.REDRIVE:
            decision, arn = self._redrive(message, decision, facts, data)
        elif decision.action is Action.RESTART:
            arn = self._start_again(message, decision, facts, data)
        elif facts.record_status == "FAILED" and facts.running and facts.execution:
            # An earlier replay may have been interrupted between its act and the record.
            running = facts.running
            executions.reopen(
                self._target, facts.execution, running.arn, running.started_at, after=facts.failed_at
            )
        try:
            if decision.action is not Action.MOVE or data is not None:
                self._journal.archive(message, decision.reason)
            what = str(decision.action) + ("" if data is None else ", edited")
            correction = told(data_of(message), data) if data is not None else ""
            why = decision.reason + (f" Corrected: {correction}." if correction else "")
            _note(self._journal, message, what, why, arn)
            item.delete()
        except OperationError as error:
            if sent_id is None:
                raise
            raise RefusedError(
                f"It was sent, as message {sent_id}, and is still parked, too: {error} Archive it; do not replay it."
            ) from error
        return arn, sent_id

    def _redrive(
        self, message: Parked, decision: Decision, facts: Facts, data: Mapping[str, Any] | None
    ) -> tuple[Decision, str]:
        execution = facts.execution
        assert execution is not None  # noqa: S101 -- a redrive is decided on an execution
        try:
            executions.redrive(self._target, execution)
        except executions.NotRedrivableError as error:
            decision = Decision(action=Action.RESTART, reason=f"{error} It is restarted from the beginning.")
            return decision, self._start_again(message, decision, facts, data)
        return decision, execution.arn

    def _start_again(
        self, message: Parked, decision: Decision, facts: Facts, data: Mapping[str, Any] | None
    ) -> str:
        assert facts.execution and facts.restart_name  # noqa: S101, PT018 -- a restart is decided on both
        state = None if data is None else corrected_input(message, data, facts.execution.input)
        return executions.restart(
            self._target, facts.execution, facts.restart_name, state=state, rerun=decision.rerun
        )


def archive(
    target: Target, messages: Sequence[Parked], *, who: str, reason: str, stop: Stop | None = None
) -> Iterator[Result]:
    """Move messages from their queues to the operations table, whatever the state of their runs."""
    stop = stop or Stop()
    journal = Journal(target, who)
    decision = Decision(action=Action.ARCHIVE, reason=reason)
    left = {message.id: message for message in messages}
    for queue in find_queues(target):
        if not any(
            (message.service, message.kind) == (queue.service, queue.kind) for message in left.values()
        ):
            continue
        with held(target, queue) as items:
            for item in items:
                if stop.requested:
                    return
                if item.message.id in left:
                    del left[item.message.id]
                    yield _archive_one(journal, item, decision)
    for message in left.values():
        yield _result(message, decision, "gone")


def _archive_one(journal: Journal, item: Held, decision: Decision) -> Result:
    message = item.message
    try:
        journal.archive(message, decision.reason)
        _note(journal, message, str(decision.action), decision.reason)
        item.delete()
    except OperationError as error:
        return _result(message, decision, "failed", problem=str(error))
    return _result(message, decision, "done")


def _note(journal: Journal, message: Parked, what: str, why: str, started_arn: str | None = None) -> None:
    """Write the audit line of an act on a message."""
    journal.note(
        Entry(
            pipeline_id=message.pipeline_id or UNKNOWN,
            at=iso(datetime.now(UTC)),
            who=journal.who,
            what=what,
            why=why,
            outcome="done",
            message_id=message.id,
            service=message.service,
            execution_arn=message.execution_arn,
            started_arn=started_arn,
        )
    )


def _result(message: Parked, decision: Decision, outcome: Outcome, **more: Any) -> Result:
    return Result(
        message_id=message.id,
        service=message.service,
        pipeline_id=message.pipeline_id,
        action=decision.action,
        reason=decision.reason,
        outcome=outcome,
        detail_type=message.detail_type,
        **more,
    )


def corrected(message: Parked, data: Mapping[str, Any]) -> str:
    """Return the message's body with this data. Raises InvalidInputError if that breaks its contract."""
    body = with_data(message, data)
    if message.detail_type not in KINDS:
        raise InvalidInputError(
            f"A message of type {message.detail_type!r} has no data to correct. Replay it without new data."
        )
    problems = violations(message.detail_type, loosely(body)["detail"])
    if problems:
        lines = "".join(f"\n  {violation.path}: {violation.reason}" for violation in problems)
        raise InvalidInputError(f"The corrected event breaks its contract; nothing was sent.{lines}")
    return body


def corrected_input(message: Parked, data: Mapping[str, Any], state: str) -> str:
    """Return the input `state` of an execution with the corrected conversation, the only data that it contains.

    Raises InvalidInputError if `data` has no `user_message`, or breaks the contract.
    """
    text = data.get("user_message")
    if not isinstance(text, str):
        raise InvalidInputError(
            f"The run of this {message.detail_type} is restarted from the user's message, so only `user_message` and "
            "`history` can be corrected."
        )
    original = loosely(state)
    request = original.get("request") if isinstance(original, dict) else None
    if not isinstance(request, dict):
        raise InvalidInputError(
            "The execution's input is not that of a run, so it can't be corrected. Nothing was sent."
        )
    history = data.get("history", request.get("history", []))
    turns = [*(history if isinstance(history, list) else [history]), {"role": "user", "text": text}]
    try:
        asked = msgspec.convert({"messages": turns}, PipelineRequested)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"The corrected message is not valid: {error}. Nothing was sent.") from error
    corrected_request = {**request, "user_message": asked.user_message, "history": asked.history}
    return written(msgspec.to_builtins({**original, "request": corrected_request}))
