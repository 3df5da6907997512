"""Reads the costs of many runs, page by page of the table of records."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from operations.aws_errors import translated
from operations.money.costs import Cost, Report, cost_of, summarise
from operations.runs.records import read_records, record_of
from operations.stop import Stop
from operations.target import Target
from shared.contracts.record import FINAL, Record, iso
from shared.contracts.stages import ANSWERING

PAGE = 1_000
FIELDS = (
    "pipeline_id",
    "status",
    "timestamp",
    "finished_at",
    "stages",
    ANSWERING.key,
    "cost",
    "earlier_nano_usd",
    "ended_by",
)
"""The fields that the report reads of a record with a cost."""

OnPage = Callable[[int, int], None]
"""A callback that receives the number of records read so far and the approximate number of all."""


def read_report(
    target: Target,
    *,
    since: datetime | None = None,
    limit: int,
    on_page: OnPage = lambda _read, _about: None,
    stop: Stop | None = None,
) -> Report:
    """Return the report over the whole table, or its first `limit` records: the table has no index by time.

    After a `stop`, it is the report over what was read.
    """
    counts = Report(since=since)
    report = summarise(_costs(target, counts, limit, on_page, stop or Stop()))
    report.stand_in = target.stand_in
    for name in ("since", "read", "complete", "not_over", "not_metered"):
        setattr(report, name, getattr(counts, name))
    return report


def _costs(target: Target, counts: Report, limit: int, on_page: OnPage, stop: Stop) -> Iterator[Cost]:
    """Yield the costs of finished runs, and add the numbers of the other runs to `counts`."""
    for page in _pages(target, counts, limit, on_page, stop):
        over = [record for record in page if record.get("status") in FINAL]
        counts.not_over += len(page) - len(over)
        bare = [str(record["pipeline_id"]) for record in over if "cost" not in record]
        whole = read_records(target, bare, fields=None) if bare else {}
        for record in over:
            cost = cost_of(whole.get(str(record["pipeline_id"]), record))
            if cost is None:
                counts.not_metered += 1
            else:
                yield cost


def _pages(
    target: Target, counts: Report, limit: int, on_page: OnPage, stop: Stop
) -> Iterator[Sequence[Record]]:
    table = target.addresses.table_name
    names = {f"#{name}": name for name in FIELDS}
    options: dict[str, Any] = {
        "TableName": table,
        "ProjectionExpression": ", ".join(names),
        "ExpressionAttributeNames": names,
    }
    if counts.since:
        options["FilterExpression"] = (
            "#finished_at >= :since OR (attribute_not_exists(#finished_at) AND #timestamp >= :since)"
        )
        options["ExpressionAttributeValues"] = {":since": {"S": iso(counts.since.astimezone(UTC))}}
    client = target.client("dynamodb")
    with translated("read the records"):
        about = int(client.describe_table(TableName=table)["Table"].get("ItemCount") or 0)
    while True:
        with translated("read the records"):
            answer = client.scan(**options, Limit=min(PAGE, limit - counts.read))
        counts.read += answer["ScannedCount"]
        on_page(counts.read, max(about, counts.read))
        yield [record_of(item) for item in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            return
        if counts.read >= limit or stop.requested:
            counts.complete = False
            return
        options["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
