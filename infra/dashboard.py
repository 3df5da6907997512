"""The dashboard, from top to bottom: whether the pipeline is healthy, where it fails or waits, and what it costs."""

from collections.abc import Sequence
from typing import Any, cast

import cdk_monitoring_constructs as monitoring
from aws_cdk import aws_cloudwatch as cloudwatch

from infra.functions import deployed_functions
from infra.parts import TRIGGER, has_rule
from infra.signals import HOUR, PERIOD, Signals
from shared.contracts.stages import ANSWERING, SERVICES
from shared.metrics import (
    ANSWER_STORE_FAILURES,
    ANSWERS_BLOCKED,
    ANSWERS_RECALLED,
    API_FAILURES,
    API_REFUSALS,
    APPROVALS_WAITING,
    ATTEMPTS,
    BUDGET_PAUSED,
    BUDGET_SPENT,
    CIRCUITS_OPENED,
    COST,
    ERRORS,
    FALLBACK_ANSWERS,
    INPUT_TOKENS,
    LATE_CALLBACKS,
    OLDEST_APPROVAL,
    OUTPUT_TOKENS,
    PARKED,
    QUEUE_WAIT,
    REDELIVERIES,
    REJECTIONS_NOT_PUBLISHED,
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


def draw(
    facade: monitoring.MonitoringFacade, signals: Signals, *, budgeted: bool = False, approving: bool = False
) -> None:
    """Add all widgets to the facade's dashboard. Call it after all alarms are added: the first widget shows them."""
    alarms = [created.alarm for created in facade.created_alarms()]
    facade.add_large_header("Is it healthy?")
    facade.add_widget(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=alarms, width=WIDTH, height=5))
    _row(facade, *_health(signals))
    facade.add_large_header("Where does it fail or wait?")
    _row(facade, *_failures(signals))
    _row(facade, *_stages(signals))
    _row(facade, *_queues(signals))
    if approving:
        _row(facade, *_approvals(signals))
    _row(facade, *_calls(signals, budgeted=budgeted, approving=approving))
    facade.add_large_header("What does it cost?")
    _row(facade, *_costs(signals))
    if budgeted:
        _row(facade, *_budget(signals))


def _row(facade: monitoring.MonitoringFacade, *widgets: cloudwatch.GraphWidget) -> None:
    facade.add_widget(
        cast("cloudwatch.IWidget", cloudwatch.Row(*widgets))
    )  # a Row is an IWidget, but its type does not say so


def _graph(
    title: str, series: Sequence[Series], *, columns: int, stacked: bool = False, **options: Any
) -> cloudwatch.GraphWidget:
    """Return a graph for a row of `columns` graphs."""
    return cloudwatch.GraphWidget(
        title=title, left=list(series), width=WIDTH // columns, height=6, stacked=stacked, **options
    )


def _health(signals: Signals) -> list[cloudwatch.GraphWidget]:
    runs = [
        signals.own(RUNS_ACCEPTED, TRIGGER, label="accepted by the API"),
        signals.own(RUNS_STARTED, TRIGGER, label="started"),
        signals.own(RUNS_SUCCEEDED, "logger", label="succeeded"),
        signals.own(RUNS_DEGRADED, "logger", label="degraded (part of succeeded)"),
        signals.own(RUNS_FAILED, "logger", label="failed"),
        signals.own(RUNS_CANCELLED, "logger", label="cancelled"),
    ]
    times = [signals.own(RUN_TIME, "logger", part, part) for part in ("p50", "p95", "Maximum")]
    percent = cloudwatch.YAxisProps(min=0, max=100)
    return [
        _graph("Success rate (%)", [signals.success_percent()], columns=3, left_y_axis=percent),
        _graph("Runs", runs, columns=3),
        _graph("Duration of a run (ms)", times, columns=3),
    ]


def _failures(signals: Signals) -> list[cloudwatch.GraphWidget]:
    return [
        _graph("Stages that failed for good", [signals.by_value(STAGE_FAILURES)], columns=3, stacked=True),
        _graph("Errors by service and type", [signals.by_value(ERRORS)], columns=3, stacked=True),
        _graph(
            "Parked and redelivered messages, late callbacks, rejections not published",
            [
                *_each(signals, PARKED, "Sum", "parked"),
                *_each(signals, REDELIVERIES, "Sum", "redelivered"),
                *_each(signals, LATE_CALLBACKS, "Sum", "late callbacks"),
                *_each(signals, REJECTIONS_NOT_PUBLISHED, "Sum", "rejections not published"),
            ],
            columns=3,
        ),
    ]


def _each(signals: Signals, metric: Metric, statistic: str, label: str = "") -> list[cloudwatch.Metric]:
    """Return a metric's series of every service that emits it."""
    return [signals.own(metric, service, statistic, f"{service} {label}".strip()) for service in metric.by]


def _stages(signals: Signals) -> list[cloudwatch.GraphWidget]:
    return [
        _graph("Queue wait, p95 (ms)", _each(signals, QUEUE_WAIT, "p95"), columns=3),
        _graph("Work, p95 (ms)", _each(signals, WORK_TIME, "p95"), columns=3),
        _graph("Attempts, maximum", _each(signals, ATTEMPTS, "Maximum"), columns=3),
    ]


def _queues(signals: Signals) -> list[cloudwatch.GraphWidget]:
    names, depth, age = signals.names, "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"
    return [
        _graph(
            "Age of the oldest message (s)",
            [signals.queue(names.queue(service), age, service) for service in SERVICES],
            columns=3,
        ),
        _graph(
            "Waiting messages",
            [signals.queue(names.queue(service), depth, service) for service in SERVICES],
            columns=3,
        ),
        _graph(
            "Parked messages, and events not delivered by a rule",
            [
                *(signals.queue(names.dlq(service), depth, service) for service in SERVICES),
                *(
                    signals.queue(names.rule_dlq(service), depth, f"{service} rule")
                    for service in SERVICES
                    if has_rule(service)
                ),
            ],
            columns=3,
        ),
    ]


def _approvals(signals: Signals) -> list[cloudwatch.GraphWidget]:
    """Return how many answers wait for a person, and for how long: such runs are open by intent."""
    (service,) = OLDEST_APPROVAL.by
    hours = cloudwatch.MathExpression(
        expression="waited / 3600000",
        using_metrics={"waited": signals.own(OLDEST_APPROVAL, service, "Maximum")},
        label="the oldest (h)",
        period=PERIOD,
    )
    count = signals.own(APPROVALS_WAITING, service, "Maximum", "answers")
    return [
        _graph("Answers that wait for approval", [count], columns=2),
        _graph("How long the oldest has waited (h)", [hours], columns=2),
    ]


def _calls(signals: Signals, *, budgeted: bool, approving: bool) -> list[cloudwatch.GraphWidget]:
    specs = deployed_functions(budgeted=budgeted, approving=approving)

    def functions(name: str) -> list[cloudwatch.Metric]:
        return [signals.function(spec.name, name, spec.name) for spec in specs]

    return [
        _graph(
            "API requests that were not served",
            [
                signals.own(API_REFUSALS, TRIGGER, label="refused by the function (4xx)"),
                signals.own(API_FAILURES, TRIGGER, label="failed in the function (5xx)"),
                signals.api_failures(),
            ],
            columns=3,
        ),
        _graph("Throttled function calls", functions("Throttles"), columns=3),
        _graph("Failed function calls (crash or timeout)", functions("Errors"), columns=3),
    ]


def _budget(signals: Signals) -> list[cloudwatch.GraphWidget]:
    spent = signals.own(BUDGET_SPENT, TRIGGER, "Maximum", "spent (%)")
    paused = signals.own(BUDGET_PAUSED, TRIGGER, "Maximum", "paused")
    return [
        _graph("Daily budget spent (%)", [spent], columns=2),
        _graph("Starter paused (1 = yes)", [paused], columns=2),
    ]


def _costs(signals: Signals) -> list[cloudwatch.GraphWidget]:
    chatbot = ANSWERING.service
    average = cloudwatch.MathExpression(
        expression="micros / 1000000",
        using_metrics={"micros": signals.own(COST, "logger", "Average").with_(period=HOUR)},
        label="average run ($)",
        period=HOUR,
    )
    return [
        _graph(
            "Cost per hour ($)",
            [
                signals.usd_per_hour(),
                signals.usd_per_hour(WASTE, "waste: failed attempts and lost deliveries ($)"),
            ],
            columns=4,
        ),
        _graph("Average cost of a run ($)", [average], columns=4),
        _graph(
            "Tokens by model",
            [signals.by_value(INPUT_TOKENS), signals.by_value(OUTPUT_TOKENS)],
            columns=4,
            stacked=True,
        ),
        _graph(
            "Unknown prices, blocked and recalled answers, failures of their table, fallbacks",
            [
                signals.own(UNKNOWN_PRICES, "logger", label="runs with an unknown price"),
                signals.own(ANSWERS_BLOCKED, chatbot, label="answers that were blocked"),
                signals.own(ANSWERS_RECALLED, chatbot, label="recalled answers (not paid for again)"),
                signals.own(ANSWER_STORE_FAILURES, chatbot, label="failed calls to the table of answers"),
                signals.own(FALLBACK_ANSWERS, chatbot, label="answers of a fallback"),
                signals.own(CIRCUITS_OPENED, chatbot, label="models not asked first after failures"),
            ],
            columns=4,
        ),
    ]
