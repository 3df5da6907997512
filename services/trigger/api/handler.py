"""The Lambda handler of the API: passes a request from API Gateway to its route, and returns the HTTP answer.

The routes are a dictionary: Powertools' resolver would add a third to this function's cold start.
"""

from collections.abc import Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from services.trigger.api.core import Request, read_request
from services.trigger.api.listing import Listing
from services.trigger.api.refusals import ApiError, Reason
from services.trigger.api.routes import Answer, Api, Routes, routes
from shared.aws import client
from shared.bus import Bus
from shared.errors import PipelineError
from shared.metrics import API_FAILURES, API_REFUSALS, RUNS_ACCEPTED, Metric
from shared.observability import about_no_run, emit, flush, logger, where
from shared.records import Records
from shared.settings import load, once

if TYPE_CHECKING:
    from services.trigger.api.approvals import Inbox
    from services.trigger.api.state import State

SPARE_SECONDS = 4
"""The part of the function's timeout that is reserved for everything except waiting."""


class ApiSettings(Struct, frozen=True, kw_only=True):
    """The environment of the API's function. `allowed_origin` is the origin that CORS allows.

    `api_url` is the API's URL if it differs from the request's host, with `{api_id}` in place of the API's id.
    `timeout_seconds` is the function's own timeout. `max_waiting` callers may wait for results at the same time.
    `keep_records_seconds`: see `Records`. `approvals_table` and `rejected_text`: where answers wait for approval, and
    what a caller gets in place of a rejected one; without a table the approval is not switched on.
    """

    table_name: str
    state_table: str
    bus_name: str
    max_waiting: int = 2
    allowed_origin: str = "*"
    api_url: str | None = None
    timeout_seconds: int = 30
    keep_records_seconds: int | None = None
    approvals_table: str | None = None
    rejected_text: str = ""


def answer(routes_by_method: Routes, request: Request) -> Answer:
    """Return the answer of the request's route. Only this function turns errors into HTTP answers."""
    try:
        return routes_by_method.get((request.method, request.resource), unknown_route)(request)
    except ApiError as error:
        return refusal(error)
    except PipelineError as error:
        logger().error("an AWS service failed", extra={"error": error.NAME, "cause": error.cause})
        return refusal(ApiError(Reason.UNAVAILABLE))
    except Exception as error:  # noqa: BLE001 -- the caller gets an answer in the API's shape, the log the place
        logger().error("unexpected", extra={"error": where(error)})
        return refusal(ApiError(Reason.INTERNAL))


def unknown_route(_: Request) -> Answer:
    raise ApiError(Reason.UNKNOWN_ROUTE)


def refusal(error: ApiError) -> Answer:
    return Answer(error.reason.status, {"error": {"code": error.reason.code, "message": str(error)}})


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


def _counted(status: int, method: str, resource: str = "/pipeline") -> Metric | None:
    """Return the metric of an answer; reads, cancels and decisions that succeed have none."""
    if status >= 400:
        return API_REFUSALS if status < 500 else API_FAILURES
    return RUNS_ACCEPTED if method == "POST" and resource == "/pipeline" else None


def _api() -> tuple[ApiSettings, Api]:
    settings = load(ApiSettings)
    table, events = client("dynamodb"), client("events")

    @cache
    def state() -> "State":
        from services.trigger.api.state import State  # noqa: PLC0415 -- most requests need none of it

        return State(
            table,
            settings.state_table,
            max_waiting=settings.max_waiting,
            window_seconds=settings.timeout_seconds,
        )

    @cache
    def inbox() -> "Inbox":
        from services.trigger.api.approvals import Inbox  # noqa: PLC0415 -- most requests need none of it
        from shared.waiting.store import Waiting  # noqa: PLC0415
        from shared.worker.outcome import Callback  # noqa: PLC0415

        callback = Callback(client("stepfunctions"))
        return Inbox(Waiting(table, str(settings.approvals_table), callback), settings.rejected_text)

    api = Api(
        Records(table, settings.table_name, settings.keep_records_seconds),
        Bus(lambda: events, settings.bus_name),
        Listing(table, settings.table_name),
        partial(client, "stepfunctions"),
        state,
        inbox=inbox if settings.approvals_table else None,
        api_url=settings.api_url,
        longest_wait=max(0, settings.timeout_seconds - SPARE_SECONDS),
    )
    return settings, api


ready = once(_api)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 -- Lambda's signature
    about_no_run()
    settings, api = ready()
    request = read_request(event)
    status, body, waited = answer(routes(api), request)
    if counted := _counted(status, request.method, request.resource):
        emit(counted)
    flush()
    logger().info("answered", extra={"http_method": request.method, "http_status": status})
    response = respond(status, body, settings.allowed_origin)
    if waited:
        response["headers"]["Preference-Applied"] = f"wait={request.wait}"
    return response
