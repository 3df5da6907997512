"""A Lambda function with its bundle, role, log group and settings."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.constructs.publishing import publishing
from infra.constructs.work_queue import WorkQueue
from infra.environments import RUNTIME, Environment
from infra.functions import FunctionSpec
from infra.nag import acknowledge
from infra.names import Names
from infra.option_kinds import OptionError
from infra.trust import ON_LAMBDA
from shared.contracts.envelope import Event
from shared.contracts.limits import REVISION_CHARS
from shared.metrics import NAMESPACE
from shared.settings import REVISION

_RETENTION = {
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}


def log_group(scope: Construct, construct_id: str, name: str, environment: Environment) -> logs.LogGroup:
    return logs.LogGroup(
        scope,
        construct_id,
        log_group_name=name,
        retention=_RETENTION[environment.log_retention_days],
        removal_policy=RemovalPolicy.DESTROY,
    )


VARIABLES_BYTES: Final = 4_096
"""The most that a function's environment variables may take, names and values together."""
_REFERENCE_BYTES: Final = 128
"""The most that a reference to another resource adds when it is replaced by its value, e.g. a queue's URL."""


def _bytes(name: str, value: str) -> int:
    return len(name) + len(value.encode()) + (_REFERENCE_BYTES if "${Token[" in value else 0)


@cache
def revision(bundle: Path) -> str:
    """Return the revision of the code in a bundle: a hash of all that is in it, and of nothing else."""
    digest = hashlib.sha256()
    for path in sorted(path for path in bundle.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(bundle).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:REVISION_CHARS]


class ServiceFunction(Construct):
    """A Lambda function, `function`, with `spec`'s handler. The methods add rights beyond its own logs and traces."""

    def __init__(
        self,
        scope: Construct,
        *,
        spec: FunctionSpec,
        bundle: Path,
        environment: Environment,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(scope, spec.name.title())
        self._names = Names(environment.name)
        self._environment = environment
        self._spec = spec
        self._sizing = environment.sizing_of(spec.name)
        name = self._names.function(spec.name)
        group = log_group(self, "Logs", f"/aws/lambda/{name}", environment)
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        )
        self.allow("WriteItsLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], [group.log_group_arn])
        architectures = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=name,
            runtime=lambda_.Runtime(RUNTIME, lambda_.RuntimeFamily.PYTHON),
            architecture=architectures[environment.target.architecture],
            handler=spec.handler,
            code=lambda_.Code.from_asset(str(bundle)),
            role=self.role,
            memory_size=self._sizing.memory_mb,
            timeout=Duration.seconds(self._sizing.timeout_seconds),
            log_group=group,
            logging_format=lambda_.LoggingFormat.JSON,
            # Lambda's lines on the start and end of each call would be a third of what functions log. Those on calls
            # that fail are warnings, and remain.
            system_log_level_v2=lambda_.SystemLogLevel.INFO
            if environment.invocation_reports
            else lambda_.SystemLogLevel.WARN,
            tracing=lambda_.Tracing.ACTIVE if environment.xray else lambda_.Tracing.DISABLED,
        )
        self._variables: dict[str, str] = {}
        self.set(
            {
                "PIPELINE_ENV": environment.name,
                "BUS_NAME": self._names.bus,
                "POWERTOOLS_SERVICE_NAME": spec.service,
                "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
                "POWERTOOLS_LOG_LEVEL": "INFO",
                REVISION: revision(bundle),
                **({"AWS_CA_BUNDLE": ON_LAMBDA} if environment.trusts_amazon_only else {}),
                **({"TABLE_NAME": self._names.table} if spec.table else {}),
                **(variables or {}),
            }
        )
        if environment.xray:
            acknowledge(
                self.role,
                "AwsSolutions-IAM5[Resource::*]",
                "IAM cannot limit X-Ray's PutTraceSegments and PutTelemetryRecords to a resource.",
            )
        if spec.table:
            self.allow(
                "UseTheTable",
                [f"dynamodb:{action}" for action in spec.table],
                [self._names.table_arn(Stack.of(self))],
            )

    def set(self, variables: Mapping[str, str]) -> None:
        """Add environment variables. Raises OptionError if all of them are larger than Lambda allows."""
        self._variables |= variables
        taken = {name: _bytes(name, value) for name, value in self._variables.items()}
        if sum(taken.values()) > VARIABLES_BYTES:
            largest = max(taken, key=taken.__getitem__)
            raise OptionError(
                f"The settings of the function {self._spec.name} take {sum(taken.values()):,} bytes, but Lambda "
                f"allows {VARIABLES_BYTES:,}. The largest is {largest} with {taken[largest]:,}: shorten the option "
                "that it comes from."
            )
        for name, value in variables.items():
            self.function.add_environment(name, value)

    def allow(
        self,
        sid: str,
        actions: Sequence[str],
        resources: Sequence[str],
        conditions: Mapping[str, Any] | None = None,
    ) -> None:
        self.role.add_to_principal_policy(
            iam.PolicyStatement(
                sid=sid, actions=list(actions), resources=list(resources), conditions=conditions or None
            )
        )

    def allow_publishing(self, *event_types: type[Event]) -> None:
        self.role.add_to_principal_policy(publishing(self._names.bus_arn(Stack.of(self)), *event_types))

    def allow_callbacks(self) -> None:
        machine = self._names.state_machine_arn(Stack.of(self))
        self.allow(
            "AnswerTasks",
            ["states:SendTaskSuccess", "states:SendTaskFailure", "states:SendTaskHeartbeat"],
            [machine if self._environment.iam.callbacks_by_machine else "*"],
        )
        if not self._environment.iam.callbacks_by_machine:
            acknowledge(
                self.role,
                "AwsSolutions-IAM5[Resource::*]",
                "This environment's IAM checks callbacks on every resource only.",
            )

    def consume(self, work: WorkQueue, *, enabled: bool | None = None) -> sources.SqsEventSource:
        """Let the queue feed the function, and let the function count starts and park messages in the queue's DLQ.

        With `enabled` None, a new mapping is enabled and a deployment leaves an existing one as it is.
        """
        source = sources.SqsEventSource(
            work.queue,
            batch_size=self._sizing.batch_size,
            max_batching_window=Duration.seconds(self._sizing.batching_window_seconds),
            report_batch_item_failures=True,
            max_concurrency=self._sizing.max_concurrency,
            enabled=enabled,
        )
        self.function.add_event_source(source)
        self.set({"DLQ_URL": work.dlq.queue_url, "STATE_TABLE": self._names.state_table})
        self.allow("ParkMessages", ["sqs:SendMessage"], [work.dlq.queue_arn])
        # The table holds a secret of the API, too.
        own = {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"starts#{self._spec.service}#*"]},
            "Null": {"dynamodb:LeadingKeys": "false"},
        }
        self.allow(
            "CountStarts",
            ["dynamodb:UpdateItem"],
            [self._names.state_table_arn(Stack.of(self))],
            own if self._environment.iam.items_by_key else None,
        )
        return source
