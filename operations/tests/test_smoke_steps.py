"""The smoke test as a whole: order, independence of its steps, interruption and clean-up."""

from collections.abc import Callable, Iterator

import msgspec
import pytest

from operations.errors import InvalidInputError, NotDeployedError, RefusedError
from operations.progress import Step
from operations.smoke import steps
from operations.smoke.listener import Listener
from operations.smoke.steps import STEPS, smoke
from operations.smoke.trial import Trial
from operations.smoke.verdicts import Check, failed, not_possible, passed, verdict
from operations.stop import Stop
from operations.target import Target
from operations.tests.smoke_world import Client, Ears, refusal, replace

GOOD, BAD, NONE = passed("a", "yes"), failed("b", "no", fix="mend"), not_possible("c", "not here")


@pytest.mark.parametrize(
    ("checks", "outcome"),
    [
        ([GOOD], "passed"),
        ([GOOD, NONE], "passed"),
        ([NONE, BAD, GOOD], "failed"),
        ([NONE], "not possible"),
        ([], "not possible"),
    ],
)
def test_a_verdict_follows_from_its_checks(checks, outcome):
    """A step failed if a check failed, passed if another passed, and otherwise proved nothing."""
    assert verdict("run", checks).outcome == outcome


@pytest.fixture
def acted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return a function that replaces what the steps do; each one is noted when it begins."""

    def use(**acts: Callable[[Trial], Iterator[Check]]) -> list[str]:
        begun: list[str] = []

        def act(name: str) -> Callable[[Trial], Iterator[Check]]:
            def run(trial: Trial) -> Iterator[Check]:
                begun.append(name)
                yield from acts[name.replace("-", "_")](trial) if name.replace("-", "_") in acts else [GOOD]

            return run

        table = tuple(msgspec.structs.replace(step, act=act(step.name)) for step in STEPS)
        monkeypatch.setattr(steps, "STEPS", table)
        return begun

    return use


def test_a_failed_step_does_not_prevent_the_next(trial: Trial, acted):
    """Steps run in the table's order, and an error in one is its failed check; what it had found is kept."""

    def breaks(_trial: Trial) -> Iterator[Check]:
        yield GOOD
        raise RefusedError("Throttled. Try again.")

    acted(run=breaks)
    progress: list[Step] = []
    verdicts = list(smoke(trial, progress=progress.append))
    assert [verdict.step for verdict in verdicts] == [step.name for step in STEPS]
    assert [verdict.step for verdict in verdicts if verdict.outcome == "failed"] == ["run"]
    assert [check.text for check in verdicts[1].checks] == ["yes", "Throttled. Try again."]
    assert [step.state for step in progress if step.name == "run"] == ["started", "failed"]


def test_named_steps_run_alone_in_the_tables_order(trial: Trial, acted):
    """`only` leaves the other steps out, whatever the order of the names; an unknown name begins nothing."""
    begun = acted()
    assert len(list(smoke(trial, only=["redrive", "run"]))) == 2
    assert begun == ["run", "redrive"]
    with pytest.raises(InvalidInputError, match="There is no step 'ruin'"):
        list(smoke(trial, only=["ruin"]))
    assert begun == ["run", "redrive"]


def test_an_interrupted_step_has_no_verdict_and_the_subscriber_is_removed(trial: Trial, acted):
    """After Ctrl-C in a wait, the step has no verdict, no further step begins, and the clean-up is done."""

    def waits(trial: Trial) -> Iterator[Check]:
        trial.opened = removed  # type: ignore[assignment]  # it only needs to close
        trial.stop.requested = True
        yield passed("a", str(trial.wait(lambda: None)))

    class Removable(Ears):
        closed = False

        def close(self) -> None:
            self.closed = True

    removed = Removable()
    begun = acted(run=waits)
    verdicts = list(smoke(trial))
    assert [(verdict.step, verdict.outcome) for verdict in verdicts] == [
        ("put-events", "passed"),
        ("clean-up", "passed"),
    ]
    assert (begun, removed.closed, trial.opened) == (["put-events", "run"], True, None)


def test_a_second_ctrl_c_still_cleans_up(trial: Trial, acted):
    """KeyboardInterrupt in a step is passed on after the subscriber was removed."""
    closed: list[bool] = []

    def dies(trial: Trial) -> Iterator[Check]:
        trial.opened = Ears()  # type: ignore[assignment]
        trial.opened.close = lambda: closed.append(True)  # type: ignore[union-attr,method-assign]
        raise KeyboardInterrupt
        yield GOOD

    acted(run=dies)
    with pytest.raises(KeyboardInterrupt):
        list(smoke(trial))
    assert closed == [True]


def test_a_subscriber_that_remains_is_a_failed_verdict(trial: Trial, acted):
    """If the temporary rule or queue can't be removed, the last verdict fails and names it."""

    def opens(trial: Trial) -> Iterator[Check]:
        replace(trial.target, "events", Client(
            remove_targets=refusal("RemoveTargets", "AccessDeniedException"),
            delete_rule=refusal("DeleteRule", "AccessDeniedException"),
        ))  # fmt: skip
        trial.opened = Listener(trial.target, trial.name)
        yield GOOD

    acted(run=opens)
    last = list(smoke(trial, only=["run"]))[-1]
    assert (last.step, last.outcome) == ("clean-up", "failed")
    assert "remain" in last.checks[0].text


def test_nothing_begins_where_nothing_is_deployed(aws: None, nowhere: Target, acted):
    """An environment that is not deployed is an error before the first step."""
    begun = acted()
    with pytest.raises(NotDeployedError):
        list(smoke(Trial(nowhere, patience=0, stop=Stop())))
    assert begun == []


def test_two_trials_have_different_names():
    """Each smoke test has ids of its own, so that it can be repeated at once; they fit a rule's name of 64."""
    names = {Trial(None, patience=0, stop=Stop()).name for _ in range(20)}  # type: ignore[arg-type]
    assert len(names) > 1
    assert all(len(f"ai-pipeline-{'x' * 31}-{name}") <= 64 for name in names)
