"""Version 1 of every event and of every stage's result.

These are frozen types, which publishers, rules, consumers and tests import by the same name. The JSON Schemas beside
this file are generated from them (`make schemas`); a test compares the two.
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from shared.contracts import limits
from shared.contracts.envelope import INBOUND_EVENT, Event, PipelineId, check_time
from shared.contracts.message import check_conversation, check_early_answer, check_message

T = TypeVar("T")

Complexity = Literal["simple", "moderate", "complex"]
CodeKind = Literal["fenced", "inline", "bare", "shell", "stack_trace", "sql", "json", "markup"]
Format = Literal["plain", "sectioned", "detailed"]
Role = Literal["user", "assistant"]
Status = Literal["ACCEPTED", "RUNNING", "SUCCEEDED", "FAILED"]

UserMessage = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=limits.MESSAGE_CHARS,
        description=f"A text that is not blank and has at most {limits.MESSAGE_BYTES:,} bytes of UTF-8.",
        extra_json_schema={"pattern": r"\S"},
    ),
]
Count = Annotated[int, Meta(ge=0)]
Milliseconds = Annotated[int, Meta(ge=0, description="A duration in milliseconds.")]


# --- the user's request ----------------------------------------------------------------------------------


class Turn(Struct, frozen=True, kw_only=True):
    """One message of a conversation."""

    role: Role
    text: UserMessage


class PipelineRequested(Event, frozen=True, kw_only=True):
    """Requests an answer to a message. Published by the API or any permitted publisher."""

    NAME: ClassVar[str] = INBOUND_EVENT
    VERSION: ClassVar[int] = 1

    user_message: UserMessage

    def __post_init__(self) -> None:
        check_message(self.user_message)


# --- results of the stages -------------------------------------------------------------------------------


class CodeSpan(Struct, frozen=True, kw_only=True):
    """A passage of code in the message. `start` and `end` count characters (code points)."""

    kind: CodeKind
    start: Count
    end: Count
    language: str | None = None


class Analysis(Struct, frozen=True, kw_only=True):
    """The analyzer's findings on a message. Words and sentences are counted by the rules of each writing system."""

    character_count: Count
    word_count: Count
    sentence_count: Count
    has_code: bool
    code: Annotated[tuple[CodeSpan, ...], Meta(max_length=limits.CODE_SPANS)]
    languages: Annotated[
        tuple[str, ...],
        Meta(
            max_length=limits.CODE_SPANS,
            description="Programming languages of the code, the likeliest first.",
        ),
    ]
    is_question: bool
    question_count: Count
    questions: Annotated[
        tuple[Annotated[str, Meta(max_length=limits.QUESTION_CHARS)], ...],
        Meta(max_length=limits.QUESTIONS, description="The first questions, each cut at its length limit."),
    ]
    complexity: Complexity
    reasons: Annotated[
        tuple[str, ...],
        Meta(max_length=limits.REASONS, description="The reasons for the complexity, without message text."),
    ]


CacheCount = Annotated[int, Meta(ge=0)] | UnsetType
"""A count of tokens of a model's cache; absent if there are none."""


class Usage(Struct, frozen=True, kw_only=True):
    """The tokens that one model call was billed for; `input_tokens` without those read from or written to a cache."""

    input_tokens: Count
    output_tokens: Count
    cache_read_tokens: CacheCount = UNSET
    cache_write_tokens: CacheCount = UNSET


class StoredText(Struct, frozen=True, kw_only=True):
    """Where the whole of a text is stored that is too long for an event; only the pipeline's services can read it."""

    key: Annotated[str, Meta(min_length=1, max_length=limits.ID_CHARS)]
    characters: Count
    stored_bytes: Count


class FailedModel(Struct, frozen=True, kw_only=True):
    """A model that did not answer, with the reason, which quotes no message."""

    model_id: Annotated[str, Meta(max_length=limits.MODEL_ID_CHARS)]
    reason: Annotated[str, Meta(max_length=limits.FAILURE_CHARS)]


class ChatAnswer(Struct, frozen=True, kw_only=True):
    """The chatbot's answer, or its beginning if `whole` refers to the rest. `usage` is null if the backend does not
    report it.
    """

    text: Annotated[str, Meta(min_length=1, max_length=limits.ANSWER_CHARS)]
    backend: Literal["bedrock", "function"]
    model_id: str
    stop_reason: str
    truncated: bool = False
    usage: Usage | None = None
    whole: StoredText | UnsetType = UNSET
    blocked: Annotated[
        bool | UnsetType,
        Meta(
            description="True if a guardrail, a filter or the model refused; the text is what it said instead."
        ),
    ] = UNSET
    instead_of: Annotated[
        tuple[FailedModel, ...] | UnsetType,
        Meta(
            description="The models that should have answered before this one, in order; absent if there are none."
        ),
    ] = UNSET


class Tracking(Struct, frozen=True, kw_only=True):
    """The origin of an enhanced answer: its run, execution and model."""

    pipeline_id: PipelineId
    correlation_id: str
    execution_arn: str | None
    model_id: str


class Enhancement(Struct, frozen=True, kw_only=True):
    """The answer as the caller gets it, or its beginning if `whole` refers to the rest, with its format, counts and
    origin.
    """

    final_response: Annotated[str, Meta(min_length=1)]
    format: Format
    complexity: Complexity | None
    enhanced_at: Annotated[datetime, Meta(tz=True)]
    word_count: Count
    reading_time_seconds: Count
    contains_code: bool
    tracking: Tracking
    whole: StoredText | UnsetType = UNSET
    blocked: Annotated[
        bool | UnsetType, Meta(description="True if the chatbot's answer was blocked; its text is unchanged.")
    ] = UNSET


class EarlyAnswer(Struct, frozen=True, kw_only=True):
    """The answer with which a stage ends the run before the stages that would follow, and the reason.

    The caller gets the text as `final_response`, and the reason is in the record: neither quotes the message.
    """

    text: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=limits.ANSWER_CHARS,
            description=f"A text that is not blank and has at most {limits.EARLY_JSON_BYTES:,} bytes of JSON.",
            extra_json_schema={"pattern": r"\S"},
        ),
    ]
    reason: Annotated[str, Meta(min_length=1, max_length=limits.EARLY_REASON_CHARS)]

    def __post_init__(self) -> None:
        check_early_answer(self.text)


class LogReceipt(Struct, frozen=True, kw_only=True):
    """Confirms that the logger has written the record."""

    status: Status
    execution_time_ms: Milliseconds


class Meter(Struct, frozen=True, kw_only=True):
    """The time, tokens, deliveries and memory that one stage run used, measured by the worker."""

    queue_wait_ms: Milliseconds
    work_ms: Milliseconds
    attempt: Count
    receives: Annotated[int, Meta(ge=1, description="The number of times SQS has delivered this message.")]
    input_tokens: Count = 0
    output_tokens: Count = 0
    model_id: str | None = None
    recalled: Annotated[
        bool, Meta(description="Whether the answer was paid for by an earlier attempt or execution.")
    ] = False
    batch: Annotated[int, Meta(ge=1, description="The number of messages in the same invocation.")] = 1
    message_bytes: Count | None = None
    memory_mb: Count | None = None
    architecture: str | None = None
    revision: Annotated[
        Annotated[str, Meta(max_length=limits.REVISION_CHARS)] | UnsetType,
        Meta(
            description="A hash of the code that the function ran; absent if its deployment does not tell it."
        ),
    ] = UNSET
    cache_read_tokens: CacheCount = UNSET
    cache_write_tokens: CacheCount = UNSET


class Outcome(Struct, Generic[T], frozen=True, kw_only=True):
    """A stage's result and meter in the execution's state; both are null if the stage has not run or has failed."""

    data: T | None = None
    meter: Meter | None = None


class StageError(Struct, frozen=True, kw_only=True, rename={"error": "Error", "cause": "Cause"}):
    """A stage's error in the execution's state, as Step Functions' Catch writes it."""

    error: str
    cause: str | None = None


class Results(Struct, frozen=True, kw_only=True):
    """The results of the stages, one field for each, named by the stage's key."""

    # The fields come from the stage table, which imports this module: `stages.Results` has them.

    def of(self, key: str) -> Outcome[Any]:
        """Return the outcome of a stage; an empty one if the stage is not among those that are recorded."""
        outcome: Outcome[Any] = getattr(self, key, Outcome())
        return outcome


# --- requests to the stages ------------------------------------------------------------------------------


class AnalysisRequested(Event, frozen=True, kw_only=True):
    """Asks the analyzer to analyse a message."""

    NAME: ClassVar[str] = "analysis.requested"
    VERSION: ClassVar[int] = 1

    user_message: UserMessage


class ChatRequested(Event, frozen=True, kw_only=True):
    """Asks the chatbot for an answer to a message; `analysis` is null if the analyzer failed."""

    NAME: ClassVar[str] = "chat.requested"
    VERSION: ClassVar[int] = 1

    user_message: UserMessage
    analysis: Analysis | None = None
    history: Annotated[
        tuple[Turn, ...],
        Meta(
            max_length=limits.TURNS - 1,
            description="The earlier messages of the conversation: user and assistant alternate, the user first.",
        ),
    ] = ()

    def __post_init__(self) -> None:
        if self.history:
            check_conversation((*self.history, Turn(role="user", text=self.user_message)))


class EnhancementRequested(Event, frozen=True, kw_only=True):
    """Asks the enhancer to format an answer; `analysis` is null if the analyzer failed."""

    NAME: ClassVar[str] = "enhancement.requested"
    VERSION: ClassVar[int] = 1

    chat: ChatAnswer
    analysis: Analysis | None = None


class LogRequested(Event, frozen=True, kw_only=True):
    """Asks the logger to write the record of a run. `errors` is keyed by stage, as `results` is."""

    NAME: ClassVar[str] = "log.requested"
    VERSION: ClassVar[int] = 1
    RESULTS: ClassVar[type[Results]] = Results

    user_message: UserMessage
    accepted_at: Annotated[datetime, Meta(tz=True)]
    started_at: Annotated[datetime, Meta(tz=True)]
    results: Results
    errors: dict[str, StageError]

    def __post_init__(self) -> None:
        check_time("accepted_at", self.accepted_at)
        check_time("started_at", self.started_at)


# --- facts -----------------------------------------------------------------------------------------------


class PipelineCompleted(Event, frozen=True, kw_only=True):
    """A pipeline has succeeded: its record is written and its answer can be read."""

    NAME: ClassVar[str] = "pipeline.completed"
    VERSION: ClassVar[int] = 1

    execution_time_ms: Milliseconds
    degraded: Annotated[
        tuple[str, ...], Meta(description="The stages that failed without failing the pipeline.")
    ] = ()
    ended_by: Annotated[
        str | UnsetType,
        Meta(
            description="The stage that ended the pipeline early, with an answer of its own; absent if none did."
        ),
    ] = UNSET


class PipelineFailed(Event, frozen=True, kw_only=True):
    """A pipeline has failed and its record is written."""

    NAME: ClassVar[str] = "pipeline.failed"
    VERSION: ClassVar[int] = 1

    error: str
    cause: str = ""
    stage: str | None = None


class ContractRejected(Event, frozen=True, kw_only=True):
    """An event broke its contract and was parked. Tells the publisher the violation without quoting the event."""

    NAME: ClassVar[str] = "contract.rejected"
    VERSION: ClassVar[int] = 1

    service: str
    rejected_event_id: str | None
    rejected_detail_type: str
    path: Annotated[str, Meta(description="The JSON path of the violation in the event.")]
    reason: str


EVENTS: tuple[type[Event], ...] = (
    PipelineRequested,
    AnalysisRequested,
    ChatRequested,
    EnhancementRequested,
    LogRequested,
    PipelineCompleted,
    PipelineFailed,
    ContractRejected,
)
