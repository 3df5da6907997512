"""Progress of long work, reported as `Step`s to one callback. The command prints them; tests collect them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

State = Literal["started", "finished", "unchanged", "failed"]


@dataclass(frozen=True)
class Step:
    """One state of a step. `name` identifies the step across its states, e.g. `engine`, `synth` or `analyzer`.

    `text` is a short line for people; `seconds` is the duration of a step that has ended.
    """

    name: str
    state: State
    text: str
    seconds: float | None = None


Progress = Callable[[Step], None]


def silent(_step: Step) -> None:
    """Report nothing."""


@contextmanager
def step(progress: Progress, name: str, text: str) -> Iterator[None]:
    """Report the start of the block, and its end or failure with the seconds it took."""
    began = time.monotonic()
    progress(Step(name, "started", text))
    try:
        yield
    except BaseException:  # also Ctrl-C: reported, then passed on
        progress(Step(name, "failed", text, time.monotonic() - began))
        raise
    progress(Step(name, "finished", text, time.monotonic() - began))
