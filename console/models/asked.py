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
