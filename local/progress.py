"""How long work tells what it does: one callback that gets `Step`s. The command shows them, tests collect them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

State = Literal["started", "finished", "unchanged", "failed"]


@dataclass(frozen=True)
class Step:
    """`name` identifies the step across its states: `engine`, `synth`, `bootstrap`, or a part such as `analyzer`.

    `text` is a short line for people; `seconds` is how long it took, once it is over.
    """

    name: str
    state: State
    text: str
    seconds: float | None = None


Progress = Callable[[Step], None]


def silent(_step: Step) -> None:
    """Reports nothing."""
