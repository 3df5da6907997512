"""Builds the worker and the Lambda handler of every function that reads a queue."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from shared.aws import client
from shared.bus import Bus
from shared.contracts.stages import BY_SERVICE, LEAST_TASK_SECONDS
from shared.parking import ParkingLot
from shared.settings import load, once
from shared.worker import AnyRoute, Route, Worker
from shared.worker.outcome import Callback
from shared.worker.policy import WORK_MS

if TYPE_CHECKING:
    from shared.worker.starts import Starts

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
Run = Callable[..., Struct]
Routes = Mapping[str, AnyRoute]


class QueueSettings(Struct, frozen=True, kw_only=True):
    """The environment variables that every function with a queue has; without `state_table` no starts are counted."""

    dlq_url: str
    bus_name: str
    state_table: str | None = None


class StageSettings(Struct, frozen=True, kw_only=True):
    """The environment variables of a stage's function."""

    task_seconds: int = LEAST_TASK_SECONDS


def worker(service: str, routes: Routes) -> Worker:
    settings = load(QueueSettings)
    table = settings.state_table
    return Worker(
        service=service,
        routes=routes,
        callback=Callback(client("stepfunctions")),
        parking=ParkingLot(partial(client, "sqs"), dlq_url=settings.dlq_url, service=service),
        bus=Bus(partial(client, "events"), settings.bus_name),
        starts=partial(_starts, table, service) if table else None,
    )


def _starts(table: str, service: str) -> "Starts":
    from shared.worker.starts import Starts  # noqa: PLC0415 -- only messages that were delivered before need it

    # A table that does not answer costs a message at most 4 s, so that the function's timeout is not missed for it.
    connect = partial(client, "dynamodb", connect_seconds=1, read_seconds=1, tries=2)
    return Starts(connect, table=table, service=service)


def stage_route(
    service: str,
    run: Run,
    *,
    recall: Callable[..., Struct | None] | None = None,
    metered: bool = False,
    work_seconds: int = WORK_MS // 1_000,
) -> Routes:
    """Return the route of the request to the service's stage, as the stage table defines it.

    `work_seconds` is the longest time that a paid `run` may take.
    """
    stage = BY_SERVICE[service]
    route = Route(
        request=stage.request,
        run=run,
        recall=recall,
        pays=stage.pays,
        metered=metered,
        task_ms=load(StageSettings).task_seconds * 1_000,
        work_ms=work_seconds * 1_000,
    )
    return {stage.request.detail_type(): route}


def queue_handler(service: str, routes: Callable[[], Routes]) -> Handler:
    """Return the Lambda handler for a service's queue."""
    ready = once(lambda: worker(service, routes()))

    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        return ready().handle(event, context)

    return handler
