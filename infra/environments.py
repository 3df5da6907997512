"""The environments as data: everything in which dev, staging, prod and the local engine differ.

Constructs read these values; no construct depends on an environment's name.
"""

import math
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from infra.clocks import (
    APPROVAL,
    DEADLINE_MARGIN_SECONDS,
    MAX_RECEIVES,
    THROTTLED_SECONDS,
    task_seconds,
    visibility_seconds,
)
from infra.functions import ALL_FUNCTIONS
from infra.regions import partition_of
from infra.thresholds import Thresholds
from services.chatbot.settings import Settings as ChatbotSettings
from shared.contracts.stages import BY_SERVICE, OPTIONAL, STAGES, Stage, switched_on

API_STAGE = "v1"
DEFAULT_REGION = "us-east-1"
"""The region of a synthesis that is told no other: the CDK CLI's own default."""
RUNTIME = "python3.14"
"""The newest Python of Lambda for which every bundled package has a wheel; see `requirements.txt`."""


class UnknownEnvironmentError(Exception):
    """There is no environment of this name. The text lists the known ones."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The interpreter and platform that a bundle's wheels are built for."""

    architecture: Literal["arm64", "x86_64"]
    python_version: str
    platform: str | None
    """uv's name of the platform; None for the platform of this machine."""

    @property
    def name(self) -> str:
        here = f"host-{platform.system()}-{platform.machine()}".lower()
        return f"{self.platform or here}-py{self.python_version}"


AWS_ARM = Target(architecture="arm64", python_version="3.14", platform="aarch64-manylinux_2_28")


def host() -> Target:
    """Return the target of the local engine, which runs functions on this machine with this Python version."""
    return Target(
        architecture="arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64",
        python_version=f"{sys.version_info.major}.{sys.version_info.minor}",
        platform=None,
    )


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """The sizes of one function and its queue.

    A function's share of a CPU follows from `memory_mb`: with the default, a function that makes one or two calls to
    AWS handles a warm message in 50 ms, for the same price as with 128 MB (docs/benchmarks.md has the table).
    `max_concurrency` limits how many executions of the function the queue may start at a time (AWS: at least 2).
    """

    memory_mb: int = 256
    timeout_seconds: int = 30
    batch_size: int = 10
    batching_window_seconds: int = 0
    max_concurrency: int = 100

    @property
    def visibility_seconds(self) -> int:
        """The visibility timeout of the function's queue."""
        return visibility_seconds(self.timeout_seconds, self.batching_window_seconds)

    @property
    def task_seconds(self) -> int:
        """The timeout of the task whose requests the queue takes."""
        return task_seconds(self.visibility_seconds)


@dataclass(frozen=True, kw_only=True)
class Throttle:
    """API Gateway's limit for the whole API: `rate` in requests per second, and the `burst` above it in requests."""

    rate: int
    burst: int


CALLS_PER_RUN = 4
"""Calls of the API for each run that the throttle admits: one POST, and three that read, list or cancel."""
BURST_SECONDS = 2
"""Seconds of the throttle's rate that may come at once."""


@dataclass(frozen=True, kw_only=True)
class IamDialect:
    """The ways in which the local engine's IAM differs from AWS's. The defaults are AWS's.

    `callbacks_by_machine`: SendTask* rights name the state machine. The engine checks them on `*` only.
    `converse_action`: the right that a Converse call needs. The engine expects the operation's own name.
    `read_mapping_action`: the right to read one event source mapping. The engine expects the right to list all.
    `operators_by_resource`: operators' rights name resources and AWS's actions. The engine checks many of them on `*`
    only, and expects actions of its own for calls in batches.
    `items_by_key`: a right on a table names the keys of its items. The engine does not know this condition.
    `models_by_arn`: model rights name the model. The engine misreads model ids with a prefix or a slash.
    """

    callbacks_by_machine: bool = True
    converse_action: Literal["bedrock:InvokeModel", "bedrock:Converse"] = "bedrock:InvokeModel"
    read_mapping_action: Literal["lambda:GetEventSourceMapping", "lambda:ListEventSourceMappings"] = (
        "lambda:GetEventSourceMapping"
    )
    operators_by_resource: bool = True
    items_by_key: bool = True
    models_by_arn: bool = True


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One environment's settings. The defaults are for AWS."""

    name: str
    region: str = DEFAULT_REGION
    """The region that it is deployed to."""
    target: Target = AWS_ARM
    sizing: Mapping[str, Sizing] = field(default_factory=dict)
    """Sizes by function (`api`, `starter`, and each stage's service); other functions have `default_sizing`, with
    what their stage's row in the stage table says."""
    default_sizing: Sizing = Sizing()
    chatbot: ChatbotSettings = field(default_factory=ChatbotSettings)
    model_behind: tuple[str, ...] = ()
    model_behind_complex: tuple[str, ...] = ()
    """The ids of the models behind `model_id` and `model_id_complex`, if these are ARNs that do not name a model."""
    model_behind_fallbacks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The same for the ARNs among `fallback_model_ids`, by ARN."""
    prompt_caching: Literal["auto", "on", "off"] = "auto"
    """Which models get a cache checkpoint after the system prompt: those that take one, all, or none."""
    allowed_origin: str = "*"
    requests_per_second: float = 10
    """The load, in requests for a run, that the environment should handle for hours; the doctor compares it with
    quotas, and `throttle` follows from it.
    """
    max_waiting: int = 2
    """How many callers of the API may wait for results at the same time (`Prefer: wait`). Each is a concurrent
    execution of the account, which the stages need as well; a new account has ten.
    """
    log_retention_days: Literal[7, 14, 30, 90, 365] = 30
    invocation_reports: bool = False
    """Whether Lambda logs a line at the start and the end of each call, with its duration and memory."""
    keep_records_days: int | None = None
    """Days for which the record of an ended run is kept, at least `LEAST_RECORD_DAYS`; None for ever."""
    keep_data: bool = False
    """Whether tables and their stack are protected from deletion, and tables kept if their stack is deleted."""
    unprotected: frozenset[str] = frozenset()
    """Parts, with their tables, and single tables that are made without that protection: those of a first deployment,
    since a protected stack or table could not be deleted after a failure.
    """
    removed_queues: tuple[str, ...] = ()
    """Services of stages that were removed, or switched off, and are still deployed. Runs that began before finish
    with the rights to reach them, by their queues and by `removed_events`, which are detail-types.
    """
    removed_events: tuple[str, ...] = ()
    point_in_time_recovery: bool = True
    archive_days: int | None = 30
    """Days for which the bus archives start and outcome events; None for no archive."""
    schema_registry: bool = True
    """Whether the events' schemas are registered with EventBridge. The engine has no registry."""
    bootstrap_roles: bool = True
    """Whether to deploy with the roles that `cdk bootstrap` made; otherwise with the CLI's own credentials."""
    bootstrap_qualifier: str = "hnb659fds"
    """The qualifier of these roles; the default is that of `cdk bootstrap`."""
    permissions_boundary: str | None = None
    """The name or ARN of the managed policy that each role has as its permissions boundary; None for none."""
    api_account_role: bool = True
    """Whether to create the account-wide role with which API Gateway writes logs."""
    engine: str | None = None
    """The local engine's address; None on AWS."""
    iam: IamDialect = IamDialect()
    xray: bool = True
    """Whether functions, workflow and API are traced by X-Ray (active tracing). The engine has no X-Ray."""
    tls_only: bool = True
    """Whether queues refuse calls without TLS, and functions trust Amazon's authorities only (`infra/trust.py`). The
    engine speaks plain HTTP, on the loopback address.
    """

    monitoring: bool = True
    """Whether dashboard and alarms are deployed with the other stacks; they can always be deployed alone."""
    thresholds: Thresholds = field(default_factory=Thresholds)
    metric_math: bool = True
    """Whether to deploy alarms on expressions of metrics. The engine accepts alarms on a single metric only."""
    alarm_email: str | None = None
    """An e-mail address to notify of alarms, in addition to other subscribers of their topic."""

    approval: bool = False
    """Whether a person approves each answer before its caller gets it."""
    approval_hours: int = 72
    """Hours after which the deadline decides on an answer."""
    approval_at_deadline: Literal["approve", "reject", "fail"] = "reject"
    """What the deadline decides."""
    approval_reminder_hours: int = 24
    """Hours between two reminders of an answer that waits."""
    approval_rejected_text: str = "This answer was not released."
    """What the caller gets in place of an answer that was rejected without a text of its own."""

    budget_usd_per_day: float | None = None
    """The daily budget: what the runs of a day (UTC) may cost before the starter is paused. None for no budget."""
    prices_of: str | None = None
    """The region whose price list is used; None for the environment's own."""
    price_input_usd_per_million: str | None = None
    price_output_usd_per_million: str | None = None
    price_complex_input_usd_per_million: str | None = None
    price_complex_output_usd_per_million: str | None = None
    """Dollars, as decimal texts, for a million tokens of the two models; None for the listed prices."""
    price_cache_read_usd_per_million: str | None = None
    price_cache_write_usd_per_million: str | None = None
    price_complex_cache_read_usd_per_million: str | None = None
    price_complex_cache_write_usd_per_million: str | None = None
    """The same for tokens that are read from and written to the models' caches."""
    price_fallbacks_usd_per_million: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The same for input and output tokens of `fallback_model_ids`, by model id."""
    price_usd_per_answer: str | None = None
    """Dollars, as a decimal text, that one answer of the existing chatbot function costs; None if not known."""

    @property
    def throttle(self) -> Throttle:
        """The API's throttle, near the intended load: what comes faster is refused at once and costs nothing."""
        rate = math.ceil(CALLS_PER_RUN * self.requests_per_second)
        return Throttle(rate=rate, burst=BURST_SECONDS * rate)

    @property
    def trusts_amazon_only(self) -> bool:
        """Whether functions trust Amazon's authorities alone: where all of AWS's endpoints are known to have them."""
        return self.tls_only and partition_of(self.region) == "aws"

    @property
    def limits(self) -> Thresholds:
        """The alarms' thresholds, longer by what the stages' functions may take beyond half a minute each."""
        beyond = {
            stage.service: max(0, self.sizing_of(stage.service).timeout_seconds - THROTTLED_SECONDS)
            for stage in STAGES
        }
        longer, limits = sum(beyond.values()), self.thresholds
        # A run waits for a person by intent. That is no reason for an alarm before its deadline has passed.
        waits = sum(self.task_seconds(stage.service) for stage in self.reachable if stage in OPTIONAL)
        return replace(
            limits,
            run_p95_seconds=limits.run_p95_seconds + longer + waits,
            run_open_seconds=limits.run_open_seconds + MAX_RECEIVES * longer + waits,
            beyond_seconds=beyond,
        )

    @property
    def switches(self) -> dict[str, bool]:
        """What decides on its functions, by the parameters of `functions.deployed_functions`."""
        return {"budgeted": self.budget_usd_per_day is not None, "approving": self.approval}

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of its deployment."""
        return switched_on([stage.key for stage in OPTIONAL if getattr(self, stage.key)])

    @property
    def reachable(self) -> tuple[Stage, ...]:
        """The stages that runs may pass: those of its deployment, and those switched off that open runs need."""
        kept = [stage.key for stage in OPTIONAL if stage.service in self.removed_queues]
        return switched_on([*(stage.key for stage in self.stages), *kept])

    @property
    def decides(self) -> bool:
        """Whether people decide on answers: of all runs, or of those that began before that was switched off."""
        return any(stage.by_person for stage in self.reachable)

    def protects(self, *names: str) -> bool:
        """Tell whether a stack, by its part, or a table, by its part and name, is protected from deletion."""
        return self.keep_data and self.unprotected.isdisjoint(names)

    def api_url(self, api_id: str) -> str:
        """Return the API's address on the engine, which serves all APIs under its own address."""
        return f"{self.engine}/restapis/{api_id}/{API_STAGE}/_user_request_"

    def sizing_of(self, function: str) -> Sizing:
        stage = BY_SERVICE.get(function)
        if function in self.sizing or stage is None:
            return self.sizing.get(function, self.default_sizing)
        # What a paid stage asks for takes seconds: a batch of ten would exceed the function's timeout.
        return replace(self.default_sizing, **{**({"batch_size": 1} if stage.pays else {}), **stage.sizes})

    def task_seconds(self, service: str) -> int:
        """Return the timeout of the task of a stage's service: a person has time until the deadline."""
        if service == APPROVAL:
            return self.approval_hours * 3_600 + DEADLINE_MARGIN_SECONDS
        return self.sizing_of(service).task_seconds


# The chatbot waits for the model nearly all of its time, and nobody waits for a scheduled function: more memory would
# only cost more.
_SMALL_MB = 128
# A message takes three calls to AWS: with 256 MB its 95th percentile is 40 to 60 ms, with this much 20 to 40.
_LOGGER_MB = 320
# One message per invocation: an answer takes seconds, so a batch of ten would exceed the function's timeout.
_ONE_AT_A_TIME = replace(Sizing(), batch_size=1)
_AWS_SIZING = {
    "chatbot": replace(_ONE_AT_A_TIME, memory_mb=_SMALL_MB, max_concurrency=250),
    "logger": replace(Sizing(), memory_mb=_LOGGER_MB),
    **{spec.name: replace(Sizing(), memory_mb=_SMALL_MB) for spec in ALL_FUNCTIONS if spec.scheduled},
}
# On the engine every concurrent execution is a process on this machine. A deployment kills the workers it replaces
# (on AWS they finish), so a short timeout makes their messages visible again soon: after 6 x 10 s.
_LOCAL = Sizing(max_concurrency=2, timeout_seconds=10)

ENVIRONMENTS: Mapping[str, Environment] = {
    environment.name: environment
    for environment in (
        Environment(
            name="dev",
            sizing=_AWS_SIZING,
            log_retention_days=7,
            archive_days=7,
            thresholds=Thresholds(
                success_percent=80,
                run_p95_seconds=120,
                run_open_seconds=1_800,
                queue_age_seconds=600,
                function_errors=20,
                api_failures=20,
                usd_per_hour=1,
            ),
        ),
        Environment(
            name="staging",
            sizing=_AWS_SIZING,
            log_retention_days=14,
            archive_days=14,
            thresholds=Thresholds(success_percent=90, queue_age_seconds=300, usd_per_hour=2),
        ),
        Environment(
            name="prod",
            sizing=_AWS_SIZING,
            log_retention_days=90,
            archive_days=90,
            keep_data=True,
            requests_per_second=50,
            max_waiting=50,
            thresholds=Thresholds(function_errors=2, api_failures=2, usd_per_hour=20),
        ),
        Environment(
            name="local",
            target=host(),
            default_sizing=_LOCAL,
            sizing={
                "chatbot": replace(_LOCAL, memory_mb=_SMALL_MB, batch_size=1, timeout_seconds=30),
                "logger": replace(_LOCAL, memory_mb=_LOGGER_MB),
            },
            log_retention_days=7,
            point_in_time_recovery=False,
            archive_days=None,
            schema_registry=False,
            bootstrap_roles=False,
            api_account_role=False,
            engine="http://127.0.0.1:4566",
            max_waiting=32,
            iam=IamDialect(
                callbacks_by_machine=False,
                converse_action="bedrock:Converse",
                read_mapping_action="lambda:ListEventSourceMappings",
                operators_by_resource=False,
                items_by_key=False,
                models_by_arn=False,
            ),
            xray=False,
            tls_only=False,
            # The engine's functions emit no metrics, and a synth with monitoring takes two seconds longer.
            monitoring=False,
            metric_math=False,
        ),
    )
}
