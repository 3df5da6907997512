"""The options of an environment's file are validated, last, and are overridden only by the command line."""

import re

import pytest

from infra.environments import ENVIRONMENTS
from infra.option_kinds import OptionError
from infra.options import FOLDER, OPTIONS, load, load_deployed, read_file
from infra.toolchain import use_bundled_node
from services.chatbot.settings import Settings
from shared.settings import load as load_settings


def test_the_files_options_are_deployed(folder):
    """A deployment applies the options of the environment's file."""
    (folder / "dev.toml").write_text('alarm_email = "a@example.com"\nmemory_api = 512\nmonitoring = false\n')
    environment = load_deployed("dev")
    assert (environment.alarm_email, environment.monitoring) == ("a@example.com", False)
    assert environment.sizing_of("api").memory_mb == 512


def test_the_command_line_overrides_the_file_and_a_region_the_rest(folder):
    """An option on the command line overrides the region's table, which overrides the general options."""
    (folder / "dev.toml").write_text(
        "max_tokens = 100\ntemperature = 0.1\n[regions.eu-west-1]\nmax_tokens = 200\ntemperature = 0.2\n"
    )
    here = load_deployed("dev", {"max_tokens": "300", "temperature": ""}, region="eu-west-1")
    assert (here.region, here.chatbot.max_tokens, here.chatbot.temperature) == ("eu-west-1", 300, 0.2)
    assert load_deployed("dev").chatbot.max_tokens == 100


def test_records_are_kept_for_days_or_for_ever(folder):
    """`keep_records_days` is a number of days, and `off` keeps records for ever, which is the default."""
    (folder / "dev.toml").write_text("keep_records_days = 90\n")
    assert load_deployed("dev").keep_records_days == 90
    assert load_deployed("dev", {"keep_records_days": "off"}).keep_records_days is None
    assert load_deployed("prod").keep_records_days is None


def test_without_a_file_the_defaults_hold(folder):
    """An environment without a file has the defaults of the code."""
    assert load_deployed("prod") == ENVIRONMENTS["prod"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("alarm_mail = 'a@example.com'", "no option alarm_mail"),
        ("[regions.eu-west-1]\nalarm_mail = 'x'", "no option alarm_mail"),
        ("budget_usd_per_day = 0", "budget_usd_per_day"),
        ("budget_usd_per_day = true", "budget_usd_per_day"),
        ("monitoring = 1", "monitoring"),
        ("keep_records_days = 89", "keep_records_days"),
        ("keep_records_days = 3651", "keep_records_days"),
        ("keep_records_days = 'for ever'", "keep_records_days"),
        ("memory_api = 64", "memory_api"),
        ("memory_api = 256.5", "memory_api"),
        ("temperature = inf", "temperature"),
        ("temperature = [1]", "temperature"),
        ("[regions.eu-west-1]\nmax_tokens = 0", "max_tokens"),
        ("[regions.Frankfurt]", "regions.Frankfurt"),
        ("regions = 1", "regions must be tables"),
        ("account = 123456789012", "12 digits in quotes"),
        ("account = '1234'", "12 digits in quotes"),
        ("engine = 'http://127.0.0.1:1'", "engine"),
        ("= 1", "line 1"),
    ],
)
def test_a_wrong_file_is_refused(folder, text, named):
    """A wrong file is refused with its name and the option, also if the fault is in another region's table."""
    (folder / "dev.toml").write_text(text)
    with pytest.raises(OptionError, match=re.escape(named)) as refusal:
        load_deployed("dev")
    assert "environments/dev.toml" in str(refusal.value)


def test_a_file_that_is_no_text_is_refused(folder):
    """A file that is not UTF-8 is refused with its name instead of a traceback."""
    (folder / "dev.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match=r"environments/dev\.toml can't be read"):
        load_deployed("dev")


def test_the_files_are_valid():
    """The project's own files of options are valid and belong to known environments."""
    names = [path.stem for path in FOLDER.glob("*.toml")]
    assert set(names) <= set(ENVIRONMENTS)
    for name in names:
        read_file(name)


def test_every_option_is_documented():
    """The table in the folder's README lists exactly the options of a file, with their values."""
    table = dict(
        re.findall(r"^\| `([a-z_<>]+)` \| (.+?) \|", (FOLDER / "README.md").read_text(), re.MULTILINE)
    )
    known = {
        re.sub(
            r"^(memory|timeout|max_concurrency)_(?!chatbot$).*", r"\1_<function>", option.name
        ): option.values
        for option in OPTIONS.values()
        if option.name not in {"engine", "memory_chatbot", "max_concurrency_chatbot"}
    }
    assert table == known


def in_the_function(settings: Settings) -> Settings:
    """Return the settings that a function reads after they were deployed."""
    use_bundled_node()
    from infra.constructs.chatbot_rights import variables  # noqa: PLC0415 -- starts Node

    return load_settings(Settings, variables(settings))


@pytest.mark.synth
@pytest.mark.parametrize("name", ["temperature", "system_prompt", "model_id_complex", "guardrail_id"])
def test_a_setting_that_is_switched_off_is_off_in_the_function(folder, name):
    """The option off overrides the environment's file, and arrives as None in the function; empty is not given."""
    (folder / "dev.toml").write_text(f"{name} = 1\n")
    settings = load_deployed("dev", {name: "off"}).chatbot
    assert getattr(settings, name) is None
    assert getattr(in_the_function(settings), name) is None
    assert in_the_function(load("dev", {name: ""}).chatbot) == load("dev").chatbot


@pytest.mark.synth
def test_an_empty_system_prompt_is_none_in_the_function():
    """A system prompt without text is deployed as none, not as the default."""
    assert in_the_function(Settings(system_prompt="")).system_prompt is None


def test_a_setting_that_must_be_is_never_off():
    """The option off is refused for a number that a request must have."""
    with pytest.raises(OptionError, match="max_tokens"):
        load("dev", {"max_tokens": "off"})


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        (" \n", "says nothing"),
        ("\u200b", "says nothing"),
        ("OFF", '"off"'),
        ("none", '"off"'),
    ],
)
def test_a_system_prompt_that_would_be_refused_later_is_refused(prompt, said):
    """A prompt that Bedrock would not take, or a misspelt `off`, is refused before a deployment."""
    with pytest.raises(OptionError, match=said):
        load("dev", {"system_prompt": prompt})
