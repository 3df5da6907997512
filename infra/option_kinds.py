"""The kinds of an environment's options: how each reads its value, and what it changes."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

import msgspec

from infra.clocks import LEAST_RECORD_DAYS
from infra.environments import Environment
from infra.regions import WITHOUT_SCHEMAS
from services.chatbot.settings import Settings as ChatbotSettings
from shared.settings import OFF, may_be_off

LEAST_BUDGET: Final = 1e-6
"""The smallest daily budget, in dollars."""
MOST_RECORD_DAYS: Final = 3_650
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

    @property
    def is_list(self) -> bool:
        """Whether a file may give the values as a list instead of one text."""
        return "separated by commas" in self.values

    def wrong(self, value: str) -> OptionError:
        return OptionError(f"The option {self.name} must be {self.values}, not {value}.")


def yes_or_no(value: str) -> bool:
    return {"true": True, "false": False}[value.lower()]


def one_of(*values: str) -> Callable[[str], str]:
    """Return a reader of one of these words."""
    return {value: value for value in values}.__getitem__


def some_text(most: int) -> Callable[[str], str]:
    """Return a reader of a text that is not blank and has at most `most` characters."""

    def read(value: str) -> str:
        if not value.strip() or len(value) > most:
            raise ValueError(value)
        return value

    return read


def budget(value: str) -> float | None:
    dollars = None if value == OFF else float(value)
    if dollars is not None and not LEAST_BUDGET <= dollars < math.inf:
        raise ValueError(value)
    return dollars


def email(value: str) -> str | None:
    if value != OFF and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
        raise ValueError(value)
    return None if value == OFF else value


def record_days(value: str) -> int | None:
    return None if value == OFF else whole(LEAST_RECORD_DAYS, MOST_RECORD_DAYS)(value)


def whole(least: int, most: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not (value.isascii() and value.isdecimal() and least <= int(value) <= most):
            raise ValueError(value)
        return int(value)

    return read


def log_days(value: str) -> Literal[7, 14, 30, 90, 365]:
    days: Literal[7, 14, 30, 90, 365]
    for days in LOG_DAYS:
        if value == str(days):
            return days
    raise ValueError(value)


def ids(value: str) -> tuple[str, ...]:
    ids = tuple(part.strip() for part in value.split(","))
    if not all(ids):
        raise ValueError(value)
    return ids


def behind_each(value: str) -> dict[str, tuple[str, ...]]:
    """Return the models behind each ARN, from pairs like `ARN=model`; of a repeated ARN, all models."""
    models: dict[str, tuple[str, ...]] = {}
    for pair in ids(value):
        arn, _, model = (part.strip() for part in pair.partition("="))
        if not (arn and model):
            raise ValueError(pair)
        models[arn] = (*models.get(arn, ()), model)
    return models


LOG_DAYS: Final[tuple[Literal[7, 14, 30, 90, 365], ...]] = get_args(Literal[7, 14, 30, 90, 365])


def of_field(name: str, values: str, meaning: str, read: Callable[[str], Any]) -> Option:
    """Return the option for the environment's field of the same name."""

    def apply(environment: Environment, value: str) -> Environment:
        try:
            return replace(environment, **{name: read(value)})
        except (ValueError, KeyError) as error:
            raise option.wrong(value) from error

    option = Option(name=name, values=values, meaning=meaning, apply=apply)
    return option


def of_schema_registry() -> Option:
    def apply(environment: Environment, value: str) -> Environment:
        try:
            wanted = yes_or_no(value)
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


def of_engine() -> Option:
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


def of_setting(setting: msgspec.structs.FieldInfo) -> Option:
    """Return the option for a setting of the chatbot."""
    name, values = setting.name, values_of(setting)

    def apply(environment: Environment, value: str) -> Environment:
        given = None if value == OFF and may_be_off(setting) else value
        settings = {**msgspec.structs.asdict(environment.chatbot), name: given}
        try:
            return replace(environment, chatbot=msgspec.convert(settings, ChatbotSettings, strict=False))
        except msgspec.ValidationError as error:
            raise OptionError(f"The option {name} is invalid: {error}. It must be {values}.") from error

    return Option(name=name, values=values, meaning="See the chatbot's README.", apply=apply)


def of_size(option_name: str, field: str, function: str, bounds: tuple[int, int], unit: str) -> Option:
    """Return the option for one field of a function's sizing."""
    read = whole(*bounds)

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


def values_of(setting: msgspec.structs.FieldInfo) -> str:
    """Return the phrase for a chatbot setting's values: its description or bounds, and whether it may be off."""
    schema = msgspec.json.schema(setting.type)
    kinds = schema.get("anyOf", [schema])
    told = [str(kind["description"]) for kind in kinds if "description" in kind]
    bounds = [f"{kind['minimum']:,} to {kind['maximum']:,}" for kind in kinds if "minimum" in kind]
    return (told + bounds or ["text"])[0] + (f", or {OFF}" if may_be_off(setting) else "")
