"""The bus client: publishes events in chunks that PutEvents accepts, and raises if any of them is refused."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import msgspec

from shared.aws import translated_errors
from shared.contracts.envelope import SOURCE, Outgoing
from shared.errors import PermanentError, TransientError, is_transient

CHUNK_ENTRIES = 10
CHUNK_BYTES = 1_000_000
"""PutEvents accepts less than 1 MiB per request; the difference leaves room for the fields beside the detail."""

Entry = dict[str, Any]


def entry(event: Outgoing, bus_name: str) -> Entry:
    return {
        "EventBusName": bus_name,
        "Source": SOURCE,
        "DetailType": event.data.detail_type(),
        "Detail": msgspec.json.encode(event.detail()).decode(),
        "Time": event.occurred_at,
    }


def chunks(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Yield groups of at most 10 entries and 1 MB, in order."""
    chunk: list[Entry] = []
    size = 0
    for item in entries:
        item_size = len(item["Detail"].encode()) + len(item["DetailType"]) + len(item["Source"]) + 14
        if chunk and (len(chunk) == CHUNK_ENTRIES or size + item_size > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += item_size
    if chunk:
        yield chunk


class Bus:
    """The event bus. `connect` makes the EventBridge client at the first event: most workers publish none."""

    def __init__(self, connect: Callable[[], Any], name: str) -> None:
        self._client = cache(connect)
        self._name = name

    def publish(self, events: Sequence[Outgoing]) -> None:
        """Publish `events`. If EventBridge refuses any, the others are published anyway.

        Raises PermanentError if no refused event can be accepted later, else TransientError. If a whole call fails,
        raises either, and later chunks are not sent.
        """
        refused: list[str] = []
        for chunk in chunks(entry(event, self._name) for event in events):
            with translated_errors():
                answer = self._client().put_events(Entries=chunk)
            if answer.get("FailedEntryCount"):
                refused += [item["ErrorCode"] for item in answer["Entries"] if item.get("ErrorCode")]
        if refused:
            code = next(filter(is_transient, refused), None)
            kind = TransientError if code else PermanentError
            raise kind(f"PutEvents refused {len(refused)} of {len(events)} events: {code or refused[0]}")
