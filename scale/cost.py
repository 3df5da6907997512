"""The cost of a scenario's runs, by the same ledger that prices a real run.

What the ledger leaves out is left out here, too: the time of API, starter and logger, and callbacks. Each message is
priced as if it came alone, not in a batch.
"""

from infra.environments import ENVIRONMENTS
from scale.ceilings import mean
from scale.quotas import REGION
from scale.results import Outcome, Result
from scale.scenarios import Scenario
from scale.shape import Shape
from shared.contracts.stages import RETRY, STAGES
from shared.costs.facts import RunFacts, StageFacts
from shared.costs.ledger import ledger
from shared.costs.prices import US_EAST_1
from shared.errors import TransientError

DAY = US_EAST_1.since
_NANO = 1e-9


def _facts(shape: Shape, *, failed: bool) -> RunFacts:
    chatbot = ENVIRONMENTS["prod"].chatbot
    stages = []
    for stage, step in zip(STAGES, shape.steps, strict=True):
        if failed and step.asks_model:
            stages.append(
                StageFacts(
                    key=stage.key, tries=1 + RETRY.max_attempts, error=TransientError.NAME, outcome="failed"
                )
            )
            break
        stages.append(
            StageFacts(
                key=stage.key,
                message_bytes=4_000,
                memory_mb=shape.memory_mb[stage.service],
                architecture="arm64",
                work_ms=round(1_000 * mean(step.station.span)),
                input_tokens=shape.tokens.input if step.asks_model else 0,
                output_tokens=shape.tokens.output if step.asks_model else 0,
                model_id=chatbot.model_id if step.asks_model else None,
            )
        )
    return RunFacts(
        region=REGION,
        day=DAY,
        via="api",
        outcome="FAILED" if failed else "SUCCEEDED",
        stages=tuple(stages),
        message_bytes=2_000,
        record_bytes=6_000,
        answer_bytes=1_200,
    )


def run_usd(shape: Shape, *, failed: bool = False) -> float:
    """Return the cost of a run of this shape in USD. With `failed`, the model was throttled in all attempts."""
    return (ledger(_facts(shape, failed=failed)).total or 0) * _NANO


def by_service(shape: Shape) -> dict[str, float]:
    return {name: nanos * _NANO for name, nanos in ledger(_facts(shape, failed=False)).by("service").items()}


def question_usd(shape: Shape) -> float:
    """Return the cost of one question's tokens in USD."""
    return by_service(shape).get("Model", 0.0)


def hour_usd(result: Result) -> float:
    """Return the cost of an hour of this load in USD, scaled up from all runs of the simulated minutes."""
    scenario: Scenario = result.scenario
    failed = result.count(Outcome.FAILED)
    # A run that failed by a timeout may have asked the model before, and paid for it.
    calls = sum(end.model_calls for end in result.ended if end.outcome is Outcome.FAILED) * result.many
    cost = (
        result.answered * run_usd(scenario.shape)
        + failed * run_usd(scenario.shape, failed=True)
        + calls * question_usd(scenario.shape)
    )
    return cost * 3_600 / scenario.load_seconds
