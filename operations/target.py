"""Where an operation goes: an environment on the local engine, or in an AWS account.

A local target carries its endpoint and credentials that are worth nothing elsewhere, whatever the shell's
environment says: it can't reach a real account by accident.
"""

import os
import threading
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.utils import get_environ_proxies
from msgspec import Struct

from operations.addresses import Addresses, read_addresses
from operations.aws_errors import translated
from operations.errors import UnreachableError
from operations.pace import AWS, ENGINE, Pace

LOCAL = "local"

CONNECT_SECONDS = 5
READ_SECONDS = 20
CONNECTIONS = 64
"""The most operations at a time that one target is good for."""


class Identity(Struct, frozen=True, kw_only=True):
    """Whom the target acts for. `endpoint` is null on AWS itself."""

    env: str
    account: str
    region: str
    endpoint: str | None
    caller: str

    @property
    def is_aws(self) -> bool:
        return self.endpoint is None


class Target:
    """Clients are made when first asked for, once each, and may be used from several threads."""

    def __init__(self, *, env: str, session: Any, endpoint: str | None = None) -> None:
        self.env = env
        self._endpoint = endpoint
        self._session = session
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    @property
    def is_local(self) -> bool:
        return self.env == LOCAL

    @cached_property
    def endpoint(self) -> str | None:
        """Null on AWS itself; else the engine, or what `AWS_ENDPOINT_URL` or the profile names."""
        url = self._endpoint or str(self.client("sts").meta.endpoint_url)
        host = urlsplit(url).hostname or ""
        return None if host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")) else url

    @property
    def is_aws(self) -> bool:
        """Whether it is AWS itself, and not something that answers in its place."""
        return self.endpoint is None

    @property
    def pace(self) -> Pace:
        """How often it may be asked for news."""
        return AWS if self.is_aws else ENGINE

    @cached_property
    def region(self) -> str:
        """Raises InvalidInputError if there is none."""
        return str(self.client("ssm").meta.region_name)  # STS would do without one

    @cached_property
    def addresses(self) -> Addresses:
        """What is deployed, read once. Raises NotDeployedError."""
        return read_addresses(self.client("ssm"), self.env)

    def client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                with translated("connect"):
                    self._clients[service] = self._session.create_client(
                        service, endpoint_url=self._endpoint, config=self._config()
                    )
            return self._clients[service]

    def credentials(self) -> Any:
        """For signing. Raises UnreachableError if there are none."""
        with translated("sign the request"):
            found = self._session.get_credentials()
            frozen = found.get_frozen_credentials() if found else None
        if frozen is None:
            raise UnreachableError("There are no AWS credentials. Log in, or give --profile.")
        return frozen

    def proxies(self, url: str) -> Mapping[str, str]:
        """None for loopback: a company's proxy knows nothing of this machine."""
        return {} if urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"} else get_environ_proxies(url)

    def describe(self) -> Identity:
        """Asks the account who the caller is."""
        region = self.region
        with translated("find out the account"):
            answer = self.client("sts").get_caller_identity()
        return Identity(
            env=self.env,
            account=str(answer["Account"]),
            region=region,
            endpoint=self.endpoint,
            caller=str(answer["Arn"]),
        )

    def _config(self) -> Config:
        return Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 4, "mode": "standard"},
            max_pool_connections=CONNECTIONS,
            proxies={} if self._endpoint else None,
        )


def aws_target(env: str, *, region: str | None = None, profile: str | None = None) -> Target:
    """The user's own credentials, region and profile, as the AWS CLI finds them."""
    session = botocore.session.Session(profile=profile)
    if region := region or os.environ.get(
        "AWS_REGION"
    ):  # of which botocore, unlike the AWS CLI, knows nothing
        session.set_config_variable("region", region)
    return Target(env=env, session=session)
