"""`pipeline submit` for many messages: a bar, a results file, a summary."""

import contextlib
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import click
import msgspec

from cli.bounds import MOST_BYTES
from cli.commands.submission import Choices
from cli.session import Session
from cli.view.interrupt import stoppable
from cli.view.steps import bar
from cli.view.text import counted, in_a_line
from local.exit_codes import FAILED, INTERRUPTED, USAGE, exit_code
from operations.asking.batch import BAD, BatchHaltedError, Outcome, Plan, read_lines, run_batch
from operations.asking.results_file import Results
from operations.asking.submit import check_key
from operations.errors import InvalidInputError
from operations.stop import Stop


@dataclass
class Tally:
    """The latest status of each input line, by line number."""

    total: int
    wait: bool
    stop: Stop = field(default_factory=Stop)
    halted: BatchHaltedError | None = None
    statuses: dict[int, str] = field(default_factory=dict)
    degraded: set[int] = field(default_factory=set)

    def add(self, outcome: Outcome) -> None:
        self.statuses[outcome.line] = outcome.status
        if outcome.degraded:
            self.degraded.add(outcome.line)

    @property
    def finished(self) -> int:
        return sum(
            not self.wait or status not in ("ACCEPTED", "RUNNING") for status in self.statuses.values()
        )

    @property
    def bad(self) -> int:
        return sum(status in BAD for status in self.statuses.values())


def submit_many(session: Session, file: Path, choices: Choices) -> None:
    """Submit a file of messages, follow their runs and write the results.

    Invalid lines are reported by number and do not stop the batch.
    """
    if choices.resume and choices.out is None:
        raise click.UsageError("--resume continues a results file; name that file with --out.")
    if choices.idempotency_key is not None:
        check_key(choices.idempotency_key)  # an empty one, e.g. of an unset variable, is no key for the batch
    with ExitStack() as stack:
        lines = list(read_lines(_read(file), via=choices.via))
        if not lines:
            raise click.UsageError(f"There are no messages in {_name(file)}.")
        _ = session.target.addresses  # fails before the results file is written
        results = None
        todo, known, batch = lines, {}, choices.idempotency_key or uuid.uuid4().hex[:12]
        tally = Tally(total=len(lines), wait=choices.wait)
        if choices.out:
            results = stack.enter_context(Results(choices.out, resume=choices.resume))
            if choices.idempotency_key not in (None, results.batch) and not results.new:
                raise InvalidInputError(
                    f"The batch in {choices.out} was begun with the key {results.batch!r}. Remove --idempotency-key: "
                    "with another key, its messages would start second runs."
                )
            todo, known = results.left(lines), dict(results.known)
            batch = choices.idempotency_key or results.batch
            results.begin(todo, batch)
            tally.statuses = dict.fromkeys(known, "ACCEPTED")
            for outcome in results.ended.values():
                tally.add(outcome)
            if len(todo) < len(lines):
                session.note(f"{len(lines) - len(todo):,} of {len(lines):,} messages have a result already.")
        check_key(f"{batch}-{lines[-1].number}")
        plan = Plan(
            name=batch,
            via=choices.via,
            concurrency=choices.concurrency,
            follow=choices.wait,
            patience_seconds=choices.patience,
            known=known,
        )
        tally.stop = stack.enter_context(stoppable())
        outcomes = run_batch(session.target, todo, plan, stop=tally.stop)
        _run(session, outcomes, tally, _receiver(choices, results))
    _conclude(session, tally, choices)


def _run(
    session: Session, outcomes: Iterator[Outcome], tally: Tally, receive: Callable[[Outcome], None]
) -> None:
    description = "answered" if tally.wait else "accepted"
    with bar(session.err, description, tally.total, tally.finished) as advance:
        try:
            for outcome in outcomes:
                tally.add(outcome)
                receive(outcome)
                if outcome.status in ("INVALID", "REFUSED"):
                    session.err.print(f"line {outcome.line}: {in_a_line(outcome.error or '')}")
                advance(tally.finished, f"{tally.bad:,} unsuccessful" if tally.bad else "")
        except BatchHaltedError as error:
            tally.halted = error


def _receiver(choices: Choices, results: Results | None) -> Callable[[Outcome], None]:
    """Return a function that writes an outcome to the results file or to stdout."""

    def receive(outcome: Outcome) -> None:
        if results:
            results.add(outcome)
        elif outcome.finished or not choices.wait:
            if choices.as_json:
                click.echo(msgspec.json.encode(outcome))
            elif outcome.pipeline_id:
                click.echo(f"{outcome.line}\t{outcome.pipeline_id}\t{outcome.status}{_answer(outcome)}")

    return receive


def _answer(outcome: Outcome) -> str:
    text = outcome.final_response or outcome.error
    return f"\t{in_a_line(text)}" if text else ""


def _conclude(session: Session, tally: Tally, choices: Choices) -> None:
    counts = Counter(tally.statuses.values())
    unsent = tally.total - len(tally.statuses)
    pending = counts["ACCEPTED"] + counts["RUNNING"]
    parts = [
        (counts["SUCCEEDED"], "answered"),
        (len(tally.degraded), "of them degraded"),
        (pending, "not answered yet" if choices.wait else "accepted"),
        (counts["FAILED"], "failed"),
        (counts["REFUSED"], "refused"),
        (counts["INVALID"], "invalid"),
        (unsent, "not sent"),
    ]
    summary = ", ".join(f"{count:,} {text}" for count, text in parts if count)
    session.note(f"{counted(tally.total, 'message')}: {summary}.")
    if choices.out:
        session.note(f"Results: {choices.out}")
    if tally.halted:
        session.note(f"Error: {tally.halted}")
    if choices.out and (unsent or counts["REFUSED"] or (choices.wait and pending)):
        session.note("Repeat the command with --resume to continue; nothing is started twice.")
    raise click.exceptions.Exit(_code(tally, counts, unfinished=unsent + pending * choices.wait))


def _code(tally: Tally, counts: Counter[str], *, unfinished: int) -> int:
    if tally.stop.requested and unfinished:
        return INTERRUPTED
    if tally.halted:
        return exit_code(tally.halted.reason)
    if counts["INVALID"] and counts["INVALID"] == len(tally.statuses):
        return USAGE
    return FAILED if tally.bad or unfinished else 0


def _read(file: Path) -> list[bytes]:
    """Return the lines of a file. A file without end, such as /dev/zero, is refused at its first line."""
    try:
        with contextlib.nullcontext(sys.stdin.buffer) if file == Path("-") else file.open("rb") as stream:
            lines: list[bytes] = []
            while line := stream.readline(MOST_BYTES):
                if len(line) == MOST_BYTES:
                    raise click.UsageError(
                        f"Line {len(lines) + 1:,} of {_name(file)} has more than {MOST_BYTES:,} bytes. Is it a file "
                        "of messages, one per line?"
                    )
                lines += line.splitlines()
            return lines
    except OSError as error:
        raise click.UsageError(f"Cannot read {_name(file)}: {error.strerror}.") from error


def _name(file: Path) -> str:
    return "stdin" if file == Path("-") else str(file)
