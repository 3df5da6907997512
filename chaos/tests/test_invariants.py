"""Each invariant can be broken, and says by whom."""

from typing import Any

import pytest

from chaos import invariants
from chaos.invariants import ALL, Found, Violation, violations

ANSWER = "Answer 1 to [[c-000000]]"


def found(**changes: Any) -> Found:
    """A campaign of one pipeline in which all is as it should be, but for `changes`."""
    whole: dict[str, Any] = {
        "accepted": {0: "p0"},
        "delivered": {0: [ANSWER]},
        "records": {"p0": {"status": "SUCCEEDED", "final_response": f"{ANSWER}\n\n_A note._"}},
        "executions": [("p0", "SUCCEEDED")],
        "queues": {"analyzer": (0, 0, 0), "analyzer dlq": (0, 0, 0)},
        "unreadable": ["u-000000"],
        "rejected": ['["u-000000"]'],
    }
    return Found(**{**whole, **changes})


def test_a_whole_campaign() -> None:
    """Where all is as it should be, nothing is said."""
    assert violations(found()) == []


BROKEN = {
    "no record": ({"records": {}}, invariants.FINAL_RECORD, 0),
    "failed": (
        {"records": {"p0": {"status": "FAILED", "error": "Pipeline.Transient"}}}, invariants.FINAL_RECORD, 0,
    ),
    "not over": ({"records": {"p0": {"status": "RUNNING"}}}, invariants.FINAL_RECORD, 0),
    "given up": ({"given_up": {7: "HTTP 503"}}, invariants.FINAL_RECORD, 7),
    "one id for two": (
        {"accepted": {0: "p0", 1: "p0"}, "delivered": {0: [ANSWER], 1: [ANSWER]}}, invariants.FINAL_RECORD, 0,
    ),
    "a second pipeline for one request": (
        {
            "records": {
                **found().records,
                "p1": {"status": "SUCCEEDED", "user_message": "[[c-000000]]"},
            }
        }, invariants.NO_STRANGERS, 0,
    ),
    "an execution of nobody": (
        {"executions": [("p0", "SUCCEEDED"), ("p9", "SUCCEEDED")]}, invariants.NO_STRANGERS, None,
    ),
    "a question of nobody": ({"unasked": ["Hello?"]}, invariants.NO_STRANGERS, None),
    "never started": ({"executions": []}, invariants.STARTED_ONCE, 0),
    "a gap in the restarts": (
        {"executions": [("p0", "FAILED"), ("p0-restart-2", "SUCCEEDED")]}, invariants.STARTED_ONCE, 0,
    ),
    "still running": ({"executions": [("p0", "RUNNING")]}, invariants.NOTHING_RUNS, None),
    "visible": ({"queues": {"analyzer": (1, 0, 0)}}, invariants.EMPTY_QUEUES, None),
    "in flight": ({"queues": {"analyzer rule-dlq": (0, 1, 0)}}, invariants.EMPTY_QUEUES, None),
    "delayed": ({"queues": {"analyzer": (0, 0, 1)}}, invariants.EMPTY_QUEUES, None),
    "paid twice": ({"delivered": {0: [ANSWER, "Answer 2 to [[c-000000]]"]}}, invariants.PAID_ONCE, 0),
    "another's answer": ({"delivered": {0: ["Answer 9 to [[c-000000]]"]}}, invariants.OWN_ANSWER, 0),
    "an answer from nowhere": ({"delivered": {}}, invariants.OWN_ANSWER, 0),
    "an unreadable message that vanished": ({"rejected": []}, invariants.UNREADABLE, None),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "invariant", "pipeline"), BROKEN.values(), ids=BROKEN)
def test_each_invariant_can_be_broken(changes: dict[str, Any], invariant: str, pipeline: int | None) -> None:
    """What is wrong is named by its invariant, and by its pipeline where there is one."""
    broken = violations(found(**changes))
    assert (invariant, pipeline) in {(violation.invariant, violation.pipeline) for violation in broken}


def test_each_invariant_is_tried() -> None:
    """No invariant is left that no test breaks."""
    assert {invariant for _, invariant, _ in BROKEN.values()} == set(ALL)
    assert Violation(invariant=ALL[0], text="x").pipeline is None
