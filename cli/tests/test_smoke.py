"""`pipeline smoke` as it is typed: the question, the verdicts as text and JSON, the exit codes."""

import json
from collections.abc import Callable, Iterator, Sequence

import pytest

from cli.tests.support import call
from local import targets
from operations.smoke.steps import STEPS
from operations.smoke.trial import Trial
from operations.smoke.verdicts import Verdict, failed, not_possible, passed, verdict
from operations.target import Target
from operations.tests.smoke_world import account

__all__ = ["account"]

VERDICTS = (
    verdict("put-events", [passed("api", "It was accepted."), not_possible("roles", "No simulator.")], 1.25),
    verdict("denied-model", [passed("other models", "Denied.", evidence="simulation")]),
    verdict("redrive", [not_possible("continued", "There is no redrive.")]),
)
BROKEN = verdict("run", [failed("via API", "It never ended.", fix="Look at the queue.")])


@pytest.fixture
def verdicts(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[str, ...]]]:
    """Return a function that sets the smoke test's verdicts, and returns the steps that each call names."""

    def use(*given: Verdict, interrupted: bool = False) -> list[tuple[str, ...]]:
        asked: list[tuple[str, ...]] = []

        def smoke(trial: Trial, *, only: Sequence[str], progress: object) -> Iterator[Verdict]:
            asked.append(tuple(only))
            trial.left.append(f"{trial.name}-bus")
            yield from given
            trial.stop.requested = interrupted

        monkeypatch.setattr("cli.commands.smoke.smoke", smoke)
        return asked

    return use


@pytest.fixture
def dev(account: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--env dev` leads to an account in which everything is deployed."""
    monkeypatch.setattr(targets, "find_target", lambda *_args, **_options: account)


@pytest.mark.usefixtures("local_engine")
def test_verdicts_are_printed_with_how_they_are_known(verdicts):
    """Each step and check is a line; a simulation is called so, and the records that remain are named."""
    verdicts(*VERDICTS)
    result = call("smoke")
    assert result.exit_code == 0
    assert "✓ put-events    passed (1.2 s)" in result.stdout
    assert "– redrive       not possible here" in result.stdout
    assert "✓ other models [simulated]: Denied." in result.stdout
    assert "3 verdicts: 2 passed, 1 not possible." in result.stdout
    assert "Records left: smoke-" in result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.usefixtures("local_engine")
def test_a_failed_step_is_exit_code_1_with_what_to_do(verdicts):
    """A failed step fails the command, and its check says what to do."""
    verdicts(*VERDICTS, BROKEN)
    result = call("smoke")
    assert result.exit_code == 1
    assert "What to do: Look at the queue." in result.stdout


@pytest.mark.usefixtures("local_engine")
def test_json_has_every_check(verdicts):
    """--json prints all steps and checks with outcome, evidence and fix, and the ids of the runs."""
    asked = verdicts(*VERDICTS, BROKEN)
    result = call("smoke", "--json", "--only", "run", "--only", "redrive")
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert asked == [("run", "redrive")]
    assert (report["env"], report["passed"], report["interrupted"]) == ("local", False, False)
    assert report["runs"] == [f"{report['name']}-bus"]
    assert [step["step"] for step in report["steps"]] == ["put-events", "denied-model", "redrive", "run"]
    assert report["steps"][3]["checks"] == [
        {
            "subject": "via API",
            "outcome": "failed",
            "text": "It never ended.",
            "fix": "Look at the queue.",
            "evidence": "act",
        }
    ]


@pytest.mark.usefixtures("local_engine")
def test_an_interruption_is_130(verdicts):
    """After Ctrl-C the verdicts so far are printed, and the exit code says that there are more steps."""
    verdicts(VERDICTS[0], interrupted=True)
    result = call("smoke", "--json")
    assert result.exit_code == 130
    assert json.loads(result.stdout)["passed"] is False


@pytest.mark.usefixtures("dev")
def test_on_aws_it_names_the_account_and_asks_first(verdicts):
    """On AWS the account, the region and the cost are said before anything is done; without a yes nothing is."""
    asked = verdicts(*VERDICTS)
    refused = call("--env", "dev", "smoke")
    assert (refused.exit_code, asked) == (2, [])
    assert "account 123456789012, region us-east-1" in refused.stderr
    assert "cost what four short answers of the model cost" in refused.stderr
    assert "--yes" in refused.stderr
    assert call("--env", "dev", "smoke", "--yes").exit_code == 0
    assert asked == [()]


def test_where_nothing_is_deployed_it_says_so_before_it_asks(nowhere: Target, monkeypatch, verdicts):
    """An environment without a deployment is exit code 4, and no step begins."""
    monkeypatch.setattr(targets, "find_target", lambda *_args, **_options: nowhere)
    asked = verdicts(*VERDICTS)
    assert (call("smoke").exit_code, asked) == (4, [])


def test_an_unknown_step_is_refused():
    """A step that does not exist is wrong usage, and the known ones are listed."""
    result = call("smoke", "--only", "ruin")
    assert result.exit_code == 2
    assert all(step.name in result.stderr for step in STEPS)
