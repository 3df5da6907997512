"""A stage of the direct design, as a Lambda function: Step Functions invokes it with metadata and data, and waits.

It is added to a stage's bundle and runs the stage's own code, without queue, contract check, callback, metrics,
stored answers or events: the minimum of such a design.
"""

import importlib
import os
import platform
import time
from collections.abc import Iterable
from functools import cache, partial
from typing import Any

import msgspec

from shared.aws import client
from shared.contracts.envelope import Metadata
from shared.contracts.stages import BY_SERVICE, LAST
from shared.contracts.v1 import Meter
from shared.runtime import stage_route
from shared.worker import Billed, Paid, Route


class Unannounced:
    """A bus that publishes nothing, because the direct design has no subscribers."""

    def publish(self, _: Iterable[object]) -> None:
        """Do nothing."""


@cache
def _route() -> Route[Any]:
    service = os.environ["DIRECT_SERVICE"]
    module = importlib.import_module(f"services.{service}.handler")
    if service == LAST.service:
        from shared.records import Records  # noqa: PLC0415 -- no other stage's bundle has it

        records = Records(client("dynamodb"), os.environ["TABLE_NAME"])
        routes = stage_route(
            service,
            module.Logger(records, Unannounced(), partial(client, "stepfunctions")).completed,
            metered=True,
        )
    else:
        routes = module.routes() if hasattr(module, "routes") else stage_route(service, module.run)
    route = routes[BY_SERVICE[service].request.detail_type()]
    assert isinstance(route, Route)  # noqa: S101 -- for the type checker
    return route


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    """Take `{"metadata": …, "data": …}` and return `{"data": the stage's result, "meter": …}`."""
    started_at = time.perf_counter()
    route = _route()
    metadata = msgspec.convert(event["metadata"], Metadata)
    more = {"meter": _meter(started_at)} if route.metered else {}
    result = route.run(msgspec.convert(event["data"], route.request), metadata, **more)
    billed = Billed()
    if isinstance(result, Paid):
        billed, result = result.billed, result.result
    tokens = {
        name: count
        for name, count in msgspec.structs.asdict(billed).items()
        if name.endswith("_tokens") and count
    }
    meter = _meter(started_at, model_id=billed.model_id, **tokens)
    return {"data": msgspec.to_builtins(result), "meter": msgspec.to_builtins(meter)}


def _meter(started_at: float, **billed: Any) -> Meter:
    return Meter(
        queue_wait_ms=0,
        work_ms=round((time.perf_counter() - started_at) * 1000),
        attempt=0,
        receives=1,
        memory_mb=int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0")) or None,
        architecture={"aarch64": "arm64"}.get(platform.machine(), platform.machine()),
        **billed,
    )
