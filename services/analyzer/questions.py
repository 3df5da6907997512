"""Detection of questions in prose: with a question mark, without one, and indirect.

A question is a sentence that asks for an answer in words (evaluation/README.md has the exact guidelines):
one with a question mark; one with the form of a question, whatever its mark; one that wraps a question
("I wonder whether…", "tell me how…"). An order ("Explain recursion.", "Write a function…") is not a question.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from services.analyzer import question_words as words
from services.analyzer.question_openers import OPENERS, SUBJECTS
from services.analyzer.question_scripts import scripts_in
from services.analyzer.sentences import Sentence, sentences
from shared.contracts import limits

EXAMINED_PLACES: Final = 1_000
"""Maximum number of places examined closely: where a question may begin (after a wrapper such as "tell me", after a
comma, at a word such as "can" in a run-on text), and quotations, which may contain one."""
EXAMINED_BREAKS: Final = 2_000
"""Maximum number of commas, line breaks and the like whose next word is examined."""
LONG_SENTENCE: Final = 4_000
"""Characters of a sentence that are searched for breaks."""

_Wrapper = tuple[str, frozenset[str]]

_EDGES: Final = ".,:;!?\"'“”„«»()[]{}*_~#>|<…-–—•¿¡،؟=/"
_CLAUSE: Final = r"[,;:–—(…\n\s.](?:(?<=[,;:–—(…\n])\s*+|(?<=\s)-++\s|(?<=\.)\.++\s*+)"
"""The end of a clause. The pattern begins with one set, so that the text before a match is skipped quickly."""
_BREAK: Final = re.compile(_CLAUSE)
_NEXT_WORD: Final = re.compile(_CLAUSE + r"(?=(\S{0,60}))")
_TAG: Final = re.compile(
    r",\s*(?:(?:is|are|was|were|do|does|did|has|have|can|could|should|would"
    r"|will)n['’]?t (?:i|you|he|she|it|we|they|there|that)|right|correct|no|yeah|eh|huh"
    r"|innit|oder|nicht wahr|gell|non|n'est-ce pas|¿?no|verdad|vero|né|hè|toch|не так ли"
    r"|правда|да)[.!…\s]*$",
    re.IGNORECASE,
)


class Questions(NamedTuple):
    total: int
    first: tuple[str, ...]
    """The first `limits.QUESTIONS`, each cut to `limits.QUESTION_CHARS` characters."""


class Prose(NamedTuple):
    sentences: int
    questions: Questions


def read(message: str, prose: str) -> Prose:
    """Count the sentences of `prose` and collect its questions. `prose` is `message` with its code blanked out."""
    segments, more, more_asking = sentences(prose)
    if not segments:
        return Prose(more, Questions(more_asking, ()))
    find = _Finder(prose, segments)
    count = 0
    first: list[str] = []
    for number, (start, end, asks) in enumerate(segments):
        at = find.behind_mark(start, end) if asks else find.without_mark(number, start, end)
        if at is None:
            continue
        count += 1
        if len(first) < limits.QUESTIONS:
            first.append(message[start + at : end].strip()[: limits.QUESTION_CHARS])
    return Prose(len(segments) + more, Questions(count + more_asking, tuple(first)))


class _Finder:
    """A finder of questions in the sentences of one text. It keeps only the rules that can apply to that text."""

    def __init__(self, prose: str, segments: list[Sentence]) -> None:
        self._prose = prose
        self._lowered = prose.lower().replace("’", "'")
        # Lower-casing these depends on their neighbours, or makes two characters of one.
        self._aligned = "İ" not in prose and "Σ" not in prose
        self._inverted = "¿" in prose
        self._commas = "," in prose
        self._quotations = any(mark in prose for mark in _OPENING)
        self._places = EXAMINED_PLACES
        self._breaks = EXAMINED_BREAKS
        tokens = _unpunctuated(self._lowered)
        self._runs_on = not tokens.isdisjoint(_WITHIN)
        self._breaks_matter = not tokens.isdisjoint(_CLAUSE_FIRST)
        self._scripts = scripts_in(prose)
        self._wrappers = self._wrappers_by_sentence(tokens, [start for start, _, _ in segments])

    def behind_mark(self, start: int, end: int) -> int | None:
        """Return the question's position in a sentence that ends with a question mark, or None if it asks nothing."""
        if self._prose[end - 1] in _CLOSED and self._places:
            self._places -= 1
            return None if _is_quoted_by_statement(self._prose[start:end]) else 0
        return 0

    def without_mark(self, number: int, start: int, end: int) -> int | None:
        """Return the question's position in a sentence without a question mark, or None if it asks nothing."""
        sentence = self._prose[start:end]
        if self._inverted and "¿" in sentence:
            return sentence.index("¿")
        lowered = self._lowered[start:end] if self._aligned else sentence.lower().replace("’", "'")
        if self._quotations:
            lowered = _without_leading_quotation(lowered)
        if _is_question_form(lowered) or (number in self._wrappers and self._wraps(number, lowered)):
            return 0
        for asks in self._scripts:
            if asks(sentence):
                return 0
        if self._commas and "," in sentence[-40:] and _TAG.search(sentence, max(0, end - start - 40)):
            return 0
        at = self._behind_break(lowered) if self._breaks_matter else None
        if at is None and self._runs_on:
            at = self._in_run_on_text(lowered)
        return at if at is None or len(lowered) == end - start else 0

    def _wrappers_by_sentence(self, tokens: set[str], starts: list[int]) -> dict[int, list[_Wrapper]]:
        """Return the wrappers to look for, by the number of each sentence that may wrap a question."""
        text = self._lowered
        if not self._aligned:
            text = self._prose.replace("İ", "i").lower().replace("’", "'")
        wrappers_of: dict[int, list[_Wrapper]] = {}
        wrappers = [
            wrapper for last in tokens & words.WRAPPERS.keys() for wrapper in words.WRAPPERS[last].items()
        ]
        for wrapper in wrappers:
            for number in _sentences_with(wrapper[0], text, starts):
                wrappers_of.setdefault(number, []).append(wrapper)
        if wrappers and any(word in text for word in _POLITE):
            # "Tell me please how": a sentence from which a polite word is removed may contain any wrapper.
            text = _without_polite_words(text)
            wrappers = [wrapper for wrapper in wrappers if wrapper[0] in text]
            for word in _POLITE:
                for number in _sentences_with(word, self._lowered, starts):
                    wrappers_of[number] = wrappers
        return wrappers_of

    def _wraps(self, number: int, lowered: str) -> bool:
        lowered = _without_polite_words(lowered)
        for start, nexts in self._wrappers[number]:
            if not self._places:
                return False
            self._places -= 1
            at = lowered.find(start)
            if at < 0 or (at and lowered[at - 1].isalpha()):
                continue
            following = _tokens(lowered[at + len(start) : at + len(start) + 40], 3)
            if lowered[at + len(start) : at + len(start) + 1] not in _AFTER_WRAPPER or not following:
                continue
            if (following[0] in nexts or " ".join(following[:2]) in nexts) and following[1:] != ["to", "say"]:
                before = lowered[max(0, at - 12) : at].rstrip()
                if not before.endswith(_UNDOES) or before.endswith(_KEEPS):
                    return True
        return False

    def _behind_break(self, lowered: str) -> int | None:
        """Return the position of a question that begins after a comma or another break within a sentence."""
        if not self._breaks:
            return None
        nexts = [word.strip(_EDGES) for word in _NEXT_WORD.findall(lowered, 0, LONG_SENTENCE)]
        self._breaks = max(0, self._breaks - len(nexts))
        if _MAY_OPEN_CLAUSE.isdisjoint(nexts):
            return None
        after_clause = not words.SUBORDINATORS.isdisjoint(_tokens(lowered, 1))
        for break_, word in zip(_BREAK.finditer(lowered), nexts, strict=False):
            if word not in _MAY_OPEN_CLAUSE:
                continue
            if not self._places:
                return None
            self._places -= 1
            tokens = _tokens(lowered[break_.end() : break_.end() + 60], 5)
            while tokens and tokens[0] in words.INTRODUCTIONS:
                tokens = tokens[1:]
            if after_clause and tokens and tokens[0] in words.VERBS_AFTER_CLAUSE:
                continue
            if " ".join(tokens[:2]) in words.CLAUSE_OPENERS or (
                len(tokens) == 1 and tokens[0] in words.ALONE
            ):
                return break_.end()
        return None

    def _in_run_on_text(self, lowered: str) -> int | None:
        """Return the position of a question that begins anywhere: "hi my build is broken can you help"."""
        tokens = lowered.split()
        if _WITHIN.isdisjoint(tokens):
            return None
        for index in range(1, len(tokens) - 1):
            if tokens[index] not in _WITHIN:
                continue
            if not self._places:
                return None
            self._places -= 1
            two = f"{tokens[index]} {tokens[index + 1]}"
            three = f"{two} {tokens[index + 2]}" if index + 2 < len(tokens) else two
            if (two in words.ANYWHERE or three in words.ANYWHERE) and tokens[index - 1] not in (
                words.NOT_ASKED if tokens[index] in words.ALONE else words.STATEMENT_BEFORE
            ):
                return max(0, lowered.find(two))
        return None


_PRONOUNS: Final = tuple([word] for word in ("i", "you", "we", "they", "he", "she", "it"))
_AFTER_WRAPPER: Final = frozenset(" ,:\n\u00a0")
_UNDOES: Final = ("no", "never", "don't", "not to", "didn't", "they", "he", "she", "to")
_KEEPS: Final = ("like to", "want to", "need to", "love to", "trying to", "you to")
"""Words before a wrapper that undo it ("he doesn't explain how"), and exceptions ("I'd like to know how")."""
_POLITE: Final = (" please", " bitte")
_OPENING: Final = '"“«„'
_CLOSED: Final = '"”»'
_WITHIN: Final = frozenset(phrase.split()[0] for phrase in words.ANYWHERE)
_CLAUSE_FIRST: Final = frozenset(phrase.split()[0] for phrase in words.CLAUSE_OPENERS) | words.ALONE
_MAY_OPEN_CLAUSE: Final = _CLAUSE_FIRST | words.INTRODUCTIONS | {""}
_MAY_PRECEDE: Final = words.INTRODUCTIONS | {""}
_MAY_OPEN: Final = words.INTRODUCTIONS | words.ALONE | OPENERS.keys() | {""}


def _unpunctuated(lowered: str) -> set[str]:
    """Return the words of `lowered`, separated by white space, without a trailing comma or colon."""
    return {token.rstrip(",:") for token in set(lowered.split())}


def _sentences_with(word: str, text: str, starts: list[int]) -> Iterator[int]:
    """Yield the numbers of the sentences that contain `word`; the sentences begin at `starts`."""
    at = text.find(word, starts[0])
    while at >= 0:
        behind = bisect_right(starts, at)
        yield behind - 1
        at = text.find(word, starts[behind]) if behind < len(starts) else -1


def _without_polite_words(lowered: str) -> str:
    for word in _POLITE:
        lowered = lowered.replace(word, "")
    return lowered


def _without_leading_quotation(sentence: str) -> str:
    """Remove a leading quotation: `"Are we there yet?" they asked.` becomes ` they asked.`"""
    stripped = sentence.lstrip()
    if stripped[:1] not in _OPENING:
        return sentence
    close = max(stripped.find(mark, 1) for mark in '"”»“')
    rest = stripped[close + 1 :] if close > 0 else ""
    return rest if len(rest.split(None, 2)) > 1 else sentence


def _is_question_form(lowered: str) -> bool:
    first = lowered.split(None, 1)[0].strip(_EDGES)
    if first not in _MAY_OPEN:
        return False
    tokens = _tokens(lowered, 14 if first in _MAY_PRECEDE else 6)
    exclaims = lowered.rstrip().endswith("!")
    if len(tokens) == 1 and tokens[0] in words.ALONE:
        return True
    for index, word in enumerate(tokens):
        if (
            index
            and word in {"can", "do", "am", "are", "is"}
            and tokens[index - 1] == "so"
            and len(tokens) == index + 2
        ):
            return False  # "So can I."
        if _opens(tokens, index) and not (
            exclaims
            and word
            in {
                "what",
                "how",
                "qué",
                "que",
                "quel",
                "quelle",
                "wie",
                "was",
                "welch",
                "come",
                "какой",
                "какая",
                "как",
            }
        ):
            return True
        if word not in words.INTRODUCTIONS and index < len(tokens) - 1:
            return False
    return False


def _tokens(lowered: str, at_most: int) -> list[str]:
    return [token for raw in lowered.split(None, at_most)[:at_most] if (token := raw.strip(_EDGES))]


def _opens(tokens: list[str], index: int) -> bool:  # noqa: PLR0911 (rules, the narrowest first)
    seconds = OPENERS.get(tokens[index])
    if seconds is None:
        return False
    second = tokens[index + 1] if index + 1 < len(tokens) else ""
    if tokens[index] == "who" and second and second not in words.NOT_WHO:
        return not _is_condition(tokens, index)
    if (
        tokens[index] in {"which", "what"}
        and tokens[index + 2 : index + 3] in _PRONOUNS
        and second not in words.AUXILIARIES
    ):
        return False  # "Which way you turn it makes no difference."
    if tokens[index] in words.DETERMINERS and second not in words.NOT_DETERMINED:
        # "which laptop should i buy", "how far away is it"
        verb_first = second.endswith("s") and tokens[index + 2 : index + 3] in (
            ["is"],
            ["was"],
        )  # "what matters is"
        if not verb_first and not words.AUXILIARIES.isdisjoint(tokens[index + 2 : index + 5]):
            return True
    if second.endswith(words.INFINITIVES.get(tokens[index], ("\n",))):
        return True
    if second in seconds:
        return not _is_condition(tokens, index)
    if not second:
        return "*" in seconds or "*ru" in seconds or "*de" in seconds
    if "*" in seconds:
        return True
    return any(group in seconds and second not in SUBJECTS[group] for group in SUBJECTS)


def _is_condition(tokens: list[str], index: int) -> bool:
    """Whether a sentence opens like a question but is not one: "Should you need help, …", "Which is why …"."""
    three = tokens[index : index + 3]
    return (
        three[:2] in (["should", "you"], ["who", "knew"])
        or three == ["who", "would", "have"]
        or (
            three[:2] == ["which", "is"]
            and three[2:] in (["why"], ["what"], ["how"], ["great"], ["fine"], ["when"])
        )
    )


def _is_quoted_by_statement(sentence: str) -> bool:
    """Whether the question mark belongs to a quotation within a statement: `She asked: "Are you coming?"`"""
    stripped = sentence.rstrip()
    if stripped[-1] not in '"”»':
        return False
    opening = max(stripped.rfind(mark, 0, len(stripped) - 1) for mark in '"“«„')
    before = stripped[:opening].strip() if opening > 0 else ""
    return bool(before) and not _is_question_form(before.lower()) and len(before.split()) > 1
