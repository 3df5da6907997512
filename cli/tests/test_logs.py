"""`pipeline logs`: the lines of one run from all functions, in order. On moto's CloudWatch Logs."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.commands import logs as command
from cli.tests.support import call
from infra.functions import FUNCTIONS
from operations.errors import InvalidInputError
from operations.runs import logs
from operations.runs.logs import Line, follow_logs, parsed, read_logs, search
from operations.stop import Stop
from operations.tests.log_lines import ACCEPTED, NOW, line, write
from operations.tests.world import finish
from shared.contracts.envelope import trace_id


def stamp(at: datetime) -> str:
    """Return a moment in the format of records."""
    return f"{at:%Y-%m-%dT%H:%M:%S.000Z}"


@pytest.fixture
def run(records: Any) -> str:
    """A run that ended a while ago."""
    records.accept("p-1", user_message="Hi", accepted_at=stamp(ACCEPTED))
    finish(records, "p-1", started_at=stamp(ACCEPTED), finished_at=stamp(ACCEPTED + timedelta(seconds=9)))
    return "p-1"


def test_lines_of_all_functions_are_in_the_order_of_writing(target, run):
    """Lines are ordered by their own time, as CloudWatch's may be the same for a whole invocation."""
    end = ACCEPTED + timedelta(seconds=9)
    write("chatbot", line(run, 3, service="chatbot"), line(run, 5, service="chatbot"), at=end)
    write("analyzer", line(run, 2), at=end)
    write("api", line(run, 0.25), at=end)
    write("logger", line(run, 4), at=end)
    result = read_logs(target, run)
    assert [entry.function for entry in result.lines] == ["api", "analyzer", "chatbot", "logger", "chatbot"]
    silent = {function.name for function in FUNCTIONS} - {"api", "analyzer", "chatbot", "logger"}
    assert sorted(result.missing) == sorted(silent)
    assert (result.searched, result.cut) == (len(FUNCTIONS), [])


def test_only_lines_that_are_about_the_run(target, run):
    """Lines of runs with similar ids, of the platform, of metrics and lines that only quote the id are left out."""
    write(
        "starter",
        line("p-12", 1),
        line(run, 1, text="kept"),
        line("other", 1, causation_id=run),
        f"REPORT RequestId: {run}",
        {"_aws": {}, "quoted": run},
        '["p-1"]',
        "{broken p-1",
    )
    (kept,) = read_logs(target, run).lines
    assert kept.fields["text"] == "kept"


def test_reads_of_the_record_are_left_out_unless_wanted(target, run):
    """API status reads are left out and counted unless wanted; failed reads are kept."""
    read = {"message": "answered", "http_method": "GET", "http_status": 200}
    write("api", line(run, 1, http_method="POST"), *(line(run, 2, number=n, **read) for n in range(9)))
    write("api", line(run, 3, level="ERROR", http_method="GET"))
    result = read_logs(target, run)
    assert [entry.fields["http_method"] for entry in result.lines] == ["POST", "GET"]
    assert result.reads == 9
    assert len(read_logs(target, run, reads=True).lines) == 11


def test_the_search_is_bounded_by_the_run(target, run):
    """Logs are searched from just before a run was accepted to shortly after its end."""
    for minutes in (-5, 0, 1, 7):
        at = ACCEPTED + timedelta(minutes=minutes)
        write("starter", line(run, minutes * 60, minute=minutes), at=at)
    assert [entry.fields["minute"] for entry in read_logs(target, run).lines] == [0, 1]


def test_a_search_reads_page_after_page_and_says_where_it_stopped(target, monkeypatch):
    """A search reads all pages, even empty ones; at the page limit it names the unfinished group."""
    pages: list[dict[str, Any]] = []
    asked: list[dict[str, Any]] = []

    class Logs:
        def filter_log_events(self, **options: Any) -> dict[str, Any]:
            asked.append(options)
            return pages.pop(0)

    monkeypatch.setattr(target, "client", lambda _: Logs())
    pages += [
        {"events": [], "nextToken": "2"},
        {"events": [event("p-1", 1)], "nextToken": "3"},
        {"events": []},
    ]
    result = search(target, "p-1", since=ACCEPTED, functions=["api"])
    assert (len(result.lines), result.cut) == (1, [])
    assert [request.get("nextToken") for request in asked] == [None, "2", "3"]
    assert asked[0]["filterPattern"] == '"p-1"'
    pages += [{"events": [], "nextToken": "2"}] * 3
    assert search(target, "p-1", since=ACCEPTED, functions=["api"], pages=2).cut == ["api"]
    assert len(pages) == 1


def event(pipeline_id: str, seconds: float) -> dict[str, Any]:
    return {"timestamp": 0, "message": json.dumps(line(pipeline_id, seconds))}


def test_what_cannot_be_an_id_is_not_searched(target):
    """An id that could end the quotes of CloudWatch's filter is refused."""
    for given_id in ('a" "b', "", "x" * 300, "a b"):
        with pytest.raises(InvalidInputError):
            search(target, given_id, since=ACCEPTED)


def test_following_tells_each_line_once_and_ends_with_the_run(target, records, monkeypatch):
    """Following yields each existing and new line once, and ends with the run."""
    monkeypatch.setattr(logs, "LATE_SECONDS", {True: 0.0, False: 0.0})
    accepted = stamp(ACCEPTED)
    records.accept("p-1", user_message="Hi", accepted_at=accepted)
    write("api", line("p-1"))
    turns = iter(
        [lambda: write("starter", line("p-1", 1)), lambda: finish(records, "p-1", finished_at=accepted)]
    )

    class Turns(Stop):
        def wait(self, seconds: float) -> None:
            next(turns)()

    assert [entry.function for entry in follow_logs(target, "p-1", stop=Turns())] == ["api", "starter"]


@given(st.text(), st.integers(0, 2**40))
def test_any_line_is_read_or_left_out(message, moment):
    """Any text is parsed as a line with a time, or left out."""
    for text in (message, json.dumps(message), json.dumps({"timestamp": message, "message": message})):
        entry = parsed("api", {"message": text, "timestamp": moment})
        assert entry is None or entry.at.tzinfo is not None


# --- as it is typed ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("local_engine")
class TestCommand:
    def test_a_line_has_time_function_and_what_matters(self, run):
        """A line leaves out ids and ordinary values, and marks warnings not only by colour."""
        write("chatbot", line(run, 1), line(run, 2, level="WARNING", message="slow", attempt=2, error="E 1"))
        result = call("logs", run)
        assert result.exit_code == 0, result.output
        first, second = result.stdout.splitlines()
        assert first.split()[1:] == ["chatbot", "done"]
        assert second.split("chatbot")[1].split() == ["!", "slow", "attempt=2", 'error="E', '1"']

    def test_json_lines_have_every_field(self, run):
        """--json prints one object per line with function, time and all fields."""
        write("chatbot", line(run, 1), line(run, 2))
        lines = [json.loads(text) for text in call("logs", run, "--json").stdout.splitlines()]
        assert [entry["pipeline_id"] for entry in lines] == [run, run]
        assert {entry["trace_id"] for entry in lines} == {trace_id(None, run)}
        assert lines[0]["function"] == "chatbot"
        assert lines[0]["at"] < lines[1]["at"]

    def test_no_lines_is_said(self, run):
        """A run without log lines gives exit code 0 and a sentence."""
        result = call("logs", run)
        assert (result.exit_code, result.stdout) == (0, "")
        assert "no log lines" in result.stderr

    def test_an_unknown_run_is_not_found(self):
        """An unknown run gives exit code 3 without a search."""
        assert call("logs", "nobody").exit_code == 3

    def test_control_characters_do_not_reach_the_terminal(self, run):
        """Control characters of a line do not reach the terminal."""
        write("chatbot", line(run, 1, message="a\x1b[2Jb\nc", error="\x07"))
        assert "\x1b" not in call("logs", run).stdout
        assert "\x07" not in call("logs", run).stdout


def test_rows_fit_a_terminal(monkeypatch):
    """Text beyond 80 columns is wrapped beside time and function."""

    class Out:
        is_terminal, width = True, 80

    class Session:
        out = Out()

    rows = command._rows(Session(), "word " * 100 + "x" * 200)  # type: ignore[arg-type]
    assert max(map(len, rows)) + command.INDENT <= 80


def test_lines_know_which_of_their_ids_is_meant():
    """Only ids in the known fields of a line are recognised."""
    entry = Line(at=NOW, function="api", fields={"event_id": "e", "message_id": "m", "x": "y"})
    assert (entry.ids_of("e"), entry.ids_of("m"), entry.ids_of("y")) == (("event_id",), ("message_id",), ())
