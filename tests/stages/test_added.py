"""A row in the stage table is enough: two more of them reach every part, without a line elsewhere."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth"), pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
NEW = ("scales", "notary")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what each part makes of a table with two more stages (`added.py`)."""
    folder = tmp_path_factory.mktemp("added")
    run = subprocess.run(
        [sys.executable, "-m", "tests.stages.added", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_the_workflow_passes_through_it(parts):
    """Each added stage has its state in order, with a Catch unless it is critical, and is asked as its row says."""
    states = parts["states"]
    order = list(states)
    assert order[order.index("AnalyzeInput") :][:3] == ["AnalyzeInput", "WeighInput", "SignInput"]
    assert states["WeighInput"] == {
        "sent": "weighing.requested.v1", "bus": True, "queue": None, "caught": True
    }  # fmt: skip
    assert states["SignInput"] == {
        "sent": "signing.requested.v1", "bus": False, "queue": "ai-pipeline-dev-notary", "caught": False
    }  # fmt: skip
    assert "weighing_json" in parts["templates"]["ai-pipeline-dev-workflow"]
    assert parts["started results"]["weighing"] == {"data": None, "meter": None}


def test_it_is_deployed_like_the_others(parts):
    """Each added stage has a stack with function, role, queue and, if it is asked over the bus, a rule; the doctor
    finds nothing wrong.
    """
    assert parts["findings"] == []
    assert parts["parts"][:4] == ["platform", "analyzer", *NEW]
    for service in NEW:
        assert parts["functions"][service] == {"handler": f"services.{service}.handler.handler", "role": True}
        assert parts["sources"][f"ai-pipeline-dev-{service}"] == f"ai-pipeline-dev-{service}"
    assert parts["rules"]["ai-pipeline-dev-scales-requests"] == ["weighing.requested.v1"]
    assert "ai-pipeline-dev-notary-requests" not in parts["rules"]
    assert '"MemorySize": 256' in parts["templates"]["ai-pipeline-dev-scales"]
    assert '"BatchSize": 1,' in parts["templates"]["ai-pipeline-dev-scales"]
    assert parts["options"] == [
        f"{size}_{service}" for size in ("memory", "max_concurrency", "timeout") for service in NEW
    ]


def test_it_is_watched_like_the_others(parts):
    """Each added stage has alarms, graphs and metrics; one that pays also counts tokens."""
    monitoring = parts["templates"]["ai-pipeline-dev-monitoring"]
    for service in NEW:
        for alarm in ("queue-age", "parked", "parked-expires", "throttles", "errors"):
            assert f"ai-pipeline-dev-{service}-{alarm}" in monitoring
        assert service in monitoring[monitoring.index("AWS::CloudWatch::Dashboard") :]
        assert all(service in parts["metrics"][name] for name in ("Errors", "QueueWait", "WorkTime"))
    assert "ai-pipeline-dev-scales-rule-delivery" in monitoring
    assert "notary-rule" not in monitoring  # no rule feeds its queue
    assert parts["metrics"]["InputTokens"] == ["scales", "chatbot"]


def test_it_is_in_the_contracts(parts):
    """Each added stage has examples, a schema in each document, and its parties."""
    assert parts["examples"]["notary"] == {"weighing": {"grams": 5, "unit": "pound"}}
    assert "notary-queue" in parts["channels"]
    assert {"workflow_sends_weighing_requested_v1", "scales_receives_weighing_requested_v1"} <= {
        *parts["operations"]
    }
    assert {"weighing", "signing"} <= {*parts["record fields"]}
    assert {"### weighing.requested.v1", "### Weighing.v1", "### Signing.v1"} <= {*parts["headings"]}
    assert parts["parties"] == {
        "weighing.requested.v1": [["workflow"], ["scales"]],
        "signing.requested.v1": [["workflow"], ["notary"]],
        "Weighing.v1": [["scales"], ["notary", "logger"]],
    }


def test_its_result_is_recorded_and_shown(parts):
    """An added stage's result is in the record, the API's answer, the journey, and on the screens."""
    weight = {"grams": 5, "unit": "pound"}
    assert parts["record"]["weighing"] == parts["shown"]["weighing"] == parts["told"] == weight
    assert {"weighing", "signing"} <= parts["shown"]["stages"].keys()
    assert [name for name, _ in parts["journey"]][:3] == ["analysis", "weighing", "signing"]
    assert {status for _, status in parts["journey"]} == {"done"}
    assert all(word in parts["screen"] for word in ("weighing", "signing"))
    assert ["weighing", "grams: 5, unit: pound"] in parts["rows"]
    assert parts["boxes"][:4] == ["start", "analysis", "weighing", "signing"]


def test_its_cost_is_counted(parts):
    """An added stage has its lines in the ledger, with the tokens that it paid for, and its part of the cost."""
    lines = parts["cost lines"]
    assert lines["event weighing.requested.v1"] == lines["work of scales"] == "weighing"
    assert lines["input tokens of amazon.nova-lite-v1:0"] == "weighing"
    assert "event signing.requested.v1" not in lines
    assert parts["cost"]["stages"]["weighing"] > parts["cost"]["stages"]["signing"] > 0


def test_it_takes_its_room_in_the_state(parts):
    """The largest run has the largest result of each added stage, and the error of one that may fail."""
    assert parts["largest"]["weighing"] > 200 * len("\\u0001") + len(str(10**15))
    assert parts["largest"]["signing"] > 100 * len("\\u0001")
    assert "weighing" in parts["largest errors"]
    assert "signing" not in parts["largest errors"]


def test_it_is_measured_and_disturbed(parts):
    """Benchmarks, simulation and fault injection know each added stage."""
    for known in (parts["bench"], parts["stations"], parts["chaos"]):
        assert {*NEW} <= {*known}
