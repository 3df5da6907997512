"""How a journey is printed: live, with a line for each finished stage, and as a whole."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from cli.session import Session
from cli.view.tables import grid
from cli.view.text import counted, duration, in_a_line, in_columns, local, printable
from cli.view.timeline import NAME, drawn, legend
from operations.money.words import cost_of_run
from operations.runs.advice import PERSONS
from operations.runs.history import StageStatus
from operations.runs.journey import Journey, failed_models
from operations.runs.stage_views import StageView
from operations.runs.timeline import bars, is_restarted, longest
from shared.contracts.stages import ANSWERING, BY_KEY

MARKS: dict[StageStatus, tuple[str, str]] = {
    "waiting": ("·", "dim"),
    "running": ("…", "cyan"),
    "done": ("✓", "green"),
    "degraded": ("!", "yellow"),
    "failed": ("✗", "red"),
    "skipped": ("-", "dim"),
    "unknown": ("?", "dim"),
}
COLOURS = {"SUCCEEDED": "green", "FAILED": "red", "RUNNING": "cyan", "ACCEPTED": "cyan"}
_FINISHED = ("done", "degraded", "failed")
_ACTIVITIES = {"waiting and failed tries": "waiting and failed attempts"}
"""Display texts of the activities whose names in JSON output are older than the glossary."""


class _Live:
    """`decide` is the command that shows what waits for a person."""

    def __init__(self, console: Console, status: Status | None, decide: str) -> None:
        self._console = console
        self._status = status
        self._decide = decide
        self._printed: set[str] = set()

    def update(self, journey: Journey) -> None:
        """Print what has changed since the last update."""
        is_started = journey.started_at and (journey.accepted_at or journey.finished)
        if "started" not in self._printed and is_started:
            self._printed.add("started")
            after = _between(journey)
            self._console.print(
                _line("✓", "green", "started", f"{after} after it was accepted" if after else "")
            )
        for stage in journey.stages:
            timed = stage.took_ms is not None or journey.finished
            if stage.status in _FINISHED and timed and stage.key not in self._printed:
                self._printed.add(stage.key)
                self._console.print(stage_line(stage))
            waits = f"{stage.key} by a person"
            if stage.key in PERSONS and stage.status == "running" and waits not in self._printed:
                self._printed.add(waits)
                self._console.print(
                    _line("…", "cyan", stage.key, f"waits for {waits}: {self._decide}"), soft_wrap=True
                )
        if self._status:
            running = [stage.key for stage in journey.stages if stage.status == "running"]
            self._status.update(", ".join(running) if running else journey.status.lower())


@contextmanager
def live(session: Session) -> Iterator[_Live]:
    """Yield a live display on stderr, with a spinner on a terminal."""
    console = session.err
    decide = session.command("approvals", "list")
    if not console.is_terminal:
        yield _Live(console, None, decide)
        return
    with console.status("accepted", spinner_style="dim") as status:
        yield _Live(console, status, decide)


def watch(session: Session, journeys: Iterable[Journey]) -> Journey | None:
    """Print a journey's states as they arrive; return the last one."""
    last = None
    with live(session) as display:
        for journey in journeys:
            display.update(journey)
            last = journey
    return last


def stage_line(stage: StageView) -> Text:
    parts = [f"{duration(stage.took_ms)}" if stage.took_ms is not None else ""]
    if stage.work_ms is not None and stage.queue_wait_ms is not None:
        parts.append(f"(queue {duration(stage.queue_wait_ms)}, work {duration(stage.work_ms)})")
    text = " ".join(filter(None, parts))
    if stage.attempt:
        text += f", {stage.attempt + 1} attempts"
    if stage.status != "done":
        text += f", {stage.status}: {_problem(stage)}"
    mark, style = MARKS[stage.status]
    return _line(mark, style, stage.key, text.removeprefix(", "))


def _line(mark: str, style: str, name: str, text: str) -> Text:
    return Text.assemble((f"{mark} ", style), f"{name:<12}", text)


def _problem(stage: StageView) -> str:
    return in_a_line(": ".join(filter(None, (stage.error, stage.cause))) or "no reason given")


def _between(journey: Journey) -> str:
    if is_restarted(journey) or not (journey.accepted_at and journey.started_at):
        return ""
    return duration(max(0.0, (journey.started_at - journey.accepted_at).total_seconds() * 1000))


def headline(journey: Journey) -> Text:
    text = Text.assemble((journey.status, COLOURS.get(journey.status, "")))
    if journey.execution_time_ms is not None:
        text.append(f" after {duration(journey.execution_time_ms)}")
    if journey.degraded:
        text.append(printable(f", without {' and '.join(journey.degraded)}"), "yellow")
    if journey.ended_by:
        text.append(printable(f", {journey.early_end}"), "yellow")
    asked = [stage for stage in journey.stages if stage.output_tokens]
    if asked:
        cached = sum(stage.cache_read_tokens or 0 for stage in asked)
        of_cache = f" ({cached:,} from the cache)" if cached else ""
        text.append(f" · {sum(stage.prompt_tokens for stage in asked):,} tokens in{of_cache}")
        text.append(f", {sum(stage.output_tokens or 0 for stage in asked):,} out")
    chat = journey.chat
    if journey.answered_by:
        text.append(printable(f" · {journey.answered_by}"))
    for mark, word in (("blocked", "blocked"), ("truncated", "cut")):
        if chat.get(mark):
            text.append(printable(f" · the answer was {word} ({chat.get('stop_reason')})"), "yellow")
    return text


def print_journey(session: Session, journey: Journey) -> None:
    """Print a complete journey to stdout."""
    out = session.out
    out.print(Text(journey.pipeline_id, style="bold"))
    out.print(headline(journey))
    out.print(Text(_cut(printable(journey.user_message or "(message not recorded yet)")), style="dim"))
    out.print()
    out.print(_table(journey))
    if timeline := bars(journey, datetime.now(UTC)):
        out.print()
        for line in drawn(timeline):
            out.print(line)
        out.print(Text(f"{'':<{NAME}}{legend(timeline)}", style="dim"))
        if most := longest(timeline, journey.execution_time_ms):
            took = f"{duration(most.ms)} of {duration(most.of_ms)}"
            out.print(
                Text(f"{'':<{NAME}}longest: {most.name}, {took} {_ACTIVITIES.get(most.what, most.what)}")
            )
    problems = [(stage.key, _problem(stage)) for stage in journey.stages if stage.error]
    if journey.error and not any(stage.error for stage in journey.stages):
        problems.append(("run", in_a_line(": ".join(filter(None, (journey.error, journey.cause))))))
    if problems:
        out.print()
        for name, text in problems:
            out.print(Text.assemble((f"{name}: ", "red"), text))
            if name in journey.instead:
                out.print(Text(f"  used instead: {in_a_line(str(journey.instead[name]))}", style="yellow"))
    for line in _remarks(journey):
        out.print(line)
    out.print()
    out.print(Text(printable(in_columns(_times(journey) + _results(journey) + _cost(journey), indent=""))))
    if journey.final_response:
        out.print()
        out.print(Text(printable(journey.final_response)))


def _remarks(journey: Journey) -> Iterator[Text]:
    """Yield why the run ended early, and a line for each model that did not answer and for the one that did."""
    if journey.end_reason:
        yield Text.assemble((printable(f"{journey.ended_by}: "), "yellow"), in_a_line(journey.end_reason))
    failed = failed_models(journey.chat)
    for model in failed:
        yield Text.assemble(
            (f"{ANSWERING.key}: ", "yellow"), printable(f"{model.model_id} did not answer: {model.reason}")
        )
    if failed and journey.chat:
        yield Text(printable(f"  answered in its place: {journey.chat.get('model_id')}"), style="yellow")


def _table(journey: Journey) -> Table:
    table = grid("stage", "status", "took", "queue", "work", "attempts", "tokens in", "out", texts=2)
    for stage in journey.stages:
        mark, style = MARKS[stage.status]
        table.add_row(
            stage.key,
            Text(f"{mark} {stage.status}", style),
            duration(stage.took_ms),
            duration(stage.queue_wait_ms),
            duration(stage.work_ms),
            "" if stage.attempt is None else str(stage.attempt + 1),
            f"{stage.prompt_tokens:,}" if stage.prompt_tokens else "",
            f"{stage.output_tokens:,}" if stage.output_tokens else "",
        )
    return table


def _times(journey: Journey) -> list[tuple[str, str]]:
    times = (
        ("accepted", journey.accepted_at),
        ("started", journey.started_at),
        ("finished", journey.finished_at),
    )
    rows = [(name, f"{local(at):%Y-%m-%d %H:%M:%S.%f}"[:-3]) for name, at in times if at]
    rows += [("trace", journey.trace_id)] if journey.trace_id else []
    return rows or [("accepted", "not started yet")]


def _results(journey: Journey) -> list[tuple[str, str]]:
    """Return a row for the result of each stage that gives no answer: the headline tells of those that do."""
    rows = _analysis(journey)
    for key, result in journey.results.items():
        if result and key != "analysis" and not (key in BY_KEY and BY_KEY[key].answer):
            facts = [
                f"{name}: {value}" for name, value in result.items() if isinstance(value, str | int | float)
            ]
            rows.append((key, _cut(in_a_line(", ".join(facts)) or "no more than that it ran")))
    return rows


def _analysis(journey: Journey) -> list[tuple[str, str]]:
    analysis = journey.results.get("analysis")
    if not analysis:
        return []
    facts = [str(analysis.get("complexity") or ""), counted(analysis.get("word_count", 0), "word")]
    facts += ["question"] if analysis.get("is_question") else []
    facts += (
        ["code: " + (", ".join(analysis.get("languages") or ()) or "yes")] if analysis.get("has_code") else []
    )
    return [("message", ", ".join(filter(None, facts)))]


def _cost(journey: Journey) -> list[tuple[str, str]]:
    rows = cost_of_run(journey)
    return [("cost", f"{rows[0][1]}; see --cost"), *(("", text) for _, text in rows[1:])] if rows else []


def _cut(text: str, limit: int = 240) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
