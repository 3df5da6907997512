"""What a check says: what it compared and found in order, and what is wrong."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is wrong, where, why it matters and how to mend it, each as a sentence or two."""

    check: str
    severity: Severity
    where: str
    what: str
    why: str
    mend: str


@dataclass(frozen=True)
class Held:
    """One comparison that is in order, e.g. `180 s ≥ 6 x 30 s + 0 s` for the queue `subject`."""

    text: str
    subject: str = ""


@dataclass(frozen=True)
class Skipped:
    """The check does not apply; the text says why."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A finding before the table adds its check's name. `why` replaces the check's own reason."""

    where: str
    what: str
    mend: str
    why: str = ""
    severity: Severity = "error"


Result = Iterator[Held | Fault | Skipped]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All that one check has to say."""

    check: str
    held: tuple[Held, ...]
    findings: tuple[Finding, ...]
    skipped: str | None = None

    @property
    def comparisons(self) -> tuple[str, ...]:
        """What was compared; equal sentences once, with the number of subjects they hold for."""
        subjects: dict[str, list[str]] = {}
        for one in self.held:
            subjects.setdefault(one.text, []).append(one.subject)
        return tuple(f"{text} ({len(of)}x)" if len(of) > 1 else text for text, of in subjects.items())
