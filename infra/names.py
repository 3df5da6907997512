"""Every physical name, ARN and SSM path of a deployment. Stacks refer to each other only by these names."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing aws_cdk starts Node, which names do not need
    from aws_cdk import Stack

UNSUFFIXED_TABLES = ("prod", "local")
"""Environments whose table is called `PipelineLogs`, as in the reference architecture."""


@dataclass(frozen=True)
class Names:
    """The names of one environment. `env` is its name, e.g. `dev`."""

    env: str

    @property
    def prefix(self) -> str:
        return f"ai-pipeline-{self.env}"

    def stack(self, part: str) -> str:
        return f"{self.prefix}-{part}"

    @property
    def bus(self) -> str:
        return f"{self.prefix}-bus"

    @property
    def table(self) -> str:
        return "PipelineLogs" if self.env in UNSUFFIXED_TABLES else f"PipelineLogs-{self.env}"

    @property
    def operations_table(self) -> str:
        """The table of archived messages and audit lines."""
        return f"{self.prefix}-operations"

    @property
    def answers_table(self) -> str:
        """The table of the chatbot's answers, from which they are recalled instead of paid for again."""
        return f"{self.prefix}-answers"

    @property
    def budget_table(self) -> str:
        """The table with the state of the daily budget's guard and operators' instructions to it."""
        return f"{self.prefix}-budget"

    @property
    def state_table(self) -> str:
        """The table of what functions must remember beside records: a secret, and counts that expire."""
        return f"{self.prefix}-state"

    @property
    def approvals_table(self) -> str:
        """The table of the runs that wait for a person, with their task tokens."""
        return f"{self.prefix}-approvals"

    @property
    def tables(self) -> tuple[str, ...]:
        """All tables, with those that only some environments have."""
        return (
            self.table,
            self.operations_table,
            self.answers_table,
            self.budget_table,
            self.state_table,
            self.approvals_table,
        )

    @property
    def schema_registry(self) -> str:
        return self.prefix

    @property
    def api(self) -> str:
        return f"{self.prefix}-api"

    @property
    def state_machine(self) -> str:
        return self.prefix

    def function(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def queue(self, service: str) -> str:
        return f"{self.prefix}-{service}"

    def dlq(self, service: str) -> str:
        return f"{self.prefix}-{service}-dlq"

    def rule(self, service: str, purpose: str) -> str:
        return f"{self.prefix}-{service}-{purpose}"

    def rule_dlq(self, service: str) -> str:
        """Return the name of the queue for events that EventBridge could not deliver to the service's queue."""
        return f"{self.prefix}-{service}-rule-dlq"

    def alarm(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    @property
    def alarm_topic(self) -> str:
        return f"{self.prefix}-alarms"

    # --- names that are global in an account, so that each region needs its own ---

    def dashboard(self, region: str) -> str:
        return f"{self.prefix}-{region}"

    def publisher_policy(self, region: str) -> str:
        """Return the name of the managed policy for principals that request runs by event."""
        return f"{self.prefix}-publisher-{region}"

    def caller_policy(self, region: str) -> str:
        """Return the name of the managed policy for principals that call the API."""
        return f"{self.prefix}-api-caller-{region}"

    def operator_policy(self, region: str) -> str:
        """Return the name of the managed policy for operators."""
        return f"{self.prefix}-operator-{region}"

    def approver_policy(self, region: str) -> str:
        """Return the name of the managed policy for those who decide on waiting answers."""
        return f"{self.prefix}-approver-{region}"

    def api_approver_policy(self, region: str) -> str:
        """Return the name of the managed policy for those who decide on waiting answers over HTTP."""
        return f"{self.prefix}-api-approver-{region}"

    def api_operator_policy(self, region: str) -> str:
        """Return the name of the managed policy for operators who read any run over HTTP."""
        return f"{self.prefix}-api-operator-{region}"

    def parameter(self, path: str) -> str:
        return f"/ai-pipeline/{self.env}/{path}"

    # --- addresses of other stacks' resources, for `stack` ---

    def bus_arn(self, stack: "Stack") -> str:
        return stack.format_arn(service="events", resource="event-bus", resource_name=self.bus)

    def table_arn(self, stack: "Stack") -> str:
        return stack.format_arn(service="dynamodb", resource="table", resource_name=self.table)

    def state_table_arn(self, stack: "Stack") -> str:
        return stack.format_arn(service="dynamodb", resource="table", resource_name=self.state_table)

    def state_machine_arn(self, stack: "Stack") -> str:
        from aws_cdk import ArnFormat  # noqa: PLC0415 -- starts Node

        return stack.format_arn(
            service="states",
            resource="stateMachine",
            resource_name=self.state_machine,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def executions_arn(self, stack: "Stack") -> str:
        from aws_cdk import ArnFormat  # noqa: PLC0415 -- starts Node

        return stack.format_arn(
            service="states",
            resource="execution",
            resource_name=f"{self.state_machine}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def queue_arn(self, stack: "Stack", service: str) -> str:
        return stack.format_arn(service="sqs", resource=self.queue(service))

    def queue_url(self, stack: "Stack", service: str) -> str:
        return f"https://sqs.{stack.region}.{stack.url_suffix}/{stack.account}/{self.queue(service)}"
