"""Turns a request for approval into the item of a waiting run. Pure."""

from typing import Any

from shared.contracts.approval import ApprovalRequested
from shared.contracts.envelope import Metadata


def item(request: ApprovalRequested, metadata: Metadata) -> dict[str, Any]:
    """Return the fields of the run's item: what a person sees is what the caller would get."""
    enhancement, chat = request.enhancement, request.chat
    answer = enhancement.final_response if enhancement else chat.text
    is_cut = bool(enhancement.whole if enhancement else chat.whole)
    return {
        "pipeline_id": metadata.pipeline_id,
        "execution_arn": metadata.execution_arn,
        "user_message": request.user_message,
        "answer": answer,
        "is_cut": is_cut,
    }
