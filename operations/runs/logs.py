"""The functions' log lines about one thing, from their log groups, in the order in which they were written.

A line is JSON with the ids it is about (`shared/worker/outcome.py`). CloudWatch Logs finds those that contain an
id; which of a line's fields is the id is judged here. Each search is bounded in time and in calls.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from msgspec import Struct

from infra.functions import FUNCTIONS
from operations.aws_errors import translated
from operations.errors import InvalidInputError
from operations.runs.journey import Journey, read_journey
from operations.stop import Stop
from operations.target import Target
from shared.contracts.record import iso

PAGES = 200
"""Calls for one log group at most. AWS answers with a part of the group at a time, also with an empty one."""
AT_ONCE = 4
"""Log groups: AWS takes five calls a second in its smallest regions."""
BEFORE, AFTER = timedelta(seconds=5), timedelta(minutes=2)
"""Around a run: clocks differ, and the last worker writes, or the engine passes on, after the run's end."""
LATE_SECONDS = {True: 8.0, False: 2.0}
"""How long after a run's end its last lines may take to be found, on AWS and on the engine."""
IDS = ("pipeline_id", "trace_id", "event_id", "delivery_id", "message_id")

_TERM = re.compile(r"[A-Za-z0-9_:.-]{1,256}")

Progress = Callable[["Read"], None]


class Line(Struct, frozen=True, kw_only=True):
    """`fields` is all that the line says, its text and time included."""

    at: datetime
    function: str
    fields: Mapping[str, Any]

    @property
    def level(self) -> str:
        return str(self.fields.get("level") or "INFO")

    @property
    def text(self) -> str:
        return str(self.fields.get("message") or "")

    @property
    def is_read(self) -> bool:
        """Somebody asked the API how the run stands: no part of its story, and there may be thousands."""
        return self.function == "api" and self.fields.get("http_method") == "GET" and self.level == "INFO"

    def ids_of(self, given: str) -> tuple[str, ...]:
        """Which of its fields are this id."""
        return tuple(name for name in IDS if self.fields.get(name) == given)

    def as_json(self) -> str:
        return json.dumps({"function": self.function, "at": iso(self.at), **self.fields}, ensure_ascii=False)


class Read(Struct, kw_only=True):
    """What was found so far. `missing`: functions without a log group. `cut`: not searched to the end."""

    lines: list[Line] = []
    searched: int = 0
    missing: list[str] = []
    cut: list[str] = []
    reads: int = 0
    """Lines about reads of the record that were left out."""


def log_group(env: str, function: str) -> str:
    return f"/aws/lambda/ai-pipeline-{env}-{function}"


def parsed(function: str, event: Mapping[str, Any]) -> Line | None:
    """None for a line that is not one of the project's own."""
    try:
        fields = json.loads(str(event.get("message")))
    except ValueError:
        return None
    if not isinstance(fields, dict):
        return None
    return Line(at=_time(fields.get("timestamp"), event), function=function, fields=fields)


def _time(written: object, event: Mapping[str, Any]) -> datetime:
    """When the line was written; the engine's events only say when their invocation ended."""
    try:
        return datetime.strptime(str(written), "%Y-%m-%d %H:%M:%S,%f%z")
    except ValueError:
        return datetime.fromtimestamp(int(event.get("timestamp") or 0) / 1_000, UTC)


def search(  # noqa: PLR0913 -- a search has bounds
    target: Target,
    given: str,
    *,
    since: datetime,
    until: datetime | None = None,
    functions: Sequence[str] = (),
    pages: int = PAGES,
    stop: Stop | None = None,
    progress: Progress = lambda _: None,
) -> Read:
    """Every line with this id in one of its fields, oldest first; of all functions, or of those named.

    Raises InvalidInputError for what can't be an id.
    """
    if not _TERM.fullmatch(given):
        raise InvalidInputError(f"{given!r} can't be an id.")
    names = tuple(functions) or tuple(function.name for function in FUNCTIONS)
    found = Read()
    window = {"startTime": _milliseconds(since), **({"endTime": _milliseconds(until)} if until else {})}
    target.client("logs")  # made here: the threads share it

    def one(name: str) -> None:
        for number, page in enumerate(_pages(target, log_group(target.env, name), given, window), 1):
            if page is None:
                found.missing.append(name)
                break
            lines = (parsed(name, event) for event in page["events"])
            found.lines.extend(line for line in lines if line and line.ids_of(given))
            progress(found)
            if page.get("nextToken") and (number >= pages or (stop and stop.requested)):
                found.cut.append(name)
                break
        found.searched += 1
        progress(found)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, names))
    found.lines.sort(key=lambda line: line.at)
    return found


def _pages(
    target: Target, group: str, given: str, window: Mapping[str, int]
) -> Iterator[Mapping[str, Any] | None]:
    """None where there is no such log group."""
    token: dict[str, str] = {}
    while True:
        with translated("read the logs"):
            try:
                page = target.client("logs").filter_log_events(
                    logGroupName=group, filterPattern=f'"{given}"', **window, **token
                )
            except ClientError as error:
                if error.response["Error"]["Code"] == "ResourceNotFoundException":
                    yield None
                    return
                raise
        yield page
        if not page.get("nextToken"):
            return
        token = {"nextToken": page["nextToken"]}


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000)


# --- one run -----------------------------------------------------------------------------------------------


def window(journey: Journey) -> tuple[datetime, datetime | None]:
    """Where a run's lines can be; without an end while it is open."""
    began = journey.accepted_at or journey.started_at
    ended = journey.finished_at if journey.finished else None
    return (began or datetime.now(UTC)) - BEFORE, ended + AFTER if ended else None


def read_logs(
    target: Target,
    pipeline_id: str,
    *,
    reads: bool = False,
    stop: Stop | None = None,
    progress: Progress = lambda _: None,
) -> Read:
    """The lines of one run so far, with those about reads of its record if wanted. Raises NotFoundError."""
    since, until = window(read_journey(target, pipeline_id))
    found = search(target, pipeline_id, since=since, until=until, stop=stop, progress=progress)
    if not reads:
        kept = [line for line in found.lines if not line.is_read]
        found.lines, found.reads = kept, len(found.lines) - len(kept)
    return found


def follow_logs(target: Target, pipeline_id: str, *, reads: bool = False, stop: Stop) -> Iterator[Line]:
    """The lines of one run as they come, to its end or until asked to stop; each once.

    Lines of different functions that come at different moments can't be in order. Raises NotFoundError.
    """
    told: set[str] = set()
    ended: float | None = None
    while True:
        journey = read_journey(target, pipeline_id)
        since, _ = window(journey)
        for line in search(target, pipeline_id, since=since, stop=stop).lines:
            if (key := line.as_json()) not in told and (reads or not line.is_read):
                told.add(key)
                yield line
        if journey.finished:
            ended = ended or time.monotonic()
            if time.monotonic() - ended >= LATE_SECONDS[target.is_aws]:
                return
        if stop.requested:
            return
        stop.wait(target.pace.poll_seconds)
        if stop.requested:
            return
