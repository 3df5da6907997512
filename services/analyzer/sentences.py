"""Segmentation of prose into sentences.

A sentence ends with an end mark of any script; before a blank line, a list item or a line that opens with a capital
letter; and after a short line, unless that line ends with a comma or the like. A dot after an abbreviation, an
initial or the number of a list item ends nothing.

The pattern takes linear time: each quantifier is possessive or followed by nothing that can fail, and a run can be
entered only at its first character.
"""

import re
from itertools import islice
from typing import Final, NamedTuple

EXAMINED_MARKS: Final = 1_500
"""Maximum number of end marks and line breaks examined one by one. 32 KB of prose have 500 to 1,000."""
SHORT_LINE: Final = 40
"""Characters below which a line counts as broken on purpose."""

Sentence = tuple[int, int, bool]
"""Start and end of a sentence, its end mark included, and whether that mark is a question mark."""


class Sentences(NamedTuple):
    segments: list[Sentence]
    more: int
    """Sentences behind the examined marks, counted by nothing but their marks."""
    more_asking: int
    """Those of them that end with a question mark."""


_CLOSING: Final = "\"'»”’“)\\]*_"
_WESTERN: Final = ".!?…;\u037e‽⁇⁈⁉"
_OTHER: Final = "。！？｡؟۔।॥።፧။។։"
_KANA: Final = "\u3041-\u30ff\u4e00-\u9fff"
_BOUNDARY: Final = re.compile(
    # Begins with one set, so that the text before a match is skipped quickly; look-behinds tell the cases apart.
    rf"[{_WESTERN}{_OTHER}\n](?:"
    # A line break, with the bullet or number of the next line if that is a list item.
    r"(?<=\n)\s*+(?P<item>(?:[-*•–‣·]|\d{1,3}[.)]|[a-zA-Z][)])[ \t])?"
    # Western marks end a sentence before white space, the end, or an emoji or other symbol.
    rf"|(?<=[{_WESTERN}])(?<![{_WESTERN}][{_WESTERN}])[{_WESTERN}]*+(?P<closing>[{_CLOSING}]*+)(?=[^\w!-~]|\Z|(?<=[!?])[{_KANA}])"
    # These marks need no space after them.
    rf"|(?<=[{_OTHER}])[{_OTHER}]*+(?P<other>)[」』”’\"'）)]*+)"
)
_LETTER_OR_DIGIT: Final = re.compile(r"[^\W_]")
_ASKING_MARKS: Final = frozenset("?？؟፧‽⁇⁈⁉\u037e")
_BEYOND_ASCII: Final = [mark for mark in _WESTERN + _OTHER if mark > "\x7f" and mark != "…"]
_CLASSES: Final = bytes.maketrans(
    bytes(range(256)),
    bytes(
        10
        if byte == 10
        else 32
        if chr(byte).isspace()
        else byte
        if byte in b".?"
        else 46
        if byte == 33
        else 97
        for byte in range(128)
    )
    + b"a" * 128,
)
_NO_MARKS: Final = bytes(byte for byte in range(128) if not chr(byte).isalnum() and byte not in b".?!\t\n\r ")
_ABBREVIATIONS: Final = frozenset(
    # English, then German, French, Spanish and Portuguese, Italian, Dutch, Russian
    "dr mr mrs ms prof sr jr st vs e.g i.e eg ie cf al approx dept est fig figs no nos"
    " vol pp ed rev gen sen gov"
    " inc ltd co corp ave blvd rd mt ft lbs oz a.k.a ph.d p.m a.m u.s u.k resp incl excl"
    " min max tel ext sec ch jan feb mar apr"
    " jun jul aug sep sept oct nov dec"
    " z.b z d.h d u.a u bzw ca evtl ggf inkl exkl nr str abs art vgl sog geb hr fr usw"
    " m mme mlle p.ex ex p.ej ej sra srta dra ud uds pág núm sig dott ing avv pag"
    " av distr es v hab bros j.-c prof doç bkz vb yy tp tt gs ths str nr bijv b.v dhr mevr o.a т.е"
    " т.д т.п г гг ул им тыс млн млрд чел род ум ок букв см др руб фр км в вв св"
    " стр рис лат англ нем".split()
)
_LAST_LETTERS: Final = frozenset(word[-3:] for word in _ABBREVIATIONS)
"""The last three letters of each."""
_MAY_END: Final = frozenset(
    "p.m a.m u.s u.k no nos min max sec ex m st str art fr hr co ed ch mar sig г гг al ext км др в"
    " вв руб чел тыс млн es yy tt"
    " mt usw nov dec inc ltd".split()
)
"""Abbreviations that are also words, or often the last word: they end a sentence before a capital letter."""
_TITLES: Final = frozenset("m st mt hr fr".split())
"""Those of them that are titles when capitalised: "M. Dupont", "St. Paul"."""
_BEFORE_ORDINAL: Final = frozenset(
    "am vom zum bis den dem der des im seit ab beim das und jeden jedem zur ins nach dieser diesem"
    " ihrem seinem ihr sein"
    " 's".split()
)
"""German words before an ordinal: "am 6. Mai", "im 19. Jahrhundert"."""
_MONTHS: Final = tuple(
    "januar februar märz april mai juni juli august september oktober november dezember".split()
)


def sentences(prose: str) -> Sentences:  # noqa: C901 -- one pass over the marks
    """Return the sentences of `prose` in order, without those that contain no word."""
    segments: list[Sentence] = []
    start = 0
    has_word = _LETTER_OR_DIGIT.search
    marks = _BOUNDARY.finditer(prose)
    for mark in islice(marks, EXAMINED_MARKS):
        at, end = mark.span()
        which = mark.lastgroup
        asks = False
        if which == "closing":
            length = mark.start(which) - at
            if length == 1 and prose[at] == ".":
                follows = prose[end + 1 : end + 2]
                if (mark[which] and follows.islower()) or _is_abbreviation(prose, start, at, follows):
                    continue
            else:
                asks = _asks(prose, start, at, prose[at : at + length])
                if not _ends_sentence(prose, start, mark, prose[at : at + length], asks=asks):
                    continue
        elif which == "other":
            asks = not _ASKING_MARKS.isdisjoint(prose[at : mark.start(which)])
        elif which is None and not _line_ends_sentence(prose, at, end):
            continue
        else:
            end = at
        if (start + 1 < end and prose[start + 1].isalnum()) or has_word(prose, start, end):
            segments.append((start, end, asks))
        start = mark.end()
    if next(marks, None):
        return Sentences(segments, *_by_marks(prose[start:]))
    if has_word(prose, start):
        segments.append((start, len(prose), False))
    return Sentences(segments, 0, 0)


def _by_marks(prose: str) -> tuple[int, int]:
    """Return how many sentences `prose` has if each line, and each end mark before white space, ends one.

    The second number is how many of them are questions.
    """
    if not prose.isascii():
        for mark in _BEYOND_ASCII:
            prose = prose.replace(mark, "? " if mark in _ASKING_MARKS else ". ")
    text = (
        prose.encode(errors="replace")
        .translate(_CLASSES, _NO_MARKS)
        .replace(b"..", b".")
        .replace(b"?.", b"?")
        .replace(b".?", b"?")
    )
    text = text.replace(b". ", b"\n").replace(b"? ", b"?\n").replace(b" ", b"") + b"\n"
    asking = text.count(b"a?\n")
    return text.count(b"a\n") + text.count(b"a.\n") + asking, asking


def _asks(prose: str, start: int, at: int, marks: str) -> bool:
    if not _ASKING_MARKS.isdisjoint(marks):
        return True
    # The Greek question mark looks like a semicolon and becomes one when normalised.
    return marks == ";" and at > start and "\u0370" <= prose[at - 1] <= "\u03ff"


def _ends_sentence(prose: str, start: int, mark: re.Match[str], marks: str, *, asks: bool) -> bool:
    at = mark.start()
    if ";" in marks and not asks:
        return False
    before = prose[at - 1] if at > start else ""
    follows = prose[mark.end() + 1 : mark.end() + 2]
    # "Why?" she asked · (maybe five?) people · well... perhaps · the ? operator
    if follows.islower() and (
        mark["closing"] or not before or before in " \t" or ("!" not in marks and not asks)
    ):
        return False
    if before and before in "\"'" and at - 1 > start:
        return not prose[at - 2].isspace() or len(marks) > 1
    return not (before and before in "\"'“‘«([{`" and len(marks) == 1)


def _is_abbreviation(prose: str, start: int, at: int, follows: str) -> bool:
    last = prose[at - 3 : at]
    if (
        last.isalpha()
        and len(last) == 3
        and last.lower() not in _LAST_LETTERS
        and (not follows.islower() or last.strip("IVX"))
    ):
        return False  # as most words
    words = prose[max(start, at - 16) : at].rsplit(None, 1)
    word = words[-1].lstrip("([\"'“„«*_").lower() if words and not prose[at - 1 : at].isspace() else ""
    if not word:
        return False
    if word in _ABBREVIATIONS:
        titled = word in _TITLES and prose[at - len(word)].isupper() and follows
        return bool(titled) or not (word in _MAY_END and (follows.isupper() or not follows))
    if len(word) <= 2 and word.isdecimal():
        return (
            follows.islower()
            or _opens_line(prose, start, at - len(word))
            or (bool(follows) and words[0].rpartition(" ")[2].lower() in _BEFORE_ORDINAL)
            or prose[at + 2 : at + 20].lower().startswith(_MONTHS)
        )
    if len(word) == 3 and word[1] == "." and prose[at - 1].isupper() and follows.isupper():
        return True  # "J.R. Smith"
    # "J. Smith", "z. B. so" and "Ludwig XIV. war", but not "solve for x. Then"
    capital, goes_on = prose[at - 1].isupper(), follows.islower()
    return (len(word) == 1 and word.isalpha() and word != "i" and (capital or goes_on)) or (
        capital and goes_on and not word.strip("ivx")
    )


def _opens_line(prose: str, start: int, at: int) -> bool:
    """Whether only white space stands between `at` and the start of its line or sentence."""
    near = prose[max(start, at - 64) : at]
    line = near.rpartition("\n")[2]
    if line.strip() or len(line) < len(near) or at - 64 <= start:
        return not line.strip()
    return not prose[max(start, prose.rfind("\n", start, at) + 1) : at].strip()


def _line_ends_sentence(prose: str, at: int, next_line: int) -> bool:
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
