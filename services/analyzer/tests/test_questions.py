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
        "bu tren nereye gidiyor",
        "mikor indul a vonat",
        "hol van a kulcs",
        "saat kaç",
        "czy to działa",
        "vad kostar det",
        "apakah ini benar",
        "πώς πάει",
        "чому так",
        "האם זה נכון",
        "ราคาเท่าไหร่",
        "how r u",
        "r u home",
        "u there",
        "any1 know a plumber",
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


@pytest.mark.parametrize(
    "text",
    [
        "There was a storm last night.",
        "There are three ways home.",
        "Kim and Lee went home.",
        "O ano passado foi bom.",
        "Ano novo, vida nova.",
        "我有几个朋友在上海。",
        "Masada kaç kişi olduğunu bilmiyorum.",
        "リンゴを何個か買いました。",
        "We explain how to bake bread in chapter two.",
        "Next we calculate how many rows fit.",
        "It took years to understand why the bees left.",
        "Wer früh kommt, bekommt einen Platz.",
        "Kann man nur empfehlen.",
        "Haben Sie Fragen, rufen Sie uns an.",
        "So macht das Kochen Spaß.",
        "Should anything break, we repair it for free.",
        "Was a great evening.",
        "Does not work with old phones.",
        "What struck me was the silence.",
        "Any colour will do.",
        "« Entrez », dit-il.",
        "Aussi est-il parti tôt.",
        "Où que tu ailles, écris-moi.",
        "Chi dorme non piglia pesci.",
        "Кто рано встаёт, тому бог подаёт.",
        "Ai cũng thích phim này.",
        "ไม่มีใครอยู่บ้าน",
        "// check whether the queue is full",
    ],
)
def test_the_language_and_the_whole_sentence_decide(text):
    """A word that asks in another language, or opens or continues a statement in this one, asks nothing."""
    assert analyze(text).questions == ()


@pytest.mark.parametrize(
    "text",
    [
        "which bakery sells rye bread",
        "what bird builds a hanging nest",
        "anyone tried the night train to Vienna",
        "any decent cafes near the station",
        "is anna still at work",
        "can cats eat rice",
        "on which day does the market open",
        "Explain in detail how a fridge cools.",
        "Tell me a bit about how yeast works.",
        "Estimate how many bricks the wall needs.",
        "Bei welcher Bank kann man Geld wechseln",
        "wer gewann die wm 1990",
        "a-t-elle répondu",
        "dans quelle ville se trouve le musée",
        "cine a scris romanul",
        "în ce an a început războiul",
        "con sông nào dài nhất",
        "Ankara hangi bölgede yer alır",
        "Türkiye'nin en uzun nehri hangisi",
        "แม่น้ำสายใดยาวที่สุด",
        "chi ha dipinto la Gioconda",
        "quem pintou o quadro",
        "en la guerra, cuántos murieron",
        "op welke dag is de markt",
        "кого выбрали",
        "ما السنة",
        "最高的山是哪座",
        "正しいかどうか確認してください。",
        "누가 이 노래를 불렀어",
        "How about dinner at 'La Perla'?",
        "Is this the twins'?",
        "本当ですか?はい、そうです。",
    ],
)
def test_questions_need_neither_a_mark_nor_the_first_place(text):
    """A question is found behind a preposition, by an inversion, inside an order, or before a closing quote."""
    assert analyze(text).question_count == 1


@pytest.mark.parametrize(
    "text",
    [
        "Put ```sh and ``` around the command. Where does it go?",
        "Use ``` around the block. Where does it go?",
        "x = load(1)\ny = x.size\n```\n\nWhere does it go?",
        "x = load(1)\ny = x.size\n```\nWhere does it go?",
    ],
)
def test_a_fence_that_opens_nothing_hides_nothing(text):
    """A fence that is only named, or that ends unmarked code, leaves the question behind it to be read."""
    assert analyze(text).questions == ("Where does it go?",)


def test_a_fence_left_open_still_holds_its_code():
    """A fence that opens a block and is never closed reaches to the end, also from within a line."""
    assert analyze("Here it is: ```python\nwhy()?").questions == ()
    assert analyze("Look:\n```\nwhy? how?").questions == ()


def test_questions_are_bounded():
    """All questions are counted; the first ones are given, each cut at a code point."""
    analysis = analyze("Wer ist das " + "😀" * 300 + "? " + "Wo? " * 50)
    assert analysis.question_count == 51
    assert len(analysis.questions) == limits.QUESTIONS
    assert len(analysis.questions[0]) == limits.QUESTION_CHARS
