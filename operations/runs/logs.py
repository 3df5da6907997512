"""The functions' log lines that contain one id, from their log groups, in the order in which they were written.

A line is JSON with the ids it is about (`shared/worker/outcome.py`). CloudWatch Logs finds the lines that contain an
id; this module checks which of a line's fields has it. Each search is bounded in time and in calls.
"""

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
from operations.json_text import parse, written
from operations.runs.journey import Journey, read_journey
from operations.stop import Stop
from operations.target import Target
from shared.contracts.record import iso
from shared.errors import ContractViolation
from shared.metrics import PARKED

PAGES = 200
"""The largest number of calls for one log group; each answer covers a part of it, and may be empty."""
REFUSAL_PAGES = 20
"""The same for a search of all refusals, which has no run to bound it."""
AT_ONCE = 4
"""Log groups that are searched at a time: AWS allows five calls per second in its smallest regions."""
BEFORE, AFTER = timedelta(seconds=5), timedelta(minutes=2)
"""Margins around a run: clocks differ, and lines may be written or delivered after the run's end."""
LATE_SECONDS = {True: 8.0, False: 2.0}
"""How long after a run's end its last lines may take to be found, on AWS and on the engine."""
IDS = ("pipeline_id", "trace_id", "event_id", "delivery_id", "message_id")

_ID = re.compile(r"[A-Za-z0-9_:.-]{1,256}")

Progress = Callable[["Read"], None]


class Line(Struct, frozen=True, kw_only=True):
    """One log line. `fields` contains everything in the line, also its text and time."""

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
        """Whether the line is about a read of the run's status through the API. A run may have thousands of these."""
        return self.function == "api" and self.fields.get("http_method") == "GET" and self.level == "INFO"

    @property
    def is_cold_start(self) -> bool:
        """Whether the line's message waited while its function started, as a process tells of its first batch."""
        return self.fields.get("cold_start") is True

    def ids_of(self, term: str) -> tuple[str, ...]:
        """Return the names of the fields that have this id."""
        return tuple(name for name in IDS if self.fields.get(name) == term)

    def as_json(self) -> str:
        return written({"function": self.function, "at": iso(self.at), **self.fields})


class Read(Struct, kw_only=True):
    """The lines found so far. `missing`: functions without a log group. `cut`: functions not searched to the end."""

    lines: list[Line] = []
    searched: int = 0
    missing: list[str] = []
    cut: list[str] = []
    reads: int = 0
    """The number of lines about API status reads that were left out."""


def log_group(env: str, function: str) -> str:
    return f"/aws/lambda/ai-pipeline-{env}-{function}"


def parsed(function: str, event: Mapping[str, Any]) -> Line | None:
    """Parse a log event; None if its line is not JSON of the project's functions."""
    try:
        fields = parse(str(event.get("message")))
    except ValueError:
        return None
    if not isinstance(fields, dict):
        return None
    return Line(at=_time(fields.get("timestamp"), event), function=function, fields=fields)


def _time(timestamp: object, event: Mapping[str, Any]) -> datetime:
    """Return when the line was written; the engine's log events only have the end of their invocation."""
    try:
        return datetime.strptime(str(timestamp), "%Y-%m-%d %H:%M:%S,%f%z").astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.fromtimestamp(int(event.get("timestamp") or 0) / 1_000, UTC)


def require_id(text: str) -> None:
    """Raise InvalidInputError for a text that can't be an id."""
    if not _ID.fullmatch(text):
        raise InvalidInputError(
            f"{text[:80]!r} can't be an id. An id consists of letters, digits, hyphens, dots, colons, underscores."
        )


def search(  # noqa: PLR0913 -- a search has bounds
    target: Target,
    term: str,
    *,
    since: datetime,
    until: datetime | None = None,
    functions: Sequence[str] = (),
    pages: int = PAGES,
    stop: Stop | None = None,
    progress: Progress = lambda _: None,
    fits: Callable[[Line], bool] | None = None,
) -> Read:
    """Find every line with this id in one of its fields, oldest first, of all functions or of those named.

    `fits` decides in the place of the ids which of the lines that contain the term are meant. Raises
    InvalidInputError for a text that can't be an id.
    """
    require_id(term)
    names = tuple(functions) or tuple(function.name for function in FUNCTIONS)
    is_meant = fits or (lambda line: bool(line.ids_of(term)))
    result = Read()
    window = {"startTime": _milliseconds(since), **({"endTime": _milliseconds(until)} if until else {})}
    target.client("logs")  # made here: the threads share it

    def search_function(name: str) -> None:
        for number, page in enumerate(_pages(target, log_group(target.env, name), term, window), 1):
            if page is None:
                result.missing.append(name)
                break
            lines = (parsed(name, event) for event in page["events"])
            result.lines.extend(line for line in lines if line and is_meant(line))
            progress(result)
            if page.get("nextToken") and (number >= pages or (stop and stop.requested)):
                result.cut.append(name)
                break
        result.searched += 1
        progress(result)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(search_function, names))
    result.lines.sort(key=lambda line: line.at)
    return result


def refusals(
    target: Target, *, since: datetime, stop: Stop | None = None, progress: Progress = lambda _: None
) -> Read:
    """Find the lines about messages that were parked because they break their contract, the latest first."""
    found = search(
        target,
        ContractViolation.NAME,
        since=since,
        pages=REFUSAL_PAGES,
        stop=stop,
        progress=progress,
        fits=lambda line: (
            line.fields.get("outcome") == PARKED.name and line.fields.get("error") == ContractViolation.NAME
        ),
    )
    found.lines.reverse()
    return found


def _pages(
    target: Target, group: str, term: str, window: Mapping[str, int]
) -> Iterator[Mapping[str, Any] | None]:
    """Yield the pages of a search in one log group; None if there is no such log group."""
    token: dict[str, str] = {}
    while True:
        with translated("read the logs"):
            try:
                page = target.client("logs").filter_log_events(
                    logGroupName=group, filterPattern=f'"{term}"', **window, **token
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
    """Return milliseconds since 1970; CloudWatch Logs takes no earlier time."""
    return max(0, int(moment.timestamp() * 1_000))


# --- one run -----------------------------------------------------------------------------------------------


def window(journey: Journey) -> tuple[datetime, datetime | None]:
    """Return the time range of a run's lines, without an end while the run goes on."""
    began = journey.accepted_at or journey.started_at or datetime.now(UTC)
    ended = journey.finished_at if journey.finished else None
    # A publisher chooses the time of its event, even one at an end of the calendar.
    first, last = datetime.min.replace(tzinfo=UTC) + BEFORE, datetime.max.replace(tzinfo=UTC) - AFTER
    return max(began, first) - BEFORE, min(ended, last) + AFTER if ended else None


def read_logs(
    target: Target,
    pipeline_id: str,
    *,
    reads: bool = False,
    stop: Stop | None = None,
    progress: Progress = lambda _: None,
) -> Read:
    """Read the lines of one run so far; with `reads`, also those about API status reads. Raises NotFoundError."""
    since, until = window(read_journey(target, pipeline_id))
    result = search(target, pipeline_id, since=since, until=until, stop=stop, progress=progress)
    if not reads:
        kept = [line for line in result.lines if not line.is_read]
        result.lines, result.reads = kept, len(result.lines) - len(kept)
    return result


def follow_logs(target: Target, pipeline_id: str, *, reads: bool = False, stop: Stop) -> Iterator[Line]:
    """Yield each line of one run as it arrives, until the run ends or a stop is requested.

    Lines of different functions that arrive at different times may be out of order. Raises NotFoundError.
    """
    yielded: set[str] = set()
    ended: float | None = None
    while True:
        journey = read_journey(target, pipeline_id)
        since, _ = window(journey)
        for line in search(target, pipeline_id, since=since, stop=stop).lines:
            if (key := line.as_json()) not in yielded and (reads or not line.is_read):
                yielded.add(key)
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
