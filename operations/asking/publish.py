"""Publishing one event by hand, after it was checked against its contract."""

from typing import Any

from msgspec import Struct

from operations.aws_errors import translated
from operations.errors import InvalidInputError, RefusedError
from operations.json_text import parse, shortened, written
from operations.target import Target
from operations.violations import KINDS, Violation, violations
from shared.contracts.envelope import SOURCE

_ENTRY_FIELDS = {
    "source": "source",
    "Source": "source",
    "detail-type": "detail-type",
    "DetailType": "detail-type",
    "detail": "detail",
    "Detail": "detail",
}


class Draft(Struct, frozen=True, kw_only=True):
    """An event that was checked and keeps its contract."""

    detail_type: str
    detail: dict[str, Any]

    @property
    def pipeline_id(self) -> str | None:
        metadata = self.detail.get("metadata") or {}
        return metadata.get("pipeline_id")


class Published(Struct, frozen=True, kw_only=True):
    """A published event. `pipeline_id` is the event's own id if the publisher gave none."""

    event_id: str
    pipeline_id: str
    detail_type: str
    bus: str


class ContractBrokenError(InvalidInputError):
    """The event breaks its contract; `violations` lists every place."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        lines = "".join(f"\n  {violation.path}: {violation.reason}" for violation in violations)
        super().__init__(f"The event breaks its contract; nothing was published.{lines}")
        self.violations = violations


def draft(text: str | bytes, *, detail_type: str | None = None) -> Draft:
    """Read an event: {"source", "detail-type", "detail"}, the same in the spelling of PutEvents, or a bare detail.

    `detail_type` is needed for a bare detail. Raises InvalidInputError, ContractBrokenError.
    """
    try:
        event = parse(text)
    except ValueError as error:
        raise InvalidInputError(f"The event is not valid JSON: {error}") from error
    if not isinstance(event, dict):
        raise InvalidInputError("An event is a JSON object.")
    fields, broken = _entry(event, detail_type)
    name = fields["detail-type"]
    if not isinstance(name, str) or name not in KINDS:
        raise InvalidInputError(f"There is no event {shortened(name)}. Known: {', '.join(KINDS)}.")
    broken += violations(name, fields["detail"])
    if broken:
        raise ContractBrokenError(tuple(broken))
    return Draft(detail_type=name, detail=fields["detail"])


def _entry(event: dict[str, Any], detail_type: str | None) -> tuple[dict[str, Any], list[Violation]]:
    if "detail" not in event and "Detail" not in event:
        if detail_type is None:
            raise InvalidInputError(
                'The event has no detail. Give {"source": …, "detail-type": …, "detail": {…}}, '
                "or a bare detail with --detail-type."
            )
        return {"detail-type": detail_type, "detail": event}, []
    fields: dict[str, Any] = {}
    broken: list[Violation] = []
    for field, value in event.items():
        if known := _ENTRY_FIELDS.get(field):
            fields[known] = value
        else:
            broken.append(Violation(f"$.{field}", "there is no such field in an event to publish"))
    if fields.get("source", SOURCE) != SOURCE:
        broken.append(Violation("$.source", f"must be {SOURCE!r}, got {shortened(fields['source'])}"))
    name: Any = fields.setdefault("detail-type", detail_type)
    if name is None:
        raise InvalidInputError("The event has no detail-type. Give it in the event, or with --detail-type.")
    if detail_type not in (None, name):
        raise InvalidInputError(
            f"The event says detail-type {shortened(name)}, but --detail-type says {detail_type!r}. Leave one out."
        )
    if isinstance(fields["detail"], str):  # PutEvents takes the detail as a string
        try:
            fields["detail"] = parse(fields["detail"])
        except ValueError as error:
            raise InvalidInputError(f"`Detail` is not valid JSON: {error}") from error
    return fields, broken


def publish(target: Target, event: Draft) -> Published:
    """Publish the event. Raises RefusedError if EventBridge does not accept it."""
    bus = target.addresses.bus_name
    with translated("publish the event"):
        answer = target.client("events").put_events(
            Entries=[
                {
                    "EventBusName": bus,
                    "Source": SOURCE,
                    "DetailType": event.detail_type,
                    "Detail": written(event.detail),
                }
            ]
        )
    entry = answer["Entries"][0]
    if answer.get("FailedEntryCount") or "EventId" not in entry:
        raise RefusedError(
            f"EventBridge refused the event: {entry.get('ErrorCode')}: {entry.get('ErrorMessage')}"
        )
    return Published(
        event_id=entry["EventId"],
        pipeline_id=event.pipeline_id or entry["EventId"],
        detail_type=event.detail_type,
        bus=bus,
    )
