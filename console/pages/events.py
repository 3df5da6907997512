"""The catalogue of events, made of the contracts of this checkout; nothing is asked of the environment."""

import json
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from console.models.events import event_row, event_view, events_view, sentences
from console.pages.reading import live_address, shown, state_of
from console.routes import link
from console.views import Ask, plain
from contracts import references
from contracts.comparison import Comparison, compare
from infra.names import Names
from operations.errors import InvalidInputError

SUBJECT = "refusals"


def page(ask: Ask) -> Response:
    from contracts.catalogue import versions  # noqa: PLC0415 -- slow to import, and needed for these pages only

    before, compared = known_changes()
    view = events_view(
        versions(),
        before.said if before else "",
        before.schemas if before else {},
        compared,
    )
    state = state_of(ask, SUBJECT)
    return ask.page(
        "events.html",
        title="Events",
        command=("contracts", "check"),
        json=view,
        live=live_address(SUBJECT, state),
        view=view,
        **shown(SUBJECT, state),
    )


def event(ask: Ask) -> Response:
    """Show one version of an event, and how it differs from the version that the query names."""
    from contracts.catalogue import differences, entry, versions  # noqa: PLC0415 -- as above

    detail_type, known = f"{ask.params['name']}.v{ask.params['version']}", versions()
    if detail_type not in {one.detail_type for one in known}:
        return ask.problem(
            HTTPStatus.NOT_FOUND,
            "There is no such event",
            "The page of events lists all, with their versions.",
        )
    other = ask.query.get("with", "")
    if other and other not in {one.detail_type for one in known}:
        raise InvalidInputError("There is no such event to compare with. Choose one of the list.")
    found = entry(detail_type)
    before, compared = known_changes()
    row = event_row(found.version, before.schemas if before else {}, compared)
    view = event_view(found, row, Names(ask.desk.environment.env).bus)
    return ask.page(
        "event.html",
        title=detail_type,
        command=("publish", "--check", "--detail-type", detail_type, "detail.json"),
        json=view,
        current="events",
        view=view,
        other=other,
        others=[one.detail_type for one in known if one.detail_type != detail_type],
        differences=sentences(differences(other, detail_type)) if other else (),
        file=link("contract", file=f"{detail_type}.json"),
    )


def download(ask: Ask) -> Response:
    """Return the description of the bus, of the API, or the schema of an event or result, to save."""
    name = ask.params["file"]
    wanted = name.removesuffix(".json")
    if wanted == "asyncapi":
        from contracts.asyncapi import asyncapi  # noqa: PLC0415 -- slow to import

        return _file(asyncapi(), name)
    if wanted == "openapi":
        from contracts.openapi import openapi  # noqa: PLC0415 -- slow to import

        return _file(openapi(), name)
    schema = references.current().get(wanted)
    if schema is None:
        return ask.problem(
            HTTPStatus.NOT_FOUND, "There is no such contract", "The page of events links to all of them."
        )
    return _file(schema, f"{wanted}.json")


def _file(value: Any, name: str) -> Response:
    return plain(json.dumps(value, ensure_ascii=False, indent=2), name)


def known_changes() -> tuple[references.Reference | None, list[Comparison]]:
    """Return what the contracts are compared with, and the differences, as `pipeline contracts check` does."""
    return _compared_with(references.RECORD.stat().st_mtime_ns if references.RECORD.exists() else 0)


@lru_cache(maxsize=1)
def _compared_with(_: int) -> tuple[references.Reference | None, list[Comparison]]:
    """Compare with the record of that time: it takes a quarter of a second, and this process's types don't change."""
    recorded = references.record()
    before = references.reference(None, recorded=recorded)
    if before is None:
        return None, []
    retired = recorded.retired if recorded else ()
    return before, compare(before.schemas, references.current(), retired=retired)
