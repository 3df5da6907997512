"""The pages, over runs that are honest, half there or gone."""

import json

import pytest

from console.models import events, health, plan_lines, plans, words
from console.tests.asking import Console, console_of
from console.tests.world import add_run
from operations.tests.histories import METER, Story
from operations.tests.world import finish


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


def test_runs_that_are_still_failed_are_a_filter(console: Console, machine, records):
    """The filter is in the form, the address and the footer's command, and leaves out what was mended."""
    for name in ("p", "mended"):
        machine.add(name, "FAILED")
    finish(records, "mended", finished_at="2026-11-22T11:00:00.000Z")
    assert "/runs?still_failed=1" in console.get("/runs").text
    text = console.get("/runs?still_failed=1").text
    assert ('href="/runs/p"' in text, 'href="/runs/mended"' in text) == (True, False)
    for part in (
        'name="still_failed" value="1" checked',
        'aria-label="Without the filter still failed"',
        "pipeline list --still-failed",
        "Searched 2 runs, 1 fit",
        "/live/runs?still_failed=1",
    ):
        assert part in text, part
    for number in range(60):
        machine.add(f"p-{number}", "FAILED")
    older = console.get("/runs?still_failed=1").text.partition('rel="next" href="')[2].partition('"')[0]
    assert console.get(older.replace("&amp;", "&")).text.count("data-row") == 11
    assert console.get("/runs?still_failed=1&cursor=at-50").status == 400


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
    assert "transition into AnalyzeInput" in console.get("/runs/p?tab=cost").text
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
