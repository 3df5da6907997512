"""`pipeline submit` for many messages: a bar, a results file, a summary."""

import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import click
import msgspec

from cli.commands.submission import Choices
from cli.exit_codes import FAILED, INTERRUPTED, USAGE, exit_code
from cli.session import Session
from cli.view.interrupt import stoppable
from cli.view.steps import bar
from cli.view.text import counted, printable
from operations.asking.batch import BatchHaltedError, Outcome, Plan, read_lines, run_batch
from operations.asking.results_file import Results
from operations.stop import Stop


@dataclass
class Tally:
    """What is known of each line, by number: the last word counts."""

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
    def over(self) -> int:
        return sum(
            not self.wait or status not in ("ACCEPTED", "RUNNING") for status in self.statuses.values()
        )

    @property
    def bad(self) -> int:
        return sum(status in ("FAILED", "INVALID", "REFUSED") for status in self.statuses.values())


def submit_many(session: Session, file: Path, choices: Choices) -> None:
    """Reads, sends, follows, writes; bad lines are told and stop nothing."""
    if choices.resume and choices.out is None:
        raise click.UsageError("--resume goes on from a results file: name it with --out.")
    with ExitStack() as stack:
        lines = list(read_lines(_read(file), via=choices.via))
        if not lines:
            raise click.UsageError(f"There are no messages in {_name(file)}.")
        _ = session.target.addresses  # nothing is written where nothing can be sent
        results = None
        todo, known, batch = lines, {}, choices.idempotency_key or uuid.uuid4().hex[:12]
        tally = Tally(total=len(lines), wait=choices.wait)
        if choices.out:
            results = stack.enter_context(Results(choices.out, resume=choices.resume))
            todo, known = results.left(lines), dict(results.known)
            batch = choices.idempotency_key or results.batch
            results.begin(todo, batch)
            for outcome in results.ended.values():
                tally.add(outcome)
            if len(todo) < len(lines):
                session.note(f"{len(lines) - len(todo):,} of {len(lines):,} have a result already.")
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
    word = "answered" if tally.wait else "accepted"
    with bar(session.err, word, tally.total, tally.over) as moved:
        try:
            for outcome in outcomes:
                tally.add(outcome)
                receive(outcome)
                if outcome.status in ("INVALID", "REFUSED"):
                    session.err.print(f"line {outcome.line}: {printable(outcome.error or '')}")
                moved(tally.over, f"{tally.bad:,} not" if tally.bad else "")
        except BatchHaltedError as error:
            tally.halted = error


def _receiver(choices: Choices, results: Results | None) -> Callable[[Outcome], None]:
    """Where outcomes go: the results file, or stdout."""

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
    return f"\t{printable(' '.join(text.split()))}" if text else ""


def _conclude(session: Session, tally: Tally, choices: Choices) -> None:
    counts = Counter(tally.statuses.values())
    unsent = tally.total - len(tally.statuses)
    pending = counts["ACCEPTED"] + counts["RUNNING"]
    said = [
        (counts["SUCCEEDED"], "answered"),
        (len(tally.degraded), "of them degraded"),
        (pending, "not answered yet" if choices.wait else "accepted"),
        (counts["FAILED"], "failed"),
        (counts["REFUSED"], "refused"),
        (counts["INVALID"], "not valid"),
        (unsent, "not sent"),
    ]
    summary = ", ".join(f"{count:,} {what}" for count, what in said if count)
    session.note(f"{counted(tally.total, 'message')}: {summary}.")
    if choices.out:
        session.note(f"Results: {choices.out}")
    if tally.halted:
        session.note(f"Error: {tally.halted}")
    if choices.out and (unsent or counts["REFUSED"] or (choices.wait and pending)):
        session.note("Go on with the same command and --resume; nothing is started twice.")
    raise click.exceptions.Exit(_code(tally, counts, open_ends=unsent + pending * choices.wait))


def _code(tally: Tally, counts: Counter[str], *, open_ends: int) -> int:
    if tally.stop.requested and open_ends:
        return INTERRUPTED
    if tally.halted:
        return exit_code(tally.halted.reason)
    if counts["INVALID"] and counts["INVALID"] == len(tally.statuses):
        return USAGE
    return FAILED if tally.bad or open_ends else 0


def _read(file: Path) -> list[bytes]:
    if file == Path("-"):
        return sys.stdin.buffer.read().splitlines()
    try:
        return file.read_bytes().splitlines()
    except OSError as error:
        raise click.UsageError(f"Can't read {file}: {error.strerror}.") from error


def _name(file: Path) -> str:
    return "stdin" if file == Path("-") else str(file)
