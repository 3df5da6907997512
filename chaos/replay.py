"""After the faults: what was parked is replayed as an operator would, and what nobody can read is archived."""

from collections import Counter
from collections.abc import Callable, Mapping

from operations.dlq.messages import Parked, violation
from operations.dlq.plan import Action
from operations.dlq.replay import Options, Replay, Result, Selection, archive, plan, select
from operations.target import Target

ROUNDS = 4
"""A replayed message may be parked again, e.g. one that tells of a run's end and was not in time. Not for ever."""
RATE = 100.0
WHO = "chaos"


def parked(target: Target) -> list[Parked]:
    """What is in all dead-letter queues; it stays there."""
    return select(target, Selection())


def replay_everything(target: Target, settle: Callable[[str], None]) -> Mapping[str, int]:
    """How many messages were handled in which way. `settle` waits until what was started is over."""
    done: Counter[str] = Counter()
    for number in range(1, ROUNDS + 1):
        planned = plan(target, parked(target))
        if all(item.decision.action is Action.LEAVE for item in planned):
            break
        results = list(Replay(target, who=WHO, options=Options(rate=RATE)).run(planned))
        done.update(_told(result) for result in results if result.action is not Action.LEAVE)
        settle(f"replay {number}")
    unreadable = [message for message in parked(target) if violation(message)]
    results = list(archive(target, unreadable, who=WHO, reason="nobody can read it"))
    done.update(f"{_told(result)} unreadable" for result in results)
    return dict(done)


def _told(result: Result) -> str:
    words = {Action.MOVE: "moved back", Action.RESTART: "restarted", Action.ARCHIVE: "archived"}
    return words.get(result.action, str(result.action)) if result.outcome == "done" else result.outcome
