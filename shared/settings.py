"""Reads a service's settings from environment variables, and builds once what depends on them."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import TypeVar

import msgspec

from shared import initialising, switch_on

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")


class SettingsError(Exception):
    """An environment variable is missing or has a value of the wrong type; the text names it."""


def load(kind: type[S], environ: Mapping[str, str] | None = None) -> S:
    """Return a `kind` made of the variables named like its fields, in capitals. Empty variables count as absent."""
    environ = os.environ if environ is None else environ
    values = {
        field.name: environ[field.name.upper()]
        for field in msgspec.structs.fields(kind)
        if environ.get(field.name.upper())
    }
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(
            f"The environment variables for {kind.__module__} are not valid: {error}. "
            "Set the variable of this name, in capitals."
        ) from error


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
