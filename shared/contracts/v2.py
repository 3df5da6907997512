"""Version 2 of the events that have one. Version 1 is still published and consumed; `upcasting` converts it."""

from typing import Annotated, ClassVar

from msgspec import Meta

from shared.contracts import limits
from shared.contracts.envelope import INBOUND_EVENT, Event
from shared.contracts.message import check_conversation
from shared.contracts.v1 import Turn


class PipelineRequested(Event, frozen=True, kw_only=True):
    """Requests an answer to a conversation's last message. Published by the API or any permitted publisher."""

    NAME: ClassVar[str] = INBOUND_EVENT
    VERSION: ClassVar[int] = 2

    messages: Annotated[
        tuple[Turn, ...],
        Meta(
            min_length=1,
            max_length=limits.TURNS,
            description="The conversation: user and assistant alternate, the user first and last. Together the "
            "messages are within the bounds of one message.",
        ),
    ]

    def __post_init__(self) -> None:
        check_conversation(self.messages)

    @property
    def user_message(self) -> str:
        """The last message, which is to be answered."""
        return self.messages[-1].text

    @property
    def history(self) -> tuple[Turn, ...]:
        """The messages before the last."""
        return self.messages[:-1]


EVENTS: tuple[type[Event], ...] = (PipelineRequested,)
