"""Each invariant can be broken, and the violation names the pipeline."""

from typing import Any

import pytest

from chaos import invariants
from chaos.invariants import ALL, FinalState, Violation, violations

ANSWER = "Answer 1 to [[c-000000]]"


def final_state(**changes: Any) -> FinalState:
    """Return the final state of a campaign with one flawless pipeline, with `changes` applied."""
    whole: dict[str, Any] = {
        "accepted": {0: "p0"},
        "delivered": {0: [ANSWER]},
        "records": {"p0": {"status": "SUCCEEDED", "final_response": f"{ANSWER}\n\n_A note._"}},
        "executions": [("p0", "SUCCEEDED")],
        "queues": {"analyzer": (0, 0, 0), "analyzer dlq": (0, 0, 0)},
        "unreadable": ["u-000000"],
        "rejected": ['["u-000000"]'],
    }
    return FinalState(**{**whole, **changes})


def test_a_whole_campaign() -> None:
    """A flawless campaign has no violations."""
    assert violations(final_state()) == []


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
                **final_state().records,
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
    """A violation names its invariant, and its pipeline if it concerns one."""
    broken = violations(final_state(**changes))
    assert (invariant, pipeline) in {(violation.invariant, violation.pipeline) for violation in broken}


def test_each_invariant_is_tried() -> None:
    """For each invariant there is a test that breaks it."""
    assert {invariant for _, invariant, _ in BROKEN.values()} == set(ALL)
    assert Violation(invariant=ALL[0], text="x").pipeline is None
