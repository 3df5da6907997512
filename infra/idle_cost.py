"""The monthly cost of an environment in which nothing runs, from its templates.

python -m infra.idle_cost            write the table of docs/costs.md
python -m infra.idle_cost --check    write nothing; exit with 1 if the table is out of date

Prices are list prices of us-east-1 before free tiers, from the pages named in docs/costs.md.
"""

import argparse
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.environments import ENVIRONMENTS
from infra.functions import RECONCILER
from infra.rules import Templates, resources
from shared.metrics import BUDGET_LOOKS, BUDGET_PAUSED, BUDGET_SPENT, METRICS, OF_THE_APPROVAL

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "costs.md"
BEGIN, END = "<!-- idle -->", "<!-- /idle -->"
BUDGET: Final = {"budget_usd_per_day": "5"}
GUARDS: Final = (BUDGET_LOOKS, BUDGET_PAUSED, BUDGET_SPENT)
"""The metrics that the daily budget's guard writes every minute."""
MONTH_MINUTES: Final = 730 * 60

KEY_USD: Final = 1.0
ALARM_METRIC_USD: Final = 0.10
"""For each metric that an alarm reads; an expression of two metrics costs two."""
DASHBOARD_USD: Final = 3.0
METRIC_USD: Final = 0.30
REQUEST_USD: Final = 0.40e-6
"""An SQS request."""
POLLS_PER_MINUTE: Final = 15
"""Of an idle event source mapping: at most five pollers, each with a long poll of 20 seconds."""
SCHEDULED_GB: Final = ENVIRONMENTS["prod"].sizing_of(RECONCILER.name).memory_mb / 1_024
CALL_USD: Final = 0.2e-6 + SCHEDULED_GB * 0.2 * 13.3334e-6 + 3 * 0.125e-6 + 2 * 0.625e-6
"""A scheduled call: the invocation, 0.2 s of its function's memory on arm64, a few reads and a write of a table."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One resource that costs money while nothing runs: how many of them there are, and USD per month for each."""

    what: str
    count: int
    usd_each: float

    @property
    def usd(self) -> float:
        return self.count * self.usd_each


def lines(templates: Templates, *, budgeted: bool) -> list[Line]:
    """Return the lines of a deployment. What its templates do not contain is counted as zero."""

    def count(kind: str) -> int:
        return sum(len(resources(template, kind)) for template in templates.values())

    return [
        Line(what="KMS keys", count=count("AWS::KMS::Key"), usd_each=KEY_USD),
        Line(what="metrics read by alarms", count=sum(_alarm_metrics(templates)), usd_each=ALARM_METRIC_USD),
        Line(what="dashboards", count=count("AWS::CloudWatch::Dashboard"), usd_each=DASHBOARD_USD),
        Line(
            what="idle queues that are polled",
            count=count("AWS::Lambda::EventSourceMapping"),
            usd_each=POLLS_PER_MINUTE * MONTH_MINUTES * REQUEST_USD,
        ),
        Line(what="scheduled calls", count=sum(_calls_per_month(templates)), usd_each=CALL_USD),
        Line(what="the guard's metrics", count=len(GUARDS) if budgeted else 0, usd_each=METRIC_USD),
    ]


def _alarm_metrics(templates: Templates) -> Iterator[int]:
    for template in templates.values():
        for alarm in resources(template, "AWS::CloudWatch::Alarm").values():
            yield sum("MetricStat" in query for query in alarm.get("Metrics", ())) or 1


def _calls_per_month(templates: Templates) -> Iterator[int]:
    minutes: Mapping[str, int] = {"minute": 1, "hour": 60, "day": 1_440}
    for template in templates.values():
        for rule in resources(template, "AWS::Events::Rule").values():
            if (expression := rule.get("ScheduleExpression")) is None:
                continue
            rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression)
            if rate is None:
                raise ValueError(f"The schedule {expression} has no rate. Add it to infra/idle_cost.py.")
            yield MONTH_MINUTES // (int(rate[1]) * minutes[rate[2]])


def own_metrics(*, budgeted: bool) -> int:
    """Return the number of the project's metrics, counted for each service, without those by error or model, and
    those of the approval.
    """
    optional = OF_THE_APPROVAL if budgeted else (*GUARDS, *OF_THE_APPROVAL)
    written = [metric for metric in METRICS.values() if metric not in optional]
    return sum(len(metric.by) for metric in written if not metric.also)


# --- the page --------------------------------------------------------------------------------------------------


def table(templates_of: Callable[[str, Mapping[str, str]], Templates]) -> str:
    """Return the Markdown table of every environment on AWS, without and with a daily budget."""
    kinds = [
        (name, options)
        for name, environment in ENVIRONMENTS.items()
        if environment.engine is None
        for options in ({}, BUDGET)
    ]
    names = [f"{name}, with a budget" if options else name for name, options in kinds]
    columns = [lines(templates_of(name, options), budgeted=bool(options)) for name, options in kinds]
    rows = [f"| a month | {' | '.join(names)} |", f"| -- |{' --: |' * len(names)}"]
    for row in zip(*columns, strict=True):
        cells = [f"{line.count:,} = ${line.usd:.2f}" if line.count else "–" for line in row]
        rows.append(f"| {row[0].what} | {' | '.join(cells)} |")
    sums = [f"**${sum(line.usd for line in column):.2f}**" for column in columns]
    rows.append(f"| sum | {' | '.join(sums)} |")
    own = [own_metrics(budgeted=bool(options)) for _, options in kinds]
    cells = [f"{count} = ${count * METRIC_USD:.2f}" for count in own]
    rows.append(f"| in use: own metrics, if each is written every hour | {' | '.join(cells)} |")
    return "\n".join(rows)


def page(text: str, rows: str) -> str:
    """Return the page with `rows` between its marks."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{rows}\n\n{END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if out of date")
    check = parser.parse_args().check
    from infra import synthesis  # noqa: PLC0415 -- starts Node
    from infra.options import load  # noqa: PLC0415 -- needed to synthesise only

    with tempfile.TemporaryDirectory() as folder:
        packed = synthesis.stand_ins(Path(folder) / "bundle")

        def templates_of(name: str, options: Mapping[str, str]) -> Templates:
            out = Path(folder) / f"{name}{len(options)}"
            synthesis.synthesise(load(name, options), out, packed)
            return synthesis.templates(out)

        before = PAGE.read_text("utf-8")
        after = page(before, table(templates_of))
    if check:
        return int(before != after)
    PAGE.write_text(after, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
