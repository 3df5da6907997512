"""Environments as data: what differs between dev, staging, prod and the local engine, and nothing else.

Constructs read these values; none of them asks for an environment's name.
"""

import math
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import msgspec

from infra.functions import FUNCTIONS
from infra.thresholds import Thresholds
from services.chatbot.settings import Settings as ChatbotSettings

API_STAGE = "v1"
DERIVED_SETTINGS = ("answers_table", "timeout_seconds")
"""The chatbot's settings that follow from its deployment: nobody chooses them."""
LEAST_BUDGET = 1e-6
"""Dollars: amounts are counted in billionths of one."""
RUNTIME = "python3.14"
"""Lambda's newest Python that every bundled wheel has a build for; see `requirements.txt`."""


class UnknownEnvironmentError(Exception):
    """The name given is none of the known environments; the text lists them."""


class ContextError(Exception):
    """A `-c name=value` that can't be used; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a bundle is built for: wheels for this interpreter on this platform."""

    architecture: Literal["arm64", "x86_64"]
    python_version: str
    platform: str | None
    """uv's name of the platform; None for the host's own."""

    @property
    def name(self) -> str:
        here = f"host-{platform.system()}-{platform.machine()}".lower()
        return f"{self.platform or here}-py{self.python_version}"


AWS_ARM = Target(architecture="arm64", python_version="3.14", platform="aarch64-manylinux_2_28")


def host() -> Target:
    """The local engine runs functions on an interpreter like ours, on this machine."""
    return Target(
        architecture="arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64",
        python_version=f"{sys.version_info.major}.{sys.version_info.minor}",
        platform=None,
    )


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """One function and its queue. `max_concurrency` caps what the queue may start (AWS: at least 2)."""

    memory_mb: int = 128
    timeout_seconds: int = 30
    batch_size: int = 10
    batching_window_seconds: int = 0
    max_concurrency: int = 100


@dataclass(frozen=True, kw_only=True)
class Throttle:
    """API Gateway's limit for the whole stage, in requests per second."""

    rate: int
    burst: int


@dataclass(frozen=True, kw_only=True)
class IamDialect:
    """How the environment's IAM reads a policy: AWS's way, and where the engine's differs.

    `callbacks_by_machine`: SendTask* rights name the state machine; the engine checks them on `*` alone.
    `converse_action` is what a Converse call needs; the engine expects the operation's own name.
    `read_mapping_action` is what reading one event source mapping needs; the engine takes it for reading all.
    `models_by_arn`: model rights name the model; the engine reads an id with a prefix or a slash as another.
    """

    callbacks_by_machine: bool = True
    converse_action: Literal["bedrock:InvokeModel", "bedrock:Converse"] = "bedrock:InvokeModel"
    read_mapping_action: Literal["lambda:GetEventSourceMapping", "lambda:ListEventSourceMappings"] = (
        "lambda:GetEventSourceMapping"
    )
    models_by_arn: bool = True


@dataclass(frozen=True, kw_only=True)
class Environment:
    name: str
    target: Target = AWS_ARM
    sizing: Mapping[str, Sizing] = field(default_factory=dict)
    """By function (`api`, `starter`, and each stage's service); what is not named has the defaults."""
    default_sizing: Sizing = Sizing()
    chatbot: ChatbotSettings = field(default_factory=ChatbotSettings)
    allowed_origin: str = "*"
    throttle: Throttle = Throttle(rate=500, burst=1_000)
    requests_per_second: float = 10
    """What the environment is meant to bear for hours. The doctor holds quotas against it; the throttle lets more
    through, which then waits in queues."""
    log_retention_days: Literal[7, 14, 30, 90, 365] = 30
    keep_data: bool = False
    """Refuse to delete the table and its stack, and keep the table if the stack goes all the same."""
    point_in_time_recovery: bool = True
    archive_days: int | None = 30
    """How long the bus archives start and outcome events; None for no archive."""
    schema_registry: bool = True
    """Register the events' schemas with EventBridge. The engine has no registry."""
    bootstrap_roles: bool = True
    """Deploy with the roles `cdk bootstrap` made; without them, with the CLI's own credentials."""
    api_account_role: bool = True
    """Give API Gateway the account-wide role it writes logs with."""
    engine: str | None = None
    """The local engine's address; None on AWS."""
    iam: IamDialect = IamDialect()
    xray: bool = True
    """Functions, workflow and API record segments with X-Ray (active tracing). The engine has none."""
    tls_only: bool = True
    """Queues refuse calls without TLS. The engine speaks plain HTTP, on the loopback address."""

    monitoring: bool = True
    """Deploy dashboard and alarms with the rest; they can always be deployed alone."""
    thresholds: Thresholds = field(default_factory=Thresholds)
    metric_math: bool = True
    """Deploy alarms on an expression of metrics. The engine takes alarms on one metric alone."""
    alarm_email: str | None = None
    """Told of alarms, besides who subscribes to their topic."""

    budget_usd_per_day: float | None = None
    """What runs may cost in a day (UTC) before no more are started. None for no budget, and no part of one."""

    def api_url(self, api_id: str) -> str:
        """The API's address on the engine, which serves all APIs under its own."""
        return f"{self.engine}/restapis/{api_id}/{API_STAGE}/_user_request_"

    def sizing_of(self, function: str) -> Sizing:
        return self.sizing.get(function, self.default_sizing)


# One message per invocation: an answer takes seconds, and a batch of ten would outlast the function.
_ONE_AT_A_TIME = replace(Sizing(), batch_size=1)
_AWS_SIZING = {"chatbot": replace(_ONE_AT_A_TIME, max_concurrency=250)}
# Every concurrent invocation is a process on the laptop. A deployment there kills the workers it replaces (Lambda
# lets them finish), so messages are made visible again sooner: after 6 x 10 s.
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
            throttle=Throttle(rate=1_000, burst=2_000),
            requests_per_second=50,
            thresholds=Thresholds(usd_per_hour=20),
        ),
        Environment(
            name="local",
            target=host(),
            default_sizing=_LOCAL,
            sizing={"chatbot": replace(_LOCAL, batch_size=1, timeout_seconds=30)},
            log_retention_days=7,
            point_in_time_recovery=False,
            archive_days=None,
            schema_registry=False,
            bootstrap_roles=False,
            api_account_role=False,
            engine="http://127.0.0.1:4566",
            iam=IamDialect(
                callbacks_by_machine=False,
                converse_action="bedrock:Converse",
                read_mapping_action="lambda:ListEventSourceMappings",
                models_by_arn=False,
            ),
            xray=False,
            tls_only=False,
            # No metric comes from the engine's functions, and a synth would take two seconds more.
            monitoring=False,
            metric_math=False,
        ),
    )
}

CHATBOT_CONTEXT = tuple(
    option for option in msgspec.structs.fields(ChatbotSettings) if option.name not in DERIVED_SETTINGS
)


def load(name: str, context: Mapping[str, object] | None = None) -> Environment:
    """The environment `name`, overridden by `-c`: `allowed_origin`, `engine`, `monitoring` (true or false),
    `alarm_email`, `budget_usd_per_day` (dollars, or off), each chatbot setting by its name, a function's megabytes as
    `memory_<function>` and seconds as `timeout_<function>`, e.g. `-c memory_chatbot=512`.

    Raises UnknownEnvironmentError or ContextError.
    """
    if name not in ENVIRONMENTS:
        raise UnknownEnvironmentError(
            f"There is no environment {name!r}. Choose with `-c env=NAME`, of: {', '.join(ENVIRONMENTS)}."
        )
    environment = ENVIRONMENTS[name]
    given = {key: value for key, value in (context or {}).items() if value not in (None, "")}
    chatbot = {option.name: given[option.name] for option in CHATBOT_CONTEXT if option.name in given}
    try:
        settings = msgspec.convert(
            {**msgspec.structs.asdict(environment.chatbot), **chatbot}, ChatbotSettings, strict=False
        )
    except msgspec.ValidationError as error:
        raise ContextError(f"The chatbot's settings: {error}. Check the `-c` options.") from error
    environment = replace(environment, chatbot=settings)
    environment = replace(environment, sizing=_sizing(environment, given))
    if "allowed_origin" in given:
        environment = replace(environment, allowed_origin=str(given["allowed_origin"]))
    if "alarm_email" in given:
        environment = replace(environment, alarm_email=_email(str(given["alarm_email"])))
    if "budget_usd_per_day" in given:
        environment = replace(environment, budget_usd_per_day=_budget(str(given["budget_usd_per_day"])))
    if "monitoring" in given:
        environment = replace(environment, monitoring=_yes_or_no("monitoring", given["monitoring"]))
    if "engine" in given:
        if environment.engine is None:
            raise ContextError(f"`-c engine` is for the local engine; {name} is deployed to AWS.")
        environment = replace(environment, engine=str(given["engine"]).rstrip("/"))
    return environment


def _yes_or_no(option: str, value: object) -> bool:
    said = {"true": True, "false": False}.get(str(value).lower())
    if said is None:
        raise ContextError(f"`-c {option}` must be true or false, not {value}.")
    return said


def _budget(dollars: str) -> float | None:
    if dollars == "off":
        return None
    try:
        value = float(dollars)
    except ValueError:
        value = math.nan
    if not LEAST_BUDGET <= value < math.inf:
        raise ContextError(
            f"`-c budget_usd_per_day` must be dollars, {LEAST_BUDGET:f} or more, or off, not {dollars}."
        )
    return value


def _email(address: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", address):
        raise ContextError(f"`-c alarm_email` must be an e-mail address, not {address}.")
    return address


_BOUNDS = {
    "memory_mb": ("memory", 128, 10_240, "megabytes"),
    "timeout_seconds": ("timeout", 5, 31, "seconds"),
}
"""Options of each function. A longer timeout would not fit the stages' own: a message may wait six times as long for
each of its five receives, all within one task."""


def _sizing(environment: Environment, given: Mapping[str, object]) -> dict[str, Sizing]:
    """The environment's sizing with the memory and the timeouts that `given` asks for."""
    sizing = dict(environment.sizing)
    for function in FUNCTIONS:
        asked: dict[str, int] = {}
        for field_name, (option, least, most, unit) in _BOUNDS.items():
            if (value := given.get(f"{option}_{function.name}")) is None:
                continue
            if not str(value).isdecimal() or not least <= int(str(value)) <= most:
                raise ContextError(
                    f"`-c {option}_{function.name}` must be {least} to {most} {unit}, not {value}."
                )
            asked[field_name] = int(str(value))
        if asked:
            sizing[function.name] = replace(environment.sizing_of(function.name), **asked)
    return sizing
