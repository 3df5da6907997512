"""`pipeline stage`, and what a deployment says of stages that were removed."""

import json
from functools import partial
from typing import Any

import pytest

from cli.commands import stage as commands
from cli.tests import support
from local import deploy as deploying
from local import targets
from local.engine import Engine
from operations.deployment.removed import RemovedStage
from operations.deployment.stacks import Stack
from operations.deployment.teardown import Condemned, Work
from operations.errors import DeniedError
from shared.contracts.stages import STAGES

call = partial(support.call, COLUMNS="100")


@pytest.fixture
def written(monkeypatch):
    """The changes that would be written; nothing is."""
    done = []
    monkeypatch.setattr(commands, "write", lambda _root, changes: done.extend(changes))
    monkeypatch.setattr(commands, "_derive", lambda _progress: None)
    return done


def test_list_shows_every_stage_in_order():
    """The table and the JSON have each stage of the checkout, in the order of a run."""
    lines = call("stage", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [stage.key for stage in STAGES]
    assert [row["stage"] for row in json.loads(call("stage", "list", "--json").stdout)] == [
        stage.key for stage in STAGES
    ]


def test_a_dry_run_names_every_file_and_writes_none(written):
    """`--dry-run` prints what would be written."""
    result = call("stage", "new", "vetting", "--after", "analysis", "--allow-dirty", "--dry-run")
    assert (result.exit_code, written) == (0, [])
    assert "create  services/vetting/core.py" in result.stderr
    assert "edit    shared/contracts/stages.py" in result.stderr


def test_nothing_is_written_without_consent(written):
    """Without a terminal and without --yes, the files are named and left alone."""
    result = call("stage", "new", "vetting", "--after", "analysis", "--allow-dirty")
    assert (result.exit_code, written) == (2, [])
    assert "Add --yes" in result.stderr


def test_json_lists_what_was_written(written):
    """`--json` prints each change on stdout, and what to do next goes to stderr."""
    result = call("stage", "new", "vetting", "--after", "analysis", "--allow-dirty", "--yes", "--json")
    assert result.exit_code == 0, result.output
    printed = json.loads(result.stdout)
    assert printed["written"] is True
    assert [change["path"] for change in printed["changes"]] == [change.path for change in written]
    assert "make deploy" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("new", "Vetting", "--after", "chat"), 2),
        (("new", "vetting", "--after", "log"), 2),
        (("new", "vetting"), 2),
        (("remove", "chat"), 1),
        (("remove", "nothing"), 3),
    ],
)
def test_exit_codes(written, arguments, code):
    """A name or place that can't be gives 2, a refusal 1, an unknown stage 3; nothing is written."""
    result = call("stage", *arguments)
    assert (result.exit_code, written) == (code, [])
    assert result.stderr.strip()


# --- after a deployment ------------------------------------------------------------------------------------------


def removed(**options):
    stack = Stack(part="vetting", name="ai-pipeline-local-vetting", status="CREATE_COMPLETE")
    given: dict[str, Any] = {"part": "vetting", "needed_by": 0, "more": False, "work": Work()} | options
    return RemovedStage(stack=Condemned(stack=stack, deleted=(), kept=()), **given)


@pytest.fixture
def deployed(monkeypatch):
    """A function that deploys where the given stages are left, and returns the result and the deletions."""

    def deploy(*stages):
        gone = []

        def look(_target, _sleep):
            if stages and isinstance(stages[0], Exception):
                raise stages[0]
            return stages

        monkeypatch.setattr(Engine, "running", lambda _engine: None)
        monkeypatch.setattr(targets, "find_target", lambda *_, **__: None)
        monkeypatch.setattr(deploying, "deploy", lambda *_: ("platform",))
        monkeypatch.setattr("cli.commands.deploy.look", lambda *_: [])
        monkeypatch.setattr("cli.commands.deploy.removed_stages", look)
        monkeypatch.setattr(
            "cli.commands.deploy.delete_removed", lambda _target, stage: gone.append(stage.part)
        )
        return call("deploy", "--json"), gone

    return deploy


def test_stack_that_nothing_needs_is_deleted(deployed):
    """A deployment of everything deletes the stack of a removed stage that is idle, and says so."""
    result, gone = deployed(removed())
    assert (result.exit_code, gone) == (0, ["vetting"])
    assert json.loads(result.stdout)["deleted"] == ["vetting"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"needed_by": 2}, "2 open runs may still pass through it"),
        ({"more": True, "needed_by": 7}, "more than 200 runs are open"),
        ({"work": Work(parked={"ai-pipeline-local-vetting-dlq": 3})}, "about 3 messages are parked in"),
        ({"part": "approval", "undecided": 2}, "The stage approval is switched off, but"),
        ({"undecided": 1}, "1 answer waits for a decision. Runs finish as they began. Decide on what waits"),
        ({"filled": "a-table"}, "the items of a-table have not expired yet"),
    ],
)
def test_stack_that_is_needed_is_kept_with_the_reason(deployed, options, says):
    """A removed stage's stack that runs or messages need is kept; the reason and the next command are said."""
    result, gone = deployed(removed(**options))
    assert (result.exit_code, gone) == (0, [])
    assert says in result.stderr
    assert "pipeline deploy" in result.stderr


def test_deployment_has_succeeded_also_if_it_may_not_look(deployed):
    """Without the right to look for such stacks, the deployment has still succeeded, and says what it did not do."""
    result, _ = deployed(DeniedError("AWS does not allow cloudformation:DescribeStacks"))
    assert (result.exit_code, json.loads(result.stdout)["deployed"]) == (0, ["platform"])
    assert "were not looked for" in result.stderr


@pytest.fixture
def deployed_alone(monkeypatch):
    """A function that deploys one service alone where the workflow has the given states, and returns the result."""

    def deploy(service, states):
        def deployed_states(_target):
            if isinstance(states, Exception):
                raise states
            return states

        monkeypatch.setattr(Engine, "running", lambda _engine: None)
        monkeypatch.setattr(targets, "find_target", lambda *_, **__: None)
        monkeypatch.setattr(deploying, "deploy", lambda *_: (service,))
        monkeypatch.setattr("cli.commands.deploy.look", lambda *_: [])
        monkeypatch.setattr("cli.commands.deploy.deployed_states", deployed_states)
        monkeypatch.setattr("cli.commands.deploy.intended", lambda _target: STAGES)
        return call("deploy", "--service", service)

    return deploy


@pytest.mark.parametrize(
    ("service", "says"),
    [
        ("enhancer", "The deployed workflow does not have the stage enhancement yet. Deploy everything: "),
        ("approval", "Set the option approval to true in environments/local.toml, then deploy everything: "),
    ],
)
def test_a_stage_that_no_run_reaches_is_told(deployed_alone, service, says):
    """A stage that is deployed alone while the deployed workflow lacks it says so, with the command to run."""
    result = deployed_alone(service, {"AnalyzeInput"})
    assert (result.exit_code, result.stdout) == (0, f"Deployed: {service}\n")
    assert f"{says}pipeline deploy" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    "states", [{"EnhanceResponse"}, DeniedError("no")], ids=["it has it", "not to be read"]
)
def test_a_stage_that_runs_reach_needs_no_word(deployed_alone, states):
    """Nothing is said of a stage that the deployed workflow has, nor if the workflow may not be read."""
    result = deployed_alone("enhancer", states)
    assert (result.exit_code, "No run reaches" in result.stderr) == (0, False)
