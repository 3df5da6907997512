"""chat.requested -> the model's answer -> callback."""

from services.chatbot.answers import StoredAnswers
from services.chatbot.backends import backend
from services.chatbot.settings import Settings
from shared.aws import client
from shared.contracts.v1 import ChatAnswer
from shared.runtime import Routes, queue_handler, stage_route
from shared.settings import load
from shared.worker import Billed


def billed(answer: ChatAnswer, *, recalled: bool = False) -> Billed:
    usage = answer.usage
    return Billed(
        input_tokens=usage.input_tokens if usage else 0,
        output_tokens=usage.output_tokens if usage else 0,
        model_id=answer.model_id,
        recalled=recalled,
    )


def routes() -> Routes:
    settings = load(Settings)
    asked = backend(settings)
    if not settings.answers_table:
        return stage_route("chatbot", asked.ask, billed)
    answers = StoredAnswers(
        asked, client("dynamodb"), table=settings.answers_table, timeout_seconds=settings.timeout_seconds
    )
    return stage_route(
        "chatbot", answers.ask, lambda answer: billed(answer, recalled=answers.recalled), answers.recall
    )


handler = queue_handler("chatbot", routes)
