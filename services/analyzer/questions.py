"""Detection of questions in prose: with a question mark, without one, and indirect.

A question is a sentence that asks for an answer in words (evaluation/README.md has the exact guidelines):
one with a question mark; one with the form of a question, whatever its mark; one that wraps a question
("I wonder whether…", "tell me how…"). An order ("Explain recursion.", "Write a function…") is not a question.
"""

import re
from typing import Final, NamedTuple

from services.analyzer import question_words as words
from services.analyzer.question_openers import AMBIGUOUS, ANY_LANGUAGE, GROUPED, OPENERS
from services.analyzer.question_scripts import Rule, rules_for
from services.analyzer.sentences import sentences
from shared.contracts import limits

EXAMINED_PLACES: Final = 1_000
"""Maximum number of places examined closely: where a question may begin (after a wrapper such as "tell me", after a
comma, at a word such as "can" in a run-on text), and quotations, which may contain one."""
RULES_RUN: Final = 1_000
"""Maximum number of times that a rule of a script or language is tried on a sentence."""
EXAMINED_BREAKS: Final = 2_000
"""Maximum number of commas, line breaks and the like whose next word is examined."""
_OPENING_WORDS: Final = 14
"""Words at the beginning of a sentence that may open a question, or precede what does."""
LONG_SENTENCE: Final = 4_000
"""Characters of a sentence that are searched for breaks."""

_EDGES: Final = ".,:;!?\"'“”„«»()[]{}*_~#>|<…-–—•¿¡،؟=/\u200b\u200e\u200f\ufeff"
_CLAUSE: Final = r"[,;:–—(…\n\s.](?:(?<=[,;:–—(…\n])\s*+|(?<=\s)-++\s|(?<=\.)\.++\s*+)"
"""The end of a clause. The pattern begins with one set, so that the text before a match is skipped quickly."""
_BREAK: Final = re.compile(_CLAUSE)
_MAY_BREAK: Final = re.compile("[,;:–—(…\n]").search
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
    find: _Finder | None = None
    count = 0
    first: list[str] = []
    for start, end, asks in segments:
        at: int | None = 0
        if not asks or prose[end - 1] in _CLOSED:
            find = find or _Finder(prose)
            at = find.behind_quotation(start, end) if asks else find.without_mark(start, end)
        if at is None:
            continue
        count += 1
        if len(first) < limits.QUESTIONS:
            first.append(message[start + at : end].strip()[: limits.QUESTION_CHARS])
    return Prose(len(segments) + more, Questions(count + more_asking, tuple(first)))


class _Finder:
    """A finder of questions in the sentences of one text. It keeps only the rules that can apply to that text."""

    def __init__(self, prose: str) -> None:
        self._prose = prose
        self._lowered = prose.lower().replace("’", "'")
        # Lower-casing these depends on their neighbours, or makes two characters of one.
        self._aligned = "İ" not in prose and "Σ" not in prose
        self._comments = ("/" in prose or "<" in prose) and any(mark in prose for mark in _COMMENT)
        self._inverted = "¿" in prose
        self._commas = "," in prose
        self._quotations = any(mark in prose for mark in _OPENING)
        self._places = EXAMINED_PLACES
        self._breaks = EXAMINED_BREAKS
        self._rules_left = RULES_RUN
        tokens = _unpunctuated(self._lowered)
        self._words = tokens
        self._told: tuple[list[str], bool] | None = None
        self._tables: tuple[list[dict[str, set[str]]], list[dict[str, set[str]]]] | None = None
        self._rules_of_text: tuple[list[Rule], list[Rule]] | None = None
        self._runs_on = not tokens.isdisjoint(_WITHIN)
        self._breaks_matter = not tokens.isdisjoint(_CLAUSE_FIRST)
        self._last_words = tokens & words.WRAPPERS.keys()
        # "(explain": a wrapper of one word that a mark precedes.
        vocabulary = "\n".join(["", *tokens, ""]) if self._last_words else ""
        self._attached = [
            word
            for word in self._last_words
            if word in words.WRAPPERS[word] and vocabulary.count(word + "\n") > 1
        ]
        self._polite = any("\n" + word in vocabulary for word in _POLITE_WORDS)

    def _openers(self, first: str) -> list[dict[str, set[str]]]:
        if self._tables is None:
            languages, sure = self._languages()
            own = [OPENERS[language] for language in languages]
            self._tables = [OPENERS[""] if sure else ANY_LANGUAGE, *own], [ANY_LANGUAGE, *own]
        return self._tables[first not in AMBIGUOUS]

    def _languages(self) -> tuple[list[str], bool]:
        """Return the languages that the text may be written in, and whether more than one word tells them."""
        if self._told is None:
            self._told = words.languages_of(self._words, self._prose)
        return self._told

    def _rules(self) -> tuple[list[Rule], list[Rule]]:
        """Return the rules for a sentence of ASCII characters, and those for any other."""
        in_ascii, rules = rules_for(self._prose, lambda: self._languages()[0])
        self._rules_of_text = in_ascii, in_ascii + rules
        return self._rules_of_text

    def behind_quotation(self, start: int, end: int) -> int | None:
        """Return the question's position in a sentence that ends with a question mark and a closing quotation mark.

        It is None if the mark belongs to a quotation within a statement.
        """
        if not self._places:
            return 0
        self._places -= 1
        return None if self._is_quoted_by_statement(self._prose[start:end]) else 0

    def without_mark(self, start: int, end: int) -> int | None:
        """Return the question's position in a sentence without a question mark, or None if it asks nothing."""
        sentence = self._prose[start:end]
        if self._comments and sentence.lstrip().startswith(_COMMENT):
            return None
        if self._inverted and "¿" in sentence:
            return sentence.index("¿")
        lowered = self._lowered[start:end] if self._aligned else sentence.lower().replace("’", "'")
        if self._quotations:
            lowered = _without_leading_quotation(lowered)
        tokens = lowered.split() if self._last_words or self._runs_on else lowered.split(None, _OPENING_WORDS)
        if self._is_question_form(lowered, tokens) or (self._last_words and self._wraps(lowered, tokens)):
            return 0
        in_ascii, rules = self._rules_of_text or self._rules()
        for may_apply, asks in in_ascii if rules and sentence.isascii() else rules:
            if self._rules_left and may_apply(sentence):
                self._rules_left -= 1
                if asks(sentence):
                    return 0
        if self._commas and "," in sentence[-40:] and _TAG.search(sentence, max(0, end - start - 40)):
            return 0
        at = self._behind_break(lowered) if self._breaks_matter else None
        if at is None and self._runs_on:
            at = self._in_run_on_text(lowered, tokens)
        return at if at is None or len(lowered) == end - start else 0

    def _is_question_form(self, lowered: str, raw_tokens: list[str]) -> bool:
        first = raw_tokens[0].strip(_EDGES)
        if first not in _MAY_OPEN:
            return False
        examined = raw_tokens[: _OPENING_WORDS if first in _MAY_PRECEDE else 8]
        tokens = [token for raw in examined if (token := raw if raw.isalnum() else raw.strip(_EDGES))]
        if len(tokens) == 1 and tokens[0] in words.ALONE:
            return True
        for index, word in enumerate(tokens):
            if self._opens(tokens, index, lowered):
                exclaims = word in words.EXCLAIM and lowered.rstrip().endswith("!")
                return not exclaims and not _follows_so(tokens, index, german="de" in self._languages()[0])
            greeted = word == "there" and index and tokens[index - 1] in {"hi", "hello", "hey"}
            if word not in words.INTRODUCTIONS and not greeted:
                return False
        return False

    def _opens(self, tokens: list[str], index: int, lowered: str) -> bool:
        first, rest = tokens[index], tokens[index + 1 :]
        if first not in ANY_LANGUAGE:
            return False
        seconds = [table[first] for table in self._openers(first) if first in table]
        if not rest or not seconds:
            return any(not _ANY_SECOND.isdisjoint(together) for together in seconds)
        if _is_condition(first, rest, lowered) or _is_free_choice(first, rest):
            return False
        if any(rest[0] in together or "*" in together for together in seconds) or _opens_by_form(first, rest):
            return True
        if first in words.COMMA_STATES and "," in lowered and not _RELATIVE.search(lowered):
            return False
        return first in GROUPED and any(
            rest[0] not in words.NOT_SECOND[group] and _fits(group, rest)
            for together in seconds
            for group in together & _GROUPS
        )

    def _is_quoted_by_statement(self, sentence: str) -> bool:
        """Whether the question mark belongs to a quotation within a statement: `She asked: "Are you coming?"`"""
        stripped = sentence.rstrip()
        if stripped[-1] not in '"”»':
            return False
        opening = max(stripped.rfind(mark, 0, len(stripped) - 1) for mark in '"“«„')
        before = stripped[:opening].strip() if opening > 0 else ""
        return (
            bool(before)
            and not self._is_question_form(before.lower(), before.lower().split())
            and len(before.split()) > 1
        )

    def _wraps(self, lowered: str, tokens: list[str]) -> bool:
        """Whether a sentence wraps a question: "i wonder whether", "tell me how"."""
        if "," in lowered or ":" in lowered:
            tokens = lowered.replace(",", " ").replace(":", " ").split()
        last_words = self._last_words.intersection(tokens)
        last_words.update([word for word in self._attached if word in lowered])
        if last_words and self._polite:
            lowered = _without_polite_words(lowered)  # "tell me please how"
        for last in last_words:
            for wrapper, nexts in words.WRAPPERS[last].items():
                at = lowered.find(wrapper)
                if at < 0:
                    continue
                if not self._places:
                    return False
                self._places -= 1
                if _wraps_at(at, lowered, wrapper, nexts):
                    return True
        return False

    def _behind_break(self, lowered: str) -> int | None:
        """Return the position of a question that begins after a comma or another break within a sentence."""
        if not self._breaks:
            return None
        if not (_MAY_BREAK(lowered) or "-" in lowered or ".." in lowered):
            return None
        nexts = [
            word if word.isalnum() else word.strip(_EDGES)
            for word in _NEXT_WORD.findall(lowered, 0, LONG_SENTENCE)
        ]
        self._breaks = max(0, self._breaks - len(nexts))
        if _MAY_OPEN_CLAUSE.isdisjoint(nexts):
            return None
        for break_, word in zip(_BREAK.finditer(lowered), nexts, strict=False):
            if word not in _MAY_OPEN_CLAUSE:
                continue
            if not self._places:
                return None
            self._places -= 1
            tokens = _tokens(lowered[break_.end() : break_.end() + 60], 5)
            while tokens and tokens[0] in words.INTRODUCTIONS:
                tokens = tokens[1:]
            if (
                tokens
                and tokens[0] in words.VERBS_AFTER_CLAUSE
                and not words.SUBORDINATORS.isdisjoint(_tokens(lowered, 2))
            ):
                continue
            if " ".join(tokens[:2]) in words.CLAUSE_OPENERS or (
                len(tokens) == 1 and tokens[0] in words.ALONE
            ):
                return break_.end()
        return None

    def _in_run_on_text(self, lowered: str, tokens: list[str]) -> int | None:
        """Return the position of a question that begins anywhere: "hi my build is broken can you help"."""
        if _WITHIN.isdisjoint(tokens):
            return None
        for index in [index for index, token in enumerate(tokens[:-1]) if token in _WITHIN]:
            if not index:
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
_OBJECTS: Final = tuple([word] for word in ("me", "us", "him", "them", "most"))
_AFTER_WRAPPER: Final = frozenset(" ,:\n\u00a0")
_UNDOES: Final = (
    "no",
    "never",
    "don't",
    "not to",
    "didn't",
    "they",
    "he",
    "she",
    "to",
    " se",
    "resta",
    "tentou",
    " para",
    " pour",
    " per",
    " sin",
    " al",
)
_NOTHING_ASKED: Final = (["to", "say"], ["to", "make"])
_KEEPS: Final = (
    "like to",
    "want to",
    "need to",
    "love to",
    "trying to",
    "you to",
    "you could",
    "you would",
    "you can",
    "one could",
)
"""Words before a wrapper that undo it ("he doesn't explain how"), and exceptions ("I'd like to know how")."""
_GROUPS: Final = frozenset(words.NOT_SECOND)
_ANY_SECOND: Final = frozenset(("*", "*ru", "*de"))
_MAY_STATE: Final = words.GERMAN_VERBS | frozenset(
    "should had were who which was is did has o come como é es è de in perché как когда hoeveel кто что где".split()
)
"""Openers of which `_is_condition` knows a statement."""
_ABOUT: Final = words.AUXILIARIES | {"about", "if", "else", "am", "must", "may", "might", "shall"}
_RELATIVE: Final = re.compile(r", (?:die|um|nachdem|bevor|qui|who|whom|that|which|where|after|before|when) ")
_RECOMMENDS: Final = (["nur"], ["immer"], ["jederzeit"], ["definitiv"], ["wieder"])
_RUSSIAN_VERBS: Final = ("назыв", "зовут", "фамил", "был", "возник", "начал", "появи")
_CLEFT: Final = re.compile(r" (?:é que|talvez|parece)\b|^\W*+o que,")
_THEN: Final = re.compile(
    r", (?:so |dann |bitte |\w{2,20}en sie |(?:kann|können|muss|müssen|wird|werden|ist|sind|soll|sollte) )"
)
_POLITE: Final = (" please", " bitte", " in detail", " in simple terms", " a bit", " briefly")
_POLITE_WORDS: Final = ("please", "bitte", "detail", "simple", "bit", "briefly")
"""A word of each."""
_OPENING: Final = '"“«„'
_COMMENT: Final = ("//", "/*", "<!--")
_CLOSED: Final = '"”»'
_WITHIN: Final = frozenset(phrase.split()[0] for phrase in words.ANYWHERE)
_CLAUSE_FIRST: Final = frozenset(phrase.split()[0] for phrase in words.CLAUSE_OPENERS) | words.ALONE
_MAY_OPEN_CLAUSE: Final = _CLAUSE_FIRST | words.INTRODUCTIONS | {""}
_MAY_PRECEDE: Final = words.INTRODUCTIONS | {""}
_MAY_OPEN: Final = words.INTRODUCTIONS | words.ALONE | ANY_LANGUAGE.keys() | {""}


def _unpunctuated(lowered: str) -> set[str]:
    """Return the words of `lowered`, separated by white space, without a trailing comma or colon."""
    return {token.rstrip(",:") for token in set(lowered.split())}


def _wraps_at(at: int, lowered: str, wrapper: str, nexts: frozenset[str]) -> bool:
    """Whether the wrapper at a position stands as a word, nothing undoes it, and one of `nexts` follows."""
    end = at + len(wrapper)
    if lowered[end : end + 1] not in _AFTER_WRAPPER or (at and lowered[at - 1].isalpha()):
        return False
    following = _tokens(lowered[end : end + 40], 3)
    if not following or following[1:] in _NOTHING_ASKED:
        return False
    if following[0] not in nexts and " ".join(following[:2]) not in nexts:
        return False
    before = lowered[max(0, at - 24) : at].rstrip()
    if before.endswith(_KEEPS):
        return True
    if wrapper in words.ORDERS:
        return before.rpartition(" ")[2] not in words.NO_ORDER
    return not before.endswith(_UNDOES)


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


def _tokens(lowered: str, at_most: int) -> list[str]:
    raw_tokens = lowered.split(None, at_most)[:at_most]
    return [token for raw in raw_tokens if (token := raw if raw.isalnum() else raw.strip(_EDGES))]


def _fits(group: str, rest: list[str]) -> bool:
    """Whether what follows an opener can make the pair a question; some groups ask for more than one word."""
    if group == "+what":
        return len(rest) > 1 and words.COPULAS.isdisjoint(rest)
    if group == "+chi":
        return len(rest) > 1 and "non" not in rest
    if group == "+any":
        return len(rest) > 1 and (words.AUXILIARIES | {"can", "may", "shall"}).isdisjoint(rest)
    if group == "+plural":
        return rest[0].endswith("s") and not rest[0].endswith("ss") and len(rest) > 1
    if group == "+is":
        return len(rest) > 1 and not rest[0].endswith(("ly", "ing", "ed", "'s"))
    return group[0] == "*" or len(rest) > 1


def _follows_so(tokens: list[str], index: int, *, german: bool) -> bool:
    """Whether the words from `index` agree with what was said before: "So can I.", "So macht das Spaß."."""
    if not index or tokens[index - 1] != "so":
        return False
    return german or (tokens[index] in {"can", "do", "am", "are", "is"} and len(tokens) == index + 2)


def _opens_by_form(first: str, rest: list[str]) -> bool:
    """Whether a question word and what follows it have the form of a question, whatever the words are."""
    second = rest[0]
    if first == "who":
        return second not in words.NOT_WHO
    if first in words.DETERMINERS and second not in words.NOT_DETERMINED:
        # "which laptop should i buy", "how far away is it"; but "what matters is", "what struck me was"
        verb_first = second.endswith("s") and not {"is", "was"}.isdisjoint(rest[1:3])
        verb_first = verb_first or rest[1:2] in _OBJECTS
        return not verb_first and not words.AUXILIARIES.isdisjoint(rest[1:4])
    if first == "ما":
        return second.startswith("ال")
    return second.endswith(words.INFINITIVES.get(first, ("\n",)))


def _is_free_choice(first: str, rest: list[str]) -> bool:
    """Whether a pronoun follows the noun: "Which way you turn it makes no difference."."""
    return first in {"which", "what"} and rest[1:2] in _PRONOUNS and rest[0] not in _ABOUT


def _is_condition(first: str, behind: list[str], lowered: str) -> bool:
    """Whether a sentence opens like a question but is not one: "Should you need help, …", "Which is why …"."""
    if first not in _MAY_STATE:
        return False
    second, *rest = behind
    if first in {"should", "had", "were"} and (
        second == "you" or (second not in {"i", "we"} and "," in lowered)
    ):
        return True
    if first in words.GERMAN_VERBS and _THEN.search(lowered):
        return True  # "Haben Sie Fragen, rufen Sie an."
    if first in words.GERMAN_VERBS and second in words.GERMAN_SUBJECTS:
        # "Kann ich nur empfehlen.", "Haben Sie Fragen, rufen Sie an."
        return (
            rest[:1] in _RECOMMENDS
            or (second in {"ich", "man"} and "empfehlen" in lowered)
            or bool(_THEN.search(lowered))
        )
    return (
        (first == "who" and (second == "knew" or [second, *rest[:1]] == ["would", "have"]))
        or (first == "which" and second == "is" and bool(rest) and rest[0] in words.AFTER_WHICH_IS)
        or (first == "was" and [second, *rest[:2]] == ["soll", "ich", "sagen"])
        or (first == "o" and second == "que" and rest[:2] != ["é", "que"] and bool(_CLEFT.search(lowered)))
        or (first == "come" and second == "è" and rest[:1] == ["noto"])
        or (first == "como" and second == "é" and bool(rest) and rest[0] in words.PORTUGUESE_ADJECTIVES)
        or (
            first in {"perché", "как", "когда", "hoeveel"}
            and "," in lowered
            and ", котор" not in lowered
            and not second.startswith(_RUSSIAN_VERBS)
        )
        or (first in {"é", "es", "è"} and (rest[:1] in (["que"], ["che"]) or "," in lowered))
        or (first == "de" and second == "quoi" and bool(rest) and rest[0].endswith(("er", "ir", "re")))
        or (first in {"is", "was", "did", "has"} and second in {"a", "an"} and lowered.rstrip().endswith("."))
        or (first == "in" and second == "what" and rest[:1] == ["follows"])
        or (first in {"кто", "что", "где"} and ", т" in lowered)
    )
