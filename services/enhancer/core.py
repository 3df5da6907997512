"""Pure: from an answer and the message's analysis to the enhanced answer.

Formats: `plain` (simple messages, or no analysis) is the answer itself, tidied. `sectioned` (moderate) adds a
closing note on what the answer responds to. `detailed` (complex) also opens with the answer's first sentence.
"""

import re
from datetime import datetime

from shared.contracts.envelope import Metadata
from shared.contracts.limits import DECORATION_BYTES
from shared.contracts.v1 import Analysis, ChatAnswer, Complexity, Enhancement, Format, Tracking

FORMATS: dict[Complexity, Format] = {"simple": "plain", "moderate": "sectioned", "complex": "detailed"}

WORDS_PER_MINUTE = 220
SUMMARY_CHARS = 240
SUMMARY_FROM_CHARS = 600
"""A shorter answer needs no summary of itself."""

_FENCE = re.compile(r"^ {0,3}(```+|~~~+)", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")
_SENTENCE_END = re.compile(r"[.!?]\s|[。！？]")


def tidy(text: str) -> str:
    """Trailing blanks and runs of empty lines go, except inside code; an open code fence is closed."""
    fences = list(_FENCE.finditer(text))
    if len(fences) % 2:
        text = f"{text.rstrip()}\n{fences[-1][1]}"
    parts = re.split(r"((?:^|\n) {0,3}(?:```|~~~)[\s\S]*?\n {0,3}(?:```+|~~~+)[ \t]*(?=\n|$))", text)
    return "".join(
        part if index % 2 else _BLANK_LINES.sub("\n\n", part) for index, part in enumerate(parts)
    ).strip()


def summary(text: str) -> str | None:
    """The first sentence of a long answer that begins with prose."""
    if len(text) < SUMMARY_FROM_CHARS or text.startswith(("#", "`", "~", "|", "-", "*", ">", "<")):
        return None
    line = text.partition("\n")[0]
    end = _SENTENCE_END.search(line)
    sentence = line[: end.end()].strip() if end else line.strip()
    return sentence if 0 < len(sentence) <= SUMMARY_CHARS and sentence != text else None


def note(answer: ChatAnswer, analysis: Analysis | None, kind: Format) -> str | None:
    """One line on what the answer responds to and whether it is whole."""
    facts = []
    if analysis and kind != "plain":
        if analysis.question_count > 1:
            facts.append(f"answers {analysis.question_count} questions")
        if analysis.has_code:
            facts.append(f"refers to {', '.join(analysis.languages[:3]) or 'your'} code")
    if answer.truncated:
        facts.append("cut at the length limit")
    return f"_This reply {' and '.join(facts)}._" if facts else None


def enhance(answer: ChatAnswer, analysis: Analysis | None, metadata: Metadata, now: datetime) -> Enhancement:
    complexity = analysis.complexity if analysis else None
    kind: Format = FORMATS[complexity] if complexity else "plain"
    body = tidy(answer.text)
    parts = [body]
    if kind == "detailed" and (short := summary(body)):
        parts.insert(0, f"**In short:** {short}")
    if closing := note(answer, analysis, kind):
        parts.append(closing)
    text = "\n\n".join(parts)
    if len(text.encode()) > len(answer.text.encode()) + DECORATION_BYTES:
        text = body
    words = len(body.split())
    return Enhancement(
        final_response=text,
        format=kind,
        complexity=complexity,
        enhanced_at=now,
        word_count=words,
        reading_time_seconds=-(-words * 60 // WORDS_PER_MINUTE),
        contains_code=bool(_FENCE.search(body)),
        tracking=Tracking(
            pipeline_id=metadata.pipeline_id,
            correlation_id=metadata.correlation_id,
            execution_arn=metadata.execution_arn,
            model_id=answer.model_id,
        ),
    )
