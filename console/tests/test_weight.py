"""What a page costs: its calls to AWS, what a browser has to load for it, and what the first page waits for."""

import asyncio
import gzip
import json
import socket
import threading
from typing import Any

import pytest

from console import assets, html, warm
from console.serving import listen
from console.tests.asking import Console, console_of
from console.tests.hostile import parked_message
from console.tests.world import Machine, add_run
from operations.dlq.journal import Entry, Journal
from operations.tests.histories import METER, Story
from shared.contracts.stages import SERVICES, STAGES

HEAVIEST = 60_000
"""Bytes of any page, with everything that a browser loads for it, compressed."""
QUESTION = "Why is the sky blue, and what would change if it were green? Answer in a table, please. "
CALLS = {
    "/": 4 + 3 * len(SERVICES),
    "/runs": 2,
    "/runs?status=FAILED": 2,
    "/runs?error=Transient": 4,
    "/runs?still_failed=1": 3,
    "/runs/run-1": 3,
    "/runs/run-2": 6 + len(STAGES),
    "/runs/run-1?tab=data": 4,
    "/runs/run-1?tab=events": 3,
    "/runs/run-1?tab=cost": 4,
    "/runs/run-1?tab=logs": 3,
    "/compare?a=run-1&b=run-2": 5,
    "/latest": 2,
    "/ask": 0,
    "/ask?again=run-1": 5,
    "/ask?after=run-1": 3,
    "/ask/many": 0,
    "/ask/event": 0,
    "/asked/run-1": 3,
    "/parked": 2 * len(SERVICES),
    "/plans": 0,
    "/costs?since=ever": 1,
    "/costs/runs?since=ever&by=model&name=a-model": 0,
    "/events": 0,
    "/events/pipeline.requested/v2?with=pipeline.requested.v1": 0,
    "/health": 2 + len(SERVICES),
    "/health/in-flight": 0,
    "/activity": 0,
    "/activity?run=run-1": 1,
    "/archived": 0,
    "/archived/m-archived?run=p-1": 1,
    "/find?q=run-1": 2,
}
"""The most calls to AWS that opening a page takes; a page without one shows what was read before."""


@pytest.fixture
def full(console: Console, machine: Machine, records: Any, target: Any) -> Console:
    """Return a console over fifty long runs, whose costs, archive and audit were read."""
    meters = dict.fromkeys(("analysis", "chat", "enhancement", "log"), METER)
    for number in range(50):
        story = Story()
        meter = {**METER, "revision": "a1b2c3d4e5f6"} if number == 2 else METER
        for state in ("AnalyzeInput", "CallExistingChatbot", "EnhanceResponse", "LogResults"):
            story.enter(state).ask().succeed({"data": {"text": QUESTION * 20}, "meter": meter}).leave()
        add_run(
            machine,
            records,
            f"run-{number}",
            "SUCCEEDED" if number % 7 else "FAILED",
            story,
            user_message=f"{number} {QUESTION}",
            final_response=f"# Answer {number}\n\n{QUESTION * 40}",
            stages={**meters, "chat": {**METER, "model_id": "a-model"}},
            cost={"nano_usd": 162_384 + number, "stages": {"chat": 162_384 + number}},
            finished_at=f"2026-11-{1 + number % 28:02}T10:00:00.000Z",
        )
    turns = [{"role": role, "text": QUESTION * 30} for role in ("user", "assistant") * 3]
    machine.inputs["run-1"] = json.dumps({"request": {"user_message": QUESTION, "history": turns}})
    journal = Journal(target, "arn:aws:sts::1:assumed-role/x/eve")
    journal.archive(parked_message("plain"), "a test")
    for number in range(60):
        entry = Entry(
            pipeline_id=f"run-{number}",
            at="2026-11-22",
            who="eve",
            what="move back",
            why=QUESTION,
            outcome="done",
        )
        journal.note(entry)
    for name in ("costs-ever", "audit", "archived"):
        assert console.post(f"/read/{name}").status == 303
        console.desk.readings.of(f"{name} 0").join()
    return console


def test_a_page_takes_few_calls_and_is_light(full: Console, target: Any, monkeypatch: pytest.MonkeyPatch):
    """No page takes more calls to AWS than it is known to, nor has more than 60 KB, its files and all compressed."""
    monkeypatch.setattr("console.live.feed.SECONDS", 3_600.0)  # a page shows what one before it has looked at
    files = sum(len(assets.asset(name).packed) for name in assets.FILES)
    inner, calls = target.client, list[str]()

    class Counted:
        def __init__(self, name: str) -> None:
            self._inner = inner(name)

        def __getattr__(self, name: str) -> Any:
            if name != "meta":
                calls.append(name)
            return getattr(self._inner, name)

    monkeypatch.setattr(target, "client", Counted)
    for path, most in CALLS.items():
        calls.clear()
        answer = full.get(path)
        assert answer.status in (200, 303), path
        assert len(calls) <= most, (path, calls)
        assert len(gzip.compress(answer.body, 5)) + files < HEAVIEST, path


def test_nobody_waits_for_a_template(full: Console, monkeypatch: pytest.MonkeyPatch):
    """After the warm-up no page compiles a template."""
    html.templates.cache_clear()
    warm.warm_up(full.desk, full.app).join()

    def refused(*_: Any) -> Any:
        raise AssertionError("a template was compiled while somebody waited")

    monkeypatch.setattr(html.templates(), "compile", refused)
    for path in CALLS:
        assert full.get(path).status in (200, 303), path


def test_a_start_waits_for_nobody(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """A console starts without its environment, beside one that does not answer, and after a mistake of its own."""
    without = console_of(None)
    warm.warm_up(without.desk, without.app).join()
    assert not caplog.records
    go = threading.Event()
    monkeypatch.setattr(warm, "WAITS_SECONDS", 0.0)
    monkeypatch.setattr(without.desk.environment, "target", go.wait)
    thread = warm.warm_up(without.desk, without.app)
    assert thread.is_alive()
    go.set()
    thread.join()
    assert "was not prepared" in caplog.text
    assert without.get("/events").status == 200


def test_an_answer_is_sent_at_once():
    """Each connection has TCP_NODELAY: an answer in two parts would else wait for an acknowledgement of the first."""
    listener = listen(0)

    async def accepted() -> int:
        told: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            told.set_result(
                writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            )
            writer.close()

        server = await asyncio.start_server(connected, sock=listener)
        _, writer = await asyncio.open_connection(*listener.getsockname())
        try:
            return await told
        finally:
            writer.close()
            server.close()

    assert asyncio.run(accepted()) != 0
