"""log.requested -> record -> pipeline.completed -> callback; a failed execution's status -> record."""

from datetime import UTC, datetime
from functools import partial

import msgspec

from services.logger import core
from services.logger.settings import Settings
from shared.aws import client
from shared.bus import Bus
from shared.contracts.envelope import Delivery, Metadata
from shared.contracts.v1 import LogReceipt, LogRequested
from shared.errors import ContractViolation
from shared.records import Records
from shared.runtime import Routes, queue_handler, stage_route
from shared.settings import load
from shared.worker import Foreign


class Logger:
    """Writes first and announces then: who hears of a run can read its record."""

    def __init__(self, records: Records, bus: Bus) -> None:
        self._records = records
        self._bus = bus

    def completed(self, request: LogRequested, metadata: Metadata) -> LogReceipt:
        run = core.completed(request, metadata, datetime.now(UTC))
        # False: this run's record stands already. Announced again, in case the first try died in between.
        self._records.advance(metadata.pipeline_id, "SUCCEEDED", run.fields, first=run.first)
        self._bus.publish([core.completed_event(metadata, run)])
        return LogReceipt(status="SUCCEEDED", execution_time_ms=run.execution_time_ms)

    def failed(self, delivery: Delivery) -> None:
        try:
            run = core.failure(bytes(delivery.detail))
        except msgspec.MsgspecError as error:
            raise ContractViolation("$.detail", "not an execution's status change") from error
        fields, first = core.failed_fields(run)
        if self._records.advance(run.pipeline_id, "FAILED", fields, first=first):
            self._bus.publish([core.failed_event(run)])


def routes() -> Routes:
    settings = load(Settings)
    logger = Logger(
        Records(client("dynamodb"), settings.table_name), Bus(partial(client, "events"), settings.bus_name)
    )
    return {
        **stage_route("logger", logger.completed),
        core.DETAIL_TYPE: Foreign(run=logger.failed, source=core.SOURCE),
    }


handler = queue_handler("logger", routes)
