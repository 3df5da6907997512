"""API Gateway -> accept and publish, show, list, cancel.

Four routes are a dictionary; Powertools' resolver would cost this function a third of its cold start.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from services.trigger import core, listing
from services.trigger.cancelling import stop
from services.trigger.core import Submission
from services.trigger.errors import ApiError
from services.trigger.listing import Listing
from services.trigger.settings import ApiSettings
from shared.aws import client
from shared.bus import Bus
from shared.clock import iso
from shared.contracts.envelope import Outgoing
from shared.contracts.message import request_hash
from shared.contracts.origin import accepted_event_id
from shared.contracts.traces import trace_id
from shared.errors import CANCELLED_ERROR, PipelineError
from shared.metrics import API_CANCELS, API_FAILURES, API_READS, API_REFUSALS, RUNS_ACCEPTED, Metric
from shared.observability import about_no_run, about_run, emit, flush, logger, where
from shared.records import Records
from shared.settings import load, once

Answer = tuple[int, Mapping[str, Any]]

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 1.0
"""Between two looks at a record that somebody waits for."""
SPARE_SECONDS = 4
"""What a function keeps of its timeout for everything but waiting."""


FINAL = ("SUCCEEDED", "FAILED")


class Api:
    """`executions` gives a Step Functions client; `longest_wait` in seconds is what the function's timeout leaves."""

    def __init__(  # noqa: PLR0913 -- what it stands on
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

    def accept(self, event: Mapping[str, Any]) -> Answer:
        """Records, then publishes: a pipeline that can be asked for is never unknown.

        Answers with the record if the caller would wait and the run is over in time.
        """
        wanted = core.submission(event)
        about_run(wanted.pipeline_id, trace_id(wanted.traceparent, wanted.pipeline_id))
        accepted_at = iso(datetime.now(UTC))
        status = "ACCEPTED"
        if not self._records.accept(
            wanted.pipeline_id,
            user_message=wanted.asked.user_message,
            history=wanted.asked.history,
            accepted_at=accepted_at,
            listed=listing.listed(
                core.caller(event),
                wanted.pipeline_id,
                accepted_at=accepted_at,
                user_message=wanted.asked.user_message,
            ),
        ):
            status, accepted_at = self._repeated(wanted)
        if status == "ACCEPTED":  # also when repeated: the first try may have died before it published
            self._publish(wanted, accepted_at)
        try:
            record = self._awaited(event, wanted.pipeline_id)
        except PipelineError:  # it is accepted all the same
            record = None
        if record is not None and record["status"] in FINAL:
            return 200, core.public(record)
        return 202, {
            "pipeline_id": wanted.pipeline_id,
            "status": status,
            "status_url": status_url(event, wanted.pipeline_id, self._api_url),
        }

    def _repeated(self, wanted: Submission) -> tuple[str, str]:
        record = self._records.get(wanted.pipeline_id) or {}
        if record.get("request_hash") != request_hash(wanted.asked.user_message, wanted.asked.history):
            raise ApiError(
                409, "idempotency_conflict", "This `Idempotency-Key` was used before, with another body."
            )
        return str(record["status"]), str(record["accepted_at"])

    def _publish(self, wanted: Submission, accepted_at: str) -> None:
        event = Outgoing(
            data=wanted.request,
            pipeline_id=wanted.pipeline_id,
            event_id=accepted_event_id(wanted.pipeline_id),
            correlation_id=wanted.pipeline_id,
            occurred_at=datetime.fromisoformat(accepted_at),
            traceparent=wanted.traceparent,
        )
        try:
            self._bus.publish([event])
        except PipelineError:
            if not wanted.repeatable:  # nobody knows this id: leave no record that never runs
                self._records.withdraw(wanted.pipeline_id)
            raise

    def _awaited(self, event: Mapping[str, Any], pipeline_id: str) -> Mapping[str, Any] | None:
        """The record once the run is over or the caller's patience is; None for a caller with none."""
        patience = core.preferred_wait(event)
        if patience is None:
            return None
        until = time.monotonic() + min(patience, self._longest_wait)
        pause = FIRST_PAUSE_SECONDS
        while True:
            record = self._records.get(pipeline_id)
            left = until - time.monotonic()
            if record is None or record["status"] in FINAL or left <= 0:
                return record
            self._sleep(min(pause, left))
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)

    def show(self, event: Mapping[str, Any]) -> Answer:
        pipeline_id = _pipeline_id(event)
        record = self._awaited(event, pipeline_id) or self._records.get(pipeline_id)
        if record is None:
            raise _unknown_pipeline()
        about_run(pipeline_id, record.get("trace_id"))
        return 200, core.public(record)

    def mine(self, event: Mapping[str, Any]) -> Answer:
        """The caller's own, newest first."""
        page = self._lists.page(core.caller(event), listing.query(event.get("queryStringParameters")))
        shown = [core.public(record, core.LISTED_FIELDS) for record in page.records]
        return 200, {"pipelines": shown, **({"next": listing.cursor(page.before)} if page.before else {})}

    def cancel(self, event: Mapping[str, Any]) -> Answer:
        """What runs is stopped now, what waits as soon as it starts. The logger records the end, as ever."""
        pipeline_id = _pipeline_id(event)
        record = self._records.get(pipeline_id)
        if record is None:
            raise _unknown_pipeline()
        about_run(pipeline_id, record.get("trace_id"))
        if not listing.belongs_to(record, core.caller(event)):
            raise ApiError(403, "not_yours", "Another caller asked for this pipeline.")
        noted = self._records.cancel(pipeline_id, at=iso(datetime.now(UTC)))
        if noted is None:
            record = self._records.get(pipeline_id) or record
            if record.get("error") == CANCELLED_ERROR:
                return 200, core.public(record)
            raise ApiError(409, "already_over", f"It is over: {record['status']}.")
        if arn := noted.get("execution_arn"):
            stop(self._executions(), str(arn))
        return 202, {
            "pipeline_id": pipeline_id,
            "status": noted["status"],
            "status_url": status_url(event, pipeline_id, self._api_url),
        }


def _pipeline_id(event: Mapping[str, Any]) -> str:
    """From the path. Raises ApiError (404) for what can't be an id."""
    pipeline_id = str((event.get("pathParameters") or {}).get("pipeline_id") or "")
    if not core.PIPELINE_ID.match(pipeline_id):
        raise _unknown_pipeline()
    about_run(pipeline_id)
    return pipeline_id


def _unknown_pipeline() -> ApiError:
    return ApiError(404, "not_found", "There is no pipeline with this id.")


def status_url(event: Mapping[str, Any], pipeline_id: str, api_url: str | None = None) -> str:
    """Under `api_url`, else where the request came to; a bare path where that is not said."""
    context = event.get("requestContext") or {}
    if api_url:
        return f"{api_url.replace('{api_id}', str(context.get('apiId')))}/pipeline/{pipeline_id}"
    path = context.get("path") or event.get("path") or "/pipeline"
    path = path.removesuffix(f"/{pipeline_id}")
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    host = headers.get("host") or context.get("domainName")
    return f"{f'https://{host}' if host else ''}{path.rstrip('/')}/{pipeline_id}"


def respond(status: int, body: Mapping[str, Any], allowed_origin: str) -> dict[str, Any]:
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "Access-Control-Allow-Origin": allowed_origin,
        "Access-Control-Expose-Headers": "Preference-Applied, Retry-After",
    }
    if status == 503:
        headers["Retry-After"] = "2"
    return {"statusCode": status, "headers": headers, "body": msgspec.json.encode(body).decode()}


def error_body(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def not_found(_: Mapping[str, Any]) -> Answer:
    raise ApiError(404, "not_found", "There is no such resource.")


Routes = Mapping[tuple[str, str], Callable[[Mapping[str, Any]], Answer]]


def answer(known: Routes, event: Mapping[str, Any]) -> Answer:
    """The one place where errors become HTTP answers."""
    try:
        return known.get((event.get("httpMethod", ""), event.get("resource", "")), not_found)(event)
    except ApiError as error:
        return error.status, error_body(error.code, error.message)
    except PipelineError as error:
        logger().error("not accepted", extra={"error": error.NAME, "cause": error.cause})
        return 503, error_body("unavailable", "The pipeline can't take this request now. Try again.")
    except Exception as error:  # noqa: BLE001 -- the caller gets an answer in the API's shape, the log the place
        logger().error("unexpected", extra={"error": where(error)})
        return 500, error_body("internal", "Something went wrong on our side.")


def routes(api: Api) -> Routes:
    return {
        ("POST", "/pipeline"): api.accept,
        ("GET", "/pipeline/{pipeline_id}"): api.show,
        ("DELETE", "/pipeline/{pipeline_id}"): api.cancel,
        ("GET", "/pipelines"): api.mine,
    }


def _counted(status: int, method: str) -> Metric:
    if status >= 400:
        return API_REFUSALS if status < 500 else API_FAILURES
    return {"POST": RUNS_ACCEPTED, "DELETE": API_CANCELS}.get(method, API_READS)


def _api() -> tuple[ApiSettings, Api]:
    settings = load(ApiSettings)
    table, events = client("dynamodb"), client("events")
    api = Api(
        Records(table, settings.table_name),
        Bus(lambda: events, settings.bus_name),
        Listing(table, settings.table_name),
        partial(client, "stepfunctions"),
        api_url=settings.api_url,
        longest_wait=max(0, settings.timeout_seconds - SPARE_SECONDS),
    )
    return settings, api


ready = once(_api)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 -- Lambda's signature
    about_no_run()
    settings, api = ready()
    status, body = answer(routes(api), event)
    emit(_counted(status, str(event.get("httpMethod"))))
    flush()
    logger().info("answered", extra={"http_method": event.get("httpMethod"), "http_status": status})
    answered = respond(status, body, settings.allowed_origin)
    if status in (200, 202) and (wait := core.preferred_wait(event)) is not None:
        answered["headers"]["Preference-Applied"] = f"wait={wait}"
    return answered
