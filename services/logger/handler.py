"""The Lambda handler of the logger: records runs that end, at the workflow's request or when an event reports it."""

from functools import partial
from typing import TYPE_CHECKING

from services.logger import core
from services.logger.recording import Logger, Settings, budget_fields_of, stated_of
from shared.aws import client
from shared.bus import Bus
from shared.records import Records
from shared.runtime import Routes, queue_handler, stage_route
from shared.settings import load
from shared.worker import ExternalRoute

if TYPE_CHECKING:
    from shared.texts import Texts


def _texts(table: str) -> "Texts":
    from shared.texts import Texts  # noqa: PLC0415 -- only long answers need it

    return Texts(client("dynamodb"), table)


def routes() -> Routes:
    settings, events = load(Settings), client("events")
    writer = Logger(
        Records(client("dynamodb"), settings.table_name, settings.keep_records_seconds),
        Bus(lambda: events, settings.bus_name),
        partial(client, "stepfunctions"),
        budget_fields_of(settings),
        stated_of(settings),
        any_optional=settings.any_optional,
        texts=partial(_texts, settings.answers_table) if settings.answers_table else None,
    )
    return {
        **stage_route("logger", writer.completed, metered=True),
        core.DETAIL_TYPE: ExternalRoute(run=writer.failed, source=core.SOURCE),
    }


handler = queue_handler("logger", routes)
