"""The options that a template records, so that a later deployment can say in words which of them it changes.

A template records an option only if each change of the option's value also changes one of the template's resources:
CloudFormation does not store new metadata alone.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from infra.environments import Environment
from infra.functions import FUNCTIONS, QUEUED
from infra.options import DERIVED_SETTINGS, OPTIONS
from infra.parts import MONITORING, PLATFORM, SWITCHED, TRIGGER, WORKFLOW
from services.chatbot.settings import Settings as ChatbotSettings
from shared.contracts.stages import EVERY
from shared.settings import OFF

NOT_RECORDED: Final = frozenset(
    option
    for option in OPTIONS
    if option in ("monitoring", "engine", "prompt_caching") or option.startswith(("price_", "model_behind"))
)
"""Options whose effect is a stack of its own, that are no option on AWS, or that have an effect only together with
others.
"""
_KEY: Final = "AiPipelineOptions"

APPROVAL_OPTIONS: Final = tuple(option for option in OPTIONS if option.startswith("approval"))

_Recorded = tuple[tuple[str, ...], Callable[[Environment], Any]]

_WITH_FUNCTIONS: Final = (TRIGGER, *(stage.service for stage in EVERY))


def _setting(name: str) -> _Recorded:
    return ("chatbot",), lambda environment: getattr(environment.chatbot, name)


def _field(name: str) -> Callable[[Environment], Any]:
    return lambda environment: getattr(environment, name)


def _size(function: str, field: str) -> Callable[[Environment], Any]:
    return lambda environment: getattr(environment.sizing_of(function), field)


RECORDED: Final[Mapping[str, _Recorded]] = {
    "allowed_origin": ((TRIGGER,), lambda environment: environment.allowed_origin),
    "alarm_email": ((MONITORING,), lambda environment: environment.alarm_email),
    "budget_usd_per_day": ((TRIGGER,), lambda environment: environment.budget_usd_per_day),
    **{name: (SWITCHED if "_" in name else (WORKFLOW,), _field(name)) for name in APPROVAL_OPTIONS},
    "requests_per_second": ((TRIGGER,), lambda environment: environment.requests_per_second),
    "max_waiting": ((TRIGGER,), lambda environment: environment.max_waiting),
    "prices_of": (("logger",), lambda environment: environment.prices_of),
    "schema_registry": ((PLATFORM,), lambda environment: environment.schema_registry),
    "invocation_reports": (_WITH_FUNCTIONS, lambda environment: environment.invocation_reports),
    "keep_records_days": ((TRIGGER, "logger"), lambda environment: environment.keep_records_days),
    "bootstrap_qualifier": ((TRIGGER,), lambda environment: environment.bootstrap_qualifier),
    "permissions_boundary": ((TRIGGER,), lambda environment: environment.permissions_boundary),
    "api_account_role": ((TRIGGER,), lambda environment: environment.api_account_role),
    "log_retention_days": (
        (*_WITH_FUNCTIONS, WORKFLOW),
        lambda environment: environment.log_retention_days,
    ),
    **{
        setting.name: _setting(setting.name)
        for setting in msgspec.structs.fields(ChatbotSettings)
        if setting.name not in DERIVED_SETTINGS
    },
    **{f"memory_{spec.name}": ((spec.service,), _size(spec.name, "memory_mb")) for spec in FUNCTIONS},
    **{
        f"max_concurrency_{spec.name}": ((spec.service,), _size(spec.name, "max_concurrency"))
        for spec in QUEUED
    },
    **{f"timeout_{spec.name}": ((spec.service,), _size(spec.name, "timeout_seconds")) for spec in FUNCTIONS},
}
"""The parts that record an option, and its value in an environment."""


def recorded(environment: Environment, part: str) -> dict[str, Any]:
    """Return the metadata of a part's template."""
    values = {
        name: _escaped(_written(value(environment)))
        for name, (parts, value) in RECORDED.items()
        if part in parts
    }
    return {_KEY: values} if values else {}


def options_of(template: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the options that a template records, as they are written in a file; none if it records none."""
    metadata = template.get("Metadata")
    options = metadata.get(_KEY) if isinstance(metadata, Mapping) else None
    return (
        {name: _read(str(value)) for name, value in options.items()} if isinstance(options, Mapping) else {}
    )


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or value == "":
        return OFF
    return f"{value:g}" if isinstance(value, float) else str(value)


def _escaped(text: str) -> str:
    """Return the text in ASCII: CloudFormation gives back any other character as a question mark."""
    return json.dumps(text)[1:-1]


def _read(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text
