"""Sample results of the stages that an answer is made of, each as small as its type allows, and a run's path."""

from collections.abc import Sequence

from shared.contracts import v1
from shared.contracts.stages import STAGES, Stage, choosing
from shared.tests.fakes import METADATA

ANALYSIS = v1.Analysis(
    character_count=2,
    word_count=1,
    sentence_count=1,
    has_code=False,
    code=(),
    languages=(),
    is_question=False,
    question_count=0,
    questions=(),
    complexity="simple",
    reasons=(),
)
CHAT = v1.ChatAnswer(text="Hello.", backend="bedrock", model_id="m", stop_reason="end_turn")
ENHANCEMENT = v1.Enhancement(
    final_response="**Hello.**",
    format="plain",
    complexity="simple",
    enhanced_at=METADATA.occurred_at,
    word_count=1,
    reading_time_seconds=1,
    contains_code=False,
    tracking=v1.Tracking(pipeline_id="p-1", correlation_id="c", execution_arn=None, model_id="m"),
)


def path(stages: Sequence[Stage] = STAGES, *, until: Stage | None = None, failed: str = "") -> list[str]:
    """Return the states that a run enters if no stage ends it early: all, or those `until` a stage.

    `failed` is the key of a stage that has no result, so that there is nothing to choose by behind it.
    """
    choices = {stage.state: stage.choice for stage in choosing(stages) if stage.key != failed}
    entered = []
    for stage in stages:
        entered.append(stage.state)
        if stage == until:
            break
        if stage.state in choices:
            entered.append(choices[stage.state])
    return entered
