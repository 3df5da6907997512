"""What the trigger's two functions are configured with."""

from msgspec import Struct


class ApiSettings(Struct, frozen=True, kw_only=True):
    """Read from the environment. `allowed_origin` answers CORS."""

    table_name: str
    bus_name: str
    allowed_origin: str = "*"


class StarterSettings(Struct, frozen=True, kw_only=True):
    """Read from the environment."""

    table_name: str
    state_machine_arn: str
