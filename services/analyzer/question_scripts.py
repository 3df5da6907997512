"""Detection of questions without a question mark in languages whose words are not looked up.

Each pattern begins with a literal or a set, so that the text before a match is skipped quickly. Endings are compared
with the end of the sentence only; words that must precede others are searched only there.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final

EXAMINED_PLACES: Final = 50
"""Maximum number of occurrences examined per word that makes a question only after a question word."""

_SPACE: Final = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_HAN_END: Final = r"(?:[。！!…~～\s]|$)"
_HAN: Final = (
    rf"吗{_HAN_END}|嗎{_HAN_END}|么{_HAN_END}|麼{_HAN_END}"
    r"|什(?<!没什)(?<!都什)[么麼](?!都|也)|甚(?<!没甚)(?<!都甚)[么麼](?!都|也)|怎[么麼](?!都|也)"
    r"|为什么|為什麼|为何|為何|哪[里裡個个些儿种種]|是不是|能不能|可不可以|有没有|有沒有|会不会|會不會|要不要"
    r"|好不好|对不对|應不應該|该不该|多少|多久|多大|多长时间|几[点个天次岁种]|幾[點個天次]|如何|是否|请问|請問"
    r"|能否|可否|谁[^都也]|誰[^都也]|呢[？。!！\s]*+$"
)
_HAN_STATEMENT: Final = (
    r"没什[么麼]|沒什[么麼]|无论|無論|不管|什[么麼]都|怎[么麼]都|没怎|沒怎|不知道[^，。]{0,3}[说說]什"
)
_JAPANESE: Final = (
    r"か(?:(?:(?<=[のるたうなんき]か)|(?<=(?:です|ます|ない|いい)か))(?:ね|な|しら)?(?:[。！!…\s]|$)"
    r"|な[。ぁあ！\s]*+$|しら[。\s]*+$)|教えて"
)
_KNOW_IN_JAPANESE: Final = "知りたい"
_ASKED_IN_JAPANESE: Final = (
    "なぜ", "何", "どこ", "いつ", "誰", "どれ", "どの", "どんな", "いくら", "どう", "方法", "理由", "のか"
)  # fmt: skip
_KOREAN: Final = r"알려\s?(?:줘|주|줄)|가르쳐"
_KOREAN_ENDS: Final = tuple(
    "까 까요 나 나요 죠 죠요 가 니 냐 은가요 는가요 인가요 건가요 을까요 래요 던가요 는데요? 는지요".split()
)
_KOREAN_TAIL: Final = ".!~…ㅋㅎㅠ" + _SPACE
_TELL_IN_KOREAN: Final = ("알려", "설명해", "궁금", "모르겠")
_TOLD_IN_KOREAN: Final = tuple(
    "어떻게 왜 무엇 뭐가 뭔가 뭘 언제 어디 누가 얼마 몇 무슨 어떤 어느 차이 방법 는지 은지 인지 할지".split()
)
_VERB_ENDS_IN_KOREAN: Final = ("거야", "요", "지", "야", "해", "돼", "임")
_ASKED_IN_KOREAN: Final = tuple("왜 어떻게 뭐 무엇 어디 언제 얼마".split())
_HINDI: Final = r"क(?<!\Sक)(?:्या|ैसे|्यों|ब|हाँ|हां|ौन|ितन[ाेी]|िस|ौनसा|िसने|िसका)(?:\s|$|[।?])"
_TURKISH: Final = (
    r"\s(?:m[iıuü](?:yim|yım|yum|yüm|sin|sın|sun|sün|siniz|sınız|sunuz|sünüz|yiz|yız|yuz"
    r"|yüz|dir|dır|dur|dür|ydi|ydı)"
    r"|mı|mü|nasıl|neden|nedir|niye|nerede|hangisi|hangi|kaç|ne kadar|ne zaman)(?:\s|[.!…]"
    r"|$)|\sm[iu][.!…\s]*$"
)
_TURKISH_ENDS: Final = tuple(f" m{vowel}{person}" for vowel in "iu" for person in ("", "yim", "sin", "siniz"))
_THAI: Final = (
    r"ไหม|อะไร|ทำไม|อย่างไร|ยังไง|ที่ไหน|เมื่อไหร่|เมื่อไร|กี่|หรือเปล่า|หรือไม่|เท่าไหร่"
    r"|เท่าไร|ใคร|มั้ย"
)
_RUSSIAN: Final = r"\S++(?:\s\S++)? ли\s"
_VIETNAMESE_ENDS: Final = ("không", "gì", "thế nào", "bao nhiêu", "chưa", "sao", "ở đâu")
_ANY: Final = "[\u0900-\u097f\u0e01-\u0e4e\u3041-\u309f\u4e00-\u9fff\uac00-\ud7a3ıİşğçạảấầậếềệộốồớờợứừựđ]"

Asks = Callable[[str], bool]
"""Whether a sentence without a question mark asks."""

_pattern: Final = cache(re.compile)
"""Compile a pattern on first use; few messages need more than one."""


def scripts_in(prose: str) -> list[Asks]:
    """Return the rules that can apply to `prose`."""
    turkish = prose.rstrip(".!" + _SPACE).endswith(_TURKISH_ENDS)
    if prose.isascii():
        return [_turkish] if turkish else []
    rules: list[Asks] = [_russian] if " ли " in prose else []
    if _pattern(_ANY).search(prose):
        rules += [asks for has, asks in _RULES if _pattern(has).search(prose)]
    if turkish and _turkish not in rules:
        rules.append(_turkish)
    return rules


def _han(sentence: str) -> bool:
    return bool(_pattern(_HAN).search(sentence)) and not _pattern(_HAN_STATEMENT).search(sentence)


def _japanese(sentence: str) -> bool:
    return bool(_pattern(_JAPANESE).search(sentence)) or (
        _KNOW_IN_JAPANESE in sentence
        and any(
            _stands_before(sentence, at, _ASKED_IN_JAPANESE, 40, "。\n")
            for at in _places(sentence, (_KNOW_IN_JAPANESE,))
        )
    )


def _korean(sentence: str) -> bool:
    if _pattern(_KOREAN).search(sentence):
        return True
    end = sentence.rstrip(_KOREAN_TAIL)
    if end.endswith(_KOREAN_ENDS) or any(
        _stands_before(sentence, at, _TOLD_IN_KOREAN, 40, ".\n") for at in _places(sentence, _TELL_IN_KOREAN)
    ):
        return True
    verb = next((verb for verb in _VERB_ENDS_IN_KOREAN if end.endswith(verb)), "")
    return verb != "" and _stands_before(end, len(end) - len(verb), _ASKED_IN_KOREAN, 30, ".\n")


def _hindi(sentence: str) -> bool:
    return bool(_pattern(_HINDI).search(sentence))


def _turkish(sentence: str) -> bool:
    return bool(_pattern(_TURKISH).search(sentence))


def _thai(sentence: str) -> bool:
    return bool(_pattern(_THAI).search(sentence))


def _russian(sentence: str) -> bool:
    return " ли" in sentence and bool(_pattern(_RUSSIAN).match(sentence))


def _vietnamese(sentence: str) -> bool:
    return sentence.rstrip(".!" + _SPACE).endswith(_VIETNAMESE_ENDS)


_RULES: Final[tuple[tuple[str, Asks], ...]] = (
    ("[\u4e00-\u9fff]", _han),
    ("[\u3041-\u309f]", _japanese),
    ("[\uac00-\ud7a3]", _korean),
    ("[\u0900-\u097f]", _hindi),
    ("[ıİşğç]", _turkish),
    ("[\u0e01-\u0e4e]", _thai),
    ("[ạảấầậếềệộốồớờợứừựđ]", _vietnamese),
)


def _places(sentence: str, words: tuple[str, ...]) -> Iterator[int]:
    """Yield the positions of `words` in `sentence`, at most `EXAMINED_PLACES` for each word."""
    for word in words:
        at = sentence.find(word)
        for _ in range(EXAMINED_PLACES):
            if at < 0:
                break
            yield at
            at = sentence.find(word, at + 1)


def _stands_before(sentence: str, at: int, words: tuple[str, ...], reach: int, stops: str) -> bool:
    """Whether one of `words` ends at most `reach` characters before `at`, with none of `stops` in between."""
    near = sentence[max(0, at - reach - 3) : at]
    near = near[max(near.rfind(stop) for stop in stops) + 1 :]
    return any(len(near) - at - len(word) <= reach for word in words if (at := near.rfind(word)) >= 0)
