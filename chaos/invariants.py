"""Pure: what must hold when a campaign is over, checked on what was found then."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from chaos.plan import number_in
from shared.contracts.executions import pipeline_of, restart_number
from shared.contracts.record import Record

FINAL_RECORD = "every accepted pipeline has one record, and it is SUCCEEDED"
NO_STRANGERS = "nothing ran that nobody asked for"
STARTED_ONCE = "every pipeline was started once, and restarted in order"
NOTHING_RUNS = "no execution is running"
EMPTY_QUEUES = "no queue holds a message, dead-letter queues included"
PAID_ONCE = "no answer was paid for twice"
OWN_ANSWER = "every caller has the answer that was delivered"
UNREADABLE = "what nobody can read was parked with its reason"
ALL = (
    FINAL_RECORD,
    NO_STRANGERS,
    STARTED_ONCE,
    NOTHING_RUNS,
    EMPTY_QUEUES,
    PAID_ONCE,
    OWN_ANSWER,
    UNREADABLE,
)


@dataclass(frozen=True, kw_only=True)
class Violation:
    """`pipeline` is the number of the one concerned, if it is one."""

    invariant: str
    text: str
    pipeline: int | None = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is there at the end.

    accepted    pipeline ids by number
    delivered   the model's answers by number
    records     all of PipelineLogs, by pipeline id
    executions  name and status
    queues      messages in each queue: visible, in flight, delayed
    unasked     questions the model got that no pipeline of the campaign asks
    given_up    requests that were never accepted, by number, and why
    unreadable  marks in the messages that nobody can read
    rejected    bodies of what was parked as breaking its contract
    """

    accepted: Mapping[int, str]
    delivered: Mapping[int, Sequence[str]]
    records: Mapping[str, Record]
    executions: Sequence[tuple[str, str]]
    queues: Mapping[str, tuple[int, int, int]]
    unasked: Sequence[str] = ()
    given_up: Mapping[int, str] = field(default_factory=dict)
    unreadable: Sequence[str] = ()
    rejected: Sequence[str] = ()


def violations(found: Found) -> list[Violation]:
    return [violation for check in _CHECKS for violation in check(found)]


def _final_records(found: Found) -> Iterator[Violation]:
    for number, pipeline_id in found.accepted.items():
        record = found.records.get(pipeline_id)
        if record is None:
            text = f"{pipeline_id} has no record"
        elif record.get("status") != "SUCCEEDED":
            text = f"{pipeline_id} is {record.get('status')} ({record.get('error')}, stage {record.get('stage')})"
        else:
            continue
        yield Violation(invariant=FINAL_RECORD, pipeline=number, text=text)
    for number, problem in found.given_up.items():
        yield Violation(invariant=FINAL_RECORD, pipeline=number, text=f"was never accepted: {problem}")
    ids = Counter(found.accepted.values())
    for number, pipeline_id in found.accepted.items():
        if ids[pipeline_id] > 1:
            yield Violation(
                invariant=FINAL_RECORD, pipeline=number, text=f"{pipeline_id} stands for several requests"
            )


def _strangers(found: Found) -> Iterator[Violation]:
    known = set(found.accepted.values())
    for pipeline_id, record in found.records.items():
        if pipeline_id not in known:
            yield Violation(
                invariant=NO_STRANGERS,
                pipeline=number_in(str(record.get("user_message"))),
                text=f"{pipeline_id} has a record ({record.get('status')}), but was never accepted",
            )
    for name, status in found.executions:
        if pipeline_of(name) not in known:
            yield Violation(invariant=NO_STRANGERS, text=f"execution {name} ({status}) is of no request")
    for question in found.unasked:
        yield Violation(invariant=NO_STRANGERS, text=f"the model was asked {question[:80]!r}")


def _started(found: Found) -> Iterator[Violation]:
    """Execution names are unique by themselves: what can go wrong is a gap, or no execution at all."""
    numbers: dict[str, list[int]] = {}
    for name, _ in found.executions:
        pipeline_id = pipeline_of(name)
        numbers.setdefault(pipeline_id, []).append(restart_number(name, pipeline_id))
    for number, pipeline_id in found.accepted.items():
        runs = sorted(numbers.get(pipeline_id, []))
        if runs != list(range(len(runs))) or not runs:
            yield Violation(
                invariant=STARTED_ONCE, pipeline=number, text=f"{pipeline_id} has the executions {runs}"
            )


def _running(found: Found) -> Iterator[Violation]:
    for name, status in found.executions:
        if status == "RUNNING":
            yield Violation(invariant=NOTHING_RUNS, text=f"execution {name} is running")


def _queues(found: Found) -> Iterator[Violation]:
    for name, (visible, in_flight, delayed) in found.queues.items():
        if visible or in_flight or delayed:
            text = f"{name} holds {visible} messages, {in_flight} in flight, {delayed} delayed"
            yield Violation(invariant=EMPTY_QUEUES, text=text)


def _paid(found: Found) -> Iterator[Violation]:
    for number, answers in found.delivered.items():
        if len(answers) > 1:
            text = f"{len(answers)} answers were delivered: {list(answers)}"
            yield Violation(invariant=PAID_ONCE, pipeline=number, text=text)


def _answers(found: Found) -> Iterator[Violation]:
    for number, pipeline_id in found.accepted.items():
        record = found.records.get(pipeline_id, Record())
        if record.get("status") != "SUCCEEDED":
            continue  # said already
        answers, response = found.delivered.get(number, ()), str(record.get("final_response"))
        if not any(answer in response for answer in answers):
            text = f"{pipeline_id} says {response[:80]!r}, delivered was {list(answers)}"
            yield Violation(invariant=OWN_ANSWER, pipeline=number, text=text)


def _unreadable(found: Found) -> Iterator[Violation]:
    parked = "\n".join(found.rejected)
    for mark in found.unreadable:
        if mark not in parked:
            yield Violation(
                invariant=UNREADABLE, text=f"the message marked {mark} is in no dead-letter queue"
            )


_CHECKS = (_final_records, _strangers, _started, _running, _queues, _paid, _answers, _unreadable)
