"""The options of an environment: what its file in `environments/` and `-c name=value` may change.

An environment's file is TOML. Its keys are options, which hold in every region, and `account`, the only AWS account
that the environment may be deployed to; a table `[regions.NAME]` holds the options of one region. The command line
overrides the file, and the file the defaults in `infra/environments.py`.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from infra.account_options import ACCOUNT_OPTIONS
from infra.clocks import LEAST_RECORD_DAYS
from infra.environments import DEFAULT_REGION, ENVIRONMENTS, Environment, UnknownEnvironmentError
from infra.functions import FUNCTIONS, QUEUED
from infra.option_kinds import (
    LEAST_BUDGET,
    MOST_RECORD_DAYS,
    Option,
    OptionError,
    behind_each,
    budget,
    email,
    ids,
    log_days,
    of_engine,
    of_field,
    of_schema_registry,
    of_setting,
    of_size,
    one_of,
    record_days,
    some_text,
    whole,
    yes_or_no,
)
from infra.pricing import PRICE_REGIONS, dollars, each_price, listed_region
from infra.prompt_caching import caching
from infra.regional import RegionalError, in_its_region
from infra.regions import WITHOUT_SCHEMAS
from services.chatbot.settings import Settings as ChatbotSettings
from shared.contracts.stages import STAGES

FOLDER: Final = Path(__file__).resolve().parents[1] / "environments"
"""The folder of the environments' files, e.g. `prod.toml`."""
DERIVED_SETTINGS: Final = ("answers_table", "cached_models", "timeout_seconds")
"""The chatbot's settings that its deployment determines; they are not options."""
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}")
_ACCOUNT: Final = re.compile(r"[0-9]{12}")

Options = Mapping[str, object]

MEMORY_MB: Final = (128, 10_240)
TIMEOUT_SECONDS: Final = (5, 31)
"""The bounds of a function's timeout."""
CONCURRENCY: Final = (2, 1_000)
"""The bounds that Lambda sets for the concurrent executions that a queue may start."""
LONGEST_SECONDS: Final = {stage.service: 900 for stage in STAGES if stage.pays}
"""The longest timeouts of functions that wait for others: Lambda's own limit."""

OPTIONS: Final[Mapping[str, Option]] = {
    option.name: option
    for option in (
        of_field("allowed_origin", "an origin or *", "The origin whose pages may call the API.", str),
        of_field("alarm_email", "an e-mail address, or off", "The address that alarms are sent to.", email),
        of_field(
            "budget_usd_per_day",
            f"dollars, at least {LEAST_BUDGET:f}, or off",
            "The daily budget, above which no run is started.",
            budget,
        ),
        of_field(
            "prices_of",
            f"one of {', '.join(PRICE_REGIONS)}",
            "The region whose price list counts, if the environment's own has none.",
            listed_region,
        ),
        *(
            of_field(
                f"price_{prefix}{direction}_usd_per_million",
                "dollars, 0 to 10,000",
                f"What a million {direction} tokens of `{model}` cost, if no list has it; both directions together.",
                dollars,
            )
            for prefix, model in (("", "model_id"), ("complex_", "model_id_complex"))
            for direction in ("input", "output")
        ),
        *(
            of_field(
                f"price_{prefix}cache_{act}_usd_per_million",
                "dollars, 0 to 10,000",
                f"What a million tokens cost that `{model}` {said} its cache; stated together with the other prices.",
                dollars,
            )
            for prefix, model in (("", "model_id"), ("complex_", "model_id_complex"))
            for act, said in (("read", "reads from"), ("write", "writes to"))
        ),
        of_field(
            "price_fallbacks_usd_per_million",
            "model id=input/output, separated by commas",
            "What a million input and output tokens of each of `fallback_model_ids` cost, if no list has it.",
            each_price,
        ),
        of_field(
            "price_usd_per_answer",
            "dollars, 0 to 10,000",
            "What one answer of the existing chatbot function costs; a budget with that function needs it.",
            dollars,
        ),
        of_field("monitoring", "true or false", "Whether alarms and dashboard are deployed.", yes_or_no),
        of_schema_registry(),
        of_field("log_retention_days", "7, 14, 30, 90 or 365", "How many days the logs are kept.", log_days),
        of_field(
            "invocation_reports",
            "true or false",
            "Whether Lambda logs each call's duration and memory, for some time before a function is resized.",
            yes_or_no,
        ),
        of_field(
            "keep_records_days",
            f"{LEAST_RECORD_DAYS} to {MOST_RECORD_DAYS:,}, or off",
            "How many days the records of ended runs are kept; for ever if off.",
            record_days,
        ),
        of_field(
            "approval",
            "true or false",
            "Whether a person approves each answer before its caller gets it.",
            yes_or_no,
        ),
        of_field(
            "approval_hours",
            "1 to 336",
            "How many hours a person has to decide on an answer.",
            whole(1, 336),
        ),
        of_field(
            "approval_at_deadline",
            "approve, reject or fail",
            "What is decided if nobody did in time.",
            one_of("approve", "reject", "fail"),
        ),
        of_field(
            "approval_reminder_hours",
            "1 to 336",
            "How many hours pass between two reminders of an answer that waits.",
            whole(1, 336),
        ),
        of_field(
            "approval_rejected_text",
            "1 to 1,000 characters",
            "What the caller gets in place of an answer that was rejected without a text of its own.",
            some_text(1_000),
        ),
        of_field(
            "requests_per_second",
            "1 to 10,000",
            "The load that the environment should handle for hours; the API's throttle follows from it.",
            whole(1, 10_000),
        ),
        of_field(
            "max_waiting",
            "0 to 1,000",
            "How many callers of the API may wait for results at the same time.",
            whole(0, 1_000),
        ),
        *ACCOUNT_OPTIONS,
        of_engine(),
        *(
            of_setting(setting)
            for setting in msgspec.structs.fields(ChatbotSettings)
            if setting.name not in DERIVED_SETTINGS
        ),
        of_field(
            "prompt_caching",
            "auto, on or off",
            "Which models get a cache checkpoint after the system prompt: those that take one, all, or none.",
            caching,
        ),
        *(
            of_field(
                f"model_behind{suffix}",
                "model ids, separated by commas",
                f"The models behind `model_id{suffix}`, if that is the ARN of an application inference profile or a "
                "prompt router.",
                ids,
            )
            for suffix in ("", "_complex")
        ),
        of_field(
            "model_behind_fallbacks",
            "ARN=model id, separated by commas",
            "The models behind such ARNs among `fallback_model_ids`; an ARN with several models is repeated.",
            behind_each,
        ),
        *(of_size("memory", "memory_mb", function.name, MEMORY_MB, "megabytes") for function in FUNCTIONS),
        *(
            of_size("max_concurrency", "max_concurrency", function.name, CONCURRENCY, "executions")
            for function in QUEUED
        ),
        *(
            of_size(
                "timeout",
                "timeout_seconds",
                function.name,
                (TIMEOUT_SECONDS[0], LONGEST_SECONDS.get(function.name, TIMEOUT_SECONDS[1])),
                "seconds",
            )
            for function in FUNCTIONS
        ),
    )
}
"""All options by name."""


class EnvironmentFile(msgspec.Struct, frozen=True, kw_only=True):
    """An environment's file. `account` is None if the environment may be deployed to any account."""

    account: str | None = None
    everywhere: dict[str, object] = {}
    regions: dict[str, dict[str, object]] = {}

    def options(self, region: str) -> dict[str, object]:
        """Return the options for `region`; its own ones override the general ones."""
        return {**self.everywhere, **self.regions.get(region, {})}


def read_file(name: str) -> EnvironmentFile:
    """Return the file of the environment `name`; an empty one if there is none. Raises OptionError."""
    path = FOLDER / f"{name}.toml"
    shown = f"environments/{path.name}"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return EnvironmentFile()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise OptionError(f"{shown} can't be read: {error}. Correct the file.") from error
    account, regions = content.pop("account", None), content.pop("regions", {})
    if account is not None and not (isinstance(account, str) and _ACCOUNT.fullmatch(account)):
        raise OptionError(f'{shown}: account must be an account\'s 12 digits in quotes, e.g. "123456789012".')
    if not isinstance(regions, dict):
        raise OptionError(f"{shown}: regions must be tables, e.g. [regions.eu-west-1].")
    for region, options in regions.items():
        if not (_REGION.fullmatch(region) and isinstance(options, dict)):
            raise OptionError(
                f"{shown}: [regions.{region}] must be a table named after a region, e.g. eu-west-1."
            )
    file = EnvironmentFile(account=account, everywhere=content, regions=regions)
    for region in (DEFAULT_REGION, *regions):
        unknown = [option for option in file.options(region) if option not in OPTIONS]
        if unknown:
            raise OptionError(
                f"{shown}: there is no option {unknown[0]}. The options are: {', '.join(OPTIONS)}."
            )
        try:
            _applied(_known(name, region), file.options(region))
        except OptionError as error:
            raise OptionError(f"{shown}: {error}") from error
    return file


def load(name: str, context: Options | None = None, *, region: str = DEFAULT_REGION) -> Environment:
    """Return the environment `name` in `region`, changed by the options in `context`, whose other names are ignored.

    An option that is empty counts as not given. Raises UnknownEnvironmentError or OptionError.
    """
    options = context or {}
    environment = _applied(_known(name, region), options)
    try:
        return in_its_region(environment, model_given=options.get("model_id") not in (None, ""))
    except RegionalError as error:
        raise OptionError(str(error)) from error


def load_deployed(name: str, context: Options | None = None, *, region: str = DEFAULT_REGION) -> Environment:
    """Return the environment `name` as a deployment to `region` makes it: with the options of its file, too."""
    _known(name)
    given = {option: value for option, value in (context or {}).items() if value not in (None, "")}
    return load(name, {**read_file(name).options(region), **given}, region=region)


def demanded(name: str, region: str) -> Environment:
    """Return the environment `name` with only those options of its file that its account demands. Raises OptionError.

    They also hold for what is deployed beside the environment, for which its other options need not fit the region.
    """
    options = read_file(name).options(region)
    demands = [option.name for option in ACCOUNT_OPTIONS]
    return _applied(
        _known(name, region), {option: options[option] for option in demands if option in options}
    )


def _known(name: str, region: str = DEFAULT_REGION) -> Environment:
    """Return the environment as it is in `region` without options."""
    if name not in ENVIRONMENTS:
        raise UnknownEnvironmentError(
            f"Unknown environment {name!r}. Set `-c env=NAME` to one of: {', '.join(ENVIRONMENTS)}."
        )
    environment = ENVIRONMENTS[name]
    registry = environment.schema_registry and region not in WITHOUT_SCHEMAS
    return replace(environment, region=region, schema_registry=registry)


def _applied(environment: Environment, options: Options) -> Environment:
    for option in OPTIONS.values():
        value = options.get(option.name)
        if value not in (None, ""):
            joined = ",".join(map(str, value)) if isinstance(value, list) and option.is_list else str(value)
            environment = option.apply(environment, joined)
    return environment
