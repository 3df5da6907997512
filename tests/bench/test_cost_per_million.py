"""The cost of a million runs: the direct design's ledger, and the summary of runs."""

import pytest

from bench import goals
from bench.cost_per_million import direct_ledger, summary
from shared.contracts.stages import STAGES
from shared.costs.facts import RunFacts, StageFacts
from shared.costs.ledger import ledger

MODEL_ID = "amazon.nova-micro-v1:0"


def run(**chat: object) -> RunFacts:
    stages = [
        StageFacts(key=stage.key, memory_mb=128, architecture="arm64", work_ms=10, message_bytes=900)
        for stage in STAGES
    ]
    chat_stage = StageFacts(key="chat", memory_mb=128, architecture="arm64", work_ms=300, **chat)  # type: ignore[arg-type]
    return RunFacts(
        region="us-east-1",
        day="2026-11-23",
        via="bus",
        outcome="SUCCEEDED",
        stages=tuple(chat_stage if stage.key == "chat" else stage for stage in stages),
        message_bytes=100,
        record_bytes=2_000,
        answer_bytes=600,
    )


def test_the_direct_design_pays_for_its_transitions_and_invocations():
    """A direct run pays for a transition and an invocation of each stage, one transition more, one event and its
    record, but for no queue.
    """
    made = direct_ledger(run(), record_bytes=2_000)
    counted = {
        kind: sum(line.quantity for line in made.lines if line.kind == kind)
        for kind in ("transition", "invocation")
    }
    assert counted == {"transition": 1 + len(STAGES), "invocation": len(STAGES)}
    assert made.by("service").keys() == {
        "Step Functions",
        "Lambda",
        "EventBridge",
        "DynamoDB",
        "CloudWatch Logs",
    }
    assert made.by("service")["Step Functions"] == 25_000 * (1 + len(STAGES))
    assert made.by("service")["DynamoDB"] == 2 * 625


def test_a_million_runs_are_means_in_dollars_and_the_model_stands_apart():
    """Hops and services add up to the same sum without tokens, and both designs pay the same for tokens."""
    chat_stage = run(model_id=MODEL_ID, input_tokens=1_000, output_tokens=100)
    direct, events = (
        summary([made, made]) for made in (direct_ledger(chat_stage, 2_000), ledger(chat_stage))
    )
    assert direct["without_model"] == pytest.approx(sum(direct["services"].values()))
    assert events["without_model"] == pytest.approx(sum(events["services"].values()))
    assert direct["model"] == events["model"] == pytest.approx(35 + 14)
    assert events["unpriced"] == []


@pytest.mark.parametrize(("events", "verdict"), [(115.0, "met"), (116.0, "NOT MET")])
def test_the_ratio_decides(events, verdict):
    """The cost goal is met up to 1.15 times the direct design's cost."""
    designs = {
        "events": {"without_model": events, "model": 0.0},
        "direct": {"without_model": 100.0, "model": 0.0},
    }
    assert all(line.startswith(f"{verdict}: events") for line in goals.lines({"designs": designs}, "cost"))
