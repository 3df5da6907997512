"""The pure parts of the end-to-end benchmark: the direct design's workflow, the counts, and the goals."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import goals
from bench.end_to_end import direct, direct_handler
from bench.end_to_end.burst import Run, counts
from bench.end_to_end.direct import EXECUTION_INPUT, REFERENCE_RETRY, direct_definition
from bench.end_to_end.hops import medians
from bench.end_to_end.tables import median_bursts, p95
from infra.bundling import bundles
from infra.environments import host
from infra.functions import STAGE_FUNCTIONS
from operations.runs.timeline import Bar
from services.analyzer.core import analyze
from shared.contracts.stages import BY_CHOICE, EVERY, STAGES

DONE = {"status": "SUCCEEDED"}
RUN = Run(status="SUCCEEDED", started=1.0, ended=2.0)


def test_the_direct_workflow_asks_the_same_of_the_same_stages():
    """The direct workflow invokes every stage in order, with the pipeline's data and without a task token."""
    workflow = direct_definition(REFERENCE_RETRY)
    state, seen = workflow["StartAt"], []
    while state:
        if state in BY_CHOICE:  # behind a stage that may end the run: otherwise it goes on
            state = workflow["States"][state]["Default"]
        seen.append(state)
        payload = workflow["States"][state]["Parameters"]["Payload"]
        assert payload["data"] == {
            f"{name}.$": path
            for stage in STAGES
            if stage.state == state
            for name, path in stage.inputs.items()
        }
        state = workflow["States"][state].get("Next")
    assert seen == [stage.state for stage in STAGES]
    assert "Token" not in json.dumps(workflow)
    assert ".waitForTaskToken" not in json.dumps(workflow)


def test_a_direct_function_runs_the_stages_own_code(monkeypatch: pytest.MonkeyPatch):
    """The direct analyzer answers a workflow's payload as the analyzer's core does, with a meter."""
    monkeypatch.setenv("DIRECT_SERVICE", "analyzer")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
    direct_handler._route.cache_clear()
    metadata = {
        "event_id": "p-AnalyzeInput-0",
        "pipeline_id": "p",
        "schema": "analysis.requested",
        "schema_version": 1,
        "occurred_at": "2026-11-23T12:00:00Z",
        "correlation_id": "p",
    }
    answer = direct_handler.handler({"metadata": metadata, "data": {"user_message": "Why `x = 1`?"}}, None)
    direct_handler._route.cache_clear()
    assert answer["data"]["word_count"] == analyze("Why `x = 1`?").word_count
    assert answer["meter"]["memory_mb"] == 128


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.service)
def test_a_direct_function_is_whole_beside_a_stages_bundle(stage):
    """In each stage's bundle, the direct handler can import everything it needs and finds the stage's route."""
    bundle = bundles(host(), [STAGE_FUNCTIONS[stage.service]])[stage.service]
    program = (
        f"import sys; sys.path[:0] = [{str(bundle)!r}, {str(Path(direct.__file__).parent)!r}]\n"
        "import direct_handler; print(direct_handler._route().request.__name__)\n"
    )
    settings = dict.fromkeys(("TABLE_NAME", "BUS_NAME", "DLQ_URL"), "given")
    process = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program],
        env={"AWS_DEFAULT_REGION": "us-east-1", "DIRECT_SERVICE": stage.service, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.stderr == ""
    assert process.stdout.strip() == stage.request.__name__


def test_the_event_becomes_the_state_that_the_workflow_reads():
    """The rule's template makes a state with every field that the stages' requests need."""
    filled = EXECUTION_INPUT.replace("<id>", '"p"').replace("<time>", '"t"').replace("<message>", '"m"')
    state = json.loads(filled)
    assert state["request"] == {"user_message": "m", "history": []}
    assert state["metadata"]["pipeline_id"] == "p"
    assert state["results"].keys() == {stage.key for stage in EVERY[:-1]}


@pytest.mark.parametrize(
    ("records", "runs", "left", "expected"),
    [
        ({"a": DONE, "b": DONE}, [RUN, RUN], 0, (2, 0, 0)),
        ({"a": DONE}, [RUN, Run(status="FAILED", started=1.0, ended=2.0)], 0, (1, 1, 0)),
        ({"a": DONE}, [RUN], 1, (1, 0, 1)),
        ({"a": DONE, "b": DONE}, [RUN, RUN, RUN], 0, (1, 0, 0)),
        ({"a": DONE, "b": {"status": "RUNNING"}}, [RUN, RUN], 0, (1, 0, 0)),
    ],
    ids=["all once", "one failed", "one never began", "one ran twice", "one without its record"],
)
def test_what_became_of_a_burst(records, runs, left, expected):
    """A success is exactly one successful execution with its record; failures, losses and repeats are none."""
    outcome = counts(["a", "b"], records, runs, left)
    assert (outcome.once, outcome.failed, outcome.lost) == expected
    assert outcome.left_in_queues == left


def test_hops_are_medians_by_part():
    """A hop's times are medians, which one slow run does not change."""
    runs = [[Bar(name="chat", start_ms=0.0, waited_ms=waited, worked_ms=10.0)] for waited in (1.0, 2.0, 90.0)]
    assert medians(runs) == {"chat": {"waited_ms": 2.0, "worked_ms": 10.0, "other_ms": 0.0}}


def test_the_95th_percentile_is_a_measured_value():
    """The 95th percentile is by nearest rank: of twenty values, it is the second largest."""
    assert p95([float(value) for value in range(20)]) == 18.0
    assert p95([3.0]) == 3.0


def result(design: str, *, once: int, per_second: float) -> dict[str, object]:
    zeros = ("drain_seconds", "run_p95", "engine_mb", "workers_mb", "engine_cpu_seconds", "all_cpu_seconds")
    return {
        **dict.fromkeys(zeros, 1.0),
        "design": design,
        "published": 100,
        "model_seconds": 0.3,
        "once": once,
        "per_second": per_second,
        "left_in_queues": 0,
    }


def test_goals_are_judged_by_what_was_measured():
    """One lost run misses its goal in spite of good medians, and throughput is compared with the direct design."""
    bursts = [
        result("events", once=100, per_second=30.0),
        result("events", once=99, per_second=32.0),
        result("events", once=100, per_second=31.0),
        result("direct", once=20, per_second=10.0),
    ]
    results = {"alone": {"seconds": {"events": [0.2], "direct": [0.3]}}, "bursts": bursts}
    assert median_bursts(results)[100, 0.3, "events"]["per_second"] == 31.0
    alone, whole, times = goals.lines(results, "end-to-end")
    assert alone.startswith("met: one at a time, beside the direct design: 0.667 times")
    assert whole.startswith("NOT MET: burst of 100, model 0.3 s: not done exactly once: 1 runs")
    assert times.startswith("met: burst of 100, model 0.3 s: throughput beside the direct design: 3.1 times")
