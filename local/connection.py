"""How to reach the engine: a loopback address and credentials that mean nothing anywhere else."""

from dataclasses import dataclass

HOST = "127.0.0.1"
REGION = "us-east-1"
ACCOUNT = "000000000000"
ACCESS_KEY_ID = SECRET_ACCESS_KEY = "test"  # noqa: S105 -- the engine's own root, known to everyone
REAL_AWS = (
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
"""Variables that could lead a client to a real account."""


@dataclass(frozen=True, kw_only=True)
class Connection:
    endpoint_url: str
    region: str = REGION
    account_id: str = ACCOUNT
    access_key_id: str = ACCESS_KEY_ID
    secret_access_key: str = SECRET_ACCESS_KEY

    def variables(self) -> dict[str, str]:
        """The environment in which the AWS CLI, boto3 and the CDK CLI talk to the engine, and only to it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }
