"""Counts words and sentences by the rules of each script, and cuts prose into sentences.

A word, by script (README.md gives the reasons and the sources):
- scripts that put spaces between words (Latin, Cyrillic, Greek, Arabic, Hebrew, Devanagari, Hangul…): what
  white space, an ellipsis or an em dash separates, if it holds a letter or a digit. A URL is one word;
- Han: every ideograph, as word processors count;
- katakana: every run; hiragana: every started four characters of a run;
- Thai, Lao, Khmer, Myanmar: every started four code points of a run (an approximation: they write no spaces).
Emoji, however composed, and lone punctuation are no words.

Every pattern here is linear: a quantifier is possessive or followed by nothing that can fail, and a run can
be entered at its first character only.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

_HAN: Final = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HIRAGANA: Final = "\u3041-\u309f"
_KATAKANA: Final = "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_UNSPACED: Final = "\u0e01-\u0e3a\u0e40-\u0e4e\u0e80-\u0ece\u1000-\u109f\u1780-\u17d3"
_CJK_MARKS: Final = (
    "\u3000-\u3004\u3006\u3008-\u303f\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)

_WORD: Final = re.compile(r"[^\W_][^\s—…]*+")
_LETTER_OR_DIGIT: Final = re.compile(r"[^\W_]")
_KEYCAP: Final = re.compile("[0-9#*]\ufe0f?\u20e3")


@cache
def _script_rules() -> tuple[re.Pattern[str], ...]:
    """Runs of Han, hiragana, katakana, unspaced scripts, and of all these and their punctuation.

    Compiled when first needed: these are the slowest to compile, and few messages need them.
    """
    scripts = (_HAN, _HIRAGANA, _KATAKANA, _UNSPACED)
    return tuple(re.compile(f"[{script}]+") for script in (*scripts, "".join((*scripts, _CJK_MARKS))))


def count_words(text: str) -> int:
    if text.isascii():
        return len(_WORD.findall(text))
    if "\u20e3" in text:
        text = _KEYCAP.sub(" ", text)
    text = text.replace("\u200b", " ")
    if max(text, default="") < "\u0e00":
        return len(_WORD.findall(text))
    han, hiragana, katakana, unspaced, all_of_these = _script_rules()
    return (
        sum(map(len, han.findall(text)))
        + sum((len(run) + 3) // 4 for run in hiragana.findall(text))
        + len(katakana.findall(text))
        + sum((len(run) + 3) // 4 for run in unspaced.findall(text))
        + len(_WORD.findall(all_of_these.sub(" ", text)))
    )


SHORT_LINE: Final = 40
"""A line that is not filled was broken on purpose."""


Sentence = tuple[int, int, bool]
"""Where a sentence starts and ends, its end mark included, and whether that mark asks."""

_CLOSING: Final = "\"'»”’“)\\]*_"
_BOUNDARY: Final = re.compile(
    # Western marks end a sentence before white space, the end, or an emoji or other symbol.
    rf"(?<![.!?…;\u037e‽⁇⁈⁉])(?P<western>[.!?…;\u037e‽⁇⁈⁉]++)(?P<closing>[{_CLOSING}]*+)"
    r"(?=[^\w!-~]|\Z)"
    # These marks need no space behind them.
    r"|(?P<other>[。！？｡؟۔।॥።፧။។։]++)[」』”’\"'）)]*+"
    # A line break, with what opens the next line if that is a list item.
    r"|\n\s*+(?P<item>(?:[-*•–‣·]|\d{1,3}[.)]|[a-zA-Z][)])[ \t])?"
)
_ASKING_MARKS: Final = frozenset("?？؟፧‽⁇⁈⁉\u037e")
_ABBREVIATIONS: Final = frozenset(
    # English, then German, French, Spanish and Portuguese, Italian, Dutch, Russian
    "dr mr mrs ms prof sr jr st vs e.g i.e eg ie cf al approx dept est fig figs no nos"
    " vol pp ed rev gen sen gov"
    " inc ltd co corp ave blvd rd mt ft lbs oz a.k.a ph.d p.m a.m u.s u.k resp incl excl"
    " min max tel ext sec ch jan feb mar apr"
    " jun jul aug sep sept oct nov dec"
    " z.b z d.h d u.a u bzw ca evtl ggf inkl exkl nr str abs art vgl sog geb hr fr usw"
    " m mme mlle p.ex ex p.ej ej sra srta dra ud uds pág núm sig dott ing avv pag"
    " bijv b.v dhr mevr o.a т.е т.д т.п г ул им".split()
)
_MAY_END: Final = frozenset(
    "p.m a.m u.s u.k no nos min max sec ex m st str art fr hr co ed ch mar sig г al ext"
    " mt usw nov dec inc ltd".split()
)
"""Abbreviations that are words too, or often the last word: they end a sentence before a capital letter."""


def sentences(prose: str) -> Iterator[Sentence]:
    """The sentences of `prose` in order, those without any word left out.

    A sentence ends with an end mark, before a blank line, before a list item, and before a line that opens
    with a capital letter, and behind a line that is short, unless that line ends with a comma or the like.
    A dot after an abbreviation, an initial or the number of a list item ends nothing.
    """
    start = 0
    has_word = _LETTER_OR_DIGIT.search
    for mark in _BOUNDARY.finditer(prose):
        asks = False
        end = mark.end()
        which = mark.lastgroup
        if which == "closing":
            asks = _asks(prose, start, mark)
            if not _ends_sentence(prose, start, mark, asks=asks):
                continue
        elif which == "other":
            asks = not _ASKING_MARKS.isdisjoint(mark["other"])
        else:
            end = mark.start()
            if which is None and not _line_ends_sentence(prose, mark):
                continue
        if has_word(prose, start, end):
            yield start, end, asks
        start = mark.end()
    if has_word(prose, start):
        yield start, len(prose), False


def _asks(prose: str, start: int, mark: re.Match[str]) -> bool:
    marks = mark["western"]
    if not _ASKING_MARKS.isdisjoint(marks):
        return True
    # The Greek question mark looks like a semicolon and becomes one when normalised.
    return marks == ";" and mark.start() > start and "\u0370" <= prose[mark.start() - 1] <= "\u03ff"


def _ends_sentence(prose: str, start: int, mark: re.Match[str], *, asks: bool) -> bool:
    marks = mark["western"]
    at = mark.start()
    if ";" in marks and not asks:
        return False
    before = prose[at - 1] if at > start else ""
    follows = prose[mark.end() + 1 : mark.end() + 2]
    if marks == ".":
        return not _is_abbreviation(prose, start, at, follows)
    # "Why?" she asked · (maybe five?) people · well... perhaps · the ? operator
    if follows.islower() and (
        mark["closing"] or not before or before in " \t" or ("!" not in marks and not asks)
    ):
        return False
    return not (before and before in "\"'“‘«([{`" and len(marks) == 1)


def _is_abbreviation(prose: str, start: int, at: int, follows: str) -> bool:
    words = prose[max(start, at - 12) : at].rsplit(None, 1)
    word = words[-1].lstrip("([\"'“„«*_").lower() if words and not prose[at - 1 : at].isspace() else ""
    if not word:
        return False
    if word in _ABBREVIATIONS:
        return not (word in _MAY_END and (follows.isupper() or not follows))
    if len(word) <= 2 and word.isdecimal():
        line_start = prose.rfind("\n", start, at) + 1
        return follows.islower() or not prose[max(start, line_start) : at - len(word)].strip()
    # "J. Smith" and "z. B. so", but not "solve for x. Then"
    return (
        len(word) == 1 and word.isalpha() and word != "i" and (prose[at - 1].isupper() or follows.islower())
    )


def _line_ends_sentence(prose: str, mark: re.Match[str]) -> bool:
    at, next_line = mark.span()
    if next_line - at > 1 and prose.count("\n", at, next_line) > 1:
        return True
    follows = prose[next_line : next_line + 1]
    before = prose[at - 1 : at]
    if before in ",-;:،、":
        return False
    return (
        follows.isupper()
        or follows in "¿¡«“\"'"
        or at < SHORT_LINE
        or prose.find("\n", at - SHORT_LINE, at) >= 0
    )
