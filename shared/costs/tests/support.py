"""Records of runs with round numbers, whose costs can be calculated by hand."""

from typing import Any

MODEL = "amazon.nova-lite-v1:0"


METER = {
    "queue_wait_ms": 5,
    "work_ms": 100,
    "attempt": 0,
    "receives": 1,
    "batch": 1,
    "message_bytes": 2_000,
    "memory_mb": 128,
    "architecture": "arm64",
}


CHAT = {**METER, "work_ms": 1_000, "input_tokens": 2_000, "output_tokens": 300, "model_id": MODEL}


LOG_METER = {"attempt": 0, "receives": 1, "batch": 1, "message_bytes": 2_000}


TRANSIENT = {"Error": "Pipeline.Transient", "Cause": "slow"}


def record(**changes: Any) -> dict[str, Any]:
    """Return a record as the logger writes it; a stage given as None failed and degraded the run."""
    stages = {"analysis": METER, "chat": CHAT, "enhancement": METER, **changes.pop("stages", {})}
    return {
        "pipeline_id": "p",
        "status": "SUCCEEDED",
        "execution_arn": "arn:aws:states:us-east-1:000000000000:execution:machine:p",
        "finished_at": "2026-11-23T10:00:00.000Z",
        "user_message": "What is a monad?",
        "final_response": "x" * 600,
        "stages": {name: meter for name, meter in stages.items() if meter},
        "chat": {"usage": {"input_tokens": 2_000, "output_tokens": 300}},
        "errors": {},
        "metered": {"via": "bus", "record_bytes": 2_500, "answer_bytes": 500, "log": LOG_METER},
        **changes,
    }


def failed(**changes: Any) -> dict[str, Any]:
    return {
        "status": "FAILED",
        "execution_arn": "arn:aws:states:us-east-1:000000000000:execution:machine:p",
        "finished_at": "2026-11-23T10:00:00.000Z",
        "user_message": "What is a monad?",
        "stage": "chat",
        "error": "Pipeline.Permanent",
        "metered": {"via": "bus", "record_bytes": 900},
        **changes,
    }
