"""Times and counts on which queues, functions and tasks must agree."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from shared.contracts.stages import LEAST_TASK_SECONDS

MAX_RECEIVES: Final = 5
"""How often a message is received before SQS moves it to the DLQ. AWS recommends at least 5 with Lambda."""

DLQ_RETENTION_DAYS: Final = 14
"""How long a DLQ keeps messages: SQS's maximum.

SQS counts from when a message was first sent. A message that a worker parks is sent anew; one that SQS itself moves
to the DLQ keeps its time, so its days in the work queue count, too. The DLQ's metric ApproximateAgeOfOldestMessage
counts from the move.
"""

WAIT_DAYS: Final = 4
"""How long a queue keeps a message that no function handles: SQS's default."""

PAUSE_DAYS: Final = 14
"""How long the starter's queue keeps messages if a daily budget may pause the starter, even for many days in a row:
SQS's maximum.
"""

LEAST_RECORD_DAYS: Final = 90
"""The shortest time for which the records of ended runs may be kept.

For as long Step Functions refuses a second execution of the same name, and keeps an execution with its input. A
repeated request whose record was deleted earlier would wait for a run that ended long ago. The run's messages, its
stored answer and the archive of events are not kept longer, either.
"""

VISIBILITY_FACTOR: Final = 6
THROTTLED_SECONDS: Final = 30
"""A queue's visibility timeout is AWS's six times its function's timeout, plus the batching window. But the five
timeouts beyond the first, in which Lambda may try a throttled call again, count with at most this many seconds each:
six times 15 minutes would keep the message of a worker that died away from others for an hour and a half.
"""


def visibility_seconds(timeout: int, window: int) -> int:
    """Return the visibility timeout of a queue whose function has this timeout and batching window."""
    return timeout + (VISIBILITY_FACTOR - 1) * min(timeout, THROTTLED_SECONDS) + window


def visibility_rule(timeout: int, window: int) -> str:
    """Return how the visibility timeout is computed, e.g. "6 x 30 s + 0 s"."""
    if timeout <= THROTTLED_SECONDS:
        return f"{VISIBILITY_FACTOR} x {timeout} s + {window} s"
    return f"{timeout} s + {VISIBILITY_FACTOR - 1} x {THROTTLED_SECONDS} s + {window} s"


SLACK_SECONDS: Final = 60


def task_seconds(visibility: int) -> int:
    """Return the timeout of a task whose message has this visibility timeout: longer than all its deliveries take."""
    return max(LEAST_TASK_SECONDS, visibility * MAX_RECEIVES + SLACK_SECONDS)


APPROVAL: Final = "approval"
"""The service whose task waits for a person, and not for a queue."""
SWEEP_MINUTES: Final = 5
"""How often the sweep of the waiting runs looks."""
DEADLINE_MARGIN_SECONDS: Final = 3 * 3_600
"""By how much a task that waits for a person outlives its deadline: the time in which the sweep can decide, also if
its function is broken and has to be mended first. The time that the request spends in the queue is part of it.
"""

TASK_SECONDS: Final = "TASK_SECONDS"
"""The environment variable with the timeout of a stage's task, which the stage's function compares with its age."""


KEEP_RECORDS: Final = "KEEP_RECORDS_SECONDS"
"""The environment variable with the time for which a function's writes keep a record."""


def keeping_records(days: int | None, *, open_for: timedelta = timedelta()) -> Mapping[str, str]:
    """Return the variable of a function that writes records; none if records are kept for ever.

    `open_for` is the longest time for which a run can stay open after the function's write.
    """
    if days is None:
        return {}
    return {KEEP_RECORDS: str(round((timedelta(days=days) + open_for).total_seconds()))}
