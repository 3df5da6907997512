"""Version 2 of the events that have one. Version 1 stays published and consumed; `upcasting` reads it as this."""

from typing import Annotated, ClassVar

from msgspec import Meta

from shared.contracts import limits
from shared.contracts.envelope import OPEN_DOOR, Event
from shared.contracts.message import check_conversation
from shared.contracts.v1 import Turn


class PipelineRequested(Event, frozen=True, kw_only=True):
    """Someone wants an answer to the last message of a conversation. Published by the API, or by anyone who may
    publish to the bus.
    """

    NAME: ClassVar[str] = OPEN_DOOR
    VERSION: ClassVar[int] = 2

    messages: Annotated[
        tuple[Turn, ...],
        Meta(
            min_length=1,
            max_length=limits.TURNS,
            description="Alternating, the user's first and last; together within the bounds of one message.",
        ),
    ]

    def __post_init__(self) -> None:
        check_conversation(self.messages)

    @property
    def user_message(self) -> str:
        """What is asked now."""
        return self.messages[-1].text

    @property
    def history(self) -> tuple[Turn, ...]:
        """What was said before."""
        return self.messages[:-1]


EVENTS: tuple[type[Event], ...] = (PipelineRequested,)
