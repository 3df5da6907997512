"""The stage table: every stage once, in order. Rules, state machine, workers and CLI derive from it.

Adding a stage is a folder in `services/` and a row here.
"""

from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from shared.contracts import v1
from shared.contracts.envelope import Event


class Stage(Struct, frozen=True, kw_only=True):
    """One Task state of the workflow and the service that answers it.

    `inputs` maps each field of the request's data to a JSONPath of the execution's state. `via` says how
    Step Functions reaches the service: `bus` (an event others may subscribe to) or `queue` (a command for
    it alone).
    """

    state: str
    key: str
    service: str
    request: type[Event]
    result: type[Struct]
    inputs: Mapping[str, str]
    via: Literal["bus", "queue"]
    critical: bool
    timeout_seconds: int
    pays: bool = False
    """Whether a run of the stage costs money: none is begun for a task that is over, or nearly over."""
    without: str = ""
    """What the caller gets instead where the stage fails and is not critical."""


# Longer than a message can wait: visibility (6 x 30 s) x 5 receives, with some slack. A shorter one would
# turn a backlog into a storm of retries: the task's clock also runs while its message waits in the queue.
_TIMEOUT_SECONDS: Final = 960

HISTORY: Final = "$.*.history[*]"
"""`$.request.history`, and an empty list where there is none: executions that an older starter begins lack it, and
restarts of old ones. A path through `*` may find nothing; a plain one would fail the execution."""

STAGES: Final[tuple[Stage, ...]] = (
    Stage(
        state="AnalyzeInput",
        key="analysis",
        service="analyzer",
        request=v1.AnalysisRequested,
        result=v1.Analysis,
        inputs={"user_message": "$.request.user_message"},
        via="bus",
        critical=False,
        timeout_seconds=_TIMEOUT_SECONDS,
        without="The chatbot was asked with its plain settings, and the answer is not formatted by complexity.",
    ),
    Stage(
        state="CallExistingChatbot",
        key="chat",
        service="chatbot",
        request=v1.ChatRequested,
        result=v1.ChatAnswer,
        inputs={
            "user_message": "$.request.user_message",
            "analysis": "$.results.analysis.data",
            "history": HISTORY,
        },
        via="bus",
        critical=True,
        timeout_seconds=_TIMEOUT_SECONDS,
        pays=True,
    ),
    Stage(
        state="EnhanceResponse",
        key="enhancement",
        service="enhancer",
        request=v1.EnhancementRequested,
        result=v1.Enhancement,
        inputs={"chat": "$.results.chat.data", "analysis": "$.results.analysis.data"},
        via="bus",
        critical=False,
        timeout_seconds=_TIMEOUT_SECONDS,
        without="The answer is the chatbot's own text.",
    ),
    Stage(
        state="LogResults",
        key="log",
        service="logger",
        request=v1.LogRequested,
        result=v1.LogReceipt,
        inputs={
            "user_message": "$.request.user_message",
            "accepted_at": "$.metadata.accepted_at",
            "started_at": "$$.Execution.StartTime",
            "results": "$.results",
            "errors": "$.errors",
        },
        via="queue",
        critical=False,
        timeout_seconds=_TIMEOUT_SECONDS,
        without="The workflow stored the chatbot's own text itself; nothing was announced on the bus.",
    ),
)

BY_STATE: Final[Mapping[str, Stage]] = {stage.state: stage for stage in STAGES}
BY_KEY: Final[Mapping[str, Stage]] = {stage.key: stage for stage in STAGES}
BY_SERVICE: Final[Mapping[str, Stage]] = {stage.service: stage for stage in STAGES}

CRITICAL: Final = next(stage for stage in STAGES if stage.critical)
"""The one stage whose failure ends the run: there is no answer without it."""
LAST: Final = STAGES[-1]
"""The stage that writes the record."""

SERVICES: Final[tuple[str, ...]] = ("trigger", *(stage.service for stage in STAGES))


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """Step Functions' Retry. `max_attempts` counts the retries after the first try, as in ASL."""

    interval_seconds: int
    backoff_rate: float
    max_attempts: int


RETRY: Final = RetryPolicy(interval_seconds=2, backoff_rate=2.0, max_attempts=3)

RECEIVES_BEFORE_LOST: Final = 3
"""A stage's message that is delivered this often has killed its worker twice, and is not run again."""
