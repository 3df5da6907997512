"""Times and counts on which queues, functions and tasks must agree."""

from typing import Final

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

VISIBILITY_FACTOR: Final = 6
"""A queue's visibility timeout is this many times its function's timeout, plus the batching window (AWS's rule)."""
