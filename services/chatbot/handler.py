"""chat.requested -> the model's answer -> callback."""

from services.chatbot.backends import backend
from services.chatbot.settings import Settings
from shared.contracts.v1 import ChatAnswer
from shared.runtime import Routes, queue_handler, stage_route
from shared.settings import load
from shared.worker import Billed


def billed(answer: ChatAnswer) -> Billed:
    usage = answer.usage
    return Billed(
        input_tokens=usage.input_tokens if usage else 0,
        output_tokens=usage.output_tokens if usage else 0,
        model_id=answer.model_id,
    )


def routes() -> Routes:
    return stage_route("chatbot", backend(load(Settings)).ask, billed)


handler = queue_handler("chatbot", routes)
