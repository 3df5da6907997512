"""The pages, over runs that are honest, hostile, half there or gone."""

import json
import os
import re
from collections.abc import Callable
from typing import Any

import pytest

from console.models import events, health, plan_lines, plans, words
from console.tests import hostile
from console.tests.asking import Console, console_of
from console.tests.hostile import TOKEN, shape
from console.tests.world import add_run
from operations.runs import journey
from operations.tests.histories import METER, Story
from operations.tests.world import TABLE, client
from shared.tests.fakes import client_error

TABS = ("timeline", "data", "events", "cost", "logs")
PAGES = (
    "/runs",
    *(f"/runs/p?tab={tab}" for tab in TABS),
    "/runs/q",
    "/compare?a=p&b=q",
    "/compare?b=q",
    "/ask?again=p",
    "/ask?after=p",
    "/costs",
    "/asked/p",
    "/asked/q",
    "/find?q=nothing%22%3E%3Cb%3E",
)


def refused(code: str) -> Callable[..., Any]:
    """Return a call that AWS refuses."""

    def call(**options: Any) -> Any:
        raise client_error(code, "BatchGetItem" if "RequestItems" in options else "ListExecutions")

    return call


@pytest.fixture
def failed(machine, records):
    """Add a run that failed at its second stage, after a retry."""
    story = (
        Story()
        .done("AnalyzeInput")
        .enter("CallExistingChatbot")
        .ask()
        .fail("A", "first")
        .ask()
        .fail("B", "last")
    )
    story.add("ExecutionFailed", executionFailedEventDetails={"error": "B", "cause": "last"})
    add_run(machine, records, "p", "FAILED", story, error="B", cause="last", stage="chat")


def test_the_list_shows_runs_with_links(console: Console, machine, records):
    """The list has a row for each run, with a link to it, its status, cost and message."""
    add_run(machine, records, "p", cost={"nano_usd": 162_384})
    add_run(machine, records, "going", "RUNNING")
    text = console.get("/runs").text
    for part in ('href="/runs/p"', "succeeded", "$0.0001624", "What is a monad?", "running", "not yet"):
        assert part in text
    assert "pipeline list" in text


def test_an_empty_list_says_how_to_begin(console: Console, machine):
    """Without runs, the list says how to make one; with a filter, that none fits."""
    assert "pipeline submit --wait" in console.get("/runs").text
    assert "No run fits" in console.get("/runs?status=FAILED").text


def test_filters_are_in_the_address_and_survive_paging(console: Console, machine, records):
    """A filter stays in the address of the next page; an unknown one is refused in words."""
    for number in range(60):
        machine.add(f"p-{number}", "FAILED")
    text = console.get("/runs?status=FAILED").text
    assert "/runs?status=FAILED&amp;cursor=50" in text
    older = console.get("/runs?status=FAILED&cursor=50").text
    assert older.count("data-row") == 10
    assert console.get("/runs?status=BROKEN").status == 400
    assert console.get("/runs?since=forever").status == 400


def test_a_failed_run_says_where_why_and_what_next(console: Console, failed):
    """The page of a failed run has a row for each try with its error, and the command that retries it."""
    text = console.get("/runs/p").text
    for part in ("failed at stage chat", "try 1", "try 2", "A: first", "B: last", "dlq replay --pipeline p"):
        assert part in text


def test_the_wait_for_the_start_is_told_apart(console: Console, machine, records):
    """The first row divides the time before the first stage: until the run started, and from there to the stage."""
    add_run(machine, records, "p", started_at="2026-11-22T10:00:00.004Z", story=Story().done("AnalyzeInput"))
    text = console.get("/runs/p").text
    for part in ("waiting 4 ms, retries and hops 6 ms", "it waited 4 ms until it started"):
        assert part in text, part


def test_a_redrive_is_a_band_of_the_timeline(console: Console, machine, records):
    """The time between a failure and its redrive is a row of its own, and the scale tells when the run started."""
    story = Story().enter("AnalyzeInput").ask().fail("A", "first")
    story.add("ExecutionFailed", executionFailedEventDetails={"error": "A", "cause": "first"})
    story.add("ExecutionRedriven", executionRedrivenEventDetails={"redriveCount": 1})
    story.ask().succeed({"data": {}, "meter": {}}).leave()
    add_run(machine, records, "p", "SUCCEEDED", story)
    text = console.get("/runs/p").text
    for part in (
        "redrive 1",
        "after a redrive",
        "until it went on",
        "it waited 100 ms until it started, and took 212",
    ):
        assert part in text, part


def test_a_reader_is_told_what_became_of_the_answer(console: Console, machine, records):
    """A run's page says that an answer was cut or blocked, which models failed before, and what a cache gave."""
    failed = {"model_id": "model-a", "reason": "ThrottlingException"}
    chat = {"model_id": "model-b", "stop_reason": "max_tokens", "truncated": True, "instead_of": [failed]}
    tokens = {"input_tokens": 3, "cache_read_tokens": 4_000, "cache_write_tokens": 20, "output_tokens": 5}
    add_run(machine, records, "p", chat=chat, stages={"chat": {**METER, **tokens}})
    text = console.get("/runs/p").text
    for part in (
        "model-a did not answer: ThrottlingException",
        "model-b answered in its place",
        "The answer was cut (max_tokens)",
        "4,023 in (4,000 read from the cache, 20 written to it), 5 out",
    ):
        assert part in text, part
    add_run(machine, records, "q", chat={**chat, "truncated": False, "blocked": True, "instead_of": "broken"})
    other = console.get("/runs/q").text
    assert "The answer was blocked (max_tokens)" in other
    assert "did not answer" not in other


def test_a_ticket_has_no_message(console: Console, failed, records):
    """The text for a ticket names the run, its fault and the command, and quotes neither message nor answer."""
    text = console.get("/runs/p").text.partition('id="ticket"')[2].partition("</pre>")[0]
    for part in (
        "run: p",
        "failed at chat: B: last",
        "pipeline show p",
        "accepted: 2026-11-22T10:00:00.000Z",
    ):
        assert part in text, part
    assert "Hm?" not in text


def test_a_run_on_aws_leads_to_its_execution(machine, records, target):
    """On AWS a run's page leads to its execution in AWS's console; a local one, and a strange address, do not."""
    add_run(machine, records, "p", execution_arn=target.addresses.execution_arn("p"))
    add_run(machine, records, "q", execution_arn="javascript:alert(1)")
    assert "console.aws.amazon.com/states" in console_of(target, "prod").get("/runs/p").text
    assert "console.aws.amazon.com" not in console_of(target, "prod").get("/runs/q").text
    assert "console.aws.amazon.com" not in console_of(target).get("/runs/p").text


def test_every_mark_is_drawn():
    """Every status of a run, stage and plan has a mark that is drawn, whatever fonts a browser has."""
    known = [
        *words.RUNS.values(),
        *words.STAGES.values(),
        *plans.STATES.values(),
        *plan_lines.OUTCOMES.values(),
        *events.STATES.values(),
        events.BREAKS,
    ]
    known += [
        words.of_run("new"),
        words.of_stage("new"),
        words.DEGRADED,
        health.HELD,
        health.FAULT,
        health.WARNING,
    ]
    assert {one.mark for one in known} <= set(words.MARKS)


def test_only_failures_are_shown_on_request(console: Console, failed):
    """The events of a run can be narrowed to its failures."""
    assert "TaskSucceeded" in console.get("/runs/p?tab=events").text
    only = console.get("/runs/p?tab=events&only=failures").text
    assert "TaskFailed" in only
    assert "TaskSucceeded" not in only


def test_a_stage_that_this_release_lacks_is_on_the_pages(console: Console, machine, records):
    """A run that passed a stage which was removed since has its row, its result and its part of the comparison."""
    stages = {"chat": METER, "weighing": {**METER, "work_ms": 77}}
    add_run(machine, records, "p", stages=stages, weighing={"unit": "pound"})
    assert "weighing" in console.get("/runs/p").text
    assert "pound" in console.get("/runs/p?tab=data").text
    assert console.get("/runs/p?tab=cost").status == 200
    add_run(machine, records, "q")
    assert "weighing.unit" in console.get("/compare?a=p&b=q").text


def test_a_run_without_history_is_shown_by_its_record(console: Console, machine, records):
    """A run whose history has expired has its waterfall and answer from the record: a row for each of its meters."""
    add_run(machine, records, "p", stages=dict.fromkeys(("analysis", "chat", "enhancement"), METER))
    machine.histories.clear()
    text = console.get("/runs/p").text
    assert "no history" in text
    assert text.count('role="rowheader"') == 4


def test_logs_are_read_on_request_only(console: Console, machine, records, monkeypatch):
    """Opening the logs' page reads no log; the button does."""
    from console.pages import run  # noqa: PLC0415

    add_run(machine, records, "p")
    monkeypatch.setattr(run, "read_logs", lambda *_: pytest.fail("read without being asked"))
    assert "Read the logs" in console.get("/runs/p?tab=logs").text


def test_the_cost_is_shown_line_by_line(console: Console, machine, records, target):
    """The page of costs has the ledger's lines; an open run says when its cost is known."""
    add_run(machine, records, "p", execution_arn=target.addresses.execution_arn("p"))
    add_run(machine, records, "old")
    text = console.get("/runs/p?tab=cost").text
    assert re.search(r"transition into AnalyzeInput</td><td[^>]*>1 transition</td>", text)
    assert re.search(r"log of analyzer</td><td[^>]*>0\.00000\d+ GB</td>", text)
    old = console.get("/runs/old?tab=cost")
    assert (old.status, "before runs were metered" in old.text) == (200, True)
    add_run(machine, records, "going", "RUNNING")
    assert "known when the run has finished" in console.get("/runs/going?tab=cost").text


def test_a_restarted_run_leads_to_its_executions(console: Console, machine, records, target):
    """A restarted run has links to its earlier executions, whose waterfalls can be seen."""
    arn = target.addresses.execution_arn("p-restart-1")
    machine.add("p-restart-1", "SUCCEEDED", Story().done("AnalyzeInput").events)
    add_run(machine, records, "p", execution_arn=arn)
    machine.histories["p"] = Story().enter("AnalyzeInput").ask().fail("Earlier").events
    assert "/runs/p?execution=p" in console.get("/runs/p").text
    assert "Earlier" in console.get("/runs/p?execution=p").text
    assert "Earlier" not in console.get("/runs/p?execution=someone-else").text


def test_an_unknown_run_is_not_found(console: Console, machine):
    """An unknown run's page is a 404 that says so, and JSON if that is asked for."""
    answer = console.get("/runs/nobody")
    assert (answer.status, "There is no run" in answer.text) == (404, True)
    assert json.loads(console.get("/runs/nobody?format=json").body)["error"] == "Not found"


def test_pages_as_json_are_what_the_command_prints(console: Console, failed):
    """A page's JSON is the operation's own value."""
    assert json.loads(console.get("/runs/p?format=json").body)["failed_stage"] == "chat"
    assert json.loads(console.get("/runs?format=json").body)["rows"][0]["error"] == "B"


def test_the_latest_run_is_found(console: Console, machine, records):
    """The address of the latest run leads to it; without runs, to the list."""
    assert console.get("/latest").headers["location"] == "/runs"
    add_run(machine, records, "p")
    add_run(machine, records, "older")
    assert console.get("/latest").headers["location"] == "/runs/p"


def test_a_search_leads_to_the_run(console: Console, failed):
    """The search leads straight to a run by its id, and says what was searched for an unknown one."""
    assert console.get("/find?q=+p+").headers["location"] == "/runs/p"
    assert console.get("/find?q=").headers["location"] == "/runs"
    assert console.get("/find?q=what%20is%20this").status == 400


def test_one_search_runs_at_a_time(console: Console, machine):
    """A second search, which would read queues and logs as well, is told to come back."""
    with console.desk.searching:
        assert console.get("/find?q=nobody").status == 429


def test_an_environment_that_is_down_says_what_to_do():
    """Without an engine every page says so, and how to start it."""
    console = console_of(None)
    for path in ("/runs", "/runs/p", "/find?q=p"):
        answer = console.get(path)
        assert (answer.status, "pipeline up" in answer.text) == (503, True)
        assert "data-again" in answer.text
    form = console.post("/ask/send", {"message": "Why?", "key": "console-1234567890"})
    assert (form.status, "data-again" in form.text, "Why?" in form.text) == (502, False, True)


def test_a_new_engine_explains_lost_runs(console: Console, machine):
    """After the engine was restarted, a run that is gone is explained by that."""
    assert "engine was restarted" not in console.get("/runs").text
    console.desk.environment.restarts = 1
    for path in ("/runs/gone", "/runs"):
        assert "engine was restarted" in console.get(path).text


def test_without_permission_the_rest_of_the_list_stays(console: Console, machine, records, monkeypatch):
    """Whoever may not read the records sees the runs, and which permission lacks; a search in records is refused."""
    add_run(machine, records, "p")
    target = console.desk.environment.target()
    monkeypatch.setattr(target.client("dynamodb"), "batch_get_item", refused("AccessDeniedException"))
    text = console.get("/runs").text
    for part in ('href="/runs/p"', "do not allow BatchGetItem", "succeeded"):
        assert part in text, part
    assert console.get("/runs?degraded=1").status == 403


def test_expired_credentials_are_taken_anew(machine, records, target, monkeypatch):
    """Credentials that AWS does not accept any more lead to the login; the next request takes the new ones."""
    console = console_of(target, "prod")
    forgotten = []
    monkeypatch.setattr(type(console.desk.environment), "forget", lambda _: forgotten.append(True))
    monkeypatch.setattr(machine, "list_executions", refused("ExpiredTokenException"))
    for path in ("/runs", "/"):
        answer = console.get(path)
        assert (answer.status, "Log in again" in answer.text, "aws sso login" in answer.text) == (
            503,
            True,
            True,
        )
    assert forgotten == [True, True]


def test_what_may_not_be_looked_at_is_not_called_unreachable(console: Console, machine, monkeypatch):
    """The first page of somebody without permission says so, and which call was refused."""
    monkeypatch.setattr(machine, "list_executions", refused("AccessDeniedException"))
    answer = console.get("/")
    assert (answer.status, "do not allow ListExecutions" in answer.text) == (403, True)


def test_a_mistake_of_the_console_is_a_page(console: Console, monkeypatch):
    """An error of the console itself is a page that says so and shows none of it; the terminal has it."""
    from console.pages import runs  # noqa: PLC0415

    def broken(*_args, **_options):
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(runs, "runs_page", broken)
    with pytest.raises(ZeroDivisionError):
        console.get("/runs")


@pytest.fixture
def put(machine, records):
    """Return a function that replaces all runs by a success `p` and a failure `q` that consist of one text."""

    def replace(text: str) -> None:
        machine.executions.clear()
        for name, status, fields in (("p", "SUCCEEDED", hostile.record), ("q", "FAILED", hostile.failure)):
            client("dynamodb").delete_item(TableName=TABLE, Key={"pipeline_id": {"S": name}})
            add_run(machine, records, name, status, hostile.story(text), **fields(text))
        said = [{"role": role, "text": f'{text} "task_token": "{TOKEN}"'} for role in ("user", "assistant")]
        machine.inputs["p"] = json.dumps({"request": {"user_message": text, "history": said}})

    return replace


def test_hostile_texts_change_no_page(console: Console, put):
    """A hostile string in every field leaves every page with the elements and attributes that a plain text has."""
    put(hostile.BENIGN)
    plain = {path: shape(console.get(path).text) for path in PAGES}
    for text in hostile.STRINGS:
        put(text)
        for path in PAGES:
            answer = console.get(path)
            parts = shape(answer.text)
            if "](" in text and path in (
                "/runs/p?tab=data",
                "/asked/p",
                "/ask?after=p",
                "/ask?again=p",
            ):  # Markdown: the answer's link, and nothing else
                parts = [part for part in parts if part not in (("a", ("href", "rel", "target")), ("/a", ()))]
                assert parts == [part for part in plain[path] if part != ("/a", ())], (path, text)
            else:
                assert parts == plain[path], (path, text)


def test_no_page_shows_a_task_token(console: Console, put):
    """A task token in a run's history and errors is on none of its pages, raw texts and JSON."""
    put("x")
    raws = [f"/runs/p/raw?part={part}&visit=0" for part in ("record", "events", "input", "output")]
    for path in (*PAGES, *raws):
        for suffix in ("", "&format=json" if "?" in path else "?format=json"):
            answer = console.get(path + suffix)
            assert answer.status in (200, 400, 404)
            assert TOKEN not in answer.text, path + suffix


def test_raw_texts_are_saved_never_shown(console: Console, put):
    """A raw text is an attachment of plain text, whatever it holds."""
    put("<b>")
    for part in ("record", "events", "input", "output", "message", "answer"):
        answer = console.get(f"/runs/p/raw?part={part}&visit=0")
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["content-disposition"].startswith("attachment")


def test_raw_parts_that_are_not_there(console: Console, machine, records):
    """A part that does not exist is empty or not found, never an error of the console."""
    add_run(machine, records, "p")
    for query in ("part=secrets", "part=input&visit=99", "part=output&visit=-1", "part=input&visit=x", ""):
        assert console.get(f"/runs/p/raw?{query}").status in (200, 404)


def test_a_huge_payload_is_cut(console: Console, machine, records):
    """A payload of a quarter of a million characters leaves the page small, and says where the rest is."""
    story = Story().enter("AnalyzeInput").ask().succeed({"data": {"x": "y" * 250_000}, "meter": {}}).leave()
    add_run(machine, records, "p", "SUCCEEDED", story, final_response="z" * 250_000)
    for tab in ("timeline", "data", "events"):
        text = console.get(f"/runs/p?tab={tab}").text
        assert len(text) < 60_000
        assert "characters more" in text
    assert len(console.get("/runs/p/raw?part=output&visit=0").text) > 250_000


def test_ten_megabytes_are_cut(console: Console, machine, records, monkeypatch):
    """A run with ten megabytes of answer and output, and a megabyte in every other text, has light pages."""
    big = os.urandom(5_000_000).hex()  # nothing compresses it
    some = big[:1_000_000]
    story = Story().enter("AnalyzeInput").ask().succeed({"data": {"x": big}, "meter": {}}).leave()
    for _ in range(300):
        story.add("TaskScheduled", taskScheduledEventDetails={"parameters": some[:3_000]})
    add_run(machine, records, "p", "SUCCEEDED", story)
    failed = {"chat": {"Error": some, "Cause": some}}
    whole = {
        **dict.fromkeys(("user_message", "excerpt", "error", "cause", "trace_id"), some),
        "pipeline_id": "p", "status": "FAILED", "stage": "chat", "analysis": {"x": some}, "chat": {"model_id": some},
        "instead": {"chat": some}, "errors": failed, "degraded": ["chat"], "final_response": big,
    }  # fmt: skip
    monkeypatch.setattr(journey, "read_record", lambda *_: whole)
    turns = [{"role": role, "text": some} for role in ("user", "assistant")]
    machine.inputs["p"] = json.dumps({"request": {"user_message": "x", "history": turns}})
    for path in (*(f"/runs/p?tab={tab}" for tab in TABS[:3]), "/asked/p", "/compare?a=p&b=p"):
        answer = console.get(path)
        assert (answer.status, answer.size < 500_000) == (200, True), (path, answer.size)


def test_preferences_are_kept(console: Console, machine, records):
    """A choice of theme and clock is kept in cookies, and every time obeys it."""
    add_run(machine, records, "p")
    answer = console.post("/preferences", {"theme": "dark", "to": "/runs"})
    assert (answer.status, answer.headers["location"]) == (303, "/runs")
    assert "pipeline-console-theme=dark" in answer.headers["set-cookie"]
    console.cookies |= {"pipeline-console-theme": "dark", "pipeline-console-zone": "Asia/Tokyo"}
    text = console.get("/runs").text
    assert 'data-theme="dark"' in text
    assert "11-22 19:00:00" in text
    console.cookies["pipeline-console-clock"] = "utc"
    assert "11-22 10:00:00" in console.get("/runs").text
    assert "set-cookie" not in console.post("/preferences", {"theme": "<b>", "to": "//evil.example"}).headers
