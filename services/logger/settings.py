"""What the logger is configured with."""

from msgspec import Struct


class Settings(Struct, frozen=True, kw_only=True):
    """Read from the environment."""

    table_name: str
    bus_name: str
