"""`pipeline smoke`."""

import textwrap
from typing import TYPE_CHECKING

import click

from cli.bounds import Number
from cli.session import Session, TargetCommand
from cli.view.interrupt import stoppable
from cli.view.steps import shown
from cli.view.text import counted, printable
from local.exit_codes import FAILED, INTERRUPTED
from operations.smoke.steps import STEPS, chosen, smoke
from operations.smoke.trial import PATIENCE_SECONDS, Trial
from operations.smoke.verdicts import Check, Verdict

if TYPE_CHECKING:
    from operations.progress import Progress, Step

WIDTH = 80
_MARKS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "not possible": ("–", "bright_black")}
COST = (
    "The smoke test makes about four short runs, which cost what four short answers of the model cost. It sets one "
    "alarm for a moment, and the alarms on parked messages may ring."
)


@click.command(
    name="smoke",
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline --env dev smoke
  pipeline --env dev smoke --yes --json
  pipeline --env dev smoke --only redrive --only alarm-mail
  pipeline smoke --only put-events
\b
Exit codes: 0 no step failed, 1 a step failed, 2 wrong usage,
4 not reachable or not deployed, 130 interrupted.""",
)
@click.option(
    "--only",
    type=click.Choice([step.name for step in STEPS]),
    multiple=True,
    help="Run only this step; repeatable.",
)
@click.option(
    "--patience",
    type=Number(min=1, max=3_600),
    default=PATIENCE_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="Maximum time to wait for the end of a run.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdicts as JSON.")
@click.pass_obj
def smoke_(session: Session, *, only: tuple[str, ...], patience: float, yes: bool, as_json: bool) -> None:
    """Prove after a first deployment what only a real account can prove.

    Each role publishes an event, messages are answered, a run is stopped and
    redriven, an alarm sends its mail. Each step passes, fails and says what to do,
    or says why it is not possible here; a failed step does not prevent the next.

    The environment is left as it was, apart from records of runs. The ids of runs
    requested by an event begin with smoke-; the API chooses the others.
    docs/proofs.md lists what each step proves.
    """
    target = session.target
    _ = target.addresses  # not deployed: said before anything is asked
    if not session.is_local:
        session.note(COST)
        session.confirm("Run the smoke test?", yes=yes)
    verdicts: list[Verdict] = []
    with stoppable() as stop, shown(session.err) as steps:
        trial = Trial(target, patience=patience, stop=stop)
        session.note(f"{trial.name}: {counted(len(chosen(only)), 'step')}")
        for verdict in smoke(trial, only=only, progress=steps if as_json else _running(steps)):
            verdicts.append(verdict)
            if not as_json:
                _print(verdict)
    interrupted = stop.requested
    if as_json:
        session.json(
            {
                "name": trial.name,
                "env": session.env,
                "region": target.region,
                "interrupted": interrupted,
                "passed": not interrupted and not _any_failed(verdicts),
                "steps": verdicts,
                "runs": trial.left,
            }
        )
    else:
        _print_summary(session, trial, verdicts)
    if interrupted:
        raise click.exceptions.Exit(INTERRUPTED)
    if _any_failed(verdicts):
        raise click.exceptions.Exit(FAILED)


def _running(progress: "Progress") -> "Progress":
    """Show only which step runs: its verdict is printed when it ends."""

    def show(step: "Step") -> None:
        if step.state == "started":
            progress(step)

    return show


def _any_failed(verdicts: list[Verdict]) -> bool:
    return any(verdict.outcome == "failed" for verdict in verdicts)


def _print(verdict: Verdict) -> None:
    mark, colour = _MARKS[verdict.outcome]
    head = f"{verdict.step:<13} {verdict.outcome}" + (" here" if verdict.outcome == "not possible" else "")
    click.echo(f"{click.style(mark, fg=colour)} {head} ({verdict.seconds:.1f} s)")
    for check in verdict.checks:
        _print_check(check)


def _print_check(check: Check) -> None:
    mark, colour = _MARKS[check.outcome]
    how = " [simulated]" if check.evidence == "simulation" else ""
    click.echo(_filled(f"{mark} {check.subject}{how}: {check.text}", first="  "))
    if check.fix:
        click.secho(_filled(f"What to do: {check.fix}", first="    "), fg=colour)


def _filled(text: str, *, first: str) -> str:
    return textwrap.fill(
        printable(text),
        WIDTH,
        initial_indent=first,
        subsequent_indent="    ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _print_summary(session: Session, trial: Trial, verdicts: list[Verdict]) -> None:
    counts = ", ".join(
        f"{number} {outcome}"
        for outcome in _MARKS
        if (number := sum(verdict.outcome == outcome for verdict in verdicts))
    )
    click.echo(f"{counted(len(verdicts), 'verdict')}: {counts or 'none'}.")
    if trial.left:
        session.note(f"Records left: {', '.join(trial.left)}")
