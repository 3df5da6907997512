"""Questions as their pages show them: a conversation with its progress and answer, and the latest ones in a list."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from markupsafe import Markup
from msgspec import Struct

from console.markdown import markdown
from console.models.run import RunView, run_view
from console.models.tabs import PAYLOAD_CHARS
from console.models.words import Status, of_run
from console.questions import Question
from console.routes import link
from console.text import line
from operations.runs.journey import Journey
from operations.runs.timeline import bars, hops, is_restarted
from operations.wording import duration
from shared.contracts import limits
from shared.contracts.record import Record
from shared.contracts.v1 import Turn

MESSAGE_CHARS = 90


class TurnView(Struct, frozen=True, kw_only=True):
    """One message of a conversation; `answer` is the model's as Markdown, None if the user wrote it."""

    text: str
    answer: Markup | None


class Asked(Struct, frozen=True, kw_only=True):
    """A question, what preceded it, and how far its answer is. `waits`: nothing has been seen of it yet."""

    run: RunView
    waits: bool
    message: str
    earlier: tuple[TurnView, ...]
    answer: Markup | None
    left_out: int
    times: str
    """What the times of the cards add up to; empty while that is not known."""


class QuestionRow(Struct, frozen=True, kw_only=True):
    """One of the latest questions. `status` is None, and `message` empty, if its record can't be read."""

    pipeline_id: str
    address: str
    at: datetime
    message: str
    status: Status | None


def asked_view(journey: Journey, history: Sequence[Turn], now: datetime, *, waits: bool = False) -> Asked:
    answer = journey.final_response
    return Asked(
        run=run_view(journey, None, now),
        waits=waits,
        message=_cut(journey.user_message or ""),
        earlier=thread(history),
        answer=markdown(answer[:PAYLOAD_CHARS]) if answer else None,
        left_out=max(0, len(answer or "") - PAYLOAD_CHARS),
        times=_times(journey, now),
    )


def _times(journey: Journey, now: datetime) -> str:
    began, ended = (
        journey.accepted_at,
        max((one.finished_at for one in journey.stages if one.finished_at), default=None),
    )
    if not journey.finished or journey.execution_time_ms is None or is_restarted(journey):
        return ""
    if began is None or ended is None or journey.started_at is None:
        return ""
    between = sum(ms for _, ms in hops(bars(journey, now)))
    rest = f" and {duration(between)} of hops between them" if between >= 1 else ""
    waited, whole = ((one - began).total_seconds() * 1_000 for one in (journey.started_at, ended))
    return (
        f"The stages{rest} add up to {duration(max(0.0, whole))} since the run was accepted: it waited "
        f"{duration(max(0.0, waited))} until it started, and took {duration(journey.execution_time_ms)} from there "
        "until its end was recorded, in its last stage."
    )


def thread(turns: Sequence[Turn]) -> tuple[TurnView, ...]:
    return tuple(
        TurnView(text=_cut(turn.text), answer=markdown(_cut(turn.text)) if turn.role == "assistant" else None)
        for turn in turns
    )


def _cut(text: str) -> str:
    """Return a text as long as one that can be asked; only a damaged record has a longer one."""
    most = limits.MESSAGE_CHARS
    return text if len(text) <= most else f"{text[:most]} … ({len(text) - most:,} characters more)"


def question_rows(questions: Sequence[Question], records: Mapping[str, Record]) -> tuple[QuestionRow, ...]:
    return tuple(_row(one, records.get(one.pipeline_id, Record())) for one in questions)


def _row(question: Question, record: Record) -> QuestionRow:
    status = str(record.get("status") or "")
    return QuestionRow(
        pipeline_id=question.pipeline_id,
        address=link("asked", pipeline_id=question.pipeline_id),
        at=question.at,
        message=line(str(record.get("user_message") or record.get("excerpt") or ""), MESSAGE_CHARS),
        status=of_run(status, tuple(record.get("degraded") or ())) if status else None,
    )
