"""A typed model of a deployment, with what the checks read. Resources refer to each other by physical name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.environments import Environment


@dataclass(frozen=True, kw_only=True)
class Queue:
    """An SQS queue. `receives` is how often a message is received before SQS moves it to `dlq`.

    `denies` are the actions that the policy of a deployed queue denies under no condition.
    """

    name: str
    stack: str
    visibility_seconds: int = 30
    retention_seconds: int = 4 * 86_400
    dlq: str | None = None
    receives: int | None = None
    denies: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Function:
    """A Lambda function. `role` is its role as stack and logical id, `variables` its environment variables.

    `role_name` is the name of the role that a deployed function has.
    """

    name: str
    stack: str
    handler: str
    timeout_seconds: int = 3
    role: str = ""
    role_name: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def module(self) -> str:
        return self.handler.rpartition(".")[0]

    @property
    def service(self) -> str:
        """The service's folder in `services/`."""
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
    """An EventBridge rule with an event pattern. `bus` is `default` for the account's default bus."""

    name: str
    stack: str
    bus: str
    sources: tuple[str, ...]
    detail_types: tuple[str, ...]
    detail: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = True
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """An EventBridge rule that invokes `functions` at intervals."""

    name: str
    stack: str
    enabled: bool = True
    functions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class State:
    """A state of the workflow. A stage's state sends `detail_type` from `source` to `bus`, or directly to `queue`."""

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
        """Whether the state waits for a callback with its task token."""
        return self.resource.endswith(".waitForTaskToken")


@dataclass(frozen=True, kw_only=True)
class Machine:
    name: str
    stack: str
    kind: str
    role: str
    states: Mapping[str, State]
    role_name: str = ""
    """The name of the role that a deployed workflow has."""


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One Allow statement. `holder` is the stack and logical id of the role or managed policy that has it."""

    holder: str
    stack: str
    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The values that condition keys may have."""
    bounded: frozenset[str] = frozenset()
    """The keys of `values` whose condition holds for a list of values as for one, and not without any:
    `ForAllValues:StringEquals` together with `Null`.
    """

    def allows(self, action: str, resource: str) -> bool:
        return action in self.actions and any(pattern in ("*", resource) for pattern in self.resources)


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement of a policy. `but_actions` and `but_resources` are those to which it does not apply."""

    effect: str
    actions: tuple[str, ...] = ()
    but_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    but_resources: tuple[str, ...] = ()
    is_conditional: bool = False


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A policy of a role: attached if it has an `arn`, else inline. Of an attached one, a template may know no more
    than the name.
    """

    name: str
    arn: str = ""
    statements: tuple[Statement, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Role:
    """A role with its policies. `holder` is its stack and logical id, `name` the name of a deployed one."""

    holder: str
    name: str = ""
    policies: tuple[Policy, ...] = ()
    boundary: Policy | None = None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A statement of a queue's policy that lets `rule` send events to it; with `anybody`, it lets everybody send."""

    queue: str
    stack: str
    rule: str = ""
    anybody: bool = False


@dataclass(frozen=True, kw_only=True)
class Alarm:
    name: str
    watches: frozenset[tuple[str, str]]
    """The metrics that it watches, each with the queue, function or API that it belongs to, as (name, metric)."""
    enabled: bool
    actions: int


@dataclass(frozen=True, kw_only=True)
class System:
    """One environment's deployment. `alarms` is None if it has no monitoring stack."""

    environment: Environment
    queues: Mapping[str, Queue]
    functions: Mapping[str, Function]
    sources: tuple[Source, ...]
    rules: Mapping[str, Rule]
    machines: Mapping[str, Machine]
    grants: tuple[Grant, ...]
    deliveries: tuple[Delivery, ...]
    roles: Mapping[str, Role] | None = field(default_factory=dict)
    """The roles of functions and workflow, by stack and logical id; None if their policies could not be read."""
    roles_unread: str = ""
    """Why the policies of roles could not be read."""
    expiring: Mapping[str, str] = field(default_factory=dict)
    """The time-to-live attribute of each table that has one, by the table's name."""
    apis: tuple[str, ...] = ()
    """The names of the REST APIs."""
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    alarms: tuple[Alarm, ...] | None = None
    concurrency: int | None = None
    """The concurrent executions that the account has for functions without a reservation, if that is known."""
    written: "System | None" = None
    """The model of the deployed stacks' templates, if this is the model of the deployed resources."""

    @property
    def fed(self) -> Mapping[str, Source]:
        """The event source mapping of each queue that feeds a function, by the queue's name."""
        return {source.queue: source for source in self.sources}

    @property
    def rule_dlqs(self) -> frozenset[str]:
        return frozenset(
            target.dlq for rule in self.rules.values() for target in rule.targets if target.dlq is not None
        )

    def grants_of(self, holder: str) -> tuple[Grant, ...]:
        return tuple(grant for grant in self.grants if grant.holder == holder)
