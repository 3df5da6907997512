"""The target of an operation: an environment on the local engine or in an AWS account.

A local target has its own endpoint and credentials that are valid nowhere else, whatever the shell's environment
says, so that it can't reach a real account by accident.
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.utils import get_environ_proxies
from msgspec import Struct

from operations.addresses import Addresses, read_addresses
from operations.aws_errors import translated
from operations.errors import InvalidInputError, OperationError, UnreachableError
from operations.pace import AWS, ENGINE, Pace

LOCAL = "local"

CONNECT_SECONDS = 5
READ_SECONDS = 20
AT_ONCE = 8
"""Calls that one action makes at a time, where each is a call of its own."""
CONNECTIONS = 64
"""The largest number of simultaneous calls on one target."""


class Identity(Struct, frozen=True, kw_only=True):
    """The account, region and caller of a target. `endpoint` is null on AWS itself."""

    env: str
    account: str
    region: str
    endpoint: str | None
    caller: str

    @property
    def is_aws(self) -> bool:
        return self.endpoint is None


class Target:
    """An environment and its AWS clients, each made once, when first used. Several threads may share a target."""

    def __init__(
        self, *, env: str, session: Any, endpoint: str | None = None, stand_in: str | None = None
    ) -> None:
        self.env = env
        self.owners: dict[str, str] = {}
        """The runs of executions whose names did not tell them, as far as they were looked up."""
        self.stand_in = stand_in
        """What answers in the place of Bedrock's models, whatever the records say; None if they do themselves."""
        self._endpoint = endpoint
        self._session = session
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    @property
    def is_local(self) -> bool:
        return self.env == LOCAL

    @cached_property
    def endpoint(self) -> str | None:
        """The endpoint's URL if it is not AWS itself: the engine's, or that of `AWS_ENDPOINT_URL` or the profile."""
        url = self._endpoint or str(self.client("sts").meta.endpoint_url)
        host = urlsplit(url).hostname or ""
        return None if host.endswith((".amazonaws.com", ".amazonaws.com.cn", ".api.aws")) else url

    @property
    def is_aws(self) -> bool:
        """Whether the target is AWS itself, and not an emulation of it."""
        return self.endpoint is None

    @property
    def pace(self) -> Pace:
        """The pauses between two calls to this target."""
        return AWS if self.is_aws else ENGINE

    @cached_property
    def region(self) -> str:
        """The AWS region. Raises InvalidInputError if none is set."""
        return str(self.client("ssm").meta.region_name)  # a client of STS would not need a region

    @cached_property
    def addresses(self) -> Addresses:
        """The addresses of what is deployed, read once, until they are renewed. Raises NotDeployedError."""
        return read_addresses(self.client("ssm"), self.env)

    @property
    def known_addresses(self) -> Addresses | None:
        """The addresses as far as they were read; None if they were not."""
        known: Addresses | None = self.__dict__.get("addresses")
        return known

    def renew_addresses(self) -> None:
        """Read the addresses anew: something may have been deployed since. After an error nothing is known."""
        try:
            self.__dict__["addresses"] = read_addresses(self.client("ssm"), self.env)
        except OperationError:
            self.__dict__.pop("addresses", None)
            raise

    def client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                with translated("connect"), _usable_settings():
                    made = self._session.create_client(
                        service, endpoint_url=self._endpoint, config=self._config()
                    )
                    _ = urlsplit(made.meta.endpoint_url).port  # botocore reads it when it first calls
                    self._clients[service] = made
            return self._clients[service]

    def regions_of(self, service: str) -> frozenset[str]:
        """Return the regions that have a service, as the installed botocore knows; none if it lists none."""
        partition = self._session.get_partition_for_region(self.region)
        return frozenset(self._session.get_available_regions(service, partition))

    def credentials(self) -> Any:
        """Return the credentials for signing. Raises UnreachableError if there are none."""
        with translated("sign the request"), _usable_settings():
            credentials = self._session.get_credentials()
            frozen = credentials.get_frozen_credentials() if credentials else None
        if frozen is None:
            raise UnreachableError("There are no AWS credentials. Log in, or name a profile with --profile.")
        return frozen

    def proxies(self, url: str) -> Mapping[str, str]:
        """Return the proxies for a URL; none for loopback, which a company's proxy can't reach."""
        return {} if urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"} else get_environ_proxies(url)

    def describe(self) -> Identity:
        """Ask AWS for the account and the caller's identity."""
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


@contextmanager
def _usable_settings() -> Iterator[None]:
    """Raise InvalidInputError for a setting, as of a variable or a profile, that botocore can't read."""
    try:
        yield
    except ValueError as error:
        raise InvalidInputError(
            f"An AWS setting can't be used: {str(error).rstrip('.')}. Correct it in the environment (AWS_…) or in "
            "the profile."
        ) from error


def aws_target(env: str, *, region: str | None = None, profile: str | None = None) -> Target:
    """Return a target in AWS with the user's own credentials, region and profile, as the AWS CLI finds them."""
    session = botocore.session.Session(profile=profile)
    if region := region or os.environ.get("AWS_REGION"):  # the AWS CLI reads this variable, botocore does not
        session.set_config_variable("region", region)
    return Target(env=env, session=session)
