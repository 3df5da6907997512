"""How a plan is shown and carried out: the plan, the question, each outcome, canaries, the ends of the runs."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, BinaryIO, NoReturn

import click
from rich.text import Text

from cli.bounds import MOST_BYTES
from cli.session import Session
from cli.view.interrupt import stoppable
from cli.view.steps import bar
from cli.view.text import counted, in_a_line
from local.exit_codes import FAILED, INTERRUPTED
from operations.approvals import Approvals
from operations.dlq.messages import about, data_of, violation
from operations.dlq.plan import Action, Planned
from operations.dlq.plans import Note, T, in_phases
from operations.dlq.replay import Options, Replay, Result, Selection, corrected, plan, select
from operations.errors import InvalidInputError
from operations.json_text import parse, written
from operations.money.estimate import Estimate, Rates, Work, estimate, read_rates, work_of_message
from operations.runs.ends import End
from operations.stop import Stop
from operations.wording import usd

PLAN_LINES = 40
QUESTIONS = {"message": "Replay these messages?", "run": "Redrive these runs?"}
CORRECTION = "Correct a message that breaks its contract with `{} replay --id ID --edit`, or archive it."
STYLES = {
    Action.MOVE: "green",
    Action.REDRIVE: "green",
    Action.RESTART: "green",
    Action.ARCHIVE: "cyan",
    Action.LEAVE: "yellow",
}
MARKS = {"done": ("✓", "green"), "left": ("·", "yellow"), "gone": ("·", "dim"), "failed": ("✗", "red")}


@dataclass(frozen=True)
class Line:
    """One line of a plan: an item and the decision about it."""

    label: str
    where: str
    action: Action
    reason: str
    about: Mapping[str, Any]
    """The fields that identify the item in JSON output."""
    work: Work
    broken: bool = False
    """Whether it is a message that is left because it breaks its contract."""

    def as_json(self, rates: Rates) -> dict[str, Any]:
        decision = {"action": self.action, "reason": self.reason}
        return {**self.about, **decision, "estimated_nano_usd": self.work.cost(rates)}


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
    data: BinaryIO | None = None


# --- dlq replay ------------------------------------------------------------------------------------------


def nothing_parked(selection: Selection) -> str:
    return "No message is parked." if selection == Selection() else "No parked message matches."


def replay_all(session: Session, selection: Selection, choices: Choices) -> None:
    """Plan, announce and carry out a replay. Raises click's Exit with the command's exit code."""
    with session.err.status("reading the parked messages", spinner_style="dim"):
        messages = select(session.target, selection)
        edited = choices.edit or choices.data is not None
        planned = plan(session.target, messages, restart=choices.restart, edited=edited)
    data = _correction(planned, choices)
    lines = [
        Line(
            f"{item.message.id}  {item.message.pipeline_id or '-'}",
            item.message.service,
            item.decision.action,
            item.decision.reason,
            about(item.message),
            work_of_message(item),
            broken=item.decision.action is Action.LEAVE and violation(item.message) is not None,
        )
        for item in planned
    ]
    if not announce(session, lines, choices, "message", nothing=nothing_parked(selection)):
        return
    options = Options(rate=choices.rate, restart=choices.restart, data=data)

    def acting(stop: Stop) -> Callable[[Sequence[Planned]], Iterator[Result]]:
        return Replay(session.target, who=session.target.describe().caller, options=options, stop=stop).run

    carry_out(session, choices, planned, acting)


def _correction(planned: Sequence[Planned], choices: Choices) -> Any:
    """Return the validated, corrected data of a single message; None if no correction was requested."""
    if not choices.edit and choices.data is None:
        return None
    if len(planned) != 1:
        raise InvalidInputError(
            f"{counted(len(planned), 'message')} selected, but a correction needs exactly one. Select it with --id."
        )
    (item,) = planned
    text: str | bytes
    if choices.data is not None:
        text = choices.data.read(MOST_BYTES)
    else:
        current = written(data_of(item.message), indent=2)
        text = click.edit(current, extension=".json") or current
        if text.strip() == current.strip():
            raise InvalidInputError("The data was not changed, so nothing was sent.")
    try:
        data = parse(text)
    except ValueError as error:
        raise InvalidInputError(f"The data is not valid JSON: {error}. Nothing was sent.") from error
    if not isinstance(data, dict):
        raise InvalidInputError("The data must be a JSON object. Nothing was sent.")
    corrected(item.message, data)
    return data


# --- any plan --------------------------------------------------------------------------------------------


def announce(session: Session, lines: Sequence[Line], choices: Choices, noun: str, *, nothing: str) -> bool:
    """Show the plan and ask for confirmation. Returns False if nothing is to be carried out."""
    rates = read_rates(session.target) if any(line.work.stages for line in lines) else Rates()
    if choices.as_json and choices.dry_run:
        session.json([line.as_json(rates) for line in lines])
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
            in_a_line(line.reason),
        )
        (session.out if choices.dry_run else session.err).print(text)
    if not choices.dry_run and len(lines) > PLAN_LINES:
        session.note(f"… and {len(lines) - PLAN_LINES:,} more; --dry-run shows all of them.")
    counts = Counter(line.action for line in lines)
    summary = ", ".join(f"{counts[action]:,} {action}" for action in Action if counts[action])
    session.note(f"{counted(len(lines), noun)}: {summary}.")
    if cost := _cost_line(estimate([line.work for line in lines], rates)):
        session.note(cost)
    if any(line.broken for line in lines):
        session.note(CORRECTION.format(session.command("dlq")))
    if choices.dry_run:
        session.note("Dry run: nothing was changed.")
        return False
    session.confirm(QUESTIONS[noun], yes=choices.yes)
    return True


def _cost_line(expected: Estimate) -> str:
    """Return a sentence about what the plan will cost, empty if it starts no run."""
    if not expected.runs:
        return ""
    if expected.nano_usd is None:
        return "The cost cannot be estimated: no run has succeeded yet."
    unpriced = "" if expected.complete else ", plus what has no known price"
    recalled = (
        f"; {counted(expected.answered, 'stored answer')} not paid for again" if expected.answered else ""
    )
    return (
        f"It will cost about {usd(expected.nano_usd)}{unpriced}, "
        f"estimated from {counted(expected.by_runs, 'finished run')}{recalled}."
    )


def carry_out(
    session: Session,
    choices: Choices,
    items: Sequence[T],
    acting: Callable[[Stop], Callable[[Sequence[T]], Iterator[Result]]],
    *,
    fields: Collection[str] = Result.__struct_fields__,
) -> NoReturn:
    """Carry out the plan of `items`. Raises click's Exit with the command's exit code.

    `acting` returns the function that acts on items until it is asked to stop, which Ctrl-C does. `fields` are those
    of a result in JSON output.
    """
    total, canary = len(items), min(choices.canary or 0, len(items))
    results: list[Result] = []
    unsuccessful: list[End] = []
    if canary:
        session.note(f"Canary: {canary:,} of {total:,} first.")
    with stoppable() as stop:
        notes = in_phases(session.target, items, acting(stop), canary, stop)
        wanted = takewhile(lambda note: choices.wait or note.phase != "runs", notes)
        for note in follow(session, wanted, quiet=choices.as_json):
            if note.phase in ("canary runs", "runs") and Approvals(session.target).is_on:
                session.note(
                    f"A run ends only when its answer is approved: {session.command('approvals', 'list')}"
                )
            if note.result:
                results.append(note.result)
            if note.end and not note.end.good:
                unsuccessful.append(note.end)
            if note.canary_held is False:
                session.note(f"The canary failed; the other {total - canary:,} were left unchanged.")
    if choices.as_json:
        shown = [{name: getattr(result, name) for name in fields} for result in results]
        session.json({"results": shown, "failed_runs": unsuccessful})
    reached = sum(result.reached for result in results)
    counts = Counter(result.outcome for result in results)
    parts = [f"{reached:,} of {total:,} reached their outcome"]
    parts += [f"{counts[name]:,} {name}" for name in ("left", "failed", "gone") if counts[name]]
    parts += [f"{counted(len(unsuccessful), 'run')} did not succeed"] if unsuccessful else []
    session.note(f"{', '.join(parts)}.")
    if stop.requested and len(results) < total:
        session.note("Stopped. Repeat the command to continue; nothing is done twice.")
        raise click.exceptions.Exit(INTERRUPTED)
    raise click.exceptions.Exit(FAILED if reached < total or unsuccessful else 0)


def follow(session: Session, notes: Iterator[Note], *, quiet: bool) -> Iterator[Note]:
    """Yield the notes as they arrive, after each outcome, and each run that did not succeed, was printed.

    On a terminal, a bar counts the outcomes of a phase; of many, only those that missed their goal are printed.
    """
    on_screen = session.out.is_terminal and session.err.is_terminal
    # The console of the bar moves it out of the way of a line.
    console = session.err if quiet or on_screen else session.out
    done, is_long = 0, False
    with ExitStack() as bars:
        for note in notes:
            if note.phase:
                bars.close()
                name = "done" if note.phase in ("canary", "rest") else "finished runs"
                advance = bars.enter_context(bar(session.err, name, note.total))
                done, is_long = 0, on_screen and note.total > PLAN_LINES
            elif note.canary_held is not None:
                bars.close()
            else:
                done += 1
                advance(done, "")
            if note.result and not (is_long and note.result.reached):
                console.print(_outcome(note.result))
            if note.end and not note.end.good:
                session.err.print(_unsuccessful(note.end))
            yield note


def _outcome(result: Result) -> Text:
    mark, style = MARKS.get(result.outcome, ("·", ""))
    why = in_a_line(result.problem or result.reason)
    return Text.assemble((f"{mark} ", style), f"{result.message_id}  {result.action}: ", why)


def _unsuccessful(end: End) -> Text:
    why = ": ".join(filter(None, (end.error, end.cause))) or "not finished yet"
    return Text(f"✗ {end.pipeline_id}  {end.status}  {in_a_line(why)}")
