"""How to reach a deployment on the local engine: an address, and credentials that are valid nowhere else."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

HOST = "127.0.0.1"
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
        """Return keyword arguments for `boto3.client(service, **options)`."""
        return {
            "endpoint_url": self.endpoint_url,
            "region_name": self.region,
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": self.secret_access_key,
        }

    def variables(self) -> dict[str, str]:
        """Return the environment variables with which the AWS CLI, boto3 and the CDK CLI reach the engine."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Return a child process's environment: `inherited`, but with this connection instead of a real account.

        Every `AWS_` and `CDK_` variable and those of `DISTURBING` are removed, the user's AWS files are hidden, and
        loopback is reached without a proxy.
        """
        kept = {
            name: value
            for name, value in inherited.items()
            if not name.startswith(("AWS_", "CDK_")) and name not in DISTURBING
        }
        direct = ",".join(
            filter(None, [inherited.get("no_proxy") or inherited.get("NO_PROXY"), HOST, "localhost"])
        )
        return {
            **kept,
            **self.variables(),
            **NO_OTHER_CREDENTIALS,
            "NO_PROXY": direct,
            "no_proxy": direct,
            "PYTHONUTF8": "1",
        }


DISTURBING = frozenset(
    {
        "NODE_OPTIONS", "NODE_PATH", "NODE_ENV",
        "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONINSPECT",
        "PYTHONDEBUG", "PYTHONVERBOSE", "PYTHONPROFILEIMPORTTIME", "VIRTUAL_ENV",
        "PIPELINE_MODEL_KEY", "MODEL_KEY",
    }
)  # fmt: skip
"""Variables of a user's shell that change how Node and Python run, or what they load, and the model server's key."""

NO_OTHER_CREDENTIALS = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""The variables that keep a process from the credentials of a real account."""
