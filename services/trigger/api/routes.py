"""The routes of the API: accept a pipeline, show it, list a caller's pipelines, cancel one."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

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

if TYPE_CHECKING:  # loaded when a request first needs it
    from services.trigger.api.approvals import Inbox
    from services.trigger.api.state import State


class Answer(NamedTuple):
    """An HTTP status, a body, and whether the caller's wish to wait was granted (RFC 7240: `Preference-Applied`)."""

    status: int
    body: Mapping[str, Any]
    waited: bool = False


EARLIER_IDS_SECONDS = 14 * 86_400
"""For this time after the secret of idempotent ids was made, a repeated request is also looked for under the id that
earlier releases derived, so that a retry across the upgrade starts nothing new. It is the longest that SQS keeps a
message, and longer than any client goes on trying.
"""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 1.0
"""The pauses between two reads of a record whose caller waits for the result."""


class Api:
    """The routes' functions. `executions` makes the Step Functions client, `state` the API's own state, when needed.

    `inbox` makes the answers that wait for approval; without it, the approval is not switched on.

    `longest_wait` is in seconds.
    """

    def __init__(  # noqa: PLR0913 -- its collaborators
        self,
        records: Records,
        bus: Bus,
        lists: Listing,
        executions: Callable[[], Any],
        state: Callable[[], "State"],
        *,
        inbox: "Callable[[], Inbox] | None" = None,
        api_url: str | None = None,
        longest_wait: float = core.LONGEST_WAIT_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._records = records
        self._bus = bus
        self._lists = lists
        self._executions = executions
        self._state = state
        self._inbox = inbox
        self._api_url = api_url
        self._longest_wait = longest_wait
        self._sleep = sleep

    def accept(self, request: Request) -> Answer:
        """Write the record, then publish the event, so that every pipeline id in an answer can be read.

        The answer is the record if the caller waits and the run ends in time.
        """
        submission = core.submission(request, partial(self._id_of, request.caller))
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
        waited = False
        if request.wait is not None:
            try:
                record = self._records.get(pipeline_id)
                if record is not None:
                    record, waited = self._awaited(record, request.wait)
                    if record["status"] in FINAL:
                        return Answer(200, core.public(record), waited)
            except PipelineError:  # the pipeline is accepted nevertheless
                waited = False
        return self._accepted(request, pipeline_id, status, waited=waited)

    def _id_of(self, caller: str, key: str) -> str:
        """Return the pipeline id for a caller's Idempotency-Key."""
        secret = self._state().secret()
        if time.time() < secret.made_at + EARLIER_IDS_SECONDS:
            earlier = core.earlier_keyed_id(caller, key)
            record = self._records.get(earlier)
            if record is not None and "owner" in record and listing.belongs_to(record, caller):
                return earlier
        return core.keyed_id(secret.value, caller, key)

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

    def _accepted(self, request: Request, pipeline_id: str, status: str, *, waited: bool = False) -> Answer:
        url = status_url(request, pipeline_id, self._api_url)
        return Answer(202, {"pipeline_id": pipeline_id, "status": status, "status_url": url}, waited)

    def _awaited(self, record: Record, wait: int) -> tuple[Record, bool]:
        """Return the record when the run ends or the wait is over, and whether the caller could wait.

        The answer comes at once if too many callers wait already.
        """
        deadline = time.monotonic() + min(wait, self._longest_wait)
        if record["status"] in FINAL or time.monotonic() >= deadline:
            return record, True
        pause = FIRST_PAUSE_SECONDS
        with self._state().waiting() as admitted:
            if not admitted:
                return record, False
            while record["status"] not in FINAL and (remaining := deadline - time.monotonic()) > 0:
                self._sleep(min(pause, remaining))
                pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
                record = self._records.get(record["pipeline_id"]) or record
        return record, True

    def show(self, request: Request) -> Answer:
        """Return a pipeline's record to its owner."""
        return self._shown(request, lambda record: listing.belongs_to(record, request.caller))

    def show_any(self, request: Request) -> Answer:
        """Return any pipeline's record: IAM decides who may call this route."""
        return self._shown(request, lambda _: True)

    def _shown(self, request: Request, allowed: Callable[[Record], bool]) -> Answer:
        pipeline_id = _pipeline_id(request)
        record = self._records.get(pipeline_id)
        if record is None:
            raise ApiError(Reason.UNKNOWN_PIPELINE)
        about_run(pipeline_id, record.get("trace_id"))
        if not allowed(record):
            raise ApiError(Reason.NOT_OWNER)
        waited = False
        if request.wait is not None:
            record, waited = self._awaited(record, request.wait)
        return Answer(200, core.public(record), waited)

    def list_own(self, request: Request) -> Answer:
        """Return a page of the caller's own pipelines, newest first."""
        page = self._lists.page(request.caller, listing.query(request.parameters))
        shown = [core.public(record, listing.FIELDS) for record in page.records]
        more = {"next": listing.cursor(page.before)} if page.before else {}
        return Answer(200, {"pipelines": shown, **more})

    def list_approvals(self, _: Request) -> Answer:
        """Return the answers that wait for approval, the oldest first: IAM decides who may call this route."""
        return Answer(200, self._waiting().listed())

    def show_approval(self, request: Request) -> Answer:
        """Return one of them with its texts, or the decision on it."""
        return Answer(200, self._waiting().read(request))

    def decide(self, request: Request) -> Answer:
        """Approve, reject or edit an answer, once, in the caller's name."""
        return Answer(200, self._waiting().decide(request))

    def _waiting(self) -> "Inbox":
        if self._inbox is None:
            raise ApiError(Reason.UNKNOWN_ROUTE)
        return self._inbox()

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
                return Answer(200, core.public(record))
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
    base = request.address.rstrip("/")
    if request.pipeline_id and not base.endswith("/pipeline"):  # of a pipeline: its id may be percent-encoded
        base = base.rpartition("/")[0]
    return f"{base}/{pipeline_id}"


Routes = Mapping[tuple[str, str], Callable[[Request], Answer]]
"""The routes by HTTP method and resource."""


def routes(api: Api) -> Routes:
    return {
        ("POST", "/pipeline"): api.accept,
        ("GET", "/pipeline/{pipeline_id}"): api.show,
        ("DELETE", "/pipeline/{pipeline_id}"): api.cancel,
        ("GET", "/pipelines"): api.list_own,
        ("GET", "/operator/pipeline/{pipeline_id}"): api.show_any,
        ("GET", "/approvals"): api.list_approvals,
        ("GET", "/approvals/{pipeline_id}"): api.show_approval,
        ("POST", "/approvals/{pipeline_id}"): api.decide,
    }
