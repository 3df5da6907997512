"""Reads a service's settings from environment variables, and builds once what depends on them."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import TypeVar, get_args

import msgspec

from shared import initialising, switch_on

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")


OFF = "off"
"""The value of a setting that says that there is none, where an empty variable stands for the default."""

REVISION = "CODE_REVISION"
"""The variable with the revision of a function's code, which the deployment sets."""


class SettingsError(Exception):
    """An environment variable is missing or has a value of the wrong type; the text names it."""


def load(kind: type[S], environ: Mapping[str, str] | None = None) -> S:
    """Return a `kind` made of the variables named like its fields, in capitals.

    Empty variables count as absent. `off` is None for a field that may be None.
    """
    environ = os.environ if environ is None else environ
    values = {
        field.name: None if value == OFF and may_be_off(field) else value
        for field in msgspec.structs.fields(kind)
        if (value := environ.get(field.name.upper()))
    }
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(
            f"The environment variables for {kind.__module__} are not valid: {error}. "
            "Set the variable of this name, in capitals."
        ) from error


def may_be_off(field: msgspec.structs.FieldInfo) -> bool:
    return type(None) in get_args(field.type)


def once(build: Callable[[], T]) -> Callable[[], T]:
    """Return a function that calls `build` once, at the first message, and then returns the same value.

    In Lambda `build` is called at once, during the initialisation, where the CPU is not yet throttled to the
    function's share; garbage is collected from then on (`shared`). Elsewhere an import builds nothing.
    """
    built = cache(build)
    if initialising():
        built()
        switch_on()
    return built
