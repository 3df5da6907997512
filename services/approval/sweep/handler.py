"""The Lambda handler of the sweep, which a schedule calls. Each run is handled alone: one fault stops no other."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from services.approval.settings import Settings
from services.approval.sweep.core import Act, act, reminder, verdict
from shared.aws import client
from shared.bus import Bus
from shared.errors import PipelineError
from shared.metrics import APPROVALS_WAITING, OLDEST_APPROVAL
from shared.observability import emit, flush, logger
from shared.settings import load, once
from shared.waiting import AlreadyDecided, Item, NotWaiting, RunEnded
from shared.waiting.store import Waiting
from shared.worker.outcome import Callback

LOOKED_AFTER = 100
"""Runs of which one sweep asks whether they still wait. Others have their turn in a later one."""


class BusSettings(Settings, frozen=True, kw_only=True):
    """The sweep also publishes."""

    bus_name: str


class Sweep:
    """One look at all waiting runs. Every act may be repeated: it is conditional, or has an id of its own."""

    def __init__(self, waiting: Waiting, bus: Bus, settings: Settings) -> None:
        self._waiting = waiting
        self._bus = bus
        self._settings = settings

    def look(self, now: datetime) -> int:
        """Act on each waiting run; return the number of runs for which that failed.

        What is due comes first. The others are only looked after whether they still wait, some of them in one look.
        """
        failed = 0
        open_items = list(self._waiting.listed())
        _measure(open_items, now)
        todo = [(act(item, now, self._settings), item) for item in open_items]
        due = [(what, item) for what, item in todo if what is not Act.NONE]
        quiet = [(what, item) for what, item in todo if what is Act.NONE and item.state == "waiting"]
        for what, item in (*due, *random.sample(quiet, min(len(quiet), LOOKED_AFTER))):
            try:
                self._act(item, what)
            except (AlreadyDecided, RunEnded, NotWaiting) as overtaken:
                logger().info("a decision came first", extra={"cause": overtaken.cause})
            except PipelineError as error:
                failed += 1
                logger().error(
                    "a waiting run could not be handled",
                    extra={"pipeline_id": item.pipeline_id, "error": error.NAME, "cause": error.cause},
                )
        return failed

    def _act(self, item: Item, todo: Act) -> None:
        if todo is Act.SEND:
            self._waiting.repair(item.pipeline_id)
        elif todo is Act.DECIDE:
            self._waiting.decide(item.pipeline_id, verdict(self._settings))
        elif todo is Act.REMIND:
            # Publish first: if the count is lost, the reminder comes again with the same event id.
            self._bus.publish([reminder(item, self._settings)])
            self._waiting.remind(item)
        elif self._waiting.close_if_over(item.pipeline_id):
            logger().info("a waiting run is over", extra={"pipeline_id": item.pipeline_id})


def _measure(items: Sequence[Item], now: datetime) -> None:
    """Emit how many answers wait for a person, and for how long the oldest one has."""
    since = [item.asked_at for item in items if item.state == "waiting"]
    emit(APPROVALS_WAITING, len(since))
    emit(OLDEST_APPROVAL, round((now - min(since, default=now)).total_seconds() * 1_000))


def _sweep() -> Sweep:
    settings = load(BusSettings)
    waiting = Waiting(client("dynamodb"), settings.approvals_table, Callback(client("stepfunctions")))
    return Sweep(waiting, Bus(partial(client, "events"), settings.bus_name), settings)


_ready = once(_sweep)


def handler(_event: dict[str, Any], _context: Any) -> dict[str, int]:
    """Look once. Raises RuntimeError if a run could not be handled, so that the function's alarm tells it."""
    try:
        failed = _ready().look(datetime.now(UTC))
    finally:
        flush()
    if failed:
        raise RuntimeError(f"{failed} waiting runs could not be handled. The next sweep tries again.")
    return {"failed": failed}
