"""Sample results of the stages that an answer is made of, each as small as its type allows."""

from shared.contracts import v1
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
