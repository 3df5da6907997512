"""Every physical name, ARN and SSM path of a deployment, from the environment's name: stacks meet here."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing it starts Node, and a name needs none
    from aws_cdk import Stack

UNSUFFIXED_TABLES = ("prod", "local")
"""Environments whose table is called `PipelineLogs`, as the reference architecture has it."""


@dataclass(frozen=True)
class Names:
    """`env` is the environment's name, e.g. `dev`."""

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
        """Archived messages and what operators did."""
        return f"{self.prefix}-operations"

    @property
    def answers_table(self) -> str:
        """The chatbot's answers, so that none is paid for twice."""
        return f"{self.prefix}-answers"

    @property
    def budget_table(self) -> str:
        """What the budget's guard found, and what operators told it."""
        return f"{self.prefix}-budget"

    @property
    def schema_registry(self) -> str:
        return self.prefix

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
        """Where a rule leaves the events it could not put into the service's queue."""
        return f"{self.prefix}-{service}-rule-dlq"

    def alarm(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    @property
    def alarm_topic(self) -> str:
        return f"{self.prefix}-alarms"

    @property
    def dashboard(self) -> str:
        return self.prefix

    def parameter(self, path: str) -> str:
        return f"/ai-pipeline/{self.env}/{path}"

    # --- what other stacks own, addressed from `stack` by convention ---

    def bus_arn(self, stack: "Stack") -> str:
        return stack.format_arn(service="events", resource="event-bus", resource_name=self.bus)

    def table_arn(self, stack: "Stack") -> str:
        return stack.format_arn(service="dynamodb", resource="table", resource_name=self.table)

    def state_machine_arn(self, stack: "Stack") -> str:
        from aws_cdk import ArnFormat  # noqa: PLC0415 -- see above

        return stack.format_arn(
            service="states",
            resource="stateMachine",
            resource_name=self.state_machine,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def executions_arn(self, stack: "Stack") -> str:
        from aws_cdk import ArnFormat  # noqa: PLC0415 -- see above

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
