"""Carrying out a plan in front of a user: plan, question, each outcome as it comes, canaries, the runs' ends."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, TextIO, TypeVar

import click
from rich.text import Text

from cli.exit_codes import FAILED, INTERRUPTED
from cli.session import Session
from cli.view.interrupt import stoppable
from cli.view.money import usd
from cli.view.steps import bar
from cli.view.text import counted, printable
from operations.dlq.messages import Parked, data_of
from operations.dlq.plan import Action, Planned
from operations.dlq.replay import Options, Replay, Selection, corrected, plan, select
from operations.errors import InvalidInputError
from operations.money.estimate import Estimate, Rates, Work, estimate, read_rates, work_of_message
from operations.runs.ends import End, ends
from operations.stop import Stop

PLAN_LINES = 40
STYLES = {
    Action.MOVE: "green",
    Action.REDRIVE: "green",
    Action.RESTART: "green",
    Action.ARCHIVE: "cyan",
    Action.LEAVE: "yellow",
}
MARKS = {"done": ("✓", "green"), "left": ("·", "yellow"), "gone": ("·", "dim"), "failed": ("✗", "red")}


class Outcome(Protocol):
    """What became of one item of a plan."""

    @property
    def reached(self) -> bool: ...
    @property
    def starts_run(self) -> bool: ...
    @property
    def label(self) -> str: ...
    @property
    def pipeline_id(self) -> str | None: ...
    @property
    def action(self) -> Action: ...
    @property
    def reason(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def problem(self) -> str | None: ...


T = TypeVar("T")
O = TypeVar("O", bound=Outcome)  # noqa: E741 -- an outcome


@dataclass(frozen=True)
class Line:
    """One item of a plan, as it is shown."""

    label: str
    where: str
    action: Action
    reason: str
    about: Mapping[str, Any]
    """For scripts: everything that names it."""
    work: Work

    def as_json(self, known: Rates) -> dict[str, Any]:
        told = {"action": self.action, "reason": self.reason}
        return {**self.about, **told, "estimated_nano_usd": self.work.cost(known)}


@dataclass(frozen=True)
class Choices:
    """The options of a command that carries out a plan."""

    dry_run: bool = False
    yes: bool = False
    rate: float = 10
    canary: int | None = None
    wait: bool = False
    as_json: bool = False
    restart: bool = False
    edit: bool = False
    data: TextIO | None = None


# --- dlq replay ------------------------------------------------------------------------------------------


def replay_all(session: Session, selection: Selection, choices: Choices) -> None:
    """Raises click's Exit with the command's code."""
    with session.err.status("reading what is parked", spinner_style="dim"):
        messages = select(session.target, selection)
        edited = choices.edit or choices.data is not None
        planned = plan(session.target, messages, restart=choices.restart, edited=edited)
    data = _correction(planned, choices)
    lines = [
        Line(
            f"{item.message.id[:8]}  {item.message.pipeline_id or '-':<12.12}",
            item.message.service,
            item.decision.action,
            item.decision.reason,
            about_message(item.message),
            work_of_message(item),
        )
        for item in planned
    ]
    if not announce(session, lines, choices, "message", nothing="Nothing that is parked matches."):
        return
    options = Options(rate=choices.rate, restart=choices.restart, data=data)
    with stoppable() as stop:
        replay = Replay(session.target, who=session.target.describe().caller, options=options, stop=stop)
        Course(session, choices, stop).run(replay.run, planned, lambda item: item.decision.action.starts_work)


def about_message(message: Parked) -> dict[str, Any]:
    return {
        "id": message.id,
        "service": message.service,
        "queue": message.kind,
        "parked_at": message.sent_at,
        "error_type": message.error_type,
        "error": message.error,
        "detail_type": message.detail_type,
        "pipeline_id": message.pipeline_id,
        "execution_arn": message.execution_arn,
    }


def _correction(planned: Sequence[Planned], choices: Choices) -> Any:
    """The corrected data of the one message, checked; None where nothing is to be corrected."""
    if not choices.edit and choices.data is None:
        return None
    if len(planned) != 1:
        raise InvalidInputError(
            f"{counted(len(planned), 'message')} selected: correct one at a time. Choose it with --id."
        )
    (item,) = planned
    if choices.data is not None:
        text = choices.data.read()
    else:
        now = json.dumps(data_of(item.message), indent=2, ensure_ascii=False)
        text = click.edit(now, extension=".json") or now
        if text.strip() == now.strip():
            raise InvalidInputError("The data was not changed; nothing was sent.")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"The data is not valid JSON: {error}. Nothing was sent.") from error
    if not isinstance(data, dict):
        raise InvalidInputError("The data is not a JSON object. Nothing was sent.")
    corrected(item.message, data)
    return data


# --- any plan --------------------------------------------------------------------------------------------


def announce(session: Session, lines: Sequence[Line], choices: Choices, noun: str, *, nothing: str) -> bool:
    """Shows the plan and asks. False if there is nothing (more) to do."""
    known = read_rates(session.target) if any(line.work.stages for line in lines) else Rates()
    if choices.as_json and choices.dry_run:
        session.json([line.as_json(known) for line in lines])
        return False
    if not lines:
        session.note(nothing)
        if choices.as_json:
            session.json([])
        return False
    for line in lines if choices.dry_run else lines[:PLAN_LINES]:
        text = Text.assemble(
            f"{line.label}  {line.where:<9} ",
            (f"{line.action:<9} ", STYLES[line.action]),
            printable(line.reason),
        )
        (session.out if choices.dry_run else session.err).print(text)
    if not choices.dry_run and len(lines) > PLAN_LINES:
        session.note(f"… and {len(lines) - PLAN_LINES:,} more; --dry-run shows all.")
    counts = Counter(line.action for line in lines)
    said = ", ".join(f"{counts[action]:,} {action}" for action in Action if counts[action])
    session.note(f"{counted(len(lines), noun)}: {said}.")
    if told := _cost_line(estimate([line.work for line in lines], known)):
        session.note(told)
    if choices.dry_run:
        session.note("Nothing was done.")
        return False
    session.confirm("Go on?", yes=choices.yes)
    return True


def _cost_line(found: Estimate) -> str:
    """What the plan will cost, or nothing if nothing will run."""
    if not found.runs:
        return ""
    if found.nano_usd is None:
        return "What it will cost can't be told: no run has succeeded yet."
    least = "" if found.complete else ", and what has no price"
    saved = f"; {counted(found.answered, 'answer')} stored, and not paid again" if found.answered else ""
    return (
        f"It will cost about {usd(found.nano_usd)}{least}, judged by {counted(found.by_runs, 'run')}{saved}."
    )


class Course:
    """Carries a plan out: canaries first, the others if those succeed."""

    def __init__(self, session: Session, choices: Choices, stop: Stop) -> None:
        self._session = session
        self._choices = choices
        self._stop = stop
        self._results: list[Outcome] = []
        self._bad: list[End] = []

    def run(
        self, act: Callable[[Sequence[T]], Iterator[Outcome]], items: Sequence[T], works: Callable[[T], bool]
    ) -> None:
        """`works` says of an item whether it starts a run. Raises click's Exit with the command's code."""
        total, canaries = len(items), self._choices.canary or 0
        if canaries:
            ordered = sorted(items, key=lambda item: not works(item))
            first, items = ordered[:canaries], ordered[canaries:]
            self._session.note(f"Canary: {len(first):,} of {total:,} first.")
            self._act(act(first), len(first), wait=True)
            if not self._stop.requested and (self._bad or not all(it.reached for it in self._results)):
                self._session.note(f"The canary failed; the other {len(items):,} were not touched.")
                self._finish(total)
        if not self._stop.requested:
            self._act(act(items), len(items), wait=self._choices.wait)
        self._finish(total)

    def _act(self, outcomes: Iterator[Outcome], total: int, *, wait: bool) -> None:
        found = follow(self._session, outcomes, total=total, quiet=self._choices.as_json)
        self._results += found
        if wait:
            self._await(found)

    def _await(self, results: Sequence[Outcome]) -> None:
        """Notes the runs that did not succeed."""
        ids = {result.pipeline_id for result in results if result.starts_run and result.pipeline_id}
        with bar(self._session.err, "runs that ended", len(ids)) as moved:
            for count, end in enumerate(ends(self._session.target, ids, stop=self._stop), 1):
                moved(count, "")
                if not end.good:
                    self._bad.append(end)
                    why = ": ".join(filter(None, (end.error, end.cause))) or "no end yet"
                    text = f"✗ {end.pipeline_id}  {end.status}  {printable(why)}"
                    self._session.err.print(Text(text))

    def _finish(self, total: int) -> NoReturn:
        results, bad = self._results, self._bad
        if self._choices.as_json:
            self._session.json({"results": results, "failed_runs": bad})
        reached = sum(result.reached for result in results)
        counts = Counter(result.outcome for result in results)
        parts = [f"{reached:,} of {total:,} reached their outcome"]
        parts += [f"{counts[name]:,} {name}" for name in ("left", "failed", "gone") if counts[name]]
        parts += [f"{counted(len(bad), 'run')} did not succeed"] if bad else []
        self._session.note(f"{', '.join(parts)}.")
        if self._stop.requested and len(results) < total:
            self._session.note("Stopped. The same command goes on; nothing is done twice.")
            raise click.exceptions.Exit(INTERRUPTED)
        raise click.exceptions.Exit(FAILED if reached < total or bad else 0)


def follow(session: Session, results: Iterator[O], *, total: int, quiet: bool) -> list[O]:
    """Shows each outcome as it comes."""
    found = []
    with bar(session.err, "done", total) as moved:
        for result in results:
            found.append(result)
            moved(len(found), "")
            mark, style = MARKS.get(result.outcome, ("·", ""))
            text = Text.assemble(
                (f"{mark} ", style),
                f"{result.label}  {result.action}: ",
                printable(result.problem or result.reason),
            )
            (session.err if quiet else session.out).print(text)
    return found
