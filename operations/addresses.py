"""The addresses of a deployment: the SSM parameters under `/ai-pipeline/<env>/`, read once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from infra.names import Names
from infra.parts import PLATFORM, TRIGGER, WORKFLOW
from operations.aws_errors import translated
from operations.errors import NotDeployedError

OWNERS = {
    "api/url": TRIGGER,
    "bus/name": PLATFORM,
    "table/name": PLATFORM,
    "state-machine/arn": WORKFLOW,
}


def how_to_deploy(env: str) -> str:
    return "pipeline up" if env == "local" else f"pipeline --env {env} deploy"


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """The addresses of one environment. Reading an address raises NotDeployedError if it does not exist.

    `values` is keyed by the path below the environment, e.g. `bus/name`.
    """

    env: str
    values: Mapping[str, str] = field(repr=False)
    deployed_at: datetime

    def __getitem__(self, path: str) -> str:
        try:
            return self.values[path]
        except KeyError:
            raise NotDeployedError(
                f"{OWNERS.get(path) or path.split('/')[1]!r} is not deployed in environment {self.env!r}. "
                f"Run `{how_to_deploy(self.env)}`."
            ) from None

    @property
    def is_whole(self) -> bool:
        """Whether each part is deployed that all others need. While a first deployment goes on, some are not yet."""
        return all(path in self.values for path in OWNERS)

    @property
    def api_url(self) -> str:
        """The API's URL without a trailing slash; requests are posted to `<api_url>/pipeline`."""
        return self["api/url"]

    @property
    def bus_name(self) -> str:
        return self["bus/name"]

    @property
    def table_name(self) -> str:
        return self["table/name"]

    @property
    def state_machine_arn(self) -> str:
        return self["state-machine/arn"]

    @property
    def services(self) -> tuple[str, ...]:
        """The names of the deployed services."""
        return tuple(path.split("/")[1] for path in sorted(self.values) if path.endswith("/queue-url"))

    def queue_url(self, service: str) -> str:
        return self[f"services/{service}/queue-url"]

    def dlq_url(self, service: str) -> str:
        return self[f"services/{service}/dlq-url"]

    def execution_arn(self, name: str) -> str:
        return f"{self.state_machine_arn.replace(':stateMachine:', ':execution:')}:{name}"


def read_addresses(ssm: Any, env: str) -> Addresses:
    """Read all addresses. Raises NotDeployedError if nothing of this environment is deployed."""
    values: dict[str, str] = {}
    changed: list[datetime] = []
    with translated(f"read the addresses of environment {env!r}"):
        root = Names(env).parameter("")
        pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=root, Recursive=True)
        for page in pages:
            for parameter in page["Parameters"]:
                values[parameter["Name"].removeprefix(root)] = parameter["Value"]
                changed.append(parameter["LastModifiedDate"])
    if not values:
        raise NotDeployedError(f"Nothing is deployed in environment {env!r}. Run `{how_to_deploy(env)}`.")
    return Addresses(env=env, values=values, deployed_at=max(changed))
