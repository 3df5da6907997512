"""Cancelling a pipeline through the API, in the name of whoever is signed in."""

import time

import msgspec
from msgspec import Struct

from operations.asking.http import ApiClient, Pause
from operations.errors import InvalidInputError, RefusedError
from operations.target import Target
from shared.contracts.envelope import PipelineId
from shared.errors import CANCELLED_ERROR


class Cancelled(Struct, frozen=True, kw_only=True):
    """`status` is that of the record: FAILED if it was cancelled before, else what is to end."""

    pipeline_id: PipelineId
    status: str
    error: str | None = None

    @property
    def before(self) -> bool:
        return self.error == CANCELLED_ERROR


def cancel(target: Target, pipeline_id: str, *, pause: Pause = time.sleep) -> Cancelled:
    """Raises NotFoundError, DeniedError (another caller's), RefusedError (it is over)."""
    try:
        name = msgspec.convert(pipeline_id, PipelineId)
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"{pipeline_id!r} can't be a pipeline's id.") from error
    try:
        return msgspec.convert(ApiClient(target, pause=pause).delete(f"/pipeline/{name}"), Cancelled)
    except msgspec.ValidationError as error:
        raise RefusedError(
            "The API's answer has an unknown shape. Is something else at its address?"
        ) from error
