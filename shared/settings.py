"""A service's settings: environment variables, read once, as one frozen value."""

import os
from collections.abc import Mapping
from typing import TypeVar

import msgspec

S = TypeVar("S", bound=msgspec.Struct)


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
