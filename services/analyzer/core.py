"""Analysis of a user's message: counts, code, questions, complexity. Equal messages get equal analyses."""

from services.analyzer import complexity, questions
from services.analyzer.code_detection import find_code
from services.analyzer.text import count_words
from shared.contracts.v1 import Analysis


def analyze(user_message: str) -> Analysis:
    """Analyse a message. Never raises, whatever the text; takes time in proportion to the text's length.

    Characters are code points. Words are counted in the whole message, sentences and questions only in its prose.
    """
    code = find_code(user_message)
    prose = questions.read(user_message, code.prose)
    words = count_words(user_message)
    level, reasons = complexity.classify(
        prose=code.prose,
        words=words,
        sentences=prose.sentences,
        code_pieces=len(code.spans),
        code_lines=code.lines,
        languages=len(code.languages),
        questions=prose.questions.total,
    )
    return Analysis(
        character_count=len(user_message),
        word_count=words,
        sentence_count=prose.sentences,
        has_code=bool(code.spans),
        code=code.spans,
        languages=code.languages,
        is_question=prose.questions.total > 0,
        question_count=prose.questions.total,
        questions=prose.questions.first,
        complexity=level,
        reasons=reasons,
    )
