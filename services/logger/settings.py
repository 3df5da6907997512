"""What the logger is configured with."""

from msgspec import Struct


class Settings(Struct, frozen=True, kw_only=True):
    """Read from the environment. `counts_days`: a budget looks at what runs cost per day."""

    table_name: str
    bus_name: str
    counts_days: bool = False
