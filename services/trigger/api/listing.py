"""Lists a caller's own pipelines, newest first, from the index of pipelines that came through the API.

A caller's pipelines are spread over `SHARDS` partitions of the index, so that a busy caller does not slow down the
table's writes. Each partition is queried, and the results are merged.
"""

import base64
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, get_args

from msgspec import Struct

from services.trigger.api.refusals import ApiError, Reason
from shared.aws import translated_errors
from shared.contracts.record import iso
from shared.contracts.v1 import Status
from shared.dynamodb import attributes
from shared.records import LISTED, OWNER_INDEX

SHARDS = 8
PAGE = 100
PAGES = 3
"""Pages read from each partition for one answer at most; the caller continues with `next`."""
MAX_LIMIT, DEFAULT_LIMIT = 100, 20
EXCERPT_CHARS = 80
STATUSES = get_args(Status)
FIELDS = tuple(name for name in LISTED if name not in ("owner", "listed_at"))
"""The fields of a record that the list shows."""
NEXT_RULE = "the value of `next` in an earlier answer"
_AFTER_ALL = "~"


class Query(Struct, frozen=True, kw_only=True):
    """A request for a page. `since` and `before` are values of the index's sort key, `listed_at`."""

    status: str | None = None
    since: str = ""
    before: str = _AFTER_ALL
    limit: int = DEFAULT_LIMIT


class Page(Struct, frozen=True, kw_only=True):
    """One page of the list. The next page has records before `before`, which is None if there are no more."""

    records: Sequence[Mapping[str, Any]]
    before: str | None


def owner(caller: str) -> str:
    """Return the hash that stands for a caller in the index; the table holds no ARN of a caller."""
    return hashlib.sha256(caller.encode()).hexdigest()[:32]


def listed(caller: str, pipeline_id: str, *, accepted_at: str, user_message: str) -> dict[str, str]:
    """Return the fields that put a record into its caller's list."""
    shard = zlib.crc32(pipeline_id.encode()) % SHARDS
    return {
        "owner": f"{owner(caller)}#{shard}",
        "listed_at": f"{accepted_at}#{pipeline_id}",
        "excerpt": " ".join(user_message[: 4 * EXCERPT_CHARS].split())[:EXCERPT_CHARS],
    }


def belongs_to(record: Mapping[str, Any], caller: str) -> bool:
    """Whether a caller may read and cancel a pipeline: its owner, or any caller if it came from the bus.

    Such a pipeline has no owner, since an event does not say who published it. Who publishes chooses an id that
    cannot be guessed, and reads the result as a caller of the API.
    """
    return "owner" not in record or str(record["owner"]).partition("#")[0] == owner(caller)


# --- the query string ------------------------------------------------------------------------------------


def query(parameters: Mapping[str, str]) -> Query:
    """Return the query in a query string's parameters. Raises ApiError (400)."""
    unread = dict(parameters)
    fields: dict[str, Any] = {}
    for name, field, parse in (
        ("status", "status", _status),
        ("since", "since", _since),
        ("limit", "limit", _limit),
        ("next", "before", _cursor),
    ):
        if (text := unread.pop(name, None)) is not None:
            fields[field] = parse(text)
    if unread:
        raise ApiError(Reason.UNKNOWN_PARAMETER, name=min(unread)[:64])
    return Query(**fields)


def _invalid(name: str, rule: str) -> ApiError:
    return ApiError(Reason.INVALID_PARAMETER, name=name, rule=rule)


def _status(text: str) -> str:
    if text not in STATUSES:
        raise _invalid("status", f"one of {', '.join(STATUSES)}")
    return text


def _since(text: str) -> str:
    if "T" in text:  # a `+` that is not percent-encoded arrives as a blank
        text = text.replace(" ", "+")
    try:
        moment = datetime.fromisoformat(text)
        return iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise _invalid("since", "a date or a time, e.g. 2026-11-23T09:30:00Z") from error


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= MAX_LIMIT):
        raise _invalid("limit", f"a number from 1 to {MAX_LIMIT}")
    return int(text)


def _cursor(text: str) -> str:
    try:
        before = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True).decode("ascii")
    except ValueError as error:
        raise _invalid("next", NEXT_RULE) from error
    if not (before.isprintable() and 1 <= len(before) <= 128):
        raise _invalid("next", NEXT_RULE)
    return before


def cursor(before: str) -> str:
    return base64.urlsafe_b64encode(before.encode()).decode()


# --- the index -------------------------------------------------------------------------------------------


class Listing:
    """The index of callers. Raises TransientError or PermanentError if DynamoDB refuses or fails a call."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def page(self, caller: str, query: Query) -> Page:
        """Return a page. With a filter, it may have fewer than `query.limit` records although more follow."""
        if query.since > query.before:
            return Page(records=(), before=None)
        records: list[dict[str, Any]] = []
        floor = ""
        for shard in range(SHARDS):
            shard_records, horizon = self._shard(f"{owner(caller)}#{shard}", query)
            records += shard_records
            floor = max(floor, horizon)
        records.sort(key=lambda record: str(record["listed_at"]), reverse=True)
        complete = [record for record in records if record["listed_at"] >= floor]
        shown = complete[: query.limit]
        before = str(shown[-1]["listed_at"]) if len(complete) > len(shown) else floor or None
        return Page(records=shown, before=before)

    def _shard(self, partition: str, query: Query) -> tuple[list[dict[str, Any]], str]:
        """Return the records of one index partition that match the query, newest first, and where reading stopped.

        The latter is a `listed_at`: older records may be missing. It is empty if the whole partition was read.
        """
        matching: list[dict[str, Any]] = []
        names = {f"#{name}": name for name in LISTED}
        values = {":owner": partition, ":since": query.since or " ", ":before": query.before}
        options: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": OWNER_INDEX,
            "KeyConditionExpression": "#owner = :owner AND #listed_at BETWEEN :since AND :before",
            "ProjectionExpression": ", ".join(name for name in names if name != "#owner"),
            "ExpressionAttributeNames": names,
            "ScanIndexForward": False,
            "Limit": PAGE if query.status else query.limit + 1,
        }
        if query.status:
            options["FilterExpression"] = "#status = :status"
            values[":status"] = query.status
        options["ExpressionAttributeValues"] = {name: {"S": value} for name, value in values.items()}
        for _ in range(PAGES):
            with translated_errors():
                answer = self._client.query(**options)
            records = [attributes(item) for item in answer["Items"]]
            matching += [record for record in records if record["listed_at"] != query.before]
            last = answer.get("LastEvaluatedKey")
            if last is None:
                return matching, ""
            if len(matching) > query.limit:
                return matching, str(matching[-1]["listed_at"])
            options["ExclusiveStartKey"] = last
        return matching, str(last["listed_at"]["S"])
