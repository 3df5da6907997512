"""Pure: the invariants that must hold when a campaign has ended, checked on the final state."""

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
    """A broken invariant. `pipeline` is the number of the run that broke it, if it was a single run."""

    invariant: str
    text: str
    pipeline: int | None = None


@dataclass(frozen=True, kw_only=True)
class FinalState:
    """The state of the deployment at the end of a campaign.

    accepted    pipeline ids by number
    delivered   the model's answers by number
    records     all records of PipelineLogs, by pipeline id
    executions  name and status of each execution
    queues      messages in each queue: visible, in flight, delayed
    unasked     questions to the model that no run of the campaign asks
    given_up    the reasons why requests were never accepted, by number
    unreadable  marks in the messages that no service can read
    rejected    bodies of the messages that were parked because they break their contract
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


def violations(state: FinalState) -> list[Violation]:
    return [violation for check in _CHECKS for violation in check(state)]


def _final_records(state: FinalState) -> Iterator[Violation]:
    for number, pipeline_id in state.accepted.items():
        record = state.records.get(pipeline_id)
        if record is None:
            text = f"{pipeline_id} has no record"
        elif record.get("status") != "SUCCEEDED":
            text = f"{pipeline_id} is {record.get('status')} ({record.get('error')}, stage {record.get('stage')})"
        else:
            continue
        yield Violation(invariant=FINAL_RECORD, pipeline=number, text=text)
    for number, problem in state.given_up.items():
        yield Violation(
            invariant=FINAL_RECORD, pipeline=number, text=f"the request was never accepted: {problem}"
        )
    ids = Counter(state.accepted.values())
    for number, pipeline_id in state.accepted.items():
        if ids[pipeline_id] > 1:
            yield Violation(
                invariant=FINAL_RECORD, pipeline=number, text=f"{pipeline_id} is the id of several requests"
            )


def _strangers(state: FinalState) -> Iterator[Violation]:
    known = set(state.accepted.values())
    for pipeline_id, record in state.records.items():
        if pipeline_id not in known:
            yield Violation(
                invariant=NO_STRANGERS,
                pipeline=number_in(str(record.get("user_message"))),
                text=f"{pipeline_id} has a record ({record.get('status')}), but was never accepted",
            )
    for name, status in state.executions:
        if pipeline_of(name) not in known:
            yield Violation(invariant=NO_STRANGERS, text=f"execution {name} ({status}) belongs to no request")
    for question in state.unasked:
        yield Violation(
            invariant=NO_STRANGERS,
            text=f"the model was asked a question that no pipeline asks: {question[:80]!r}",
        )


def _started(state: FinalState) -> Iterator[Violation]:
    """Find runs without an execution or with a gap between restarts. Names are unique: none can be started twice."""
    numbers: dict[str, list[int]] = {}
    for name, _ in state.executions:
        pipeline_id = pipeline_of(name)
        numbers.setdefault(pipeline_id, []).append(restart_number(name, pipeline_id))
    for number, pipeline_id in state.accepted.items():
        runs = sorted(numbers.get(pipeline_id, []))
        if runs != list(range(len(runs))) or not runs:
            yield Violation(
                invariant=STARTED_ONCE,
                pipeline=number,
                text=f"{pipeline_id} has the executions numbered {runs}",
            )


def _running(state: FinalState) -> Iterator[Violation]:
    for name, status in state.executions:
        if status == "RUNNING":
            yield Violation(invariant=NOTHING_RUNS, text=f"execution {name} is running")


def _queues(state: FinalState) -> Iterator[Violation]:
    for name, (visible, in_flight, delayed) in state.queues.items():
        if visible or in_flight or delayed:
            text = f"{name} holds {visible} messages, {in_flight} in flight, {delayed} delayed"
            yield Violation(invariant=EMPTY_QUEUES, text=text)


def _paid(state: FinalState) -> Iterator[Violation]:
    for number, answers in state.delivered.items():
        if len(answers) > 1:
            text = f"{len(answers)} answers were delivered: {list(answers)}"
            yield Violation(invariant=PAID_ONCE, pipeline=number, text=text)


def _answers(state: FinalState) -> Iterator[Violation]:
    for number, pipeline_id in state.accepted.items():
        record = state.records.get(pipeline_id, Record())
        if record.get("status") != "SUCCEEDED":
            continue  # reported by _final_records
        answers, response = state.delivered.get(number, ()), str(record.get("final_response"))
        if not any(answer in response for answer in answers):
            text = f"{pipeline_id} has the answer {response[:80]!r}, but the model delivered {list(answers)}"
            yield Violation(invariant=OWN_ANSWER, pipeline=number, text=text)


def _unreadable(state: FinalState) -> Iterator[Violation]:
    parked = "\n".join(state.rejected)
    for mark in state.unreadable:
        if mark not in parked:
            yield Violation(
                invariant=UNREADABLE,
                text=f"the message marked {mark} was not parked for breaking its contract",
            )


_CHECKS = (_final_records, _strangers, _started, _running, _queues, _paid, _answers, _unreadable)
