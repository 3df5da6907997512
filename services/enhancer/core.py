"""Turns an answer and the message's analysis into the enhanced answer. Pure.

The format `plain` (simple messages, or no analysis) is the tidied answer itself. `sectioned` (moderate) adds a
closing note if the message has several questions or code. `detailed` (complex) also opens with the first sentence
of a long answer. In every format, a closing note says if the answer was cut. The text of a blocked answer is left as
it is: it is a guardrail's or a refusal, not an answer to the message.
"""

import re
from datetime import datetime

from msgspec import UNSET

from shared.contracts.envelope import Metadata
from shared.contracts.limits import DECORATION_BYTES
from shared.contracts.v1 import Analysis, ChatAnswer, Complexity, Enhancement, Format, Tracking

FORMATS: dict[Complexity, Format] = {"simple": "plain", "moderate": "sectioned", "complex": "detailed"}

SPELLED = {
    "javascript": "JavaScript",
    "typescript": "TypeScript",
    "powershell": "PowerShell",
    "graphql": "GraphQL",
    "matlab": "MATLAB",
    "latex": "LaTeX",
    **{name: name.upper() for name in ("css", "html", "ini", "json", "php", "sql", "toml", "xml", "yaml")},
}
"""The spelling of languages, named in small letters by the analyzer, for which a capital letter is not enough."""

WORDS_PER_MINUTE = 220
SUMMARY_CHARS = 240
SUMMARY_FROM_CHARS = 600
"""A shorter answer needs no summary."""

_FENCE = re.compile(r"^ {0,3}(```+|~~~+)", re.MULTILINE)
_SENTENCE_END = re.compile(r"[.!?]\s|[。！？]")


def tidy(text: str) -> str:
    """Reduce repeated empty lines outside of code to one, and close an open code fence."""
    lines: list[str] = []
    fence = ""
    for line in text.strip().split("\n"):
        if marker := _FENCE.match(line):
            if not fence:
                fence = marker[1]
            elif marker[1].startswith(fence) and not line.strip(" \t`~"):
                fence = ""
        elif not fence and not line.strip() and lines and not lines[-1].strip():
            continue
        lines.append(line)
    return "\n".join([*lines, fence] if fence else lines)


def summary(text: str) -> str | None:
    """Return the first sentence of a long answer that begins with prose, else None."""
    if len(text) < SUMMARY_FROM_CHARS or text.startswith(("#", "`", "~", "|", "-", "*", ">", "<")):
        return None
    line = text.partition("\n")[0]
    end = _SENTENCE_END.search(line)
    sentence = line[: end.end()].strip() if end else line.strip()
    return sentence if 0 < len(sentence) <= SUMMARY_CHARS and sentence != text else None


def note(answer: ChatAnswer, analysis: Analysis | None, kind: Format) -> str | None:
    """Return a line on what the answer responds to and whether it was cut, or None."""
    facts = []
    if analysis and kind != "plain":
        if analysis.question_count > 1:
            facts.append(f"answers {analysis.question_count} questions")
        if analysis.has_code:
            names = ", ".join(SPELLED.get(name, name.capitalize()) for name in analysis.languages[:3])
            facts.append(f"refers to {names or 'your'} code")
    if answer.truncated:
        facts.append("was cut at the length limit")
    return f"_This reply {' and '.join(facts)}._" if facts else None


def decorated(body: str, answer: ChatAnswer, analysis: Analysis | None, kind: Format) -> str:
    """Return the tidied text with what its format adds, or alone if the addition exceeds its bound."""
    parts = [body]
    if kind == "detailed" and (short := summary(body)):
        parts.insert(0, f"**In short:** {short}")
    if closing := note(answer, analysis, kind):
        parts.append(closing)
    text = "\n\n".join(parts)
    return body if len(text.encode()) > len(answer.text.encode()) + DECORATION_BYTES else text


def enhance(answer: ChatAnswer, analysis: Analysis | None, metadata: Metadata, now: datetime) -> Enhancement:
    complexity = analysis.complexity if analysis else None
    kind: Format = FORMATS[complexity] if complexity and not answer.blocked else "plain"
    body = answer.text if answer.blocked else tidy(answer.text)
    text = body if answer.blocked else decorated(body, answer, analysis, kind)
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
        blocked=answer.blocked or UNSET,
    )
