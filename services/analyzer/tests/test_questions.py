"""What asks and what does not, in many languages."""

import pytest

from services.analyzer.core import analyze
from shared.contracts import limits


@pytest.mark.parametrize(
    ("text", "questions"),
    [
        ("What is love? Baby don't hurt me.", ["What is love?"]),
        ("how do i reverse a list", ["how do i reverse a list"]),
        ("Where? When? Why?", ["Where?", "When?", "Why?"]),
        ("I wonder whether it rains.", ["I wonder whether it rains."]),
        ("Tell me how to knit.", ["Tell me how to knit."]),
        ("It's late, isn't it", ["It's late, isn't it"]),
        ("Hi, my car is red, what should i do", ["what should i do"]),
        ("¿Qué hora es? Gracias.", ["¿Qué hora es?"]),
        ("Use `a ? b : c`. Is it fast?", ["Is it fast?"]),
        ("Ça marche ? Merci.", ["Ça marche ?"]),
        ("什么是递归？谢谢。", ["什么是递归？"]),
    ],
)
def test_questions_are_quoted(text, questions):
    """Each question is given as it stands in the message."""
    assert list(analyze(text).questions) == questions


@pytest.mark.parametrize(
    "text",
    [
        "kann ich das essen",
        "wo ist der bahnhof",
        "Ich frage mich, ob das stimmt.",
        "Weiß jemand, wie das geht",
        "est-ce que tu viens",
        "pourquoi il pleut",
        "Je me demande si c'est vrai.",
        "comment faire du pain",
        "como puedo llegar",
        "No sé si es verdad.",
        "come posso pagare",
        "alguém sabe o horário",
        "Qual é o preço",
        "hoe laat is het",
        "weet iemand waarom",
        "これは何ですか",
        "本当かな",
        "你是谁吗",
        "为什么下雨",
        "이거 뭐예요 왜 이래요",
        "어디 가나요",
        "هل تسمعني",
        "كيف الحال",
        "как это работает",
        "почему небо синее",
        "यह क्या है",
        "bu doğru mu",
        "saat kaç",
        "czy to działa",
        "vad kostar det",
        "apakah ini benar",
        "πώς πάει",
        "чому так",
        "האם זה נכון",
        "ราคาเท่าไหร่",
    ],
)
def test_questions_need_no_mark_in_any_language(text):
    """A question without its mark is found by its words."""
    assert analyze(text).question_count == 1


@pytest.mark.parametrize(
    "text",
    [
        "Write a function that sorts a list.",
        "Explain recursion.",
        "What a day!",
        "When I came home, it was dark.",
        "Should you need help, call me.",
        "Which is why I left.",
        "???",
        "The ? key is stuck.",
        'She asked "where are you?" and left.',
        "see https://example.org/?q=what&a=b for more",
        "const a = b ? c : d;\nconst e = f?.g;",
        "SELECT * FROM t WHERE a = ? AND b = ?;",
        "```\nwhat? why?\n```",
        "Let me know if you need anything.",
        "So can I. Neither do we.",
        "Wo ich wohne, ist es still.",
        "Quand je dors, je rêve.",
        "Cuando llegué, mi hermana ya dormía.",
        "Come ti dicevo, mi dispiace.",
        "Когда я пришёл, все спали.",
        "静かな夜でした。",
        "没什么，谢谢。",
        "오늘은 비가 옵니다.",
        "Lütfen bunu çevir.",
    ],
)
def test_statements_and_orders_are_no_questions(text):
    """Orders, exclamations, clauses, quotations, code and URLs do not ask."""
    assert analyze(text).questions == ()
    assert not analyze(text).is_question


def test_questions_are_bounded():
    """All questions are counted; the first ones are given, each cut at a code point."""
    analysis = analyze("Wer ist das " + "😀" * 300 + "? " + "Wo? " * 50)
    assert analysis.question_count == 51
    assert len(analysis.questions) == limits.QUESTIONS
    assert len(analysis.questions[0]) == limits.QUESTION_CHARS
