"""Health: what is deployed, the doctor and what is in flight, each read on request."""

import json
from typing import Any

import pytest

from console.models.health import doctor_view, flight_view
from console.pages import health, subjects
from console.tests import hostile
from console.tests.asking import Console, console_of, read
from console.tests.hostile import shape
from infra.functions import FUNCTIONS
from operations.deployment.functions import read_functions, revisions
from operations.errors import DeniedError, NotDeployedError
from operations.health import doctor
from operations.inflight.reading import Check, Finding, Look
from shared.settings import REVISION


@pytest.fixture
def told(monkeypatch):
    """Return a function that makes every reading bring a value."""

    def tell(name: str, value: Any) -> None:
        known = subjects.SUBJECTS[name]
        fields = {field: getattr(known, field) for field in known.__struct_fields__}
        changed = subjects.Subject(**{**fields, "read": lambda *_: value})
        monkeypatch.setitem(subjects.SUBJECTS, name, changed)

    return tell


def test_drift_and_faults_come_first():
    """The doctor's list begins with what is wrong, drift first, then what held and what was not checked."""
    view = doctor_view(hostile.outcomes("x"))
    assert [check.name for check in view.checks] == ["drift", "x", "visibility", "quotas"]
    assert (view.status.word, view.sentence) == ("fault", "4 checks: 1 error, 1 warning.")
    assert doctor_view(hostile.outcomes("x")[:2]).sentence == "2 checks, all in order."


def test_nothing_is_examined_by_looking(console: Console, told):
    """Opening the page examines nothing; it shows what is deployed, also if that is nothing."""
    told("doctor", pytest.fail)
    page = console.get("/health").text
    assert page.count("not deployed") == len(FUNCTIONS)
    for part in ("Examine what is deployed", "pipeline doctor --live", "pipeline deploy --service analyzer"):
        assert part in page


def test_the_doctor_is_asked_on_request(console: Console, told):
    """After the button the page and its JSON have each check, with why a fault matters and what to do."""
    told("doctor", hostile.outcomes("its own text"))
    read(console, "doctor")
    page = console.get("/health").text
    for part in (
        "1 error, 1 warning",
        "Why it matters: its own text",
        "What to do: its own text",
        "not checked",
    ):
        assert part in page
    assert len(json.loads(console.get("/health?format=json").body)["doctor"]) == 4


def test_the_doctor_of_half_a_deployment_says_what_is_missing(console: Console, monkeypatch):
    """The doctor of a deployment that lacks a stack says which one, beside the button."""

    def refuse(*_: Any) -> None:
        raise NotDeployedError("Environment 'local' has no such stack: Chatbot.")

    monkeypatch.setattr(doctor, "deployed", refuse)
    read(console, "doctor")
    page = console.get("/health")
    assert (page.status, "no such stack: Chatbot" in page.text) == (200, True)


def test_functions_are_described(target, monkeypatch):
    """A deployed function has the time of its last change, and its code's revision as a run tells it."""

    class Lambda:
        def get_function_configuration(self, *, FunctionName: str) -> dict[str, Any]:
            changed_at = "2026-11-22T10:00:00.000+0000"
            told = (
                {"Environment": {"Variables": {REVISION: "a1b2c3d4e5f6"}}}
                if "analyzer" in FunctionName
                else {}
            )
            return {"LastModified": changed_at, "CodeSha256": "abcdefghijklmnop=", **told}

    assert target.addresses.values
    monkeypatch.setattr(target, "client", lambda _: Lambda())
    found = {one.name: one for one in read_functions(target)}
    one = found["analyzer"]
    assert one.changed_at is not None
    assert (one.changed_at.isoformat(), one.code) == ("2026-11-22T10:00:00+00:00", "abcdefghijkl")
    assert (one.revision, found["api"].revision) == ("a1b2c3d4e5f6", None)
    assert revisions(found.values()) == {"analysis": "a1b2c3d4e5f6"}


def test_the_functions_of_the_approval_are_listed(console: Console, target):
    """Where answers wait for a person, the functions that this needs are among those that should be deployed."""
    assert "--service approval" not in console.get("/health").text
    target.addresses.values["approvals/table"] = "a-table"
    console.desk.feeds._feeds.clear()
    assert console.get("/health").text.count("pipeline deploy --service approval") == 2


def test_functions_that_may_not_be_read(console: Console, monkeypatch):
    """Without the right to read functions the page says which it is, and the rest of it works."""

    def refuse(_: Any) -> None:
        raise DeniedError("You may not read functions (lambda:GetFunctionConfiguration).")

    monkeypatch.setattr(health, "read_functions", refuse)
    page = console.get("/health")
    assert (page.status, "lambda:GetFunctionConfiguration" in page.text) == (200, True)
    assert "Examine what is deployed" in page.text


def test_what_is_in_flight_is_read_on_request(console: Console, told):
    """What this checkout can't read is listed with its reason; what no version can read does not count."""
    assert "counts as a delivery" in console.get("/health/in-flight").text
    told("in-flight", hostile.in_flight("p"))
    read(console, "in-flight")
    page = console.get("/health/in-flight").text
    for part in (
        "1 things in flight",
        "2 parked messages of about 9 (p)",
        'href="/runs/p"',
        "does not block",
    ):
        assert part in page
    assert "can read everything" in flight_view([]).sentence


def test_what_waits_for_the_starter_has_no_run():
    """A message for the starter has started no run yet, so nothing leads to one."""
    wrong = Finding(place="dlq", name="m", detail_type="d", reason="r", pipeline_id="p")
    looks = [
        Look(service=service, place="dlq", looked=1, there=1, findings=(wrong,))
        for service in ("trigger", "analyzer")
    ]
    places = flight_view([Check(service="x", looks=tuple(looks))]).places
    assert [place.problems[0].address for place in places] == ["", "/runs/p"]


def test_hostile_texts_change_no_examination(console: Console, told):
    """A hostile text in every field of the doctor's and the deploy-check's results changes no element."""
    shapes: dict[str, list[Any]] = {"doctor": [], "in-flight": []}
    for text in (hostile.BENIGN, *hostile.STRINGS):
        for name, value, path in (
            ("doctor", hostile.outcomes(text), "/health"),
            ("in-flight", hostile.in_flight(text), "/health/in-flight"),
        ):
            told(name, value)
            read(console, name)
            shapes[name].append(shape(console.get(path).text))
    for found in shapes.values():
        assert found[1:] == found[:1] * len(hostile.STRINGS)


def test_pages_of_an_environment_that_is_down():
    """Without an engine, the pages that ask it say so, and a reading can't begin."""
    console = console_of(None)
    for path in ("/costs", "/health", "/activity", "/compare?b=p"):
        answer = console.get(path)
        assert "pipeline up" in answer.text, path
    assert console.post("/read/doctor").status == 503
