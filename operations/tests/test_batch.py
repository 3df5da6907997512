import pytest

from operations.asking.batch import BatchHaltedError, Outcome, Plan, read_lines, run_batch
from operations.errors import InvalidInputError, UnreachableError
from operations.stop import Stop
from operations.tests.world import finish
from shared.tests.fakes import PATIENCE_SECONDS

pytestmark = pytest.mark.slow


def lines(*texts: str, via="api"):
    return list(read_lines(texts, via=via))


def run(target, texts, *, stop=None, **plan):
    options = {"name": "batch", **plan}
    return list(run_batch(target, lines(*texts), Plan(**options), stop=stop, pause=lambda _: None))


def test_lines_are_strings_or_objects():
    """A line may be a string or an object; empty lines and a byte order mark are ignored, and line numbers are the
    file's.
    """
    parsed = lines('\ufeff"one"', "", '{"user_message": "two", "idempotency_key": "k"}')
    assert [(line.number, line.request.user_message) for line in parsed if line.request] == [
        (1, "one"),
        (3, "two"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nope", "not valid JSON"),
        ("5", "Expected"),
        ("{}", "user_message"),
        ('{"user_massage": "x"}', "no field `user_massage`"),
        ('""', "blank"),
        ('{"user_message": "x", "pipeline_id": "a"}', "--via bus"),
        ('{"user_message": "x", "pipeline_id": "a b"}', "pattern|matching"),
        ('"\\ud800"', "lone surrogate"),
        ('"a\\uffff"', "U+FFFF"),
        ('{"user_message": "x", "idempotency_key": "k\\n"}', "visible ASCII"),
        ('{"user_message": "x", "idempotency_key": "sch\\u00fc"}', "visible ASCII"),
        ('{"user_message": "x", "idempotency_key": "k\\ud83d"}', "visible ASCII"),
        ('{"user_message": "x", "idempotency_key": ""}', "visible ASCII"),
        ('{"user_message": "x", "idempotency_key": "' + "k" * 256 + '"}', "visible ASCII"),
        ('{"user_message": "x", "n": ' + "9" * 5_000 + "}", "not valid JSON"),
        ("[" * 100_000 + "]" * 100_000, "not valid JSON"),
    ],
)
def test_a_bad_line_says_what_is_wrong(text, says):
    """Each kind of bad line gets its own error text."""
    (line,) = lines(text)
    assert line.request is None
    assert line.problem
    assert any(part in line.problem for part in says.split("|")), line.problem


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_is_said(encoding):
    """A file in UTF-16, as some shells write it, is refused as a whole with its encoding."""
    content = '\ufeff"one"\n"two"\n'.encode(encoding)
    with pytest.raises(InvalidInputError, match="UTF-16"):
        list(read_lines(content.splitlines(keepends=True), via="api"))


@pytest.mark.parametrize("field", ["idempotency_key", "pipeline_id"])
def test_a_bad_key_costs_only_its_own_line(field):
    """A key or id with a line break is invalid via the bus, too, and all other lines are sent."""
    (bad, good) = lines(f'{{"user_message": "x", "{field}": "k\\n"}}', '"y"', via="bus")
    assert bad.problem
    assert good.request


def test_every_line_has_one_outcome(target, api):
    """Every line has exactly one outcome: valid lines are accepted, and invalid ones are not sent."""
    outcomes = run(target, [f'"m{number}"' for number in range(30)] + ["bad"])
    assert sorted(outcome.line for outcome in outcomes) == list(range(1, 32))
    assert sorted(api.messages) == sorted(f"m{number}" for number in range(30))
    assert [outcome.line for outcome in outcomes if outcome.status == "INVALID"] == [31]


def test_never_more_at_a_time_than_allowed(target, api):
    """No more requests run at the same time than `concurrency` allows."""
    import threading  # noqa: PLC0415 -- this test's own

    meeting = threading.Barrier(3)
    inside, most, lock = 0, 0, threading.Lock()

    def hold(*given):
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        meeting.wait(PATIENCE_SECONDS)  # three at once, or the test fails here
        with lock:
            inside -= 1
        return original(*given)

    original = api.answer
    api.answer = hold
    run(target, [f'"m{number}"' for number in range(9)], concurrency=3)
    assert most == 3


def test_followed_lines_end_with_their_answers(target, api, records):
    """With `follow`, every accepted line gets a second outcome, which holds its answer."""
    api.on_request = lambda request: finish(records, f"p-{request['headers']['Idempotency-Key'][-12:]}")
    outcomes = run(target, ['"a"', '"b"'], follow=True)
    finals = [outcome for outcome in outcomes if outcome.finished]
    assert len(outcomes) == 4
    assert {outcome.final_response for outcome in finals} == {
        f"An answer for {outcome.pipeline_id}." for outcome in finals
    }


def test_a_failed_pipeline_says_why(target, api, records):
    """The outcome of a failed run has the run's error and cause."""
    api.on_request = lambda request: finish(
        records, f"p-{request['headers']['Idempotency-Key'][-12:]}", status="FAILED"
    )
    final = run(target, ['"a"'], follow=True)[-1]
    assert (final.status, final.error) == ("FAILED", "Pipeline.Permanent: the model said no")


def test_a_repeated_batch_uses_the_same_keys(target, api):
    """Submitting the same line of the same batch again never starts a second run."""
    first = run(target, ['"a"', '"b"'], name="n")
    second = run(target, ['"a"', '"b"'], name="n")
    assert {outcome.pipeline_id for outcome in first} == {outcome.pipeline_id for outcome in second}


def test_known_pipelines_are_only_followed(target, api, records):
    """A line that an earlier submission got accepted is followed and not sent again."""
    finish(records, "known")
    outcomes = run(target, ['"a"'], follow=True, known={1: "known"})
    assert api.requests == []
    assert [(outcome.line, outcome.status) for outcome in outcomes] == [(1, "SUCCEEDED")]


def test_a_known_pipeline_that_is_lost_is_sent_again(target, api, records):
    """A known run without a record, because its engine was removed, is submitted again under the same key."""
    api.on_request = lambda request: finish(records, f"p-{request['headers']['Idempotency-Key'][-12:]}")
    outcomes = run(target, ['"a"'], follow=True, known={1: "lost"})
    assert [outcome.status for outcome in outcomes] == ["ACCEPTED", "SUCCEEDED"]
    assert api.requests[0]["headers"]["Idempotency-Key"] == "batch-1"


def test_asked_to_stop_it_finishes_what_is_under_way(target, api):
    """A stopped batch reports every line that it has sent, and sends no more."""
    stop = Stop()
    api.on_request = lambda _: setattr(stop, "requested", True)
    outcomes = run(target, [f'"m{number}"' for number in range(50)], stop=stop, concurrency=2)
    assert len(outcomes) == len(api.requests) <= 4
    assert all(outcome.pipeline_id for outcome in outcomes)


def test_a_dead_end_halts_the_batch(target, api):
    """When the caller is denied access, the batch halts and the remaining lines are not sent."""
    api.answers = [(403, {"error": {"code": "c", "message": "No."}})] * 50
    texts = [f'"m{number}"' for number in range(50)]
    outcomes = run_batch(target, lines(*texts), Plan(name="n", concurrency=2))
    reported: list[Outcome] = []
    with pytest.raises(BatchHaltedError, match="No"):
        reported.extend(outcomes)
    assert {outcome.status for outcome in reported} == {"REFUSED"}
    assert len(reported) == len(api.requests) <= 4


def test_an_engine_that_goes_away_ends_the_batch_with_its_outcomes(target, api, monkeypatch):
    """When the engine becomes unreachable, the batch reports the lines accepted until then and the reason for its
    end.
    """

    def gone(*_args, **_options):
        raise UnreachableError("gone")

    monkeypatch.setattr("operations.asking.batch.read_records", gone)
    reported: list[Outcome] = []
    with pytest.raises(BatchHaltedError, match="gone"):
        reported.extend(run_batch(target, lines('"a"'), Plan(name="n", follow=True)))
    assert [outcome.status for outcome in reported] == ["ACCEPTED"]


def test_following_gives_up_without_news(target, api):
    """A batch stops following a run that never ends."""
    outcomes = run(target, ['"a"'], follow=True, patience_seconds=0.05)
    assert [outcome.status for outcome in outcomes] == ["ACCEPTED"]


def test_via_the_bus_ten_at_a_time(target, records):
    """On the bus, lines are published in chunks, and each outcome has the id that its line was published under."""
    texts = [f'{{"user_message": "m{n}", "pipeline_id": "p{n}"}}' for n in range(23)]
    plan = Plan(name="n", via="bus", concurrency=2)
    outcomes = list(run_batch(target, lines(*texts, via="bus"), plan))
    assert {outcome.line: outcome.pipeline_id for outcome in outcomes} == {n + 1: f"p{n}" for n in range(23)}


def test_the_answer_to_another_message_is_no_answer(target, records):
    """A line whose id was used for another message is refused via the bus, and does not get that message's answer."""
    records.accept("p-1", user_message="a", accepted_at="2026-11-22T10:00:00.000Z")
    finish(records, "p-1")
    texts = [f'{{"user_message": "{text}", "pipeline_id": "p-1"}}' for text in "aba"]
    outcomes = list(run_batch(target, lines(*texts, via="bus"), Plan(name="n", via="bus", follow=True)))
    finals = {outcome.line: outcome for outcome in outcomes if outcome.finished}
    assert {line: outcome.status for line, outcome in finals.items()} == {
        1: "SUCCEEDED",
        2: "REFUSED",
        3: "SUCCEEDED",
    }
    assert finals[2].final_response is None
    assert "another message" in (finals[2].error or "")
