"""The stack with the alarms, their topic and the dashboard. It refers to the other stacks by name only."""

from collections.abc import Mapping
from typing import Any, Final

import cdk_monitoring_constructs as monitoring
import jsii
from aws_cdk import Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra import thresholds
from infra.constructs.alarm_topic import AlarmTopic
from infra.dashboard import draw
from infra.environments import Environment
from infra.functions import deployed_functions
from infra.names import Names
from infra.parts import has_rule
from infra.signals import HOUR, MICROS, PERIOD, Signals
from infra.synthesizer import synthesizer
from infra.thresholds import Alarm
from shared.contracts.stages import SERVICES
from shared.metrics import BUDGET_LOOKS, BUDGET_PAUSED, COST, ENDS_MENDED, RUN_TIME, UNKNOWN_PRICES

ABOVE: Final = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
BELOW: Final = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
UNSEEN: Final[Mapping[str, Any]] = {
    "add_to_detail_dashboard": False,
    "add_to_summary_dashboard": False,
    "add_to_alarm_dashboard": False,
}
"""Options that leave out the library's own widgets, so that the dashboard stays one page."""
DAY_SECONDS: Final = 86_400
TRIGGER: Final = SERVICES[0]


@jsii.implements(monitoring.IMetricAdjuster)
class _Unlabelled:
    """Removes a metric's label, because CDK writes an alarm on a labelled metric as an expression of metrics."""

    def adjust_metric(
        self,
        metric: cloudwatch.Metric | cloudwatch.MathExpression,
        alarm_scope: Construct,  # noqa: ARG002 -- part of the interface
        props: monitoring.AddAlarmProps,
    ) -> cloudwatch.Metric | cloudwatch.MathExpression:
        if not isinstance(metric, cloudwatch.Metric):
            return metric
        return cloudwatch.Metric(
            namespace=metric.namespace,
            metric_name=metric.metric_name,
            dimensions_map=metric.dimensions,
            statistic=metric.statistic,
            period=props.period or metric.period,
        )


class MonitoringStack(Stack):
    """Alarms and a dashboard; `alarms` is the topic that is notified.

    The stack is optional and can be deployed alone: no other stack refers to it.
    """

    def __init__(self, scope: Construct, *, environment: Environment) -> None:
        self._names = names = Names(environment.name)
        super().__init__(scope, names.stack("monitoring"), synthesizer=synthesizer(environment))
        self._limits = environment.limits
        self._metric_math = environment.metric_math
        self._signals = Signals(names)
        self.alarms = AlarmTopic(self, environment=environment).topic
        dashboards = monitoring.DefaultDashboardFactory(
            self,
            "Dashboards",
            dashboard_name_prefix=names.dashboard(self.region),
            create_dashboard=True,
            create_summary_dashboard=False,
            create_alarm_dashboard=False,
        )
        self._facade = monitoring.MonitoringFacade(
            self,
            "Monitoring",
            alarm_factory_defaults=monitoring.AlarmFactoryDefaults(
                alarm_name_prefix=names.prefix,
                actions_enabled=True,
                action=monitoring.SnsAlarmActionStrategy(on_alarm_topic=self.alarms),
                evaluation_periods=1,
                datapoints_to_alarm=1,
            ),
            dashboard_factory=dashboards,
        )
        self._runs()
        self._budgeted = environment.budget_usd_per_day is not None
        if self._budgeted:
            self._budget()
        # Runs may still wait for a person after that was switched off.
        self._functions = deployed_functions(budgeted=self._budgeted, approving=environment.decides)
        for service in (TRIGGER, *(stage.service for stage in environment.reachable)):
            self._queues(service)
        self._calls()
        draw(self._facade, self._signals, budgeted=self._budgeted, approving=environment.decides)

    def _runs(self) -> None:
        limits, signals = self._limits, self._signals
        machine = self.format_arn(service="states", resource=f"stateMachine:{self._names.state_machine}")
        longest = signals.aws(
            "States", "ExecutionTime", {"StateMachineArn": machine}, "Maximum", "Longest run (ms)"
        )
        if self._metric_math:
            self._watch(
                thresholds.SUCCESS_RATE,
                signals.success_percent(limits.success_of_runs),
                BELOW,
                limits.success_percent,
            )
        self._watch(
            thresholds.RUN_TIME,
            signals.own(RUN_TIME, "logger", "p95"),
            ABOVE,
            limits.run_p95_seconds * 1_000,
            periods=3,
        )
        self._watch(thresholds.RUN_OPEN, longest, ABOVE, limits.run_open_seconds * 1_000)
        self._watch(thresholds.ENDS_MENDED, signals.own(ENDS_MENDED, "logger"), ABOVE, 0)
        cost = signals.own(COST, "logger")
        self._watch(thresholds.COST, cost, ABOVE, limits.usd_per_hour * MICROS, period=HOUR)

    def _budget(self) -> None:
        """Add the alarms of a daily budget. The guard's own alarm rings if no check finishes."""
        signals = self._signals
        paused = signals.own(BUDGET_PAUSED, TRIGGER, "Maximum")
        self._watch(thresholds.BUDGET, paused, ABOVE, 0)
        self._watch(
            thresholds.BUDGET_GUARD,
            signals.own(BUDGET_LOOKS, TRIGGER),
            BELOW,
            1,
            periods=self._limits.budget_guard_minutes * 60 // int(PERIOD.to_seconds()),
            treat_missing_data_override=cloudwatch.TreatMissingData.BREACHING,
        )
        self._watch(thresholds.BUDGET_UNKNOWN, signals.own(UNKNOWN_PRICES, "logger"), ABOVE, 0)

    def _watch(
        self,
        alarm: Alarm,
        metric: cloudwatch.Metric | cloudwatch.MathExpression,
        comparison: cloudwatch.ComparisonOperator,
        threshold: float,
        *,
        periods: int = 1,
        **options: Any,
    ) -> None:
        """Add an alarm on a metric; it rings when `periods` in a row cross the threshold."""
        condition = monitoring.CustomThreshold(
            threshold=threshold,
            comparison_operator=comparison,
            evaluation_periods=periods,
            datapoints_to_alarm=periods,
            **{**self._named(alarm), **options},
        )
        self._facade.monitor_custom(
            alarm_friendly_name=alarm.name,
            metric_groups=[
                monitoring.CustomMetricGroup(
                    title=alarm.name,
                    metrics=[
                        monitoring.CustomMetricWithAlarm(
                            metric=metric, alarm_friendly_name=alarm.name, add_alarm={"Warning": condition}
                        )
                    ],
                )
            ],
            **UNSEEN,
        )

    def _queues(self, service: str) -> None:
        names, limits = self._names, self._limits
        work, parked = (self._queue(name) for name in (names.queue(service), names.dlq(service)))
        oldest = limits.parked_days(pausable=_pausable(service)) * DAY_SECONDS
        self._facade.monitor_sqs_queue_with_dlq(
            queue=work,
            dead_letter_queue=parked,
            alarm_friendly_name=service,
            add_queue_max_message_age_alarm={
                "Warning": monitoring.MaxMessageAgeThreshold(
                    max_age_in_seconds=limits.age_seconds(service),
                    **self._named(thresholds.QUEUE_AGE, service),
                ),
                **self._expires(service),
            },
            add_dead_letter_queue_max_size_alarm={
                "Warning": monitoring.MaxMessageCountThreshold(
                    max_message_count=0, **self._named(thresholds.PARKED, service)
                )
            },
            add_dead_letter_queue_max_message_age_alarm={
                "Warning": monitoring.MaxMessageAgeThreshold(
                    max_age_in_seconds=oldest, **self._named(thresholds.PARKED_EXPIRES, service)
                )
            },
            **UNSEEN,
        )
        if not has_rule(service):
            return
        self._facade.monitor_sqs_queue(
            queue=self._queue(names.rule_dlq(service)),
            alarm_friendly_name=f"{service}-rule-dlq",
            add_queue_max_size_alarm={
                "Warning": monitoring.MaxMessageCountThreshold(
                    max_message_count=0, **self._named(thresholds.RULE_DELIVERY, service)
                )
            },
            **UNSEEN,
        )

    def _queue(self, name: str) -> sqs.IQueue:
        return sqs.Queue.from_queue_arn(self, f"Queue-{name}", self.format_arn(service="sqs", resource=name))

    def _expires(self, service: str) -> dict[str, monitoring.MaxMessageAgeThreshold]:
        """Return the alarm on messages that SQS will soon delete: the starter's may wait for days."""
        if not _pausable(service):
            return {}
        oldest = self._limits.waiting_days * DAY_SECONDS
        condition = monitoring.MaxMessageAgeThreshold(
            max_age_in_seconds=oldest, **self._named(thresholds.WAITING_EXPIRES, service)
        )
        return {"Critical": condition}

    def _calls(self) -> None:
        """Add the alarms on failed and throttled calls of the functions, the API and the state machine."""
        limits = self._limits
        for function in self._functions:
            name = self._names.function(function.name)
            errors = 0 if function.scheduled else limits.function_errors
            self._facade.monitor_lambda_function(
                lambda_function=lambda_.Function.from_function_name(self, function.name, name),
                alarm_friendly_name=function.name,
                add_throttles_count_alarm={"Warning": self._count(thresholds.THROTTLES, function.name)},
                add_fault_count_alarm={
                    "Warning": self._count(thresholds.FUNCTION_ERRORS, function.name, above=errors)
                },
                **UNSEEN,
            )
        self._watch(thresholds.API_FAILURES, self._signals.api_failures(), ABOVE, limits.api_failures)
        self._facade.monitor_step_function(
            state_machine=sfn.StateMachine.from_state_machine_name(
                self, "StateMachine", self._names.state_machine
            ),
            alarm_friendly_name="state-machine",
            add_throttled_execution_count_alarm={
                "Warning": self._count(thresholds.THROTTLES, "state-machine")
            },
            **UNSEEN,
        )

    def _count(self, alarm: Alarm, part: str, *, above: int = 0) -> monitoring.ErrorCountThreshold:
        return monitoring.ErrorCountThreshold(max_error_count=above, **self._named(alarm, part))

    def _named(self, alarm: Alarm, part: str = "") -> dict[str, Any]:
        """Return the options that all alarms share: name, description, period, and no ringing on missing data."""
        name = f"{part}-{alarm.name}" if part else alarm.name
        return {
            "alarm_name_override": self._names.alarm(name),
            "alarm_description_override": f"{part}: {alarm.description}" if part else alarm.description,
            "treat_missing_data_override": cloudwatch.TreatMissingData.NOT_BREACHING,
            "period": PERIOD,
            "metric_adjuster": _Unlabelled(),
        }


def _pausable(service: str) -> bool:
    """Whether the function of this service's queue may be paused for days: by a daily budget, or by hand."""
    return service == TRIGGER
