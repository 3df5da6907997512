"""A service's queue with its dead-letter queues, and the rules that put events into it."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.clocks import DLQ_RETENTION_DAYS, MAX_RECEIVES
from infra.environments import Environment, Sizing
from infra.nag import acknowledge
from infra.names import Names


class WorkQueue(Construct):
    """A queue that feeds one function.

    `dlq` holds messages that the function cannot handle, `rule_dlq` events that EventBridge cannot deliver.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        service: str,
        environment: Environment,
        sizing: Sizing,
        keeps: Duration | None = None,
    ) -> None:
        """`keeps` is how long the queue keeps a message; SQS's default if None."""
        super().__init__(scope, "WorkQueue")
        self._names = names = Names(environment.name)
        self._service = service
        self._tls_only = environment.tls_only
        self.dlq = self._queue("Dlq", names.dlq(service), retention_period=Duration.days(DLQ_RETENTION_DAYS))
        self.queue = self._queue(
            "Queue",
            names.queue(service),
            visibility_timeout=Duration.seconds(sizing.visibility_seconds),
            retention_period=keeps,
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dlq, max_receive_count=MAX_RECEIVES),
        )
        self.rule_dlq: sqs.Queue | None = None
        for path, queue in (("queue-url", self.queue), ("dlq-url", self.dlq)):
            self._address(path, queue)

    def subscribe(
        self,
        purpose: str,
        *,
        source: str,
        detail_types: Sequence[str],
        detail: dict[str, Any] | None = None,
        bus: events.IEventBus | None = None,
        worthless_after: Duration | None = None,
    ) -> events.Rule:
        """Add a rule that puts matching events of `bus` (the account's default bus if None) into the queue.

        An event that cannot be delivered is moved to `rule_dlq` after `worthless_after`; after 24 hours if that is
        None.
        """
        if self.rule_dlq is None:
            self.rule_dlq = self._queue(
                "RuleDlq",
                self._names.rule_dlq(self._service),
                retention_period=Duration.days(DLQ_RETENTION_DAYS),
            )
            self._address("rule-dlq-url", self.rule_dlq)
            acknowledge(
                self.rule_dlq,
                "AwsSolutions-SQS3",
                "This queue is a dead-letter queue itself, for events that EventBridge could not deliver.",
            )
        return events.Rule(
            self,
            f"On-{purpose}",
            rule_name=self._names.rule(self._service, purpose),
            event_bus=bus,
            event_pattern=events.EventPattern(source=[source], detail_type=list(detail_types), detail=detail),
            targets=[
                targets.SqsQueue(self.queue, dead_letter_queue=self.rule_dlq, max_event_age=worthless_after)
            ],
        )

    def _address(self, path: str, queue: sqs.Queue) -> None:
        ssm.StringParameter(
            self,
            path,
            parameter_name=self._names.parameter(f"services/{self._service}/{path}"),
            string_value=queue.queue_url,
        )

    def _queue(self, construct_id: str, name: str, **options: Any) -> sqs.Queue:
        queue = sqs.Queue(
            self,
            construct_id,
            queue_name=name,
            enforce_ssl=self._tls_only,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            **options,
        )
        if not self._tls_only:
            acknowledge(
                queue,
                "AwsSolutions-SQS4",
                "The local engine speaks plain HTTP and listens on the loopback address only.",
            )
        return queue


def bus_of(scope: Construct, names: Names) -> events.IEventBus:
    """Return the environment's bus by its name."""
    return events.EventBus.from_event_bus_arn(scope, "Bus", names.bus_arn(Stack.of(scope)))
