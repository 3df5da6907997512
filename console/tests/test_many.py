"""Many messages: lines that are looked at, sent once as a job, stopped, continued, and saved."""

import json
import threading
from datetime import timedelta

import pytest

from console.models.many import batch_view
from console.tests import hostile
from console.tests.asking import Console, console_of
from console.tests.hostile import shape
from operations.asking import batch_jobs
from operations.asking.batch import BatchHaltedError, Outcome
from operations.errors import UnreachableError
from operations.tests.world import finish
from shared.tests.fakes import PATIENCE_SECONDS

LINES = '"What is a monad?"\r\n{"user_massage": "x"}\r\n\r\n"And in Python?"'


@pytest.fixture
def answered(api, records):
    """Let each request be answered at once."""

    def finished(request):
        key = request["headers"]["Idempotency-Key"]
        finish(records, f"p-{key[-12:]}", final_response=f"Answer to {request['body']['user_message']}")

    api.on_request = finished


def made(console: Console, lines: str = LINES) -> str:
    """Make a batch and return the path of its page."""
    answer = console.post("/ask/many/make", {"lines": lines, "via": "api"})
    assert answer.status == 303
    return answer.headers["location"]


def send(console: Console, path: str) -> None:
    assert console.post(f"{path}/run").status == 303
    console.desk.batches.join(int(path.rpartition("/")[2]))


def saved(console: Console, path: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in console.get(f"{path}/results").text.splitlines()]


def test_a_bad_line_costs_itself_only(console: Console, api, answered):
    """The lines are shown before anything is sent; the valid ones become runs, and all outcomes can be saved."""
    path = made(console)
    page = console.get(path).text
    assert api.requests == []
    for part in ("Send 2 messages", "no field `user_massage`", "1 line can&#39;t be sent"):
        assert part in page
    send(console, path)
    page = console.get(path).text
    assert "2 of 2 messages reached their end" in page
    assert sorted(api.messages) == ["And in Python?", "What is a monad?"]
    results = saved(console, path)
    assert [(one["line"], one["status"]) for one in results] == [
        (1, "SUCCEEDED"),
        (2, "INVALID"),
        (4, "SUCCEEDED"),
    ]
    assert results[2]["final_response"] == "Answer to And in Python?"
    assert "user_massage" in console.get(f"{path}?only=bad").text
    assert "Python?" not in console.get(f"{path}?only=bad").text


def test_a_plain_line_is_a_message(console: Console, api, answered):
    """A line that is no JSON is the text of a message; one that begins as JSON and is none is left out, in words."""
    path = made(console, '\ufeffWhat is a monad?\r\n  42 \r\n\r\n{"user_message": "x"\n"And in Python?"')
    page = console.get(path).text
    for part in ("Send 3 messages", "1 line can&#39;t be sent", "not valid JSON"):
        assert part in page, part
    send(console, path)
    assert sorted(api.messages) == ["42", "And in Python?", "What is a monad?"]


def test_a_batch_is_sent_once(console: Console, api, answered):
    """A second press sends nothing; the answers are not kept in the file of the job."""
    path = made(console)
    send(console, path)
    assert console.post(f"{path}/run").status == 303
    assert len(api.requests) == 2
    (file,) = (console.desk.state / "batches-local").glob("*.jsonl")
    assert "Answer to" not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_a_batch_is_stopped_and_continued(console: Console, api, records, answered, monkeypatch):
    """After a stop the rest can be planned again, with the same keys and without sending what has a run."""
    path = made(console)
    began, goes_on = threading.Event(), threading.Event()

    def halting(target, batch, stop):
        yield Outcome(line=1, status="ACCEPTED", input="d", batch=batch.name, pipeline_id="p-own")
        began.set()
        goes_on.wait(PATIENCE_SECONDS)
        assert stop.requested

    monkeypatch.setattr("console.pages.many.sent", halting)
    console.post(f"{path}/run")
    assert began.wait(PATIENCE_SECONDS)
    page = console_of(console.desk.environment.target(), state=console.desk.state).get(path).text
    assert "0 of 2 messages" in page  # another process, or a reload, sees the same
    other = made(console, '"other"')
    assert console.post(f"{other}/run").status == 409
    console.post(f"{path}/stop")
    goes_on.set()
    console.desk.batches.join(1)
    monkeypatch.undo()
    page = console.get(path).text
    assert "Plan the rest again" in page
    assert "Runs that were started go on" in page
    finish(records, "p-own", final_response="mine")
    rest = console.post("/ask/many/make", {"batch": "1"}).headers["location"]
    send(console, rest)
    assert api.messages == ["And in Python?"]
    assert [one.get("final_response") for one in saved(console, rest)] == [
        "mine", None, "Answer to And in Python?"
    ]  # fmt: skip
    assert "Plan the rest again" not in console.get(rest).text


@pytest.mark.parametrize(
    ("ends", "word"),
    [(("FAILED", "FAILED"), "none succeeded"), (("FAILED", "SUCCEEDED"), "done in part")],
)
def test_a_batch_none_of_whose_runs_succeeded_says_so(console: Console, monkeypatch, ends, word):
    """A batch is done in part only if some of its runs succeeded."""

    def ended(target, batch, stop):
        for number, status in zip((1, 4), ends, strict=True):
            yield Outcome(line=number, status=status, input="d", batch=batch.name, pipeline_id=f"p-{number}")

    monkeypatch.setattr("console.pages.many.sent", ended)
    path = made(console)
    send(console, path)
    assert word in console.get(path).text


def test_what_halts_a_batch_is_said(console: Console, monkeypatch):
    """If nothing more can be sent, the batch has failed with the reason, and its rest can be planned again."""

    def down(*_):
        raise BatchHaltedError(UnreachableError("The engine does not run."))
        yield

    monkeypatch.setattr("console.pages.many.sent", down)
    path = made(console)
    send(console, path)
    page = console.get(path).text
    assert "The batch was stopped. The engine does not run." in page
    assert "Plan the rest again" in page


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("", "no messages"),
        ("\r\n \r\n", "no messages"),
        ('"nope', "No line can be sent"),
        ('"x"\n' * 5_001, "5,000"),
    ],
)
def test_what_can_not_be_a_batch_is_refused(console: Console, lines, says):
    """A text without a line that can be sent, or with too many, makes no batch and stays in its field."""
    answer = console.post("/ask/many/make", {"lines": lines})
    assert answer.status == 400
    assert says in answer.text
    assert console.desk.batches.latest() == []


def test_a_batch_needs_an_unlocked_environment(nowhere, tmp_path):
    """On AWS a batch can be looked at, and is not sent, while the environment is locked."""
    console = console_of(nowhere, "prod", state=tmp_path)
    path = made(console)
    assert "locked" in console.get(path).text
    assert console.post(f"{path}/run").status == 403
    assert console.desk.batches.read(1).state == "made"


def test_other_numbers_are_no_batch(console: Console):
    """An address without a batch says so."""
    assert [console.get(f"/ask/many/{text}").status for text in ("7", "x", "9" * 30)] == [404] * 3
    assert console.post("/ask/many/make", {"batch": "7"}).status == 404


def test_hostile_lines_change_no_page(console: Console):
    """A line with HTML is text on the pages of its batch."""
    pages = []
    for text in (hostile.BENIGN, *hostile.STRINGS):
        path = made(console, json.dumps(text) + "\n" + json.dumps({text: 1}))
        pages.append(shape(console.get(path).text))
        refused = console.post("/ask/many/make", {"lines": f"[{text}"})
        assert refused.status == 400
        assert "<script>" not in refused.text.partition("<main")[2]
    assert all(page == pages[0] for page in pages)


def test_time_left_is_derived_from_what_is_done(console: Console, monkeypatch):
    """The time that is left is told once enough lines have reached their ends."""
    path = made(console, "\n".join(f'"m{number}"' for number in range(12)))
    done, goes_on = threading.Event(), threading.Event()

    def slow(target, batch, stop):
        for number in range(1, 5):
            yield Outcome(
                line=number, status="SUCCEEDED", input="d", batch=batch.name, pipeline_id=f"p{number}"
            )
        done.set()
        goes_on.wait(PATIENCE_SECONDS)

    monkeypatch.setattr("console.pages.many.sent", slow)
    console.post(f"{path}/run")
    assert done.wait(PATIENCE_SECONDS)
    job = console.desk.batches.read(1)
    assert job.started_at
    assert batch_view(job, 0, job.started_at + timedelta(seconds=30)).time_left == "1 min 0 s"
    goes_on.set()
    console.desk.batches.join(1)


def test_the_results_of_many_runs_are_read_in_parts(target, records):
    """Results with more runs than one read takes are complete; a run whose record is gone has no answer."""
    outcomes = [
        Outcome(line=number, status="SUCCEEDED", input="d", batch="b", pipeline_id=f"p{number}")
        for number in range(1, 104)
    ]
    for number in (1, 103):
        finish(records, f"p{number}", final_response=f"a{number}")
    answers = [one.final_response for one in batch_jobs.results(target, outcomes)]
    assert (len(answers), answers[0], answers[1], answers[102]) == (103, "a1", None, "a103")
