"""What the trigger's functions are configured with."""

from msgspec import Struct


class ApiSettings(Struct, frozen=True, kw_only=True):
    """Read from the environment. `allowed_origin` answers CORS.

    `api_url` is the API's address where it is not the host a request came to, with `{api_id}` for the API's id.
    `timeout_seconds` is the function's own.
    """

    table_name: str
    bus_name: str
    allowed_origin: str = "*"
    api_url: str | None = None
    timeout_seconds: int = 30


class StarterSettings(Struct, frozen=True, kw_only=True):
    """Read from the environment."""

    table_name: str
    state_machine_arn: str


class GuardSettings(Struct, frozen=True, kw_only=True):
    """Read from the environment. `mapping_id` is the UUID of the event source mapping that feeds the starter."""

    table_name: str
    budget_table: str
    mapping_id: str
    usd_per_day: float
