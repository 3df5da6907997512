"""A caller's own pipelines, newest first: an index of the table that holds what came through the API, and no scan.

A caller's pipelines are spread over `SHARDS` partitions of the index, so that a busy caller does not slow down the
table's own writes: each is asked, and the answers are merged.
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
from shared.clock import iso
from shared.contracts.v1 import Status
from shared.dynamodb import attributes
from shared.records import LISTED, OWNER_INDEX

SHARDS = 8
PAGE = 100
PAGES = 3
"""Read at most of each partition for one answer; a caller goes on from there."""
MOST, FEW = 100, 20
EXCERPT_CHARS = 80
STATUSES = get_args(Status)
FIELDS = tuple(name for name in LISTED if name not in ("owner", "listed_at"))
"""What the list shows of a record."""
_AFTER_ALL = "~"


class Query(Struct, frozen=True, kw_only=True):
    """`since` and `before` are in the index's order."""

    status: str | None = None
    since: str = ""
    before: str = _AFTER_ALL
    limit: int = FEW


class Page(Struct, frozen=True, kw_only=True):
    """`before` is where the next page begins; None where there is no more."""

    records: Sequence[Mapping[str, Any]]
    before: str | None


def owner(who: str) -> str:
    """A caller, as the index knows it: no ARN stands in the table."""
    return hashlib.sha256(who.encode()).hexdigest()[:32]


def listed(who: str, pipeline_id: str, *, accepted_at: str, user_message: str) -> dict[str, str]:
    """What a record needs to stand in its caller's list."""
    shard = zlib.crc32(pipeline_id.encode()) % SHARDS
    return {
        "owner": f"{owner(who)}#{shard}",
        "listed_at": f"{accepted_at}#{pipeline_id}",
        "excerpt": " ".join(user_message[: 4 * EXCERPT_CHARS].split())[:EXCERPT_CHARS],
    }


def belongs_to(record: Mapping[str, Any], who: str) -> bool:
    """Whether a caller may act on it. What was published to the bus is nobody's own."""
    return "owner" not in record or str(record["owner"]).partition("#")[0] == owner(who)


# --- what is asked ---------------------------------------------------------------------------------------


def query(parameters: Mapping[str, str]) -> Query:
    """Reads the query string. Raises ApiError (400)."""
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
    try:
        moment = datetime.fromisoformat(text)
        return iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise _invalid("since", "a date or a time, e.g. 2026-11-23T09:30:00Z") from error


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= MOST):
        raise _invalid("limit", f"a number from 1 to {MOST}")
    return int(text)


def _cursor(text: str) -> str:
    try:
        before = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True).decode("ascii")
    except ValueError as error:
        raise _invalid("next", "the `next` of an earlier answer") from error
    if not (before.isprintable() and 1 <= len(before) <= 128):
        raise _invalid("next", "the `next` of an earlier answer")
    return before


def cursor(before: str) -> str:
    return base64.urlsafe_b64encode(before.encode()).decode()


# --- the index -------------------------------------------------------------------------------------------


class Listing:
    """Raises TransientError or PermanentError where DynamoDB does."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def page(self, who: str, asked: Query) -> Page:
        """Fewer than `asked.limit` records may come with more to follow: then a long way was read."""
        if asked.since > asked.before:
            return Page(records=(), before=None)
        found: list[dict[str, Any]] = []
        floor = ""
        for shard in range(SHARDS):
            records, horizon = self._shard(f"{owner(who)}#{shard}", asked)
            found += records
            floor = max(floor, horizon)
        found.sort(key=lambda record: str(record["listed_at"]), reverse=True)
        sure = [record for record in found if record["listed_at"] >= floor]
        shown = sure[: asked.limit]
        before = str(shown[-1]["listed_at"]) if len(sure) > len(shown) else floor or None
        return Page(records=shown, before=before)

    def _shard(self, partition: str, asked: Query) -> tuple[list[dict[str, Any]], str]:
        """What was found, newest first, and how far back that is all there is; empty for: to the beginning."""
        found: list[dict[str, Any]] = []
        names = {f"#{name}": name for name in LISTED}
        values = {":owner": partition, ":since": asked.since or " ", ":before": asked.before}
        options: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": OWNER_INDEX,
            "KeyConditionExpression": "#owner = :owner AND #listed_at BETWEEN :since AND :before",
            "ProjectionExpression": ", ".join(name for name in names if name != "#owner"),
            "ExpressionAttributeNames": names,
            "ScanIndexForward": False,
            "Limit": PAGE if asked.status else asked.limit + 1,
        }
        if asked.status:
            options["FilterExpression"] = "#status = :status"
            values[":status"] = asked.status
        options["ExpressionAttributeValues"] = {name: {"S": value} for name, value in values.items()}
        for _ in range(PAGES):
            with translated_errors():
                answer = self._client.query(**options)
            records = [attributes(item) for item in answer["Items"]]
            found += [record for record in records if record["listed_at"] != asked.before]
            last = answer.get("LastEvaluatedKey")
            if last is None:
                return found, ""
            if len(found) > asked.limit:
                return found, str(found[-1]["listed_at"])
            options["ExclusiveStartKey"] = last
        return found, str(last["listed_at"]["S"])
