"""Words, sentences and characters, script by script."""

import pytest

from services.analyzer.core import analyze
from services.analyzer.sentences import sentences
from services.analyzer.text import count_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The quick brown fox.", 4),
        ("well-known don't co-op", 3),
        ("see https://example.org/a?b=1&c=2 now", 3),
        ("-- ... !!! ,", 0),
        ("one…two—three", 3),
        ("version 1.2.3 costs 3.14", 4),
        ("naïve cafe\u0301 Zoë", 3),
        ("我喜欢学习。", 5),
        ("私はコーヒーを飲みます。", 6),
        ("안녕하세요 오늘 날씨가 좋네요", 4),
        ("مرحبا كيف حالك؟", 3),
        ("שלום עולם", 2),
        ("मेरा नाम रोहन है।", 4),
        ("สวัสดีครับ", 3),
        ("ວຽງຈັນ", 2),
        ("👩‍👩‍👧‍👦 🇩🇪 👍🏽 1️⃣ ❤️", 0),
        ("hello 😀 world👋🏿", 2),
        ("我用Python写code", 5),
        ("Ｈｅｌｌｏ　ｗｏｒｌｄ", 2),
        ("", 0),
    ],
)
def test_words_follow_their_script(text, words):
    """A word is counted by the rule of its script; emoji and lone punctuation are none."""
    assert count_words(text) == words


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("It rains. We stay! Do you?", ["It rains.", "We stay!", "Do you?"]),
        ("Dr. Smith met Mrs. Jones at 5 p.m. on Monday.", ["Dr. Smith met Mrs. Jones at 5 p.m. on Monday."]),
        ("Pi is 3.14, see v1.2.3 or notes.txt. Fine.", ["Pi is 3.14, see v1.2.3 or notes.txt.", "Fine."]),
        ("E.g. this, i.e. one sentence.", ["E.g. this, i.e. one sentence."]),
        ("z. B. heute, d. h. jetzt.", ["z. B. heute, d. h. jetzt."]),
        ("Well... maybe. Wait... What?", ["Well... maybe.", "Wait...", "What?"]),
        ("J. Smith wrote it.", ["J. Smith wrote it."]),
        ("See https://a.example/b?c=d. Then go.", ["See https://a.example/b?c=d.", "Then go."]),
        ("你好。你吃了吗？好！", ["你好。", "你吃了吗？", "好！"]),
        ("هل أنت هنا؟ نعم.", ["هل أنت هنا؟", "نعم."]),
        ("Τι κάνεις; Καλά.", ["Τι κάνεις;", "Καλά."]),
        ("यह ठीक है। धन्यवाद।", ["यह ठीक है।", "धन्यवाद।"]),
        ("¿Qué tal? ¡Bien!", ["¿Qué tal?", "¡Bien!"]),
        ('"Why?" she asked. I left.', ['"Why?" she asked.', "I left."]),
        ("Title\n\nText here", ["Title", "Text here"]),
        ("To buy:\n- milk\n- eggs\n1. go\n2. pay", ["To buy:", "milk", "eggs", "go", "pay"]),
        ("no punctuation here\nand a second line", ["no punctuation here", "and a second line"]),
        ("a comma,\nthen more", ["a comma,\nthen more"]),
        ("Really?!?! 😀 Yes", ["Really?!?!", "😀 Yes"]),
        ("Ça va ? Oui.", ["Ça va ?", "Oui."]),
        ("Sie kam am 3. März an.", ["Sie kam am 3. März an."]),
        ("Im 6. Stock wohnt Ida. Ganz oben.", ["Im 6. Stock wohnt Ida.", "Ganz oben."]),
        ("Karl XII. starb 1718. Er war König.", ["Karl XII. starb 1718.", "Er war König."]),
        ("12. Juni 1950. Ein Montag.", ["12. Juni 1950.", "Ein Montag."]),
        ("The bus leaves at 6. Then we eat.", ["The bus leaves at 6.", "Then we eat."]),
        ("本当ですか?はい｡よかった!では。", ["本当ですか?", "はい｡", "よかった!", "では。"]),
        ("M. Petit et St. Paul. Fin.", ["M. Petit et St. Paul.", "Fin."]),
        ("J.M. Barrie came (at noon.) and left.", ["J.M. Barrie came (at noon.) and left."]),
        ("Город в 5 км. Там 10 тыс. жителей.", ["Город в 5 км.", "Там 10 тыс. жителей."]),
        ("Call it 'Joe's'? Fine.", ["Call it 'Joe's'?", "Fine."]),
        ("?? !! ...", []),
    ],
)
def test_sentences_end_where_they_end(text, parts):
    """An end mark, a blank line, a list item or a short line ends a sentence; an abbreviation does not."""
    assert [text[start:end].strip() for start, end, _ in sentences(text).segments] == parts


def test_a_line_that_is_filled_goes_on():
    """A text wrapped at its margin is not cut at the margin."""
    text = "this is a long line of running text that was wrapped at its margin\nand goes on here."
    assert len(sentences(text).segments) == 1


def test_characters_are_code_points():
    """A family emoji counts as its code points, as the spans' offsets do."""
    assert analyze("👩‍👧é").character_count == 4


def test_code_has_words_but_no_sentences():
    """Words are counted in the whole message, sentences in its prose."""
    analysis = analyze("Look.\n\n```python\nprint('a. b. c.')\n```")
    assert analysis.sentence_count == 1
    assert analysis.word_count > 3
