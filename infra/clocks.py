"""The numbers by which queues, functions and tasks fit together (AWS's rules and this project's)."""

from typing import Final

MAX_RECEIVES: Final = 5
"""After so many receives SQS moves a message to the DLQ. AWS: at least five for a queue that feeds a function."""

DLQ_RETENTION_DAYS: Final = 14
"""SQS's longest. A message keeps its first timestamp when it is moved."""

WAIT_DAYS: Final = 4
"""SQS's default: how long a message waits in a queue for its function, and is deleted then."""

PAUSE_DAYS: Final = 14
"""SQS's longest, for the queue of a starter that a budget may pause: day after day, if more comes in than it pays."""

VISIBILITY_FACTOR: Final = 6
"""AWS's rule: a message is invisible for six times the function's timeout, and the time a batch is collected."""
