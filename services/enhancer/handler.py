"""The Lambda handler of the enhancer: answers each enhancement.requested event with an Enhancement."""

from datetime import UTC, datetime

from services.enhancer.core import enhance
from shared.contracts.envelope import Metadata
from shared.contracts.v1 import Enhancement, EnhancementRequested
from shared.runtime import queue_handler, stage_route


def run(request: EnhancementRequested, metadata: Metadata) -> Enhancement:
    return enhance(request.chat, request.analysis, metadata, datetime.now(UTC))


handler = queue_handler("enhancer", lambda: stage_route("enhancer", run))
