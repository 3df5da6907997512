"""The table of the smoke test's steps, and the smoke test itself."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from msgspec import Struct

from operations.errors import InvalidInputError, OperationError
from operations.progress import Progress, Step, silent
from operations.smoke.alarm import alarm_mail
from operations.smoke.model import denied_model
from operations.smoke.publishing import put_events
from operations.smoke.runs import redrive, run, stopped_run
from operations.smoke.trial import AGAIN, InterruptedTrialError, Trial
from operations.smoke.verdicts import Check, Verdict, failed, passed, verdict

CLEAN_UP: Final = "clean-up"


class SmokeStep(Struct, frozen=True, kw_only=True):
    """One step: its name, what it shows, and the function that yields its checks."""

    name: str
    title: str
    act: Callable[[Trial], Iterator[Check]]


STEPS: Final[tuple[SmokeStep, ...]] = (
    SmokeStep(name="put-events", title="each role publishes its own events, and no other", act=put_events),
    SmokeStep(name="run", title="a message is answered via API and bus, with its cost", act=run),
    SmokeStep(name="denied-model", title="the chatbot may call no other model", act=denied_model),
    SmokeStep(name="stopped-run", title="a stopped run is recorded and announced", act=stopped_run),
    SmokeStep(name="redrive", title="a stopped run continues where it stopped", act=redrive),
    SmokeStep(name="alarm-mail", title="an alarm reaches its topic and subscribers", act=alarm_mail),
)
"""The steps in their order."""


def chosen(names: Sequence[str] = ()) -> tuple[SmokeStep, ...]:
    """Return the named steps in the table's order, or all. Raises InvalidInputError for an unknown name."""
    known = [step.name for step in STEPS]
    if unknown := [name for name in names if name not in known]:
        raise InvalidInputError(f"There is no step {unknown[0]!r}. Choose from: {', '.join(known)}.")
    return tuple(step for step in STEPS if not names or step.name in names)


def smoke(trial: Trial, *, only: Sequence[str] = (), progress: Progress = silent) -> Iterator[Verdict]:
    """Yield the verdict of each step as it ends; a failed step does not prevent later ones.

    A last verdict, `clean-up`, says whether the temporary subscriber was removed. Stops between two steps, or in a
    wait, when asked to; a step that is interrupted has no verdict. Raises NotDeployedError or UnreachableError before
    the first step.
    """
    steps = chosen(only)
    _ = trial.target.addresses
    try:
        for step in steps:
            if trial.stop.requested:
                break
            began = time.monotonic()
            progress(Step(step.name, "started", step.title))
            try:
                checks = list(_checks(step, trial))
            except InterruptedTrialError:
                progress(Step(step.name, "failed", "interrupted", time.monotonic() - began))
                break
            result = verdict(step.name, checks, time.monotonic() - began)
            state = {"passed": "finished", "failed": "failed"}.get(result.outcome, "unchanged")
            progress(Step(step.name, state, step.title, result.seconds))  # type: ignore[arg-type]
            yield result
    finally:
        cleaned = _clean_up(trial)
    if cleaned is not None:
        yield cleaned


def _checks(step: SmokeStep, trial: Trial) -> Iterator[Check]:
    """Yield the step's checks; an error that ends the step is a failed check."""
    try:
        yield from step.act(trial)
    except OperationError as error:
        yield failed(step.title, str(error), fix=AGAIN)


def _clean_up(trial: Trial) -> Verdict | None:
    if trial.opened is None:
        return None
    name = trial.opened.name
    try:
        trial.close()
    except OperationError as error:
        return verdict(CLEAN_UP, [failed("subscriber", str(error), fix="Delete the rule and the queue.")])
    return verdict(CLEAN_UP, [passed("subscriber", f"The temporary rule and queue {name} were removed.")])
