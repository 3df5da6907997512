"""Cancelling a run through the API as the caller who is signed in."""

import re
import time

import msgspec
from msgspec import Struct

from operations.asking.http import ApiClient, Pause
from operations.errors import InvalidInputError, RefusedError
from operations.json_text import shortened
from operations.target import Target
from shared.contracts import limits
from shared.contracts.envelope import PipelineId
from shared.errors import CANCELLED_ERROR

_PIPELINE_ID = re.compile(limits.PIPELINE_ID_PATTERN)


class Cancelled(Struct, frozen=True, kw_only=True):
    """The API's answer. `status` is the record's: FAILED if the run was cancelled before, else its present status."""

    pipeline_id: PipelineId
    status: str
    error: str | None = None

    @property
    def before(self) -> bool:
        """Whether the run had been cancelled before."""
        return self.error == CANCELLED_ERROR


def cancel(target: Target, pipeline_id: str, *, pause: Pause = time.sleep) -> Cancelled:
    """Cancel a run. Raises InvalidInputError if this can't be an id, and NotFoundError.

    Raises DeniedError for a run of another caller, RefusedError for a run that has finished.
    """
    if not _PIPELINE_ID.fullmatch(pipeline_id):
        raise InvalidInputError(
            f"{shortened(pipeline_id)} is not a pipeline id. `pipeline list` shows the ids of the runs."
        )
    try:
        return msgspec.convert(ApiClient(target, pause=pause).delete(f"/pipeline/{pipeline_id}"), Cancelled)
    except msgspec.ValidationError as error:
        raise RefusedError(
            "The API's answer has an unknown shape. Check that the API is what answers at its address."
        ) from error
