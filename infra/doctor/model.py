"""What a deployment is made of, typed, as far as the checks look at it. Everything is known by its physical name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.environments import Environment


@dataclass(frozen=True, kw_only=True)
class Queue:
    """Times in seconds; a queue without `dlq` deletes nothing on its own before `retention_seconds`."""

    name: str
    stack: str
    visibility_seconds: int = 30
    retention_seconds: int = 4 * 86_400
    dlq: str | None = None
    receives: int | None = None


@dataclass(frozen=True, kw_only=True)
class Function:
    """`role` is the stack and logical id of its role; `variables` its environment."""

    name: str
    stack: str
    handler: str
    timeout_seconds: int = 3
    role: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def module(self) -> str:
        return self.handler.rpartition(".")[0]

    @property
    def service(self) -> str:
        """The service's folder."""
        return self.handler.split(".")[1] if self.handler.count(".") else self.handler


@dataclass(frozen=True, kw_only=True)
class Source:
    """An event source mapping: a queue that feeds a function."""

    queue: str
    function: str
    stack: str
    batch_size: int = 10
    window_seconds: int = 0
    partial_batches: bool = False
    enabled: bool = True
    max_concurrency: int | None = None


@dataclass(frozen=True, kw_only=True)
class Target:
    queue: str
    dlq: str | None = None
    max_age_seconds: int = 86_400


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`bus` is `default` for the account's own."""

    name: str
    stack: str
    bus: str
    sources: tuple[str, ...]
    detail_types: tuple[str, ...]
    detail: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = True
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True, kw_only=True)
class State:
    """A state of the workflow. What it sends: `detail_type` from `source`, over `bus` or straight into `queue`."""

    name: str
    kind: str
    resource: str = ""
    timeout_seconds: int | None = None
    catches: tuple[str, ...] = ()
    detail_type: str | None = None
    source: str | None = None
    bus: str | None = None
    queue: str | None = None

    @property
    def waits(self) -> bool:
        """For a callback with its task token."""
        return self.resource.endswith(".waitForTaskToken")


@dataclass(frozen=True, kw_only=True)
class Machine:
    name: str
    stack: str
    kind: str
    role: str
    states: Mapping[str, State]


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One Allow statement. `holder` is the role's stack and logical id, or the managed policy's."""

    holder: str
    stack: str
    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    equals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The `StringEquals` conditions."""

    def allows(self, action: str, resource: str) -> bool:
        return action in self.actions and any(one in ("*", resource) for one in self.resources)


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A queue's policy lets a rule put events in. `anybody`: it lets in whoever asks."""

    queue: str
    stack: str
    rule: str = ""
    anybody: bool = False


@dataclass(frozen=True, kw_only=True)
class Alarm:
    name: str
    watches: frozenset[tuple[str, str]]
    """Metrics of queues, as (queue, metric)."""
    enabled: bool
    actions: int


@dataclass(frozen=True, kw_only=True)
class System:
    """One environment's deployment. `alarms` is None where it has no monitoring stack."""

    environment: Environment
    queues: Mapping[str, Queue]
    functions: Mapping[str, Function]
    sources: tuple[Source, ...]
    rules: Mapping[str, Rule]
    machines: Mapping[str, Machine]
    grants: tuple[Grant, ...]
    deliveries: tuple[Delivery, ...]
    alarms: tuple[Alarm, ...] | None = None
    written: "System | None" = None
    """What the templates of the deployed stacks say, where this is what really runs."""

    @property
    def fed(self) -> Mapping[str, Source]:
        """The queues that feed a function, by name."""
        return {source.queue: source for source in self.sources}

    @property
    def rule_dlqs(self) -> frozenset[str]:
        return frozenset(
            target.dlq for rule in self.rules.values() for target in rule.targets if target.dlq is not None
        )

    def grants_of(self, holder: str) -> tuple[Grant, ...]:
        return tuple(grant for grant in self.grants if grant.holder == holder)
