"""How to reach a deployment on the local engine: its address and credentials that are worth nothing elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass

REGION = "us-east-1"
ACCOUNT = "000000000000"
ACCESS_KEY_ID = "test"  # the engine's root key; AWS knows no such key
SECRET_ACCESS_KEY = "test"  # noqa: S105 -- a dummy


@dataclass(frozen=True, kw_only=True)
class Connection:
    endpoint_url: str
    region: str = REGION
    access_key_id: str = ACCESS_KEY_ID
    secret_access_key: str = SECRET_ACCESS_KEY

    def client_options(self) -> dict[str, str]:
        """Keyword arguments for `boto3.client(service, **options)`."""
        return {
            "endpoint_url": self.endpoint_url,
            "region_name": self.region,
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": self.secret_access_key,
        }

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """`inherited` without anything that could lead a child process to a real account, and with this connection."""
        raise NotImplementedError
