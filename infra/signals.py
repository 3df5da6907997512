"""CloudWatch metrics of an environment: its own from the metrics table, AWS's by the names of what it owns."""

from collections.abc import Mapping
from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from infra.names import Names
from shared.metrics import COST, NAMESPACE, RUNS_FAILED, RUNS_SUCCEEDED, Metric

PERIOD = Duration.minutes(5)
HOUR = Duration.hours(1)
MICROS = 1_000_000


@dataclass(frozen=True)
class Signals:
    names: Names

    def own(
        self, metric: Metric, service: str, statistic: str = "Sum", label: str | None = None
    ) -> cloudwatch.Metric:
        """One of the project's metrics that has no dimension of its own. Raises ValueError for any other."""
        if metric.also or service not in metric.by:
            raise ValueError(f"{metric.name} is not one series of {service}")
        return cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=metric.name,
            dimensions_map={"environment": self.names.env, "service": service},
            statistic=statistic,
            period=PERIOD,
            label=label or metric.name,
        )

    def by_value(self, metric: Metric, label: str) -> cloudwatch.MathExpression:
        """All series of a metric, one for each value of its own dimension. A dashboard finds them; an alarm can't."""
        schema = ",".join((NAMESPACE, *metric.dimensions))
        search = f'{{{schema}}} MetricName="{metric.name}" environment="{self.names.env}"'
        return cloudwatch.MathExpression(
            expression=f"SEARCH('{search}', 'Sum', 300)", using_metrics={}, label=label, period=PERIOD
        )

    def success_percent(self, of_runs: int = 0) -> cloudwatch.MathExpression:
        """Of the runs that ended. With less than `of_runs` of them it is 100: one of two is not half of them."""
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
        """What the runs that ended in each hour cost."""
        key = f"micros{metric.name}"  # graphs hold several, each by its own key
        return cloudwatch.MathExpression(
            expression=f"{key} / {MICROS}",
            using_metrics={key: self.own(metric, "logger").with_(period=HOUR)},
            label=label,
            period=HOUR,
        )

    def aws(
        self, service: str, name: str, dimensions: Mapping[str, str], statistic: str, label: str
    ) -> cloudwatch.Metric:
        """A metric of AWS's own, e.g. of the service `SQS`."""
        return cloudwatch.Metric(
            namespace=f"AWS/{service}",
            metric_name=name,
            dimensions_map=dict(dimensions),
            statistic=statistic,
            period=PERIOD,
            label=label,
        )

    def queue(self, queue: str, name: str, label: str) -> cloudwatch.Metric:
        return self.aws("SQS", name, {"QueueName": queue}, "Maximum", label)
