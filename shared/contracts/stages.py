"""The stage table: every stage once, in order. Whatever concerns all stages is derived from it.

To add a stage, add a folder in `services/`, its types in `shared/contracts/` and a row here.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal, cast

from msgspec import Struct, defstruct
from msgspec.structs import replace

from shared.contracts import approval, v1
from shared.contracts.envelope import Event


class Stage(Struct, frozen=True, kw_only=True):
    """One stage: a Task state of the workflow and the service that does its work.

    `inputs` maps each field of the request's data to a JSONPath into the execution's state. `via` says how Step
    Functions reaches the service: `bus` (an event that others may subscribe to) or `queue` (a command for this
    service only).
    """

    state: str
    key: str
    service: str
    request: type[Event]
    result: type[Struct]
    inputs: Mapping[str, str]
    via: Literal["bus", "queue"]
    critical: bool
    """Whether the run fails with the stage; a run goes on without a stage that is not critical."""
    pays: bool = False
    """Whether each run of the stage costs money: none is begun for a task that is over, or nearly over."""
    may_end: bool = False
    """Whether the stage's result may end the run with an answer of its own, in a field `early_answer` of the type
    `v1.EarlyAnswer | UnsetType`. The stages up to the last one are then skipped.
    """
    by_person: bool = False
    """Whether a person gives the outcome: the stage waits by intent, and its worker reports nothing."""
    without: str = ""
    """How the answer differs if this stage fails, in a sentence for the caller; empty for a critical stage."""
    answer: str = ""
    """The field of the result with the answer's text, if the caller gets the answer as this stage leaves it. The
    record has the text of the last such stage once, and not in the stage's own result."""
    calls: tuple[str, ...] = ()
    """The AWS services that its function calls beyond those of every stage, as botocore names them."""
    texts: Literal["", "read", "store"] = ""
    """Whether it reads the whole of long answers (`shared/texts.py`), or also stores them."""
    sizes: Mapping[str, int] = {}
    """The sizes of its function and queue that differ from an environment's common ones, by the fields of
    `infra.environments.Sizing`."""
    variables: Mapping[str, str] = {}
    """Variables of its function's environment, for the stage's own settings."""
    typical_seconds: float = 0.2
    """Seconds that its worker takes for a message: an assumption, until it is measured."""

    def __post_init__(self) -> None:
        if self.may_end and EARLY_ANSWER not in self.result.__struct_fields__:
            raise TypeError(
                f"{self.result.__name__} needs a field {EARLY_ANSWER}: {self.key} may end the run."
            )

    @property
    def choice(self) -> str:
        """The name of the Choice state behind a stage that may end the run."""
        return f"After{self.state}"


EARLY_ANSWER: Final = "early_answer"


LEAST_TASK_SECONDS: Final = 960
"""The shortest timeout of a task. With a shorter one, a backlog would let tasks expire: a task's time also passes
while its message waits in the queue. An environment whose functions may run for longer has longer timeouts.
"""

HISTORY: Final = "$.*.history[*]"
"""`$.request.history`, or an empty list if there is none, as in executions that an older starter began and in
their restarts. A path with `*` may match nothing; a plain path would then fail the execution."""


def table(*rows: Stage, optional: Sequence[Stage] = ()) -> tuple[Stage, ...]:
    """Return the stages. The last one's request gets a field of `results` for each stage before it, and for each of
    `optional`, which are not among the stages returned.
    """
    *recorded, last = rows
    results = defstruct(
        "Results",
        [(stage.key, v1.Outcome[stage.result], v1.Outcome()) for stage in (*recorded, *optional)],  # type: ignore[name-defined]
        bases=(v1.Results,),
        namespace={"__doc__": v1.Results.__doc__},
        frozen=True,
        kw_only=True,
    )
    request = defstruct(
        last.request.__name__,
        [("results", results)],
        bases=(last.request,),
        namespace={"__doc__": last.request.__doc__, "RESULTS": results},
        frozen=True,
        kw_only=True,
    )
    return (*recorded, replace(last, request=cast("type[Event]", request)))


OPTIONAL: Final[tuple[Stage, ...]] = (
    Stage(
        state="AwaitApproval",
        key="approval",
        service="approval",
        request=approval.ApprovalRequested,
        result=approval.Approval,
        inputs={
            "user_message": "$.request.user_message",
            "chat": "$.results.chat.data",
            "enhancement": "$.results.enhancement.data",
        },
        via="queue",
        # Without the decision no answer may be given, so the run fails with this stage.
        critical=True,
        may_end=True,
        by_person=True,
    ),
)
"""Stages that are switched on by the option of an environment that has the stage's key. They come before the last."""

STAGES: Final[tuple[Stage, ...]] = table(
    Stage(
        state="AnalyzeInput",
        key="analysis",
        service="analyzer",
        request=v1.AnalysisRequested,
        result=v1.Analysis,
        inputs={"user_message": "$.request.user_message"},
        via="bus",
        critical=False,
        without="The message was not analysed: default model settings and a plain format were used.",
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
        pays=True,
        answer="text",
        calls=("bedrock-runtime", "lambda"),
        typical_seconds=4.0,
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
        without="The answer was not formatted: it is the chatbot's own text.",
        answer="final_response",
        texts="store",
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
        without="The workflow stored the chatbot's own text itself, of a long one the beginning; "
        "no pipeline.completed event was published.",
        texts="read",
    ),
    optional=OPTIONAL,
)
"""The stages of every deployment."""
EVERY: Final = (*STAGES[:-1], *OPTIONAL, STAGES[-1])
"""The stages of a deployment in which all optional ones are switched on."""


def switched_on(keys: Collection[str]) -> tuple[Stage, ...]:
    """Return the stages of a deployment in which the optional stages with these keys are switched on."""
    return tuple(stage for stage in EVERY if stage not in OPTIONAL or stage.key in keys)


BY_STATE: Final[Mapping[str, Stage]] = {stage.state: stage for stage in EVERY}
BY_KEY: Final[Mapping[str, Stage]] = {stage.key: stage for stage in EVERY}
BY_SERVICE: Final[Mapping[str, Stage]] = {stage.service: stage for stage in EVERY}

OWN_STATE: Final = "Run"
"""How the name of a state begins that `pipeline stage new` makes; the stage's key follows, capitalised."""


def key_of(state: str) -> str:
    """Return the key of the stage with this state.

    A stage that this release lacks, e.g. because it was removed, has the key that `pipeline stage new` gave it; one
    that was made by hand is called as its state.
    """
    if state in BY_STATE:
        return BY_STATE[state].key
    own = state.removeprefix(OWN_STATE)
    return own.lower() if own != state and own.capitalize() == own else state


ANSWERING: Final = next(stage for stage in STAGES if stage.critical and stage.answer)
"""The stage without which there is no answer. Later stages may change the answer; no stage replaces this one."""
LAST: Final = STAGES[-1]
"""The stage that writes the record."""
RECORDED: Final = STAGES[:-1]
"""The stages whose results every record has."""

LogRequested: Final = cast("type[v1.LogRequested]", LAST.request)
Results: Final = LogRequested.RESULTS
"""`v1.LogRequested` and `v1.Results` with a field for each recorded stage."""


def choosing(stages: Sequence[Stage] = STAGES) -> tuple[Stage, ...]:
    """Return the stages that are followed by a Choice state: those that may end the run and skip a stage by that."""
    return tuple(stage for stage in stages[:-2] if stage.may_end)


BY_CHOICE: Final[Mapping[str, Stage]] = {stage.choice: stage for stage in choosing()}
"""The stages by their Choice states."""
CHOOSING_KEYS: Final = frozenset(stage.key for stage in BY_CHOICE.values())
TRANSITIONS: Final = 1 + len(STAGES) + len(BY_CHOICE)
"""State transitions of a run that passes through all stages; the start is one."""

SERVICES: Final[tuple[str, ...]] = ("trigger", *(stage.service for stage in STAGES))


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """Step Functions' Retry. `max_attempts` counts the retries after the first attempt, as in ASL."""

    interval_seconds: int
    backoff_rate: float
    max_attempts: int


RETRY: Final = RetryPolicy(interval_seconds=2, backoff_rate=2.0, max_attempts=3)

FIRST_COUNTED_RECEIVE: Final = 2
"""From this delivery on, the starts of a message are counted. Most messages are delivered once and write nothing."""

STARTS_BEFORE_LOST: Final = 2
"""A message with this many counted starts that ended without an outcome is taken to have killed its workers, and is
not run again.
"""

RECEIVES_BEFORE_LOST: Final = FIRST_COUNTED_RECEIVE + STARTS_BEFORE_LOST
"""The earliest delivery at which a message can be given up."""
