"""The precedence of options and environment variables, and the meaning of stdin."""

from datetime import UTC, datetime

import pytest

from cli.commands import engine as commands
from cli.commands.cost import Moment
from cli.tests.support import call
from local import aws_deploy
from local.engine import Engine
from local.engine_status import EngineStatus
from local.errors import AwsAccessError
from local.settings import SMALL, Model, Settings

UP = EngineStatus(
    endpoint="http://127.0.0.1:4570",
    port=4570,
    pid=1,
    started_at=datetime(2026, 11, 22, tzinfo=UTC),
    answers="canned answers",
    canned=True,
    checkout="/checkout",
    log_file="/checkout/.pipeline/engine.log",
    deployed=True,
    current=True,
    deployed_at=None,
    services=(),
    addresses={},
)


@pytest.fixture
def started(monkeypatch):
    """The settings of each engine that a command would have started."""
    settings_used: list[Settings] = []

    def engine(*, settings: Settings) -> Engine:
        settings_used.append(settings)
        return Engine(settings=settings)

    monkeypatch.setattr(commands, "Engine", engine)
    monkeypatch.setattr("local.deploy.up", lambda _engine, _progress: None)
    monkeypatch.setattr(commands, "engine_status", lambda: UP)
    monkeypatch.setattr(commands, "ollama_models", lambda: None)
    return settings_used


def up(*options: str, **variables: str):
    return call("up", *options, **variables)


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        (("--port", "4570", "--model-url", "http://127.0.0.1:11434", "--model", "llama3.2"), {}),
        (
            ("--port", "4570", "--model", "llama3.2"),
            {"PIPELINE_PORT": "9", "PIPELINE_MODEL_URL": "http://127.0.0.1:11434", "PIPELINE_MODEL": "other"},
        ),
    ],
)
def test_options_count_before_the_environment(started, options, variables):
    """Options override environment variables, which fill in missing options."""
    assert up(*options, **variables).exit_code == 0
    assert started == [Settings(port=4570, model=Model(url="http://127.0.0.1:11434", name="llama3.2"))]


def test_a_key_comes_from_a_file_or_a_variable(started, tmp_path):
    """The model server's key is read from a file or a variable, which no process list shows, and never printed."""
    (tmp_path / "key").write_text("sk-secret\n")
    server = ("--model-url", "https://models.example/v1", "--model", "m")
    by_file = up(*server, "--model-key-file", str(tmp_path / "key"))
    by_variable = up(*server, MODEL_KEY="sk-secret")
    assert (by_file.exit_code, by_variable.exit_code) == (0, 0)
    assert [settings.key for settings in started] == ["sk-secret"] * 2
    assert "sk-secret" not in by_file.output + by_variable.output


def test_canned_answers_are_chosen_by_name(started):
    """`--model canned` chooses canned answers; without it the small model is chosen."""
    up("--model", "canned")
    up()
    assert [settings.model for settings in started] == [None, SMALL]


@pytest.mark.parametrize(
    ("models", "command"),
    [
        (("llama3.2:1b", "qwen3"), "MODEL=llama3.2:1b"),
        (("qwen3",), "MODEL=qwen3"),
        ((), "ollama pull llama3.2 && make run MODEL_URL="),
    ],
)
def test_ollama_on_this_machine_is_named(started, monkeypatch, models, command):
    """If Ollama runs on this machine, `up` prints the command that uses it."""
    monkeypatch.setattr(commands, "ollama_models", lambda: models)
    said = up().stdout
    assert "Ollama runs on this machine" in said
    assert command in said


@pytest.mark.parametrize(
    "options",
    [
        ("--port", "99"),
        ("--port", "x"),
        ("--port", "9" * 5_000),
        ("--port", "\N{ARABIC-INDIC DIGIT FOUR}" * 4),
        ("--model", "llama3.2"),
        ("--model", "llama3.2", "--model-url", "http://["),
        ("--model", "llama3.2", "--model-url", "http://127.0.0.1:99999"),
    ],
)
def test_a_setting_that_can_not_be_used_is_wrong_usage(started, options):
    """An invalid setting gives exit code 2 and a sentence before anything is started."""
    result = up(*options)
    assert (result.exit_code, result.stdout, started) == (2, "", [])
    assert result.stderr.startswith("Error: ")


@pytest.mark.parametrize("number", ["nan", "NaN", "inf", "-inf", "1e999"])
@pytest.mark.parametrize(
    "command",
    [
        ("dlq", "replay", "--rate"),
        ("redrive", "--since", "2h", "--rate"),
        ("watch", "--interval"),
        ("budget", "resume", "--add"),
        ("doctor", "--rate"),
        ("smoke", "--patience"),
    ],
)
def test_a_number_without_end_is_wrong_usage(command, number):
    """A number that is infinite or none is outside every option's range."""
    result = call(*command, number)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Error: Invalid value for" in result.stderr


@pytest.mark.parametrize("day", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00+23:59"])
def test_a_day_at_an_end_of_the_calendar_is_wrong_usage(day):
    """A day without a date in UTC is refused before records are read."""
    assert call("cost", "--since", day).exit_code == 2


def test_a_day_in_another_zone_is_meant_in_utc():
    """Reports name their first moment in UTC, so a moment of another zone is converted."""
    assert Moment().convert("2026-11-01T00:00+05:00", None, None).isoformat() == "2026-10-31T19:00:00+00:00"


def test_it_says_what_to_do_next(started):
    """`up` prints the address and how to ask, to stop and to use a model."""
    said = up().stdout
    assert "is up at http://127.0.0.1:4570" in said
    for next_step in ("pipeline submit --wait", "make stop", "make run MODEL_URL="):
        assert next_step in said


def test_a_dash_is_the_text_on_stdin(local_engine, api):
    """With `-` all lines on stdin are one message."""
    assert call("submit", "-", stdin="What is\na monad?\n").exit_code == 0
    assert api.messages == ["What is\na monad?"]


def test_a_text_on_stdin_that_is_no_text_is_wrong_input(local_engine, api):
    """Text on stdin that is not UTF-8 gives exit code 2, and nothing is sent."""
    assert call("submit", "-", stdin=b"\xff\xfe").exit_code == 2
    assert api.messages == []


@pytest.mark.parametrize(
    ("options", "region"), [((), "eu-west-1"), (("--region", "eu-north-1"), "eu-north-1")]
)
def test_a_deployment_goes_to_the_region_the_aws_cli_would_use(monkeypatch, options, region):
    """`AWS_REGION`, which boto3 ignores, selects the region unless --region does."""
    asked = []

    def aws_target(*_arguments: str | None, region: str | None, **_options: str | None):
        asked.append(region)
        raise AwsAccessError("Sign in.")

    monkeypatch.setattr(aws_deploy, "aws_target", aws_target)
    result = call("deploy", "--env", "dev", *options, AWS_REGION="eu-west-1")
    assert (result.exit_code, asked) == (4, [region])


@pytest.mark.parametrize("command", ["list", "status", "deploy", "destroy", "console", "up"])
@pytest.mark.parametrize("name", ["devv", "DEV", ""])
def test_an_unknown_environment_is_refused_before_aws_is_asked(monkeypatch, command, name):
    """A mistyped environment is answered with the known ones, whoever's account the shell points to."""
    monkeypatch.setattr("local.targets.aws_target", lambda *_args, **_options: pytest.fail("AWS was asked"))
    result = call("--env", name, command)
    assert result.exit_code == 2
    assert (
        f"There is no environment {name!r}. Give --env with one of: dev, staging, prod, local."
        in result.stderr
    )
