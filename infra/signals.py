"""The CloudWatch metrics of an environment: the project's own from the metrics table, and AWS's for its resources."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from infra.environments import API_STAGE
from infra.names import Names
from shared.metrics import COST, NAMESPACE, RUNS_FAILED, RUNS_SUCCEEDED, Metric

PERIOD = Duration.minutes(5)
HOUR = Duration.hours(1)
MICROS = 1_000_000


@dataclass(frozen=True)
class Signals:
    """The metrics of one environment, for alarms and dashboard."""

    names: Names

    def own(
        self, metric: Metric, service: str, statistic: str = "Sum", label: str | None = None
    ) -> cloudwatch.Metric:
        """Return the series of one of the project's metrics that `service` emits.

        Raises ValueError for a metric that has further dimensions or that `service` does not emit.
        """
        if metric.also or service not in metric.by:
            raise ValueError(f"{metric.name} is not a single series of {service}; see shared/metrics.py.")
        return cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=metric.name,
            dimensions_map={"environment": self.names.env, "service": service},
            statistic=statistic,
            period=PERIOD,
            label=label or metric.name,
        )

    def by_value(self, metric: Metric) -> cloudwatch.MathExpression:
        """Return all series of a metric, one for each value of its own dimension, for a dashboard.

        It is a search, which an alarm cannot use.
        """
        schema = ",".join((NAMESPACE, *metric.dimensions))
        search = f'{{{schema}}} MetricName="{metric.name}" environment="{self.names.env}"'
        return cloudwatch.MathExpression(
            expression=f"SEARCH('{search}', 'Sum', 300)", using_metrics={}, label="", period=PERIOD
        )

    def success_percent(self, of_runs: int = 0) -> cloudwatch.MathExpression:
        """Return the share of ended runs that succeeded. With fewer than `of_runs` ended runs it is 100."""
        ended = "(FILL(succeeded, 0) + FILL(failed, 0))"
        rate = f"100 * FILL(succeeded, 0) / {ended}"
        return cloudwatch.MathExpression(
            expression=f"IF({ended} >= {of_runs}, {rate}, 100)" if of_runs else rate,
            using_metrics={
                "succeeded": self.own(RUNS_SUCCEEDED, "logger"),
                "failed": self.own(RUNS_FAILED, "logger"),
            },
            label="Success rate (%)",
            period=PERIOD,
        )

    def usd_per_hour(
        self, metric: Metric = COST, label: str = "Cost per hour ($)"
    ) -> cloudwatch.MathExpression:
        """Return a metric of money, in dollars, for the runs that ended within each hour."""
        key = f"micros{metric.name}"  # the expressions in one graph need different keys
        return cloudwatch.MathExpression(
            expression=f"{key} / {MICROS}",
            using_metrics={key: self.own(metric, "logger").with_(period=HOUR)},
            label=label,
            period=HOUR,
        )

    def aws(
        self, service: str, name: str, dimensions: Mapping[str, str], statistic: str, label: str
    ) -> cloudwatch.Metric:
        """Return a metric that AWS emits, e.g. for the service `SQS`."""
        return cloudwatch.Metric(
            namespace=f"AWS/{service}",
            metric_name=name,
            dimensions_map=dict(dimensions),
            statistic=statistic,
            period=PERIOD,
            label=label,
        )

    def function(self, function: str, name: str, label: str) -> cloudwatch.Metric:
        return self.aws("Lambda", name, {"FunctionName": self.names.function(function)}, "Sum", label)

    def api_failures(self) -> cloudwatch.Metric:
        """Return the requests that API Gateway answered with 5xx, its own failures and the function's."""
        stage = {"ApiName": self.names.api, "Stage": API_STAGE}
        return self.aws("ApiGateway", "5XXError", stage, "Sum", "answered with 5xx")

    def queue(self, queue: str, name: str, label: str) -> cloudwatch.Metric:
        return self.aws("SQS", name, {"QueueName": queue}, "Maximum", label)
