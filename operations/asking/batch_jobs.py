"""Batches as jobs: made of a text, looked at, sent once, followed by whoever looks, continued after an interruption.

A job's notes are outcomes without answers, which stay in the records of the runs; `results` adds them again.
"""

import secrets
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

import msgspec
from msgspec import Struct

from operations.asking.batch import Line, Outcome, Plan, read_lines, run_batch
from operations.asking.submit import Via
from operations.errors import InvalidInputError
from operations.json_text import written
from operations.runs.records import read_records
from operations.stop import Stop
from operations.target import Target
from shared.contracts.record import PACKED, Record

MOST_LINES = 5_000
_READ_AT_ONCE = 100


class Batch(Struct, frozen=True, kw_only=True):
    """A text with a request on each line. The keys of the requests follow from `name` and the line's number.

    `known` holds the ids of the runs, by line number, that earlier jobs of this batch have started.
    """

    name: str
    via: Via
    text: str
    known: Mapping[int, str] = {}

    @property
    def lines(self) -> tuple[Line, ...]:
        return _lines(self.text, self.via)


@lru_cache(maxsize=12)
def _lines(text: str, via: Via) -> tuple[Line, ...]:
    """Read the lines of a text, which whoever follows a batch looks at again and again."""
    return tuple(read_lines(text.split("\n"), via=via))


def new_batch(text: str, via: Via) -> Batch:
    """Make a batch of a text. Raises InvalidInputError if it has no line, too many, or none that can be sent."""
    text = "\n".join(map(_as_json, text.split("\n")))
    batch = Batch(name=f"console-{secrets.token_hex(8)}", via=via, text=text)
    lines = batch.lines
    if not lines:
        raise InvalidInputError(
            'There are no messages. Write one on each line: its text, or JSON, e.g. {"user_message": "…"}.'
        )
    if len(lines) > MOST_LINES:
        raise InvalidInputError(
            f"These are {len(lines):,} lines; at most {MOST_LINES:,} are sent at once. Split them, or use "
            "`pipeline submit --file`."
        )
    if all(line.request is None for line in lines):
        raise InvalidInputError(f"No line can be sent. Line {lines[0].number}: {lines[0].problem}.")
    return batch


def _as_json(line: str) -> str:
    """Return a line as JSON: one that does not begin as a string, object or list is the text of a message."""
    line = line.removeprefix("\ufeff").strip()
    return line if not line or line[0] in '"{[' else written(line)


def rest_of(batch: Batch, outcomes: Iterable[Outcome]) -> Batch:
    """Return the batch again, with the runs that it has started: none of them is started a second time."""
    started = {one.line: one.pipeline_id for one in outcomes if one.pipeline_id}
    return msgspec.structs.replace(batch, known={**batch.known, **started})


def sent(target: Target, batch: Batch, stop: Stop) -> Iterator[Outcome]:
    """Send a batch and follow its runs; yield the outcomes, without answers. Raises BatchHaltedError."""
    plan = Plan(name=batch.name, via=batch.via, follow=True, known=batch.known)
    for outcome in run_batch(target, batch.lines, plan, stop=stop):
        yield msgspec.structs.replace(outcome, final_response=None)


def latest(outcomes: Iterable[Outcome]) -> dict[int, Outcome]:
    """Return the last outcome of each line, by line number, in the order of the lines."""
    found = {one.line: one for one in outcomes}
    return dict(sorted(found.items()))


def results(target: Target, outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """Yield the last outcome of each line with its answer, as far as there is a record of it."""
    last = list(latest(outcomes).values())
    for start in range(0, len(last), _READ_AT_ONCE):
        some = last[start : start + _READ_AT_ONCE]
        answered = [one.pipeline_id for one in some if one.status == "SUCCEEDED" and one.pipeline_id]
        records = read_records(target, answered, fields=("final_response", PACKED)) if answered else {}
        for one in some:
            record = records.get(one.pipeline_id or "", Record())
            yield msgspec.structs.replace(one, final_response=record.get("final_response"))
