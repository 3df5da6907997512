"""API Gateway -> POST /pipeline: accept and publish; GET /pipeline/{pipeline_id}: the record.

Two routes are a dictionary; Powertools' resolver would cost this function a third of its cold start.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

import msgspec

from services.trigger import core
from services.trigger.core import ApiError, Submission
from services.trigger.settings import ApiSettings
from shared.aws import client
from shared.bus import Bus
from shared.clock import iso
from shared.contracts.envelope import Outgoing
from shared.contracts.message import request_hash
from shared.contracts.origin import accepted_event_id
from shared.errors import PipelineError
from shared.metrics import API_FAILURES, API_READS, API_REFUSALS, RUNS_ACCEPTED, Metric
from shared.observability import emit, flush, logger, where
from shared.records import Records
from shared.settings import load

Answer = tuple[int, Mapping[str, Any]]


class Api:
    def __init__(self, records: Records, bus: Bus, api_url: str | None = None) -> None:
        self._records = records
        self._bus = bus
        self._api_url = api_url

    def accept(self, event: Mapping[str, Any]) -> Answer:
        """Records, then publishes: a pipeline that can be asked for is never unknown."""
        wanted = core.submission(event)
        accepted_at = iso(datetime.now(UTC))
        status = "ACCEPTED"
        if not self._records.accept(
            wanted.pipeline_id,
            user_message=wanted.asked.user_message,
            history=wanted.asked.history,
            accepted_at=accepted_at,
        ):
            status, accepted_at = self._repeated(wanted)
        if status == "ACCEPTED":  # also when repeated: the first try may have died before it published
            self._publish(wanted, accepted_at)
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

    def show(self, event: Mapping[str, Any]) -> Answer:
        pipeline_id = (event.get("pathParameters") or {}).get("pipeline_id") or ""
        record = self._records.get(pipeline_id) if core.PIPELINE_ID.match(pipeline_id) else None
        if record is None:
            raise ApiError(404, "not_found", "There is no pipeline with this id.")
        return 200, core.public(record)


def status_url(event: Mapping[str, Any], pipeline_id: str, api_url: str | None = None) -> str:
    """Under `api_url`, else where the request came to; a bare path where that is not said."""
    context = event.get("requestContext") or {}
    if api_url:
        return f"{api_url.replace('{api_id}', str(context.get('apiId')))}/pipeline/{pipeline_id}"
    path = context.get("path") or event.get("path") or "/pipeline"
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    host = headers.get("host") or context.get("domainName")
    return f"{f'https://{host}' if host else ''}{path.rstrip('/')}/{pipeline_id}"


def respond(status: int, body: Mapping[str, Any], allowed_origin: str) -> dict[str, Any]:
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "Access-Control-Allow-Origin": allowed_origin,
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
    return {("POST", "/pipeline"): api.accept, ("GET", "/pipeline/{pipeline_id}"): api.show}


def _counted(status: int) -> Metric:
    if status == 202:
        return RUNS_ACCEPTED
    return API_READS if status < 400 else API_REFUSALS if status < 500 else API_FAILURES


@cache
def _api() -> tuple[ApiSettings, Api]:
    settings = load(ApiSettings)
    api = Api(
        Records(client("dynamodb"), settings.table_name),
        Bus(partial(client, "events"), settings.bus_name),
        settings.api_url,
    )
    return settings, api


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 -- Lambda's signature
    settings, api = _api()
    status, body = answer(routes(api), event)
    emit(_counted(status))
    flush()
    logger().info("answered", extra={"http_status": status, "pipeline_id": body.get("pipeline_id")})
    return respond(status, body, settings.allowed_origin)
