"""The routes of the API: accept a pipeline, show it, list a caller's pipelines, cancel one."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from services.trigger.api import core, listing
from services.trigger.api.core import Request, Submission
from services.trigger.api.listing import Listing
from services.trigger.api.refusals import ApiError, Reason
from services.trigger.cancelling import stop
from shared.bus import Bus
from shared.contracts.envelope import Outgoing, trace_id
from shared.contracts.message import request_hash
from shared.contracts.record import FINAL, Record, accepted_event_id, iso
from shared.errors import CANCELLED_ERROR, PipelineError
from shared.observability import about_run
from shared.records import Records

Answer = tuple[int, Mapping[str, Any]]

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 1.0
"""The pauses between two reads of a record whose caller waits for the result."""


class Api:
    """The routes' functions. `executions` makes the Step Functions client; `longest_wait` is in seconds."""

    def __init__(  # noqa: PLR0913 -- its collaborators
        self,
        records: Records,
        bus: Bus,
        lists: Listing,
        executions: Callable[[], Any],
        *,
        api_url: str | None = None,
        longest_wait: float = core.LONGEST_WAIT_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._records = records
        self._bus = bus
        self._lists = lists
        self._executions = executions
        self._api_url = api_url
        self._longest_wait = longest_wait
        self._sleep = sleep

    def accept(self, request: Request) -> Answer:
        """Write the record, then publish the event, so that every pipeline id in an answer can be read.

        The answer is the record if the caller waits and the run ends in time.
        """
        submission = core.submission(request)
        pipeline_id = submission.pipeline_id
        about_run(pipeline_id, trace_id(submission.traceparent, pipeline_id))
        accepted_at = iso(datetime.now(UTC))
        status = "ACCEPTED"
        if not self._records.accept(
            pipeline_id,
            user_message=submission.newest.user_message,
            history=submission.newest.history,
            accepted_at=accepted_at,
            listed=listing.listed(
                request.caller,
                pipeline_id,
                accepted_at=accepted_at,
                user_message=submission.newest.user_message,
            ),
        ):
            status, accepted_at = self._repeated(submission)
        if status == "ACCEPTED":  # also for a repeated request: the first may have failed before it published
            self._publish(submission, accepted_at)
        try:
            record = self._awaited(request, pipeline_id)
        except PipelineError:  # the pipeline is accepted nevertheless
            record = None
        if record is not None and record["status"] in FINAL:
            return 200, core.public(record)
        return self._accepted(request, pipeline_id, status)

    def _repeated(self, submission: Submission) -> tuple[str, str]:
        record = self._records.get(submission.pipeline_id) or {}
        if record.get("request_hash") != request_hash(
            submission.newest.user_message, submission.newest.history
        ):
            raise ApiError(Reason.IDEMPOTENCY_CONFLICT)
        return str(record["status"]), str(record["accepted_at"])

    def _publish(self, submission: Submission, accepted_at: str) -> None:
        event = Outgoing(
            data=submission.request,
            pipeline_id=submission.pipeline_id,
            event_id=accepted_event_id(submission.pipeline_id),
            correlation_id=submission.pipeline_id,
            occurred_at=datetime.fromisoformat(accepted_at),
            traceparent=submission.traceparent,
        )
        try:
            self._bus.publish([event])
        except PipelineError:
            if not submission.repeatable:  # no caller has this id: remove the record, which would never run
                self._records.withdraw(submission.pipeline_id)
            raise

    def _accepted(self, request: Request, pipeline_id: str, status: str) -> Answer:
        url = status_url(request, pipeline_id, self._api_url)
        return 202, {"pipeline_id": pipeline_id, "status": status, "status_url": url}

    def _awaited(self, request: Request, pipeline_id: str) -> Record | None:
        """Return the record when the run ends or the wait is over; None without a wait or a record."""
        if request.wait is None:
            return None
        deadline = time.monotonic() + min(request.wait, self._longest_wait)
        pause = FIRST_PAUSE_SECONDS
        while True:
            record = self._records.get(pipeline_id)
            remaining = deadline - time.monotonic()
            if record is None or record["status"] in FINAL or remaining <= 0:
                return record
            self._sleep(min(pause, remaining))
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)

    def show(self, request: Request) -> Answer:
        pipeline_id = _pipeline_id(request)
        record = self._awaited(request, pipeline_id) or self._records.get(pipeline_id)
        if record is None:
            raise ApiError(Reason.UNKNOWN_PIPELINE)
        about_run(pipeline_id, record.get("trace_id"))
        return 200, core.public(record)

    def list_own(self, request: Request) -> Answer:
        """Return a page of the caller's own pipelines, newest first."""
        page = self._lists.page(request.caller, listing.query(request.parameters))
        shown = [core.public(record, listing.FIELDS) for record in page.records]
        return 200, {"pipelines": shown, **({"next": listing.cursor(page.before)} if page.before else {})}

    def cancel(self, request: Request) -> Answer:
        """Stop the pipeline's execution now, or as soon as it starts. The logger records the end."""
        pipeline_id = _pipeline_id(request)
        record = self._records.get(pipeline_id)
        if record is None:
            raise ApiError(Reason.UNKNOWN_PIPELINE)
        about_run(pipeline_id, record.get("trace_id"))
        if not listing.belongs_to(record, request.caller):
            raise ApiError(Reason.NOT_OWNER)
        cancelled = self._records.cancel(pipeline_id, at=iso(datetime.now(UTC)))
        if cancelled is None:
            record = self._records.get(pipeline_id) or record
            if record.get("error") == CANCELLED_ERROR:
                return 200, core.public(record)
            raise ApiError(Reason.ALREADY_OVER, status=record["status"])
        if arn := cancelled.get("execution_arn"):
            stop(self._executions(), str(arn))
        return self._accepted(request, pipeline_id, str(cancelled["status"]))


def _pipeline_id(request: Request) -> str:
    """Return the pipeline id in the path. Raises ApiError (404) if it does not have the form of an id."""
    if not core.PIPELINE_ID.fullmatch(request.pipeline_id):
        raise ApiError(Reason.UNKNOWN_PIPELINE)
    about_run(request.pipeline_id)
    return request.pipeline_id


def status_url(request: Request, pipeline_id: str, api_url: str | None = None) -> str:
    """Return the pipeline's URL, under `api_url` or else under the request's address."""
    if api_url:
        return f"{api_url.replace('{api_id}', request.api_id)}/pipeline/{pipeline_id}"
    return f"{request.address.removesuffix(f'/{pipeline_id}').rstrip('/')}/{pipeline_id}"


Routes = Mapping[tuple[str, str], Callable[[Request], Answer]]
"""The routes by HTTP method and resource."""


def routes(api: Api) -> Routes:
    return {
        ("POST", "/pipeline"): api.accept,
        ("GET", "/pipeline/{pipeline_id}"): api.show,
        ("DELETE", "/pipeline/{pipeline_id}"): api.cancel,
        ("GET", "/pipelines"): api.list_own,
    }
