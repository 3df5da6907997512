"""The dashboard, from top to bottom: is it healthy, where does it hurt, what does it cost."""

from collections.abc import Sequence
from typing import Any, cast

import cdk_monitoring_constructs as monitoring
from aws_cdk import aws_cloudwatch as cloudwatch

from infra.functions import FUNCTIONS
from infra.signals import HOUR, Signals
from shared.contracts.stages import CRITICAL, SERVICES
from shared.metrics import (
    ANSWERS_RECALLED,
    API_FAILURES,
    API_REFUSALS,
    ATTEMPTS,
    BUDGET_PAUSED,
    BUDGET_SPENT,
    COST,
    ERRORS,
    INPUT_TOKENS,
    LATE_CALLBACKS,
    OUTPUT_TOKENS,
    PARKED,
    QUEUE_WAIT,
    REDELIVERIES,
    RUN_TIME,
    RUNS_ACCEPTED,
    RUNS_CANCELLED,
    RUNS_DEGRADED,
    RUNS_FAILED,
    RUNS_STARTED,
    RUNS_SUCCEEDED,
    STAGE_FAILURES,
    UNKNOWN_PRICES,
    WASTE,
    WORK_TIME,
    Metric,
)

Series = cloudwatch.Metric | cloudwatch.MathExpression
WIDTH = 24


def draw(facade: monitoring.MonitoringFacade, signals: Signals, *, budgeted: bool = False) -> None:
    """Adds everything to the facade's dashboard. The facade's alarms must be there already."""
    alarms = [created.alarm for created in facade.created_alarms()]
    facade.add_large_header("Is it healthy?")
    facade.add_widget(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=WIDTH, height=5))
    _row(facade, *_health(signals))
    facade.add_large_header("Where does it hurt?")
    _row(facade, *_failures(signals))
    _row(facade, *_stages(signals))
    _row(facade, *_queues(signals))
    _row(facade, *_doors(signals))
    facade.add_large_header("What does it cost?")
    _row(facade, *_costs(signals))
    if budgeted:
        _row(facade, *_budget(signals))


def _row(facade: monitoring.MonitoringFacade, *widgets: cloudwatch.GraphWidget) -> None:
    facade.add_widget(cast("cloudwatch.IWidget", cloudwatch.Row(*widgets)))  # a Row is one, without saying so


def _graph(
    title: str, series: Sequence[Series], *, of: int, stacked: bool = False, **options: Any
) -> cloudwatch.GraphWidget:
    """One of `of` graphs in a row."""
    return cloudwatch.GraphWidget(
        title=title, left=list(series), width=WIDTH // of, height=6, stacked=stacked, **options
    )


def _health(signals: Signals) -> list[cloudwatch.GraphWidget]:
    runs = [
        signals.own(RUNS_ACCEPTED, "trigger", label="accepted by the API"),
        signals.own(RUNS_STARTED, "trigger", label="started"),
        signals.own(RUNS_SUCCEEDED, "logger", label="succeeded"),
        signals.own(RUNS_DEGRADED, "logger", label="of them degraded"),
        signals.own(RUNS_FAILED, "logger", label="failed"),
        signals.own(RUNS_CANCELLED, "logger", label="cancelled"),
    ]
    times = [signals.own(RUN_TIME, "logger", part, part) for part in ("p50", "p95", "Maximum")]
    percent = cloudwatch.YAxisProps(min=0, max=100)
    return [
        _graph("Success rate (%)", [signals.success_percent()], of=3, left_y_axis=percent),
        _graph("Runs", runs, of=3),
        _graph("Time of a run (ms)", times, of=3),
    ]


def _failures(signals: Signals) -> list[cloudwatch.GraphWidget]:
    return [
        _graph("Stages that failed for good", [signals.by_value(STAGE_FAILURES, "")], of=3, stacked=True),
        _graph("Errors by service and type", [signals.by_value(ERRORS, "")], of=3, stacked=True),
        _graph(
            "Trouble with messages",
            [
                *_each(signals, PARKED, "Sum", "parked"),
                *_each(signals, REDELIVERIES, "Sum", "delivered again"),
                *_each(signals, LATE_CALLBACKS, "Sum", "late callbacks"),
            ],
            of=3,
        ),
    ]


def _each(signals: Signals, metric: Metric, statistic: str, word: str = "") -> list[cloudwatch.Metric]:
    """A metric of every service that emits it."""
    return [signals.own(metric, service, statistic, f"{service} {word}".strip()) for service in metric.by]


def _stages(signals: Signals) -> list[cloudwatch.GraphWidget]:
    return [
        _graph("Queue wait, p95 (ms)", _each(signals, QUEUE_WAIT, "p95"), of=3),
        _graph("Work, p95 (ms)", _each(signals, WORK_TIME, "p95"), of=3),
        _graph("Tries, maximum", _each(signals, ATTEMPTS, "Maximum"), of=3),
    ]


def _queues(signals: Signals) -> list[cloudwatch.GraphWidget]:
    names, depth, age = signals.names, "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"
    return [
        _graph(
            "Oldest message (s)",
            [signals.queue(names.queue(service), age, service) for service in SERVICES],
            of=3,
        ),
        _graph(
            "Waiting messages",
            [signals.queue(names.queue(service), depth, service) for service in SERVICES],
            of=3,
        ),
        _graph(
            "Parked, and not delivered by a rule",
            [
                *(signals.queue(names.dlq(service), depth, service) for service in SERVICES),
                *(signals.queue(names.rule_dlq(service), depth, f"{service} rule") for service in SERVICES),
            ],
            of=3,
        ),
    ]


def _doors(signals: Signals) -> list[cloudwatch.GraphWidget]:
    def functions(name: str, statistic: str) -> list[cloudwatch.Metric]:
        return [
            signals.aws(
                "Lambda", name, {"FunctionName": signals.names.function(spec.name)}, statistic, spec.name
            )
            for spec in FUNCTIONS
        ]

    return [
        _graph(
            "The API",
            [
                signals.own(API_REFUSALS, "trigger", label="refused (4xx)"),
                signals.own(API_FAILURES, "trigger", label="failed (5xx)"),
            ],
            of=3,
        ),
        _graph("Functions turned away (throttles)", functions("Throttles", "Sum"), of=3),
        _graph("Functions that crashed or ran out of time", functions("Errors", "Sum"), of=3),
    ]


def _budget(signals: Signals) -> list[cloudwatch.GraphWidget]:
    spent = signals.own(BUDGET_SPENT, "trigger", "Maximum", "spent of the day's budget (%)")
    paused = signals.own(BUDGET_PAUSED, "trigger", "Maximum", "paused")
    return [_graph("The day's budget", [spent], of=2), _graph("The starter is paused (1)", [paused], of=2)]


def _costs(signals: Signals) -> list[cloudwatch.GraphWidget]:
    chatbot = CRITICAL.service
    one_run = cloudwatch.MathExpression(
        expression="micros / 1000000",
        using_metrics={"micros": signals.own(COST, "logger", "Average").with_(period=HOUR)},
        label="A run, on average ($)",
        period=HOUR,
    )
    return [
        _graph(
            "Cost per hour ($)",
            [signals.usd_per_hour(), signals.usd_per_hour(WASTE, "of it for failed tries ($)")],
            of=4,
        ),
        _graph("Cost of a run ($)", [one_run], of=4),
        _graph(
            "Tokens by model",
            [signals.by_value(INPUT_TOKENS, ""), signals.by_value(OUTPUT_TOKENS, "")],
            of=4,
            stacked=True,
        ),
        _graph(
            "Not in the cost, and not bought again",
            [
                signals.own(UNKNOWN_PRICES, "logger", label="runs with an unknown price"),
                signals.own(ANSWERS_RECALLED, chatbot, label="stored answers used"),
            ],
            of=4,
        ),
    ]
