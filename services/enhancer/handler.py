"""The Lambda handler of the enhancer: answers each enhancement.requested event with an Enhancement."""

from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from services.enhancer.core import enhance
from shared.aws import client
from shared.contracts.envelope import Metadata
from shared.contracts.limits import beginning
from shared.contracts.v1 import Enhancement, EnhancementRequested
from shared.runtime import queue_handler, stage_route
from shared.settings import load


class Settings(Struct, frozen=True, kw_only=True):
    """The environment of the enhancer. Without `answers_table`, only the beginnings of long answers are formatted."""

    answers_table: str | None = None


def run(request: EnhancementRequested, metadata: Metadata) -> Enhancement:
    now = datetime.now(UTC)
    table = load(Settings).answers_table if request.chat.whole else None
    if table is None or not request.chat.whole:
        return enhance(request.chat, request.analysis, metadata, now)
    from shared.texts import Texts  # noqa: PLC0415 -- only long answers need it

    texts = Texts(client("dynamodb"), table)
    text = texts.read(request.chat.whole)
    if text is None:  # all that is left of it is marked as cut
        return enhance(replace(request.chat, truncated=True), request.analysis, metadata, now)
    enhanced = enhance(replace(request.chat, text=text), request.analysis, metadata, now)
    stored = texts.keep(metadata.pipeline_id, "enhancement", enhanced.final_response)
    return replace(enhanced, final_response=beginning(enhanced.final_response), whole=stored)


handler = queue_handler("enhancer", lambda: stage_route("enhancer", run))
