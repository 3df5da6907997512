"""The logger's settings."""

from msgspec import Struct


class Settings(Struct, frozen=True, kw_only=True):
    """The environment of the logger's function. `counts_days` is true if there is a daily budget."""

    table_name: str
    bus_name: str
    counts_days: bool = False
