"""A stage that may end the run early, put before the chatbot in a stage table of its own."""

from typing import ClassVar, cast

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from shared.contracts import v1
from shared.contracts.envelope import Event
from shared.contracts.stages import STAGES, Stage, table


class Vetting(Struct, frozen=True, kw_only=True):
    """Whether the message may be answered, or the answer that the caller gets instead."""

    allowed: bool
    early_answer: v1.EarlyAnswer | UnsetType = UNSET


class VettingRequested(Event, frozen=True, kw_only=True):
    """Asks whether a message may be answered."""

    NAME: ClassVar[str] = "vetting.requested"
    VERSION: ClassVar[int] = 1

    user_message: v1.UserMessage
    analysis: v1.Analysis | None = None


VETTING = Stage(
    state="VetMessage",
    key="vetting",
    service="vetter",
    request=VettingRequested,
    result=Vetting,
    inputs={"user_message": "$.request.user_message", "analysis": "$.results.analysis.data"},
    via="bus",
    critical=False,
    may_end=True,
    without="The message was not vetted.",
)
TABLE = table(STAGES[0], VETTING, *STAGES[1:-1], replace(STAGES[-1], request=v1.LogRequested))
LogRequested = cast("type[v1.LogRequested]", TABLE[-1].request)
Results = LogRequested.RESULTS
ALLOWED = Vetting(allowed=True)
REFUSED = Vetting(
    allowed=False, early_answer=v1.EarlyAnswer(text="I can't help with that.", reason="asks for a secret")
)
