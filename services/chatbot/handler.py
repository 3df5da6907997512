"""The Lambda handler of the chatbot: answers each chat.requested event with the model's answer."""

from services.chatbot.answers import StoredAnswers, paid
from services.chatbot.backends import backend
from services.chatbot.core import shortened
from services.chatbot.settings import Settings
from shared.aws import client
from shared.runtime import Routes, queue_handler, stage_route
from shared.settings import load


def routes() -> Routes:
    settings = load(Settings)
    model = backend(settings)
    if not settings.answers_table:
        return stage_route(
            "chatbot",
            lambda request, metadata: paid(shortened(model.ask(request, metadata))),
            work_seconds=settings.timeout_seconds,
        )
    answers = StoredAnswers(
        model,
        client("dynamodb"),
        table=settings.answers_table,
        timeout_seconds=settings.timeout_seconds,
    )
    return stage_route("chatbot", answers.ask, recall=answers.recall, work_seconds=settings.timeout_seconds)


handler = queue_handler("chatbot", routes)
