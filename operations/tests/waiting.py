"""Answers that wait for approval, in a target on moto."""

from typing import Any

from operations.target import Target
from operations.tests.world import client
from shared.contracts import v1
from shared.tests.fakes import OneOutcome, create_approvals_table
from shared.waiting.store import Waiting
from shared.worker.outcome import Callback

REJECTED_TEXT = "This answer was not released."


def switch_on(target: Target, env: str = "local") -> OneOutcome:
    """Create what the approval adds to a deployment; return the double that takes the outcomes of tasks."""
    create_approvals_table(client("dynamodb"))
    for path, value in (("table", "approvals"), ("rejected-text", REJECTED_TEXT)):
        client("ssm").put_parameter(Name=f"/ai-pipeline/{env}/approvals/{path}", Value=value, Type="String")
    target.__dict__.pop("addresses", None)
    target._clients["stepfunctions"] = double = OneOutcome()
    return double


def hold(target: Target, name: str, **fields: Any) -> None:
    """Let a run wait, as the approval's worker does."""
    item = {
        "pipeline_id": name,
        "execution_arn": f"arn:{name}",
        "user_message": "What is a monad?",
        "answer": f"An answer for {name}.",
        "is_cut": False,
        **fields,
    }
    waiting = Waiting(target.client("dynamodb"), "approvals", Callback(target.client("stepfunctions")))
    meter = v1.Meter(queue_wait_ms=1, work_ms=1, attempt=0, receives=1)
    waiting.holding(item, seconds=72 * 3_600).keep(f"token-{name}", meter)
