"""The end of a campaign: parked messages are replayed as an operator would do it, unreadable ones archived."""

from collections import Counter
from collections.abc import Callable, Mapping

from operations.dlq.messages import Parked, violation
from operations.dlq.plan import Action
from operations.dlq.replay import Options, Replay, Result, Selection, archive, plan, select
from operations.target import Target

ROUNDS = 4
"""Maximum number of replays. A replayed message may be parked again, e.g. one that reports a run's end too late."""
RATE = 100.0
WHO = "chaos"


def parked(target: Target) -> list[Parked]:
    """Return the messages in all DLQs, without removing them."""
    return select(target, Selection())


def replay_everything(target: Target, settle: Callable[[str], None]) -> Mapping[str, int]:
    """Replay all parked messages, archive the unreadable ones, and return their numbers by outcome.

    `settle` waits until the runs that a replay started have ended.
    """
    done: Counter[str] = Counter()
    for number in range(1, ROUNDS + 1):
        planned = plan(target, parked(target))
        if all(item.decision.action is Action.LEAVE for item in planned):
            break
        results = list(Replay(target, who=WHO, options=Options(rate=RATE)).run(planned))
        done.update(_label(result) for result in results if result.action is not Action.LEAVE)
        settle(f"replay {number}")
    unreadable = [message for message in parked(target) if violation(message)]
    results = list(archive(target, unreadable, who=WHO, reason="no service can read it"))
    done.update(f"{_label(result)} unreadable" for result in results)
    return dict(done)


def _label(result: Result) -> str:
    labels = {Action.MOVE: "moved back", Action.RESTART: "restarted", Action.ARCHIVE: "archived"}
    return labels.get(result.action, str(result.action)) if result.outcome == "done" else result.outcome
