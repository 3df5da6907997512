"""A service's settings: environment variables, read once, as one frozen value. And what is built of them."""

import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import TypeVar

import msgspec

from shared.collector import initialising, switch_on

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")


class SettingsError(Exception):
    """The environment lacks a variable or holds one of the wrong kind; the text names it."""


def load(kind: type[S], environ: Mapping[str, str] | None = None) -> S:
    """`kind` from the variables named like its fields, in capitals. An empty variable counts as absent."""
    environ = os.environ if environ is None else environ
    given = {
        field.name: environ[field.name.upper()]
        for field in msgspec.structs.fields(kind)
        if environ.get(field.name.upper())
    }
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(
            f"environment for {kind.__module__}: {error} (variables are in capitals)"
        ) from error


def once(build: Callable[[], T]) -> Callable[[], T]:
    """`build`, called by the first message, or ahead of it, while Lambda initialises the function: there the CPU is
    not yet throttled to the function's share. Importing a handler anywhere else has no effect.

    It ends the initialisation: from then on garbage is collected (`shared.collector`).
    """
    built = cache(build)
    if initialising():
        built()
        switch_on()
    return built
