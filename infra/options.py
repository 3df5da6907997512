"""The options of an environment: what its file in `environments/` and `-c name=value` may change.

An environment's file is TOML. Its keys are options, which hold in every region, and `account`, the only AWS account
that the environment may be deployed to; a table `[regions.NAME]` holds the options of one region. The command line
overrides the file, and the file the defaults in `infra/environments.py`.
"""

import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec

from infra.clocks import LEAST_RECORD_DAYS
from infra.environments import DEFAULT_REGION, ENVIRONMENTS, Environment, UnknownEnvironmentError
from infra.functions import FUNCTIONS
from infra.pricing import PRICE_REGIONS, dollars, listed_region
from infra.regional import RegionalError, in_its_region
from infra.regions import WITHOUT_SCHEMAS
from services.chatbot.settings import Settings as ChatbotSettings
from shared.settings import OFF, may_be_off

FOLDER: Final = Path(__file__).resolve().parents[1] / "environments"
"""The folder of the environments' files, e.g. `prod.toml`."""
DERIVED_SETTINGS: Final = ("answers_table", "timeout_seconds")
"""The chatbot's settings that its deployment determines; they are not options."""
LEAST_BUDGET: Final = 1e-6
"""The smallest daily budget, in dollars."""
MOST_RECORD_DAYS: Final = 3_650
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}")
_ACCOUNT: Final = re.compile(r"[0-9]{12}")

Options = Mapping[str, object]
Apply = Callable[[Environment, str], Environment]


class OptionError(Exception):
    """An option or an environment's file is invalid. The text says where and why."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option. `values` and `meaning` are phrases for its documentation.

    `apply` returns the environment with the option's value, given as text, and raises OptionError for a wrong one.
    """

    name: str
    values: str
    meaning: str
    apply: Apply

    def wrong(self, value: str) -> OptionError:
        return OptionError(f"The option {self.name} must be {self.values}, not {value}.")


def _yes_or_no(value: str) -> bool:
    return {"true": True, "false": False}[value.lower()]


def _budget(value: str) -> float | None:
    dollars = None if value == OFF else float(value)
    if dollars is not None and not LEAST_BUDGET <= dollars < math.inf:
        raise ValueError(value)
    return dollars


def _email(value: str) -> str | None:
    if value != OFF and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
        raise ValueError(value)
    return None if value == OFF else value


def _record_days(value: str) -> int | None:
    return None if value == OFF else _whole(LEAST_RECORD_DAYS, MOST_RECORD_DAYS)(value)


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not (value.isascii() and value.isdecimal() and least <= int(value) <= most):
            raise ValueError(value)
        return int(value)

    return read


def _log_days(value: str) -> Literal[7, 14, 30, 90, 365]:
    days: Literal[7, 14, 30, 90, 365]
    for days in LOG_DAYS:
        if value == str(days):
            return days
    raise ValueError(value)


def _ids(value: str) -> tuple[str, ...]:
    ids = tuple(part.strip() for part in value.split(","))
    if not all(ids):
        raise ValueError(value)
    return ids


LOG_DAYS: Final[tuple[Literal[7, 14, 30, 90, 365], ...]] = get_args(Literal[7, 14, 30, 90, 365])


def _field(name: str, values: str, meaning: str, read: Callable[[str], Any]) -> Option:
    """Return the option for the environment's field of the same name."""

    def apply(environment: Environment, value: str) -> Environment:
        try:
            return replace(environment, **{name: read(value)})
        except (ValueError, KeyError) as error:
            raise option.wrong(value) from error

    option = Option(name=name, values=values, meaning=meaning, apply=apply)
    return option


def _schema_registry() -> Option:
    def apply(environment: Environment, value: str) -> Environment:
        try:
            wanted = _yes_or_no(value)
        except KeyError as error:
            raise option.wrong(value) from error
        if wanted and environment.region in WITHOUT_SCHEMAS:
            raise OptionError(
                f"The option schema_registry can't be true in {environment.region}, which has no schema registry of "
                "EventBridge. Leave it out: it is off there by default."
            )
        return replace(environment, schema_registry=wanted)

    option = Option(
        name="schema_registry",
        values="true or false",
        meaning="Whether the events' schemas are registered with EventBridge; by default, where the region has it.",
        apply=apply,
    )
    return option


def _engine() -> Option:
    def apply(environment: Environment, value: str) -> Environment:
        if environment.engine is None:
            raise OptionError(
                f"The option engine only applies to the local engine, but {environment.name} is deployed to AWS. "
                "Leave it out."
            )
        return replace(environment, engine=value.rstrip("/"))

    return Option(
        name="engine", values="a URL", meaning="The local engine's address; for `local` only.", apply=apply
    )


def _setting(setting: msgspec.structs.FieldInfo) -> Option:
    """Return the option for a setting of the chatbot."""
    name, values = setting.name, _values(setting)

    def apply(environment: Environment, value: str) -> Environment:
        given = None if value == OFF and may_be_off(setting) else value
        settings = {**msgspec.structs.asdict(environment.chatbot), name: given}
        try:
            return replace(environment, chatbot=msgspec.convert(settings, ChatbotSettings, strict=False))
        except msgspec.ValidationError as error:
            raise OptionError(f"The option {name} is invalid: {error}. It must be {values}.") from error

    return Option(name=name, values=values, meaning="See the chatbot's README.", apply=apply)


def _size(option_name: str, field: str, function: str, bounds: tuple[int, int], unit: str) -> Option:
    """Return the option for one field of a function's sizing."""
    read = _whole(*bounds)

    def apply(environment: Environment, value: str) -> Environment:
        try:
            sizing = replace(environment.sizing_of(function), **{field: read(value)})
        except ValueError as error:
            raise option.wrong(value) from error
        return replace(environment, sizing={**environment.sizing, function: sizing})

    option = Option(
        name=f"{option_name}_{function}",
        values=f"{bounds[0]} to {bounds[1]} {unit}",
        meaning=f"The {option_name} of the function `{function}`.",
        apply=apply,
    )
    return option


MEMORY_MB: Final = (128, 10_240)
TIMEOUT_SECONDS: Final = (5, 31)
"""The bounds of a function's timeout. With a longer one, a task could end before the last delivery of its message,
which may be invisible for six timeouts at each of its five receives.
"""


def _values(setting: msgspec.structs.FieldInfo) -> str:
    """Return the phrase for a chatbot setting's values: its bounds if it is a number, and whether it may be off."""
    schema = msgspec.json.schema(setting.type)
    kinds = schema.get("anyOf", [schema])
    bounds = [f"{kind['minimum']:,} to {kind['maximum']:,}" for kind in kinds if "minimum" in kind]
    return (bounds or ["text"])[0] + (f", or {OFF}" if may_be_off(setting) else "")


OPTIONS: Final[Mapping[str, Option]] = {
    option.name: option
    for option in (
        _field("allowed_origin", "an origin or *", "The origin whose pages may call the API.", str),
        _field("alarm_email", "an e-mail address, or off", "The address that alarms are sent to.", _email),
        _field(
            "budget_usd_per_day",
            f"dollars, at least {LEAST_BUDGET:f}, or off",
            "The daily budget, above which no run is started.",
            _budget,
        ),
        _field(
            "prices_of",
            f"one of {', '.join(PRICE_REGIONS)}",
            "The region whose price list counts, if the environment's own has none.",
            listed_region,
        ),
        *(
            _field(
                f"price_{prefix}{direction}_usd_per_million",
                "dollars, 0 to 10,000",
                f"What a million {direction} tokens of `{model}` cost, if no list has it; both directions together.",
                dollars,
            )
            for prefix, model in (("", "model_id"), ("complex_", "model_id_complex"))
            for direction in ("input", "output")
        ),
        _field(
            "price_usd_per_answer",
            "dollars, 0 to 10,000",
            "What one answer of the existing chatbot function costs; a budget with that function needs it.",
            dollars,
        ),
        _field("monitoring", "true or false", "Whether alarms and dashboard are deployed.", _yes_or_no),
        _schema_registry(),
        _field("log_retention_days", "7, 14, 30, 90 or 365", "How many days the logs are kept.", _log_days),
        _field(
            "invocation_reports",
            "true or false",
            "Whether Lambda logs each call's duration and memory, for some time before a function is resized.",
            _yes_or_no,
        ),
        _field(
            "keep_records_days",
            f"{LEAST_RECORD_DAYS} to {MOST_RECORD_DAYS:,}, or off",
            "How many days the records of ended runs are kept; for ever if off.",
            _record_days,
        ),
        _field(
            "requests_per_second",
            "1 to 10,000",
            "The load that the environment should handle for hours; the API's throttle follows from it.",
            _whole(1, 10_000),
        ),
        _field(
            "max_waiting",
            "0 to 1,000",
            "How many callers of the API may wait for results at the same time.",
            _whole(0, 1_000),
        ),
        _engine(),
        *(
            _setting(setting)
            for setting in msgspec.structs.fields(ChatbotSettings)
            if setting.name not in DERIVED_SETTINGS
        ),
        *(
            _field(
                f"model_behind{suffix}",
                "model ids, separated by commas",
                f"The models behind `model_id{suffix}`, if that is the ARN of an application inference profile or a "
                "prompt router.",
                _ids,
            )
            for suffix in ("", "_complex")
        ),
        *(_size("memory", "memory_mb", function.name, MEMORY_MB, "megabytes") for function in FUNCTIONS),
        *(
            _size("timeout", "timeout_seconds", function.name, TIMEOUT_SECONDS, "seconds")
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
    if environment.engine is not None:  # any model answers there, and costs nothing
        return environment
    try:
        return in_its_region(environment, model_given=options.get("model_id") not in (None, ""))
    except RegionalError as error:
        raise OptionError(str(error)) from error


def load_deployed(name: str, context: Options | None = None, *, region: str = DEFAULT_REGION) -> Environment:
    """Return the environment `name` as a deployment to `region` makes it: with the options of its file, too."""
    _known(name)
    given = {option: value for option, value in (context or {}).items() if value not in (None, "")}
    return load(name, {**read_file(name).options(region), **given}, region=region)


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
            environment = option.apply(environment, str(value))
    return environment
