"""The commands as a user sees them: output, exit codes and streams."""

import json
import os
import subprocess
from pathlib import Path

import msgspec
import pytest

from cli.tests.support import call
from local import targets
from local.engine import Engine
from operations.asking import conversation
from operations.asking.submit import keyed_id
from operations.errors import UnreachableError
from operations.runs.runs import Run
from operations.tests.world import client, finish
from shared.contracts.stages import RECORDED, STAGES
from shared.contracts.v1 import Turn

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def no_engine(monkeypatch, tmp_path):
    """This checkout's engine is not running."""
    monkeypatch.setitem(Engine.__init__.__kwdefaults__ or {}, "state", tmp_path)


def keyed(records, **fields):
    """Return a function for `api.on_request` that finishes each run as soon as it is submitted."""
    return lambda request: finish(records, f"p-{request['headers']['Idempotency-Key'][-12:]}", **fields)


# --- where there is nothing to talk to -------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [["list"], ["show", "p"], ["submit", "x"], ["env"], ["deploy"], ["submit", "--json", "x"]]
)
def test_without_an_engine_every_command_says_how_to_start_one(no_engine, arguments):
    """Without an engine the exit code is 4, with one sentence on stderr and nothing on stdout."""
    result = call(*arguments)
    assert (result.exit_code, result.stdout) == (4, "")
    assert "Start it: " in result.stderr


def test_status_without_an_engine(no_engine):
    """`status` reports that no engine runs, with exit code 4."""
    result = call("status")
    assert result.exit_code == 4
    assert "not running" in result.stdout
    assert json.loads(call("status", "--json").stdout) == {"running": False, "engine": None}


def test_nothing_deployed_is_not_a_stack_trace(nowhere, monkeypatch):
    """If nothing is deployed, the exit code is 4 and the error names the command that deploys."""
    monkeypatch.setattr(targets, "find_target", lambda *_a, **_o: nowhere)
    result = call("list")
    assert result.exit_code == 4
    assert "pipeline up" in result.stderr


def test_runs_that_are_still_failed_are_listed(local_engine, machine, records):
    """`list --still-failed` leaves out a run that succeeded later; without any it says so."""
    for name, status in (("p-1", "FAILED"), ("p-2", "FAILED"), ("p-3", "TIMED_OUT"), ("p-4", "SUCCEEDED")):
        machine.fail(name, status)
    finish(records, "p-2", finished_at="2026-11-23T01:00:00.000Z")
    listed = json.loads(call("list", "--still-failed", "--json").stdout)
    assert sorted(run["pipeline_id"] for run in listed) == ["p-1", "p-3"]
    (only,) = json.loads(call("list", "--still-failed", "--status", "TIMED_OUT", "--json").stdout)
    assert only["pipeline_id"] == "p-3"
    assert len(json.loads(call("list", "--still-failed", "--limit", "1", "--json").stdout)) == 1
    nothing = call("list", "--still-failed", "--status", "SUCCEEDED")
    assert "No run with status SUCCEEDED has failed and stayed so." in " ".join(nothing.stderr.split())


def test_on_aws_account_and_region_are_said_first(target, monkeypatch):
    """On AWS, account and region are printed to stderr first."""
    target.env = "dev"
    monkeypatch.setattr(targets, "find_target", lambda *_a, **_o: target)
    result = call("--env", "dev", "status")
    assert result.stderr.startswith("Environment dev: account 123456789012, region us-east-1")
    assert "no `dev`" not in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--env", "Not A Name", "list"],
        ["--region", "eu-west-1", "list"],
        ["list", "--profile", "p"],
        ["list", "--limit", "0"],
        ["list", "--status", "BROKEN"],
        ["submit"],
        ["submit", "--out", "x.jsonl", "message"],
        ["submit", "--resume", "--file", "-"],
        ["submit", "--out", "results.jsonl", "-"],
        ["submit", "message", "--file", "x"],
        ["up", "--env", "dev"],
        ["env", "--env", "dev"],
        ["submit", " "],
        ["submit", "--after", "p"],
        ["submit", "--again", "p", "message"],
        ["submit", "--again", "p", "--file", "x"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments, local_engine):
    """Wrong usage gives exit code 2 and an error before anything is done."""
    result = call(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


# --- one message -----------------------------------------------------------------------------------------


def test_submit_prints_the_id_alone(local_engine, api):
    """The pipeline id alone is on stdout, for `$(…)`; the next command is on stderr."""
    result = call("submit", "--idempotency-key", "k-1", "Hello")
    assert (result.exit_code, result.stdout) == (0, "p-k-1\n")
    assert "pipeline show --follow p-k-1" in result.stderr


def test_a_run_is_continued_and_asked_again_with_its_conversation(local_engine, api, records, monkeypatch):
    """`--after` sends a follow-up and `--again` the same message, both with all that preceded it; else nothing."""
    finish(records, "p", user_message="And a monad?", final_response="A pattern.")
    turns = (Turn(role="user", text="What is a functor?"), Turn(role="assistant", text="A type."))
    monkeypatch.setattr(conversation, "read_history", lambda _target, _journey: turns)
    results = [call("submit", "--after", "p", "Why?"), call("submit", "--again", "p")]
    assert [result.exit_code for result in results] == [0, 0]
    texts = [[turn["text"] for turn in request["body"]["messages"]] for request in api.requests]
    before = ["What is a functor?", "A type.", "And a monad?"]
    assert texts == [[*before, "A pattern.", "Why?"], before]
    monkeypatch.setattr(conversation, "read_history", lambda _target, _journey: None)
    result = call("submit", "--again", "p")
    assert (result.exit_code, len(api.requests)) == (2, 2)
    assert "not known any more" in result.stderr


def test_submit_json_is_what_the_api_said(local_engine, api):
    """`--json` prints the API's answer."""
    result = call("submit", "--json", "--idempotency-key", "k-1", "Hello")
    assert json.loads(result.stdout) == {
        "pipeline_id": "p-k-1",
        "status": "ACCEPTED",
        "status_url": "/pipeline/p-k-1",
    }


def test_the_answer_to_another_message_is_not_printed(local_engine, records):
    """A key that was used on the bus for another message is refused, instead of printing that message's answer."""
    records.accept(keyed_id("k-1"), user_message="Other", accepted_at="2026-11-22T10:00:00.000Z")
    finish(records, keyed_id("k-1"))
    result = call("submit", "--via", "bus", "--wait", "--idempotency-key", "k-1", "Hello")
    assert result.exit_code == 1
    assert "An answer for" not in result.stdout
    assert "another message" in result.stderr


def test_waiting_shows_each_stage_and_then_the_answer(local_engine, api, records):
    """The answer alone is on stdout; the journey and the place of the record are on stderr."""
    api.on_request = keyed(records)
    result = call("submit", "--wait", "--idempotency-key", "k-1", "Hello")
    assert (result.exit_code, result.stdout) == (0, "An answer for p-k-1.\n")
    for part in (
        "✓ analysis",
        "✓ chat",
        "12 ms (queue 5 ms, work 7 ms)",
        "SUCCEEDED after 212 ms",
        "PipelineLogs",
    ):
        assert part in result.stderr


def test_a_failed_pipeline_is_exit_code_1(local_engine, api, records):
    """A failed run gives exit code 1, with the reason on stderr and nothing on stdout."""
    api.on_request = keyed(records, status="FAILED")
    result = call("submit", "--wait", "Hello")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "FAILED" in result.stderr


def test_a_degraded_answer_says_what_it_lacks(local_engine, api, records):
    """A degraded run gives exit code 0 and names the missing stage."""
    errors = {"analysis": {"Error": "Pipeline.Transient", "Cause": "throttled"}}
    api.on_request = keyed(records, degraded=["analysis"], errors=errors)
    result = call("submit", "--wait", "Hello")
    assert result.exit_code == 0
    assert "degraded: Pipeline.Transient: throttled" in result.stderr
    assert "without analysis" in result.stderr


# --- show, list, publish ---------------------------------------------------------------------------------


def test_show_tells_the_whole_journey(local_engine, records):
    """`show` prints stages, times, tokens and the answer in 80 columns."""
    finish(records, "p")
    result = call("show", "p")
    assert result.exit_code == 0
    for part in ("SUCCEEDED after 212 ms", "analysis", "34", "An answer for p.", "simple, 4 words, question"):
        assert part in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_show_says_what_was_blocked_cut_or_read_from_a_cache(local_engine, records):
    """`show` marks a blocked and a cut answer with the stop reason, and counts the tokens of the model's cache."""
    chat = {"model_id": "m", "stop_reason": "guardrail_intervened", "blocked": True, "truncated": False}
    finish(records, "blocked", chat=chat)
    assert "the answer was blocked (guardrail_intervened)" in " ".join(call("show", "blocked").stdout.split())
    tokens = {"input_tokens": 12, "cache_read_tokens": 2_000, "cache_write_tokens": 5, "output_tokens": 34}
    meter = {"attempt": 0, "receives": 1, "model_id": "m", **tokens}
    cut = {"model_id": "m", "stop_reason": "max_tokens", "truncated": True}
    finish(records, "cut", chat=cut, stages={"chat": meter})
    shown = " ".join(call("show", "cut").stdout.split())
    assert "2,017 tokens in (2,000 from the cache), 34 out" in shown
    assert "the answer was cut (max_tokens)" in shown
    assert "blocked" not in shown


def test_show_json_has_every_stage(local_engine, records):
    """`show --json` prints the journey with every stage as one JSON object."""
    finish(records, "p")
    journey = json.loads(call("show", "--json", "p").stdout)
    assert [stage["key"] for stage in journey["stages"]] == [stage.key for stage in STAGES]
    assert {stage["key"]: stage["output_tokens"] for stage in journey["stages"]}["chat"] == 34
    assert {stage.key for stage in RECORDED} < journey.keys()


def test_a_stage_that_this_release_lacks_is_shown(local_engine, records):
    """A stage that was removed since, or is newer, is in the table, results, JSON and costs of its run."""
    meter = {"queue_wait_ms": 5, "work_ms": 77, "attempt": 0, "receives": 1}
    stages = {**dict.fromkeys(("analysis", "chat", "enhancement"), meter), "weighing": meter}
    arn = "arn:aws:states:us-east-1:000000000000:execution:machine:p"
    finish(records, "p", stages=stages, weighing={"unit": "pound", "deep": {"er": 1}}, execution_arn=arn)
    shown = call("show", "p").stdout
    assert "weighing" in shown
    assert "unit: pound" in shown
    journey = json.loads(call("show", "--json", "p").stdout)
    assert journey["weighing"] == {"unit": "pound", "deep": {"er": 1}}
    assert "weighing" in [stage["key"] for stage in journey["stages"]]
    assert "weighing" in call("show", "--cost", "p").stdout
    assert "weighing" in call("cost").stdout


def test_show_of_an_unknown_id_is_exit_code_3(local_engine):
    """An unknown id gives exit code 3."""
    result = call("show", "nobody")
    assert (result.exit_code, result.stdout) == (3, "")


def test_a_text_can_not_command_the_terminal(local_engine, records):
    """Escape sequences in a message or an answer do not reach the terminal."""
    finish(records, "p", user_message="\x1b[2J", final_response="\x1b]0;title\x07text")
    result = call("show", "p")
    assert "\x1b" not in result.stdout
    assert "text" in result.stdout


def test_list_fits_80_columns_and_as_json_has_the_same(local_engine, monkeypatch):
    """`list` prints a table of at most 80 columns, and the same runs as an array with --json."""
    machine = local_engine.addresses.state_machine_arn
    client("stepfunctions").start_execution(stateMachineArn=machine, name="0" * 40, input="{}")
    result = call("list")
    assert result.exit_code == 0
    assert "0" * 40 in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    (run,) = json.loads(call("list", "--json").stdout)
    assert msgspec.convert(run, Run).pipeline_id == "0" * 40


def test_a_list_says_which_stage_ended_a_run_early(local_engine, records):
    """`list` names the stage that ended a run early, in the table and as JSON, where the run's other executions and
    other runs have no such field.
    """
    machine = local_engine.addresses.state_machine_arn
    for name in ("early", "whole", "again", "again-restart-1"):
        client("stepfunctions").start_execution(stateMachineArn=machine, name=name, input="{}")
    finish(records, "early", ended_by="vetting")
    finish(records, "whole")
    arn = local_engine.addresses.execution_arn("again-restart-1")
    finish(records, "again", ended_by="vetting", execution_arn=arn)
    runs = json.loads(call("list", "--json").stdout)
    ends = {(run["pipeline_id"], run["restart"]): run.get("ended_by", "absent") for run in runs}
    assert ends == {
        ("early", 0): "vetting",
        ("whole", 0): "absent",
        ("again", 0): "absent",
        ("again", 1): "vetting",
    }
    head, *rows = call("list").stdout.splitlines()
    assert "ended early" in head
    assert sum(row.count("vetting") for row in rows) == 2


def test_restarts_are_listed_under_their_pipeline(local_engine):
    """A restarted execution is listed under its run's id, with its number, within 80 columns."""
    machine = local_engine.addresses.state_machine_arn
    for name in ("0" * 40, f"{'0' * 40}-restart-2"):
        client("stepfunctions").start_execution(stateMachineArn=machine, name=name, input="{}")
    result = call("list")
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "restart-" not in result.stdout
    runs = [msgspec.convert(run, Run) for run in json.loads(call("list", "--json").stdout)]
    assert {(run.pipeline_id, run.restart) for run in runs} == {("0" * 40, 0), ("0" * 40, 2)}


def test_an_empty_list_is_no_error(local_engine):
    """An empty list gives exit code 0 and a sentence on stderr."""
    result = call("list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "There are no runs" in result.stderr
    assert json.loads(call("list", "--json").stdout) == []


def test_publish_prints_the_pipelines_id(local_engine):
    """`publish` prints the id that PutEvents returned to stdout."""
    event = json.dumps({"detail-type": "pipeline.requested.v1", "detail": {"data": {"user_message": "x"}}})
    result = call("publish", "-", stdin=event)
    assert result.exit_code == 0
    assert len(result.stdout.strip()) == 36
    assert json.loads(call("publish", "--json", "-", stdin=event).stdout)["event_id"]


def test_publish_tells_every_violation(local_engine):
    """A broken event gives exit code 2 and every violation on stderr; nothing is published."""
    result = call(
        "publish", "--detail-type", "pipeline.requested.v1", "-", stdin='{"data": {"a": 1}, "b": 2}'
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert "$.detail.data: has no place for `a`" in result.stderr
    assert "$.detail: has no place for `b`" in result.stderr


# --- colours, env ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}])
def test_no_colours_where_nobody_looks(local_engine, records, variables):
    """Neither a pipe nor NO_COLOR gets colours."""
    finish(records, "p")
    result = call("show", "p", **variables)
    assert "\x1b[" not in result.stdout + result.stderr


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_env_makes_a_shell_talk_to_the_engine(monkeypatch, shell):
    """After `eval`, AWS clients use the engine, and no other variable overrides it."""
    from local.connection import Connection  # noqa: PLC0415 -- this test's own

    class Up:
        connection = Connection(endpoint_url="http://127.0.0.1:4999")

    monkeypatch.setattr(Engine, "running", lambda _self: Up())
    strays = {
        "AWS_ENDPOINT_URL_SQS": "https://elsewhere",
        "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z",
        "AWS_DEFAULTS_MODE": "none",
    }
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    printed = call("env", **strays, **{"AWS_X; false": "no name"}, AWS_PAGER="less").stdout
    assert "false" not in printed
    script = f"set -e\n{printed}\nenv | grep ^AWS_ | sort"
    before = {"PATH": os.environ["PATH"], "AWS_PROFILE": "real", "AWS_PAGER": "less", **strays}
    done = subprocess.run([shell, "-c", script], env=before, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "AWS_ACCESS_KEY_ID=test",
        "AWS_DEFAULT_REGION=us-east-1",
        "AWS_ENDPOINT_URL=http://127.0.0.1:4999",
        "AWS_PAGER=less",
        "AWS_REGION=us-east-1",
        "AWS_SECRET_ACCESS_KEY=test",
    ]


def test_env_speaks_fish_and_powershell(monkeypatch):
    """`env` prints the syntax of the chosen shell."""
    from local.connection import Connection  # noqa: PLC0415 -- this test's own

    class Up:
        connection = Connection(endpoint_url="http://127.0.0.1:4999")

    monkeypatch.setattr(Engine, "running", lambda _self: Up())
    assert "set -gx AWS_ENDPOINT_URL 'http://127.0.0.1:4999';" in call("env", "--shell", "fish").stdout
    assert "$env:AWS_ENDPOINT_URL = 'http://127.0.0.1:4999'" in call("env", "--shell", "powershell").stdout


def test_an_engine_that_went_away_is_one_sentence(local_engine, monkeypatch):
    """If the engine disappears during a command, the error is one sentence with exit code 4."""

    def gone(*_args, **_options):
        raise UnreachableError("Could not list the runs: no answer from http://127.0.0.1:4999.")

    monkeypatch.setattr("cli.commands.list.list_runs", gone)
    result = call("list")
    assert (result.exit_code, result.stderr) == (
        4,
        "Error: Could not list the runs: no answer from http://127.0.0.1:4999.\n",
    )
