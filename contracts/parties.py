"""The publishers and consumers of each event and result, from the stage table and a table of the other events.

`contracts/tests/test_parties.py` compares them with the templates: the permissions to publish, and the rules.
"""

from collections.abc import Mapping
from functools import cache

from msgspec import Struct

from infra.parts import TRIGGER
from shared.contracts import v1
from shared.contracts.approval import ApprovalReminder
from shared.contracts.envelope import Event
from shared.contracts.schemas import result_schema
from shared.contracts.stages import BY_KEY, EVERY, OPTIONAL, SERVICES, Stage
from shared.contracts.upcasting import EVENTS

WORKFLOW = "workflow"
PUBLISHERS = "publishers outside"
SUBSCRIBERS = "subscribers outside"
OUTSIDE = (PUBLISHERS, SUBSCRIBERS)


class Parties(Struct, frozen=True, kw_only=True):
    """The names of the publishers and consumers: services, and parties outside this repository."""

    publishers: tuple[str, ...]
    consumers: tuple[str, ...]


_BESIDE_STAGES: Mapping[str, Parties] = {
    v1.PipelineRequested.NAME: Parties(publishers=(TRIGGER, PUBLISHERS), consumers=(TRIGGER,)),
    v1.PipelineCompleted.NAME: Parties(publishers=("logger",), consumers=(SUBSCRIBERS,)),
    v1.PipelineFailed.NAME: Parties(publishers=("logger",), consumers=(SUBSCRIBERS,)),
    v1.ContractRejected.NAME: Parties(
        publishers=(*SERVICES, *(stage.service for stage in OPTIONAL)), consumers=(SUBSCRIBERS,)
    ),
    ApprovalReminder.NAME: Parties(publishers=("approval",), consumers=(SUBSCRIBERS,)),
}
"""The parties by an event's name, for all its versions, or by a detail-type, for a version with other parties."""
NOBODY = Parties(publishers=(), consumers=())


def events() -> tuple[type[Event], ...]:
    """Return every version of every event."""
    return EVENTS


def results() -> tuple[type[Struct], ...]:
    return tuple(stage.result for stage in EVERY)


def parties(name: str) -> Parties:
    """Return the parties of a detail-type, or of a result by its schema's title; none if the name is unknown."""
    return _by_result().get(name) or _by_event(name)


def _by_event(detail_type: str) -> Parties:
    name = detail_type.rpartition(".v")[0]
    for stage in EVERY:
        if name == stage.request.NAME:
            newest = (
                stage.request.detail_type() == detail_type
            )  # older versions are read, but not sent any more
            return Parties(publishers=(WORKFLOW,) if newest else (), consumers=(stage.service,))
    return _BESIDE_STAGES.get(detail_type) or _BESIDE_STAGES.get(name, NOBODY)


@cache
def _by_result() -> Mapping[str, Parties]:
    return {
        result_schema(stage.result)["title"]: Parties(
            publishers=(stage.service,), consumers=_readers(stage.key) or (WORKFLOW,)
        )
        for stage in EVERY
    }


def _readers(key: str) -> tuple[str, ...]:
    """Return the services whose requests carry the result of the stage `key`."""
    return tuple(stage.service for stage in EVERY if key in _carried(stage))


def _carried(stage: Stage) -> tuple[str, ...]:
    """Return the keys of the earlier stages whose results are part of a stage's request."""
    earlier = [other.key for other in EVERY[: EVERY.index(stage)]]
    return tuple(
        key
        for key in earlier
        if any(
            path == "$.results" or f"{path}.".startswith(f"$.results.{key}.")
            for path in stage.inputs.values()
        )
    )


def on_the_bus(kind: type[Event]) -> bool:
    """Return False for a stage's request that is sent directly to the stage's queue."""
    return all(stage.via == "bus" for stage in EVERY if stage.request.NAME == kind.NAME)


def results_in(detail_type: str) -> tuple[str, ...]:
    """Return the services whose results are part of an event's data."""
    name = detail_type.rpartition(".v")[0]
    return tuple(
        BY_KEY[key].service for stage in EVERY if name == stage.request.NAME for key in _carried(stage)
    )
