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
    rf"[吗嗎么麼]{_HAN_END} 什(?<!没什)(?<!都什)[么麼](?!都|也) 甚(?<!没甚)(?<!都甚)[么麼](?!都|也) "
    r"怎[么麼样樣](?!都|也) [为為]什[么麼] [为為]何 何[种種时時地处處年月日人共] 第[几幾] 哪(?!怕|吒) "
    r"是不是 能不能 可不可以 有没有 有沒有 会不会 會不會 要不要 好不好 对不对 應不應該 该不该 "
    r"多少(?<![没沒]多少)(?![有都会會]) 多久 多大 多长时间 有多[长長高远遠重深快] "
    r"[几幾](?<![了好这這那前后後过過十有0-9][几幾])[点點个個天次岁歲种種码碼] "
    r"如何(?<![学學会會于於论論究展示]如何) 是否(?<![确確]定是否) 请问 請問 能否 可否 谁[^都也] "
    r"誰[^都也] [谁誰]$ 呢[？。!！\s]*+$"
).split()
_HAN_STATEMENT: Final = (
    r"没什[么麼]|沒什[么麼]|无论|無論|不管|什[么麼]都|怎[么麼]都|没怎|沒怎|不知道[^，。]{0,3}[说說]什"
)
_JAPANESE: Final = (
    r"か(?:(?:(?<=[のるたうなんき]か)|(?<=(?:です|ます|ない|いい)か))(?:ね|な|しら)?(?:[。！!…\s]|$)"
    r"|な[。ぁあ！\s]*+$|しら[。ん\s]*+$"
    r"|(?:どうか)?(?:を|について|、)?(?:簡単に|詳しく)?(?:教え|説明|調べ|計算|確認|判断|述べ|答え)"
    r"[^。]{0,6}(?:ください|下さい|て[。\s]|て$|せよ|なさい))|教えて"
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
_VERB_ENDS_IN_KOREAN: Final = tuple("거야 요 지 야 해 돼 임 어 아 더라 려 래 네 나 냐".split())
_ASKED_IN_KOREAN: Final = tuple(
    "왜 어떻게 뭐 뭐가 무엇 어디 어디가 어디더 언제 얼마 누구 누가 몇 무슨 어느 어떤".split()
)
_HINDI: Final = r"क(?<!\Sक)(?:्या|ैसे|्यों|ब|हाँ|हां|ौन|ितन[ाेी]|िस(?:े|स?े|के|की|का|ने|में|से)?|िन|िन्हें|ौनसा)(?:\s|$|[।?])"
_TURKISH: Final = (
    r"\s(?=[hkmn])(?:m[iıuü](?:yim|yım|yum|yüm|sin|sın|sun|sün|siniz|sınız|sunuz|sünüz|yiz|yız|yuz"
    r"|yüz|dir|dır|dur|dür|ydi|ydı|ydu)"
    r"|mı|mü|nasıl|neden(?! ol)|nedir|nelerdir|niye|niçin|nereye|nereden|nerede|neredeydi|neydi|neyi|neye|neyle"
    r"|neler|hangisi|hangi|kaçı?|kaçıncı|kaçta|neyin|nelerdi|kimdi|kimlerdir|ne (?:tür|gibi|kadar"
    r"|kadardı|zaman|zamandı|oldu|oluyor|dedi)"
    r"|kim|kimdir|kimler|kimin|kime|kimle)(?:\s|[.!…]|$)|\sm[iu][.!…\s]*$|\sne (?!yazık|de "
    r"|var ki)\w{1,20}(?:\s\w{1,20})?[.\s]*$"
)
_TURKISH_CLAUSE: Final = (
    r"\b(?:nasıl|neden|niye|niçin|nere\w{0,9}|hangi\w{0,9}|kaç|ne|kim\w{0,9})\s[^.!?,;]{0,60}"
    r"(?:[dt][ıiuü]ğ[ıiuü]|[ae]ca?e?ğ[ıi](?!z)|[ıiuü]yorsa|[aeıiuü]rs[ae])|([a-zçğıöşü]{2,20}+) m[ıiuü] \1|bir kaç"
)
_TURKISH_ENDS: Final = (
    *(f" m{vowel}{person}" for vowel in "iu" for person in ("", "yim", "sin", "siniz")),
    *(f" {word}" for word in "nedir hangisi kaç neresi nasıl kim kimdir neydi nerede".split()),
    " ne zaman",
)
_THAI: Final = (
    r"[ไมหเอยใทกแค](?:(?<=ไ)หม(?!้)|(?<=ม)ั้ย|(?<=ห)รือ(?:เปล่า|ไม่|ยัง)|(?<=เ)(?:ท่า|มื่อ)(?:ไหร่|ไร|ใด)"
    r"|(?<=อ)(?:ย่างไร|ะไร)|(?<=ย)ังไง|(?<=ใ)คร|(?<=ไ)หน|(?<=ใ)ด|(?<=ท)ำไม)"
    r"(?:บ้าง|ดี|ได้)?(?:ครับ|คับ|คะ|ค่ะ|ค่า|นะ|ล่ะ|เนี่ย|เหรอ){0,3}[.!…]*+(?:\s|$)"
    r"|ใด(?!\s?ๆ|ก็|นั้น|จะ)|กี่(?<!เกี่)|เท่าไ(?:ร|หร่)(?=ใน|เมื่อ|ต่อ)|คืออะไร|ว่าอะไร|เป็นอย่างไร"
    r"|(?:คน|ชนิด|แห่ง|แบบ|ประเภท|อัน|ตัว)ไหน|อะไรบ้าง|ที่ไหน(?!ก็)|แค่ไหน(?!ก็)"
)
_THAI_FIRST: Final = ("ทำไม", "ใคร", "อะไร", "เหตุใด", "เมื่อไร", "เมื่อไหร่", "เมื่อใด", "กี่")
_THAI_STATEMENT: Final = "อย่างไรก็|อย่างใด|ใด ๆ|ใดๆ|ไม่มีใคร|ไม่มีอะไร|ไม่ว่า|อะไรก็|ใครก็|ว่าทำไม|ว่าจะ|โดยไม่|ไม่กี่"
_WHAT_AT_THE_END: Final = (
    r" (?:in|on|at|to|from|of|by|with|for|under|after|as|like) what(?: (?!(?:s?he|it|they|we|you|i"
    r"|was|is|are|were|was"
    r"|became|seemed|follows|happened|had|remains)\b)\w{1,20}){0,2}[.\s]*$"
)
_RUSSIAN: Final = r"\S++(?:\s\S++)? ли\s"
_VIETNAMESE: Final = (
    r"\s(?:khi nào|bao (?:nhiêu|lâu|giờ)|thế nào|(?:tại|vì|ra) sao|(?:ở|từ) đâu|đâu là|là (?:gì|ai)"
    r"|(?:điều|cái) gì(?! đó)|phải không)"
    r"(?:\s|[.!]|$)|\s(?:nào|gì)(?! đó| cũng| cả| khác| hết| đấy|\w)"
)
_VIETNAMESE_FIRST: Final = tuple(
    "ai |điều gì|khi nào|bao nhiêu|tại sao|vì sao|làm thế nào|làm sao".split("|")
)
_VIETNAMESE_STATEMENT: Final = (
    r"bất (?:kỳ|kì|cứ)|(?:không|chẳng|chưa|đừng|biết|hiểu)\s[^.,]{0,30}(?:nào|gì|sao|đâu)"
    r"|nào\s[^.,]{0,40}cũng|nào cũng|bao giờ mà|(?:chưa|không) bao giờ|ai cũng|nào đó\b|ai đó\b"
)
_VIETNAMESE_ENDS: Final = tuple("gì|thế nào|bao nhiêu|sao|ở đâu|đâu|nào| ai".split("|"))
_VIETNAMESE_LAST: Final = tuple("là gì|khi nào|như thế nào|điều gì|cái gì|ở đâu|là ai|bao nhiêu".split("|"))
_VIETNAMESE_PARTICLES: Final = tuple(" không| chưa| à| hả| nhỉ".split("|"))
_GERMAN_CHOICE: Final = r"[^,]*?\s(?:welche[rsmn]?|wessen)\s(?:[a-zäöüß]{1,20}(?:e|en|er) )?[A-ZÄÖÜ]"
"""A choice that no comma precedes, as one would before an embedded question."""
_RUSSIAN_CHOICE: Final = (
    r"[^,]*?\s(?:как(?:ой|ого|ую|ом|им|ие|их|ое|ая|ими)|чего|чему|кого|кому|сколько)\s(?<!ни как...)(?!-)"
)
_FRENCH: Final = (
    r"-(?:ils?|elles?|(?<=[tx]-)on|(?<=[dt]-)on|(?<=va-)on|(?<=[sxe]-|i-)je|(?<=[sx]-)tu|(?<=ons-)nous|(?<=mmes-)nous"
    r"|(?<=[vl]ez-)vous|(?<=nsez-)vous|(?<=oyez-)vous|(?<=tes-)vous)\b"
)
_FRENCH_ENDS: Final = r"\bquoi[.\s]*+$|\b(?:pour|dans|de|à|en|sur|avec|par|chez) quel(?:le)?s? [\w' ]{1,30}$"
_SPANISH: Final = (
    r", (?:[Dd]e |[Ee]n |[Aa] |[Pp]or |[Cc]on |[Pp]ara )?(?:qué|quién|quiénes|cuál|cuáles|cuánt[oa]s?|cómo|dónde) "
    r"| de quién(?:es)?[.\s]*+$"
)
_SPANISH_STATEMENT: Final = r"\b(?:[Ss]é|[Ss]ab|pregunt|expli|ver[,á]|dijo|entend|comprend|record)"
_GREEK: Final = (
    r"(?:^|[\s,])(?:τι|ποι[οόα]ν?|ποιες|ποιους|ποιανού|πόσ(?:ο|οι|α|η|ες|ους))\s(?<!ό,τι\s)(?!κι|και)"
)
_GREEK_STATEMENT: Final = r"ξέρ|ρώτ|ρωτ|κατάλαβ|γνωρίζ|μάθ|σχετικά με|αποφ|καθορ|όσο"
_FRENCH_STATEMENT: Final = (
    r"^\W*+(?!av|pouv|dev|all|ser|aur)\w{1,20}ons-nous|^\W*+(?:aussi|peut-être|ainsi|sans doute"
    r"|à peine|encore|du moins|toujours|dit)\b"
    r"|[,»\"”]\s*+\w{1,20}(?:-t)?-(?:ils?|elles?|on|je)\b|de quoi \w|quoi que|n'importe"
)
_ANY: Final = (
    "[áéóτπкч\u0621-\u064a\u0900-\u097f\u0e01-\u0e4e\u3041-\u309f\u4e00-\u9fff\uac00-\ud7a3"
    "ıİşğç\u1ea0-\u1ef9đơư]"
)

Asks = Callable[[str], object]
"""A test of a sentence without a question mark."""


Rule = tuple[Asks, Asks]
"""Whether the sentence has the letters without which a rule finds nothing, and whether it asks by that rule."""


_pattern: Final = cache(re.compile)
"""Compile a pattern on first use; few messages need more than one."""


def rules_for(prose: str, languages: Callable[[], list[str]]) -> tuple[list[Rule], list[Rule]]:
    """Return the rules that can apply to `prose`, whose words tell that it may be in `languages`.

    The first of them are those that can find a question in a sentence of ASCII characters.
    """
    in_ascii: list[Rule] = []
    if _has_hyphen_or_question_word(prose) and ("fr" in languages() or "-t-" in prose):
        in_ascii.append((_has_hyphen_or_question_word, _french))
    if "en" in languages() and " what" in prose:
        in_ascii.append((_ends_with_what, bool))
    if "de" in languages() and (" welche" in prose or " wessen " in prose):
        in_ascii.append((_names_a_german_choice, bool))
    turkish = prose.rstrip(".!" + _SPACE).endswith(_TURKISH_ENDS) or (
        "tr" in languages() and (" ne " in prose or " nere" in prose or " kim" in prose or " hangi" in prose)
    )
    if turkish:
        in_ascii.append((bool, _turkish))
    rules: list[Rule] = []
    if prose.isascii():
        return in_ascii, rules
    if " ли " in prose:
        rules.append((bool, _russian))
    if _pattern(_ANY).search(prose):
        encoded = prose.encode(errors="replace")
        searches = [
            (_pattern(letters).search, asks)
            for leads, letters, asks in _RULES
            if any(lead[0] in encoded and lead in encoded for lead in leads)
        ]
        rules += [(has, asks) for has, asks in searches if has(prose) and not (turkish and asks is _turkish)]
    return in_ascii, rules


def _names_a_german_choice(sentence: str) -> bool:
    return " we" in sentence and bool(_pattern(_GERMAN_CHOICE).match(sentence))


def _ends_with_what(sentence: str) -> bool:
    return " what" in sentence[-40:] and bool(_pattern(_WHAT_AT_THE_END).search(sentence[-48:]))


def _has_hyphen_or_question_word(sentence: str) -> bool:
    return "-" in sentence or " qu" in sentence


@cache
def _han_pattern() -> re.Pattern[str]:
    """Return the pattern of all forms of `_HAN`, which begins with one set."""
    rests: dict[str, list[str]] = {}
    for form in _HAN:
        first = form[: form.index("]") + 1] if form[0] == "[" else form[0]
        rests.setdefault(first, []).append(form.removeprefix(first))
    forms = "|".join(f"(?<={first})(?:{'|'.join(behind)})" for first, behind in rests.items())
    return re.compile(f"[{''.join(rests).replace('[', '').replace(']', '')}](?:{forms})")


def _han(sentence: str) -> bool:
    if not _han_pattern().search(sentence) or _pattern("[\u3041-\u309f]").search(sentence):
        return False  # the latter is Japanese
    return not _pattern(_HAN_STATEMENT).search(sentence)


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
    if (end.endswith(_KOREAN_ENDS) and not end.endswith("맛나요")) or any(
        _stands_before(sentence, at, _TOLD_IN_KOREAN, 40, ".\n") for at in _places(sentence, _TELL_IN_KOREAN)
    ):
        return True
    verb = next((verb for verb in _VERB_ENDS_IN_KOREAN if end.endswith(verb)), "")
    return verb != "" and _stands_before(end, len(end) - len(verb), _ASKED_IN_KOREAN, 30, ".\n")


def _hindi(sentence: str) -> bool:
    return bool(_pattern(_HINDI).search(sentence))


def _turkish(sentence: str) -> bool:
    return bool(_pattern(_TURKISH).search(sentence)) and not _pattern(_TURKISH_CLAUSE).search(sentence)


def _thai(sentence: str) -> bool:
    asks = bool(_pattern(_THAI).search(sentence)) or sentence.strip().startswith(_THAI_FIRST)
    return asks and not _pattern(_THAI_STATEMENT).search(sentence)


def _russian(sentence: str) -> bool:
    return " ли" in sentence and bool(_pattern(_RUSSIAN).match(sentence))


def _russian_choice(sentence: str) -> bool:
    return bool(_pattern(_RUSSIAN_CHOICE).match(sentence))


def _vietnamese(sentence: str) -> bool:
    lowered = sentence.lower().strip(".! " + _SPACE)
    if lowered.endswith((*_VIETNAMESE_PARTICLES, *_VIETNAMESE_LAST)):
        return True
    asks = lowered.startswith(_VIETNAMESE_FIRST) or lowered.endswith(_VIETNAMESE_ENDS)
    return (asks or bool(_pattern(_VIETNAMESE).search(lowered))) and not _pattern(
        _VIETNAMESE_STATEMENT
    ).search(lowered)


def _spanish(sentence: str) -> bool:
    return bool(_pattern(_SPANISH).search(sentence)) and not _pattern(_SPANISH_STATEMENT).search(sentence)


def _greek(sentence: str) -> bool:
    return bool(_pattern(_GREEK).search(sentence)) and not _pattern(_GREEK_STATEMENT).search(sentence)


def _french(sentence: str) -> bool:
    lowered = sentence.lower()
    return bool(_pattern(_FRENCH).search(lowered) or _pattern(_FRENCH_ENDS).search(lowered)) and not _pattern(
        _FRENCH_STATEMENT
    ).search(lowered)


_RULES: Final[tuple[tuple[tuple[bytes, ...], str, Asks], ...]] = (
    ((b"\xe4", b"\xe5", b"\xe6", b"\xe7", b"\xe8", b"\xe9"), "[\u4e00-\u9fff]", _han),
    ((b"\xe3\x81", b"\xe3\x82"), "[\u3041-\u309f]", _japanese),
    ((b"\xea", b"\xeb", b"\xec", b"\xed"), "[\uac00-\ud7a3]", _korean),
    ((b"\xe0",), "[\u0900-\u097f]", _hindi),
    ((b"\xc3\xa7", b"\xc4", b"\xc5"), "[ıİşğç]", _turkish),
    ((b"\xe0",), "[\u0e01-\u0e4e]", _thai),
    ((b"\xd0", b"\xd1"), " (?:как|кого|кому|чего|чему|сколько)", _russian_choice),
    ((b"\xd9",), "[،,] ?(?:ماذا|كم|أي|ما ه[وي]|ما نوع) ", bool),
    ((b"\xc3",), ", .{0,5}(?:qué|quién|cuál|cuán|cómo|dónde)| de quién", _spanish),
    ((b"\xcf",), "[τπ][ιοό][ισ]?", _greek),
    ((b"\xe1", b"\xc4", b"\xc6"), "[\u1ea0-\u1ef9đơư]", _vietnamese),
)
"""By rule: bytes, one of which every text with its letters has in UTF-8; the letters; the test of a sentence.

To search a text for a byte takes a fraction of the time that a set of letters takes.
"""


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
