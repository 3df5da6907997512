"""Arbitrary inputs of commands and arbitrary records: a sentence and an exit code, never a traceback.

PROPERTY_EXAMPLES=5000 searches for more.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.commands.selection import Age
from cli.output import escaped
from cli.session import Session
from cli.tests.support import call
from cli.view.journeys import print_journey
from cli.view.text import local, printable
from contracts.references import record as released
from operations.asking.batch import read_lines
from operations.asking.publish import draft
from operations.asking.results_file import Results
from operations.dlq.messages import parked
from operations.dlq.replay import corrected, corrected_input
from operations.errors import InvalidInputError
from operations.json_text import REFUSED, depth, parse, written
from operations.runs.journey import assemble
from operations.runs.logs import parsed, window
from operations.runs.records import record_of
from operations.tests.dead_letters import count, park, url
from operations.tests.odd_messages import BODIES, DETAIL, EVENTS, ODD, VALUES
from shared.contracts.record import Record
from shared.dynamodb import to_item
from shared.tests.strategies import JSON

pytestmark = pytest.mark.slow
T = TypeVar("T")
fuzzed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

ANY_TEXT = st.one_of(st.text(max_size=40), st.text(st.characters(), max_size=40), ODD)


def attempt(call: Callable[..., T], *arguments: Any, **options: Any) -> T | None:
    """Return the call's result; None if the input is refused with a sentence."""
    try:
        return call(*arguments, **options)
    except (InvalidInputError, ValueError) as error:
        if not str(error):
            raise
        return None


LINES = st.one_of(
    st.binary(max_size=60),
    ANY_TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")),
    BODIES.map(lambda text: text[:200_000].encode("utf-8", "surrogatepass")),
    st.dictionaries(
        st.sampled_from(["user_message", "idempotency_key", "pipeline_id", "x\ud83d"]), VALUES | ANY_TEXT
    ).map(lambda line: json.dumps(line).encode()),
)


@fuzzed
@given(lines=st.lists(LINES, max_size=6), via=st.sampled_from(["api", "bus"]))
def test_lines_of_requests(lines, via):
    """A line is a request that every carrier takes, or has a problem that can be written down; none is left out."""
    read = list(read_lines(lines, via=via))
    assert len(read) == sum(
        bool((line.strip().removeprefix(b"\xef\xbb\xbf") if not at else line).strip())
        for at, line in enumerate(lines)
    )
    for line in read:
        assert (line.request is None) != (line.problem is None)
        (line.problem or "").encode()
        if line.request:
            texts = [turn.text for turn in line.request.messages or ()]
            assert not any(map(REFUSED.search, (line.request.user_message or "", *texts)))
            (line.request.idempotency_key or "k").encode("ascii")


@fuzzed
@given(text=st.one_of(BODIES, EVENTS.map(json.dumps), LINES), named=st.booleans())
def test_events_to_publish(text, named):
    """A text is an event that keeps its contract and that every carrier takes, or is refused with a sentence."""
    event = attempt(draft, text, detail_type="pipeline.requested.v1" if named else None)
    if event is not None:
        assert not REFUSED.search(json.dumps(event.detail, ensure_ascii=False))


@fuzzed
@given(body=BODIES, data=st.one_of(JSON, DETAIL).filter(lambda value: isinstance(value, dict)), state=BODIES)
def test_corrections_of_messages(body, data, state):
    """A correction gives a body that SQS takes, or is refused with a sentence."""
    message = parked({"MessageId": "m", "Body": body, "Attributes": {"SentTimestamp": "0"}}, "chatbot", "dlq")
    for sent in (attempt(corrected, message, data), attempt(corrected_input, message, data, state)):
        assert not REFUSED.search(sent or "")


@fuzzed
@given(
    content=st.one_of(st.binary(max_size=200), BODIES.map(lambda text: text[:5_000].encode(errors="replace")))
)
def test_results_files(content, tmp_path):
    """A file that is no results file is refused, and is left as it is."""
    path = tmp_path / "results.jsonl"
    path.write_bytes(content)
    try:
        with Results(path, resume=True):
            pass
    except InvalidInputError:
        assert path.read_bytes() == content


@given(text=st.one_of(BODIES, ANY_TEXT))
def test_json_is_read_only_if_it_can_be_written(text):
    """What is parsed can be written again, indented or escaped, and is the same; all else is a ValueError."""
    value = attempt(parse, text)
    assert depth(value) <= 100
    whole = written(value)
    for again in (whole, written(value, indent=2), escaped(whole)):
        assert parse(again.encode()) == value


@given(text=ANY_TEXT)
def test_ages(text):
    """An age is usable, or refused as a wrong option."""
    try:
        age = Age().convert(text, None, None)
    except click.UsageError:
        return
    assert datetime.now(UTC) - age <= datetime.now(UTC)


@pytest.mark.parametrize("text", ["9" * 400 + "d", "1" * 12 + "d", "٣d", "1d\n\n x", "-1h", "1e9d"])
def test_ages_that_no_clock_has(text):
    """An age beyond the calendar, or in other digits, is refused."""
    with pytest.raises(click.UsageError):
        Age().convert(text, None, None)


NUMBERS = st.one_of(st.integers(-(10**37), 10**37), st.just(10**38 - 1))
STORED = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, ODD.map(lambda text: REFUSED.sub("", text))),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(ODD.filter(bool), inner, max_size=2),
    max_leaves=4,
)
TIMES = st.sampled_from(
    [
        "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999Z", "2026-11-23", "x",
        "2026-11-22T10:00:00", "2026-11-22T10:00:00.000Z",
    ]
)  # fmt: skip
FIELDS = st.dictionaries(st.sampled_from(sorted(Record.__annotations__)), STORED, max_size=12)
LIKELY = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["ACCEPTED", "RUNNING", "SUCCEEDED", "FAILED", "LATER"]),
        "accepted_at": TIMES,
        "started_at": TIMES,
        "finished_at": TIMES,
    },
)
RECORDS = st.tuples(FIELDS, LIKELY).map(lambda parts: {**parts[0], **parts[1]})


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
@fuzzed
@given(stored=RECORDS)
def test_any_record_is_shown(stored, zone, monkeypatch, capsys):
    """A record with any values, as far as DynamoDB holds them, is shown as text and as JSON, in any time zone."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        journey = assemble("p-1", record_of(to_item(stored)["M"]), None)
        session = Session(env="local", region=None, profile=None)
        print_journey(session, journey)
        capsys.readouterr()
        session.json(journey)
        assert json.loads(capsys.readouterr().out)["pipeline_id"] == "p-1"
        assert window(journey)[0].tzinfo is UTC
    finally:
        monkeypatch.undo()
        time.tzset()


@given(
    line=st.one_of(BODIES, JSON.map(json.dumps), VALUES.map(lambda value: json.dumps({"timestamp": value})))
)
def test_log_lines(line):
    """A log line is read and printed as valid JSON, or is skipped."""
    found = parsed("api", {"message": line, "timestamp": 1_795_000_000_000})
    if found is not None:
        assert json.loads(found.as_json())["function"] == "api"
        assert local(found.at)


@given(text=ANY_TEXT)
def test_printable_texts_command_no_terminal(text):
    """What is printed holds no control character, no lone surrogate and nothing that turns the line around."""
    shown = printable(text)
    shown.encode()
    assert not any(
        sign in shown for sign in ("\x1b", "\x9b", "\u202e", "\u2066", "\u200f", "\r", "\x07", "\u2028")
    )


IDS = ["\udcff", "p\n", "", " ", "x" * 3_000, "arn:", "日本", "-", "..", "\x1b[2J", "a/b", "%0a", "{}"]


@pytest.mark.parametrize(
    "command",
    [
        ("show", "--", "{}"),
        ("show", "--cost", "--", "{}"),
        ("logs", "--", "{}"),
        ("explain", "--", "{}"),
        ("cancel", "--", "{}"),
        ("dlq", "show", "--", "{}"),
        ("dlq", "list", "--json"),
        ("dlq", "replay", "--dry-run", "--id", "{}"),
        ("dlq", "replay", "--dry-run", "--error", "{}", "--pipeline", "{}"),
        ("dlq", "replay", "--dry-run", "--newer-than", "{}"),
        ("dlq", "archive", "--yes", "--reason", "{}", "--error", "{}"),
        ("dlq", "export", "--error", "{}"),
        ("redrive", "--dry-run", "--since", "{}"),
        ("submit", "--idempotency-key", "{}", "hello"),
        ("submit", "--via", "bus", "--", "{}"),
        ("contracts", "check", "--against", "{}"),
    ],
    ids=lambda command: "-".join(word for word in command if word.isalpha()),
)
def test_odd_arguments(command, local_engine, machine, monkeypatch):
    """An argument that nothing has, or that nothing takes, ends in an exit code of the table and a sentence."""
    monkeypatch.setattr("operations.runs.logs.FUNCTIONS", ())
    for value in IDS:
        result = call(*(value if word == "{}" else word for word in command))
        assert isinstance(result.exception, SystemExit | type(None)), (value, result.exception)
        assert result.exit_code in (0, 1, 2, 3, 4)
        assert result.output.strip() or not result.exit_code


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b"\xff", b"[" * 100_000, b'{"events": 1}', b'{"n": ' + b"9" * 5_000 + b"}"],
)
def test_a_damaged_release_file_is_said(content, tmp_path):
    """A file of released contracts that can't be read is an error that names the file, not a traceback."""
    path = tmp_path / "released.json"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"released\.json"):
        released(path)


def test_a_corrected_input_keeps_what_an_execution_was_started_with():
    """The input of an execution that was started by hand with odd texts can be corrected like any other."""
    message = parked(
        {
            "MessageId": "m",
            "Body": '{"detail-type": "chat.requested.v1"}',
            "Attributes": {"SentTimestamp": "0"},
        },
        "chatbot",
        "dlq",
    )
    state = '{"note": "\\ud83d\\uffff", "n": ' + "9" * 5_000 + ', "request": {"user_message": "a"}}'
    corrected_state = corrected_input(message, {"user_message": "b"}, state)
    assert not REFUSED.search(corrected_state)
    assert parse(corrected_state)["request"]["user_message"] == "b"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[1]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"n": ' + b"9" * 5_000 + b"}",
        b'{"user_message": "\\ud83d"}',
    ],
)
def test_an_odd_file_of_data_is_refused(content, local_engine, machine, tmp_path):
    """`dlq replay --data` refuses a file that is no correction with a sentence, and sends nothing."""
    machine.alive.add("alive")
    park("p-1", token="alive")
    path = tmp_path / "data.json"
    path.write_bytes(content)
    result = call("dlq", "replay", "--yes", "--data", str(path))
    assert result.exit_code == 2
    assert "Nothing was sent" in result.output or "nothing was sent" in result.output
    assert (count(url("chatbot")), count(url("chatbot", ""))) == (1, 0)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"[" * 100_000, b"9" * 5_000])
def test_odd_templates_are_said(content, tmp_path):
    """The doctor names the folder whose templates can't be read."""
    (tmp_path / "ai-pipeline-dev-platform.template.json").write_bytes(content)
    result = call("--env", "dev", "doctor", "--templates", str(tmp_path))
    assert result.exit_code == 2
    assert "can't be read" in result.output
