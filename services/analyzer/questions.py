"""Finds the questions in prose: with a question mark, without one, and indirect ones.

A question is a sentence that asks for an answer in words (evaluation/README.md has the exact guidelines):
one with a question mark; one with the form of a question, whatever its mark; one that wraps a question
("I wonder whether…", "tell me how…"). An order ("Explain recursion.", "Write a function…") is none.
"""

import re
from typing import Final, NamedTuple

from services.analyzer import question_words as words
from services.analyzer.question_openers import OPENERS, SUBJECTS
from services.analyzer.text import sentences
from shared.contracts import limits

_EDGES: Final = ".,:;!?\"'“”„«»()[]{}*_~#>|<…-–—•¿¡،؟=/"
_CLAUSE: Final = re.compile(r"[,;:–—(…\n]\s*|\s-+\s|\.\.+\s*")
_TAG: Final = re.compile(
    r",\s*(?:(?:is|are|was|were|do|does|did|has|have|can|could|should|would"
    r"|will)n['’]?t (?:i|you|he|she|it|we|they|there|that)|right|correct|no|yeah|eh|huh"
    r"|innit|oder|nicht wahr|gell|non|n'est-ce pas|¿?no|verdad|vero|né|hè|toch|не так ли"
    r"|правда|да)[.!…\s]*$",
    re.IGNORECASE,
)
_HAN_QUESTION: Final = (
    r"[吗嗎么麼](?:[。！!…~～\s]|$)|(?<!没)(?<!都)[什甚][么麼](?!都|也)|怎[么麼](?!都|也)|为什么|為什麼|为何|為何"
    r"|哪[里裡个個些儿种種]|是不是|能不能|可不可以|有没有|有沒有|会不会|會不會|要不要|好不好|对不对|應不應該|该不该"
    r"|多少|多久|多大|多长时间|几[点个天次岁种]|幾[點個天次]|如何|是否|请问|請問|能否|可否|谁[^都也]|誰[^都也]|呢[？。!！\s]*$"
)
_HAN_STATEMENT: Final = (
    r"[没沒]什[么麼]|无论|無論|不管|什[么麼]都|怎[么麼]都|[没沒]怎|不知道[^，。]{0,3}[说說]什"
)
_JAPANESE_QUESTION: Final = (
    r"(?:です|ます|ません|でした|ました|でしょう|だろう|ない|いい|の|る|た|う|な|ん|もの|べき|き)か(?:ね|な|しら)?(?:[。！!…\s]|$)"
    r"|かな[。ぁあ！\s]*$|かしら[。\s]*$|教えて|(?:なぜ|何|どこ|いつ|誰|どれ|どの|どんな|いくら|どう|方法|理由"
    r"|のか)[^。\n]{0,40}知りたい"
)
_KOREAN_QUESTION: Final = (
    r"알려\s?(?:줘|주|줄)|가르쳐|(?:[까나죠]요?|[가니냐]|은가요|는가요|인가요|건가요|을까요|래요|던가요|는데요\?"
    r"|는지요)[.!~…ㅋㅎㅠ\s]*$|(?:어떻게|왜|무엇|뭐가|뭔가|뭘|언제|어디|누가|얼마|몇|무슨|어떤|어느|차이|방법|는지|은지|인지"
    r"|할지)[^.\n]{0,40}(?:알려|가르쳐|설명해|궁금|모르겠)|(?:왜|어떻게|뭐|무엇|어디|언제|얼마)[^.\n]{0,30}(?:[요지야해돼]"
    r"|임|거야)[.!~…ㅋㅎㅠ\s]*$"
)
_HINDI_QUESTION: Final = (
    r"(?:^|\s)(?:क्या|कैसे|क्यों|कब|कहाँ|कहां|कौन|कितन[ाेी]|किस|कौनसा|किसने|किसका)(?:\s|$"
    r"|[।?])"
)
_TURKISH_QUESTION: Final = (
    r"\s(?:m[iıuü](?:yim|yım|yum|yüm|sin|sın|sun|sün|siniz|sınız|sunuz|sünüz|yiz|yız|yuz"
    r"|yüz|dir|dır|dur|dür|ydi|ydı)"
    r"|mı|mü|nasıl|neden|nedir|niye|nerede|hangisi|hangi|kaç|ne kadar|ne zaman)(?:\s|[.!…]"
    r"|$)|\sm[iu][.!…\s]*$"
)
_THAI_QUESTION: Final = (
    r"ไหม|อะไร|ทำไม|อย่างไร|ยังไง|ที่ไหน|เมื่อไหร่|เมื่อไร|กี่|หรือเปล่า|หรือไม่|เท่าไหร่"
    r"|เท่าไร|ใคร|มั้ย"
)
_RUSSIAN_PARTICLE: Final = r"^\S+(?:\s\S+)? ли\s"
_VIETNAMESE_END: Final = r"(?:không|gì|thế nào|bao nhiêu|chưa|sao|ở đâu)[.!\s]*$"
_SCRIPTS: Final[tuple[tuple[str, str, str | None], ...]] = (
    ("[\u4e00-\u9fff]", _HAN_QUESTION, _HAN_STATEMENT),
    ("[\u3041-\u309f]", _JAPANESE_QUESTION, None),
    ("[\uac00-\ud7a3]", _KOREAN_QUESTION, None),
    ("[\u0900-\u097f]", _HINDI_QUESTION, None),
    (r"[ıİşğç]| m[iu](?:yim|sin|siniz)?\b(?=[.!\s]*$)", _TURKISH_QUESTION, None),
    ("[\u0e01-\u0e4e]", _THAI_QUESTION, None),
    (" ли ", _RUSSIAN_PARTICLE, None),
    ("[ạảấầậếềệộốồớờợứừựđ]", _VIETNAMESE_END, None),
)


EXAMINED_SENTENCES: Final = 2_000
"""Sentences whose form is looked at; behind them only question marks count. The longest message has as many
if its sentences have three words each."""


class Questions(NamedTuple):
    total: int
    first: tuple[str, ...]
    """The first `limits.QUESTIONS`, each cut to `limits.QUESTION_CHARS` characters."""


class Prose(NamedTuple):
    sentences: int
    questions: Questions


def read(message: str, prose: str) -> Prose:
    """Counts the sentences of `prose`, the `message` with its code blanked out, and finds the questions."""
    find = _Finder(prose)
    total = count = 0
    first: list[str] = []
    for start, end, asks in sentences(prose):
        total += 1
        if total > EXAMINED_SENTENCES and not asks:
            continue
        at = find.question_in(prose[start:end], asks=asks)
        if at is None:
            continue
        count += 1
        if len(first) < limits.QUESTIONS:
            text = message[start + at : end].strip()
            first.append(text[: limits.QUESTION_CHARS])
    return Prose(total, Questions(count, tuple(first)))


class _Finder:
    """Looks for questions in sentences of one text; keeps only the rules that can apply to that text."""

    def __init__(self, prose: str) -> None:
        lowered = prose.lower()
        tokens = {token.rstrip(",:") for token in set(lowered.replace("’", "'").split())}
        self._wrappers = [
            wrapper for last in tokens & words.WRAPPERS.keys() for wrapper in words.WRAPPERS[last].items()
        ]
        self._runs_on = not tokens.isdisjoint(_WITHIN)
        self._breaks = not tokens.isdisjoint(_CLAUSE_FIRST)
        self._scripts = (
            []
            if prose.isascii() and " mi" not in lowered and " mu" not in lowered
            else [
                (re.compile(yes), no and re.compile(no)) for has, yes, no in _SCRIPTS if re.search(has, prose)
            ]
        )

    def question_in(self, sentence: str, *, asks: bool) -> int | None:
        """Where in `sentence` its question begins, or None if it has none."""
        if asks:
            return None if _is_quoted_by_statement(sentence) else 0
        if "¿" in sentence:
            return sentence.index("¿")
        lowered = _without_leading_quotation(sentence).lower().replace("’", "'")
        if _is_question_form(lowered) or (self._wrappers and self._wraps(lowered)):
            return 0
        for yes, no in self._scripts:
            if yes.search(sentence) and not (no and no.search(sentence)):
                return 0
        if "," in sentence and _TAG.search(sentence, max(0, len(sentence) - 40)):
            return 0
        return self._within(lowered, len(sentence))

    def _wraps(self, lowered: str) -> bool:
        lowered = lowered.replace(" please", "").replace(" bitte", "")
        for start, nexts in self._wrappers:
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

    def _within(self, lowered: str, length: int) -> int | None:
        """A question that begins within a sentence: after a comma or a break, or in a run-on text."""
        if self._breaks:
            after_clause = not words.SUBORDINATORS.isdisjoint(_tokens(lowered, 1))
            for break_ in _CLAUSE.finditer(lowered):
                tokens = _tokens(lowered[break_.end() : break_.end() + 60], 5)
                while tokens and tokens[0] in words.INTRODUCTIONS:
                    tokens = tokens[1:]
                if after_clause and tokens and tokens[0] in words.VERBS_AFTER_CLAUSE:
                    continue
                if " ".join(tokens[:2]) in words.CLAUSE_OPENERS or (
                    len(tokens) == 1 and tokens[0] in words.ALONE
                ):
                    return break_.end() if len(lowered) == length else 0
        if self._runs_on:
            tokens = lowered.split()
            for index in range(1, len(tokens) - 1):
                if tokens[index] not in _WITHIN:
                    continue
                two = f"{tokens[index]} {tokens[index + 1]}"
                three = f"{two} {tokens[index + 2]}" if index + 2 < len(tokens) else two
                if (two in words.ANYWHERE or three in words.ANYWHERE) and tokens[index - 1] not in (
                    words.NOT_ASKED if tokens[index] in words.ALONE else words.STATEMENT_BEFORE
                ):
                    return max(0, lowered.find(two)) if len(lowered) == length else 0
        return None


_PRONOUNS: Final = tuple([word] for word in ("i", "you", "we", "they", "he", "she", "it"))
_AFTER_WRAPPER: Final = frozenset(" ,:\n\u00a0")
_UNDOES: Final = ("no", "never", "don't", "not to", "didn't", "they", "he", "she", "to")
_KEEPS: Final = ("like to", "want to", "need to", "love to", "trying to", "you to")
"""What undoes a wrapper behind it ("he doesn't explain how"), and what does not ("I'd like to know how")."""
_WITHIN: Final = frozenset(phrase.split()[0] for phrase in words.ANYWHERE)
_CLAUSE_FIRST: Final = frozenset(phrase.split()[0] for phrase in words.CLAUSE_OPENERS) | words.ALONE


def _without_leading_quotation(sentence: str) -> str:
    """`"Are we there yet?" they asked.` without what is quoted."""
    stripped = sentence.lstrip()
    if stripped[:1] not in '"“«„':
        return sentence
    close = max(stripped.find(mark, 1) for mark in '"”»“')
    rest = stripped[close + 1 :] if close > 0 else ""
    return rest if len(rest.split()) > 1 else sentence


def _is_question_form(lowered: str) -> bool:
    exclaims = lowered.rstrip().endswith("!")
    tokens = _tokens(lowered, 14)
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
    """Opens like a question but is none: "Should you need help, …", "Which is why …"."""
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
    """`She asked: "Are you coming?"`: the question mark belongs to a quotation within a statement."""
    stripped = sentence.rstrip()
    if stripped[-1] not in '"”»':
        return False
    opening = max(stripped.rfind(mark, 0, len(stripped) - 1) for mark in '"“«„')
    before = stripped[:opening].strip() if opening > 0 else ""
    return bool(before) and not _is_question_form(before.lower()) and len(before.split()) > 1
