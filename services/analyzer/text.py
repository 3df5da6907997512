"""Word counts by the rules of each writing system (script).

A word, by script:
- scripts that put spaces between words (Latin, Cyrillic, Greek, Arabic, Hebrew, Devanagari, Hangul…): each part
  between white space, ellipses and em dashes that contains a letter or a digit. A URL is one word;
- Han: every ideograph, as word processors count;
- katakana: every run; hiragana: every group of up to four characters of a run;
- Thai, Lao, Khmer, Myanmar: every group of up to four code points of a run (an approximation, as these
  scripts have no spaces).
Emoji, however composed, and lone punctuation are not words.

Counting takes linear time.
"""

import re
from functools import cache
from typing import Final

_HAN: Final = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HIRAGANA: Final = "\u3041-\u309f"
_KATAKANA: Final = "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_UNSPACED: Final = "\u0e01-\u0e3a\u0e40-\u0e4e\u0e80-\u0ece\u1000-\u109f\u1780-\u17d3"
_CJK_MARKS: Final = (
    "\u3000-\u3004\u3006\u3008-\u303f\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)

_KEYCAP: Final = re.compile("[0-9#*]\ufe0f?\u20e3")
_OTHER_SPACE: Final = re.compile(r"[^\S\x00-\x7f]")
_SPACES_BEGIN: Final = (b"\xc2", b"\xe1\x9a", b"\xe2", b"\xe3")
"""How white space beyond ASCII begins in UTF-8; to look for these bytes takes a fraction of the time."""
_OTHER_MARK: Final = re.compile(r"[^\w\x00-\x7f]+")

_ASCII: Final = [chr(code) for code in range(128)]
_LETTER_OR_SPACE: Final = bytes(32 if char.isspace() else 97 for char in _ASCII) + b"a" * 128
"""Maps every space to a space, and every other byte (of UTF-8, so of any letter) to an `a`."""
_MARKS: Final = bytes(ord(char) for char in _ASCII if not char.isspace() and not char.isalnum())


@cache
def _script_rules() -> tuple[re.Pattern[str], ...]:
    """Return the patterns for scripts without spaces: any of their characters; runs of Han; one word of hiragana, of
    katakana and of the unspaced scripts; their punctuation.

    They are compiled on first use, because they are the slowest to compile and few messages need them.
    """
    rules = (
        f"[{_HAN}]+",
        f"[{_HIRAGANA}]{{1,4}}",
        f"[{_KATAKANA}]+",
        f"[{_UNSPACED}]{{1,4}}",
        f"[{_CJK_MARKS}]+",
    )
    anything = f"[{_HAN}{_HIRAGANA}{_KATAKANA}{_UNSPACED}{_CJK_MARKS}]"
    return tuple(re.compile(rule) for rule in (anything, *rules))


def count_words(text: str) -> int:
    if text.isascii():
        return _spaced_words(text)
    if "\u20e3" in text:
        text = _KEYCAP.sub(" ", text)
    text = text.replace("\u200b", " ").replace("—", " ").replace("…", " ")
    words = 0
    anything, han, *units, marks = _script_rules()
    if anything.search(text):
        without, runs = han.subn(" ", text)
        words = len(text) - len(without) + runs
        text = without
        for unit in units:
            text, count = unit.subn(" ", text)
            words += count
        text = marks.sub(" ", text)
    encoded = text.encode(errors="replace")
    if any(lead in encoded for lead in _SPACES_BEGIN):
        text = _OTHER_SPACE.sub(" ", text)
    return words + _spaced_words(_OTHER_MARK.sub("", text))


def _spaced_words(text: str) -> int:
    """Count the parts between ASCII white space that contain a letter or digit; non-ASCII characters are letters."""
    letters = text.encode().translate(_LETTER_OR_SPACE, _MARKS)
    return letters.count(b" a") + letters.startswith(b"a")
