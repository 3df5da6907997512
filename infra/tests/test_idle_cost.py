"""docs/costs.md: what an environment costs if nothing runs, derived from its templates."""

import copy

import pytest

from infra.idle_cost import BUDGET, PAGE, lines, own_metrics, page, table
from infra.rules import resources
from infra.tests.support import ALARM
from shared.contracts.stages import SERVICES
from shared.metrics import METRICS, OF_THE_APPROVAL

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]


def test_the_page_says_what_the_templates_contain(synthesised):
    """The table is the one that the present templates give; `make tables` writes it."""
    text = PAGE.read_text("utf-8")
    current = page(text, table(lambda name, options: synthesised(name, **options)))
    assert current == text, "docs/costs.md is out of date: make tables"


def test_each_resource_counts_at_its_price(synthesised):
    """A key, an alarm, a dashboard, a queue that is polled and a schedule are counted as often as they are there."""
    templates = copy.deepcopy(dict(synthesised("dev", **BUDGET)))
    before = {line.what: line for line in lines(templates, budgeted=True)}
    monitoring = templates["ai-pipeline-dev-monitoring"]
    alarms = resources(monitoring, ALARM).values()
    assert before["KMS keys"].usd == 1.0
    assert before["dashboards"].usd == 3.0
    # An alarm on an expression reads several metrics, each of which is paid for.
    assert before["metrics read by alarms"].count == len(alarms) + 1
    assert before["idle queues that are polled"].count == len(SERVICES)
    assert before["scheduled calls"].count == 730 * (60 + 4)
    for name in list(resources(monitoring, "AWS::KMS::Key")):
        del monitoring["Resources"][name]
    after = {line.what: line for line in lines(templates, budgeted=True)}
    assert after["KMS keys"].usd == 0
    assert after["dashboards"] == before["dashboards"]


def test_own_metrics_are_counted_by_service():
    """A metric is paid for once for each service that writes it."""
    assert own_metrics(budgeted=True) - own_metrics(budgeted=False) == 3
    written = [metric for metric in METRICS.values() if metric not in OF_THE_APPROVAL and not metric.also]
    assert own_metrics(budgeted=True) == sum(len(metric.by) for metric in written)


def test_an_unknown_schedule_is_not_counted_as_nothing(synthesised):
    """A schedule that cannot be counted raises an error, so that its calls are not left out."""
    templates = copy.deepcopy(dict(synthesised("dev", **BUDGET)))
    for rule in resources(templates["ai-pipeline-dev-trigger"], "AWS::Events::Rule").values():
        if "ScheduleExpression" in rule:
            rule["ScheduleExpression"] = "cron(0 12 * * ? *)"
    with pytest.raises(ValueError, match="cron"):
        lines(templates, budgeted=True)
