"""The small model's server: OpenAI's protocol, the queue, clients that go away. With a stand-in for the model."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from local.small_model import server as serving
from local.small_model.protocol import Completion, RefusedError, Request
from local.small_model.server import OnText, Server
from shared.tests.fakes import PATIENCE_SECONDS, until

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}


class Words:
    """A model that repeats the last message word by word. `go` lets it write, `asked` holds what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.written: list[str] = []
        self.go = threading.Event()
        self.go.set()

    def answer(self, request: Request, on_text: OnText) -> Completion:
        self.asked.append(request)
        question = request.turns[-1].text
        if question == "too long":
            raise RefusedError(400, "context_length_exceeded", "The input is too long.")
        if question == "broken":
            raise RuntimeError("the library failed")
        words = question.split()
        for number, word in enumerate(words):
            while not self.go.wait(0.01):
                if not on_text(""):
                    return Completion(text="", finish="length", prompt_tokens=1, completion_tokens=number)
            self.written.append(word)
            if not on_text(f"{word} "):
                break
        return Completion(text=question, finish="stop", prompt_tokens=3, completion_tokens=len(words))


@pytest.fixture
def model() -> Words:
    return Words()


@pytest.fixture
def lines() -> list[str]:
    """The lines of the server's log."""
    return []


@pytest.fixture
def server(model: Words, lines: list[str]) -> Iterator[Server]:
    with Server(socket.create_server(("127.0.0.1", 0)), name="small", log=lines.append) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        listening.loaded(model)
        try:
            yield listening
        finally:
            model.go.set()
            listening.shutdown()
            thread.join()


Body = dict[str, Any] | bytes


def connection(server: Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=PATIENCE_SECONDS)


def send(client: http.client.HTTPConnection, body: Body) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    client.request("POST", "/v1/chat/completions", raw, {"Content-Type": "application/json"})


def post(server: Server, body: Body) -> tuple[int, Any]:
    with closing(connection(server)) as client:
        send(client, body)
        answer = client.getresponse()
        return answer.status, json.loads(answer.read())


def question(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


# --- the protocol --------------------------------------------------------------------------------------------


def test_an_answer_is_a_chat_completion(server: Server, model: Words) -> None:
    """A conversation is answered with the model's text, its reason to end and its token counts."""
    turns = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello!"), ("user", "Who am I?")]
    status, body = post(
        server, {"model": "small", "messages": [{"role": role, "content": text} for role, text in turns]}
    )
    (choice,) = body["choices"]
    assert (status, body["object"], body["model"]) == (200, "chat.completion", "small")
    assert choice["message"] == {"role": "assistant", "content": "Who am I?"}
    assert choice["finish_reason"] == "stop"
    assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}
    assert [(turn.role, turn.text) for turn in model.asked[0].turns] == turns


def test_a_stream_is_server_sent_events(server: Server) -> None:
    """With `stream`, pieces of the answer arrive as events, then the reason, the counts and the end mark."""
    with closing(connection(server)) as client:
        send(client, {**question("one two"), "stream": True, "stream_options": {"include_usage": True}})
        answer = client.getresponse()
        lines = [line for line in answer.read().decode().split("\n\n") if line]
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert lines[-1] == "data: [DONE]"
    events = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    pieces = [event["choices"][0]["delta"].get("content", "") for event in events if event["choices"]]
    assert "".join(pieces) == "one two "
    assert events[-2]["choices"][0]["finish_reason"] == "stop"
    assert events[-1]["usage"]["completion_tokens"] == 2
    assert {event["object"] for event in events} == {"chat.completion.chunk"}


def test_a_stream_arrives_while_the_model_writes(server: Server, model: Words) -> None:
    """A streamed answer begins before it is complete."""
    model.go.clear()
    with closing(connection(server)) as client:
        send(client, {**question("one two"), "stream": True})
        answer = client.getresponse()
        assert b"assistant" in answer.readline()
        assert model.written == []
        model.go.set()
        assert answer.read().endswith(b"data: [DONE]\n\n")


def test_models_and_health(server: Server) -> None:
    """The server lists its one model, and says what it is doing."""
    with closing(connection(server)) as client:
        client.request("GET", "/v1/models")
        assert [entry["id"] for entry in json.loads(client.getresponse().read())["data"]] == ["small"]
        client.request("GET", "/health")
        health = json.loads(client.getresponse().read())
        client.request("GET", "/other")
        assert client.getresponse().status == 404
    assert (health["state"], health["waiting"], health["answered"]) == ("ready", 0, 0)


REFUSED: dict[str, tuple[Body, int, str]] = {
    "no JSON": (b"{", 400, "not JSON"),
    "no object": (b"[]", 400, "not a JSON object"),
    "deep": (b"[" * 100_000, 400, "not JSON"),
    "no messages": ({}, 400, "`messages`"),
    "nothing of the user": ({"messages": [{"role": "system", "content": "x"}]}, 400, "message of the user"),
    "a strange role": ({"messages": [{"role": "tool", "content": "x"}]}, 400, "`messages[0].role`"),
    "no text": ({"messages": [{"role": "user", "content": None}]}, 400, "`messages[0].content`"),
    "an image": ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "must be text"),
    "another model": ({**HELLO, "model": "gpt"}, 404, "There is no model 'gpt'"),
    "tools": ({**HELLO, "tools": [{}]}, 400, "`tools`"),
    "many answers": ({**HELLO, "n": 2}, 400, "`n`"),
    "no tokens": ({**HELLO, "max_tokens": 0}, 400, "`max_tokens`"),
    "a bound that is no number": ({**HELLO, "max_tokens": True}, 400, "`max_tokens`"),
    "hot": ({**HELLO, "temperature": 3}, 400, "`temperature`"),
    "not a number": (b'{"messages": [{"role": "user", "content": "x"}], "top_p": NaN}', 400, "`top_p`"),
    "many stops": ({**HELLO, "stop": list("abcde")}, 400, "`stop`"),
    "an empty stop": ({**HELLO, "stop": [""]}, 400, "`stop`"),
    "too long": (question("too long"), 400, "too long"),
    "broken": (question("broken"), 500, "The model failed"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "status", "text"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_answered_is_refused_with_a_reason(
    server: Server, body: Body, status: int, text: str
) -> None:
    """A request that can't be answered gets an error in OpenAI's form, and the server goes on."""
    refused, answer = post(server, body)
    assert refused == status
    assert text in answer["error"]["message"]
    assert post(server, HELLO)[0] == 200


def test_parts_of_text_are_one_text(server: Server, model: Words) -> None:
    """A message in parts, as some clients send it, is read as text."""
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    assert post(server, {"messages": [{"role": "user", "content": parts}]})[0] == 200
    assert model.asked[0].turns[-1].text == "one\ntwo"


def test_the_newer_name_of_the_bound_counts(server: Server, model: Words) -> None:
    """`max_completion_tokens` is the bound, also beside the older `max_tokens`."""
    post(server, {**HELLO, "max_tokens": 9, "max_completion_tokens": 5})
    assert model.asked[0].max_tokens == 5


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain", "Content-Length": "2"}, 415),
        ({"Content-Type": "application/json"}, 411),
        ({"Content-Type": "application/json", "Content-Length": "-1"}, 411),
        ({"Content-Type": "application/json", "Content-Length": "99999999"}, 413),
    ],
)
def test_a_body_is_read_only_if_it_is_expected(server: Server, headers: dict[str, str], status: int) -> None:
    """A body of another type, without a length or too long is refused unread: pages of a browser can't ask."""
    with closing(connection(server)) as client:
        client.putrequest("POST", "/v1/chat/completions")
        for name, value in headers.items():
            client.putheader(name, value)
        client.endheaders()
        assert client.getresponse().status == status


def test_a_connection_serves_several_questions(server: Server) -> None:
    """A client may ask again on the same connection."""
    with closing(connection(server)) as client:
        for text in ("one", "two"):
            send(client, question(text))
            assert json.loads(client.getresponse().read())["choices"][0]["message"]["content"] == text


# --- the queue -----------------------------------------------------------------------------------------------


def test_first_come_first_served(server: Server, model: Words) -> None:
    """Questions are answered one at a time, in the order in which they came."""
    model.go.clear()
    with ThreadPoolExecutor(5) as pool:
        answers = []
        for number in range(5):
            answers.append(pool.submit(post, server, question(f"q{number}")))
            until(lambda: server.turns.waiting == number and len(model.asked) == 1)  # noqa: B023 -- called at once
        model.go.set()
        assert [answer.result()[0] for answer in answers] == [200] * 5
    assert model.written == [f"q{number}" for number in range(5)]


def test_one_connection_does_not_keep_the_others_out(server: Server, model: Words) -> None:
    """A client that asks again and again on one connection waits behind a client that came meanwhile."""
    model.go.clear()
    with closing(connection(server)) as greedy, ThreadPoolExecutor(1) as pool:
        send(greedy, question("greedy1"))
        until(lambda: model.asked)
        other = pool.submit(post, server, question("other"))
        until(lambda: server.turns.waiting == 1)
        model.go.set()
        greedy.getresponse().read()
        send(greedy, question("greedy2"))
        greedy.getresponse().read()
        assert other.result()[0] == 200
    assert model.written == ["greedy1", "other", "greedy2"]


def test_a_full_queue_says_so(server: Server, model: Words, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that finds the queue full gets 503 with a reason, at once; those in the queue are answered."""
    monkeypatch.setattr(server.turns, "_limit", 1)
    model.go.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(post, server, HELLO)
        until(lambda: model.asked)
        second = pool.submit(post, server, HELLO)
        until(lambda: server.turns.waiting == 1)
        status, body = post(server, HELLO)
        assert (status, body["error"]["code"]) == (503, "queue_full")
        model.go.set()
        assert (first.result()[0], second.result()[0]) == (200, 200)


def test_questions_wait_for_the_model_to_be_loaded(model: Words, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that comes while the model is being loaded is answered afterwards, or refused after a while."""
    with Server(socket.create_server(("127.0.0.1", 0)), name="small", log=print) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            assert server.health()["state"] == "loading"
            monkeypatch.setattr(serving, "LOAD_SECONDS", 0.01)
            assert post(server, HELLO)[0] == 503
            monkeypatch.undo()
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(post, server, HELLO)
                until(lambda: len(server.turns._queue) == 1)
                server.loaded(model)
                assert waiting.result()[0] == 200
        finally:
            server.shutdown()
            thread.join()


# --- clients that go away ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_nobody_waits_for_is_stopped(server: Server, model: Words, stream: bool) -> None:
    """When the client goes away, its answer is stopped, and the next question is answered."""
    model.go.clear()
    client = connection(server)
    send(client, {**question("one two three"), "stream": stream})
    until(lambda: model.asked)
    client.close()
    until(lambda: not server.turns._queue)
    assert model.written == []
    model.go.set()
    assert post(server, HELLO)[0] == 200
    until(lambda: server.answered == 1)


def test_who_leaves_the_queue_is_not_answered(server: Server, model: Words) -> None:
    """A client that goes away while it waits loses its place; the one behind it moves up."""
    model.go.clear()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(post, server, question("first"))
        until(lambda: model.asked)
        leaving = connection(server)
        send(leaving, question("leaving"))
        until(lambda: server.turns.waiting == 1)
        last = pool.submit(post, server, question("last"))
        until(lambda: server.turns.waiting == 2)
        leaving.close()
        until(lambda: server.turns.waiting == 1)
        model.go.set()
        assert (first.result()[0], last.result()[0]) == (200, 200)
    assert model.written == ["first", "last"]


def test_half_a_request_takes_no_place(server: Server, model: Words) -> None:
    """A client that goes away in the middle of its request does not reach the queue."""
    with socket.create_connection(("127.0.0.1", server.server_port)) as client:
        client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Type: application/json\r\n")
        client.sendall(b"Content-Length: 100\r\n\r\n{")
    assert post(server, HELLO)[0] == 200
    assert len(model.asked) == 1


def test_the_log_has_no_text_of_the_users(server: Server, lines: list[str]) -> None:
    """The log has counts and times of each answer, and neither questions nor answers."""
    post(server, question("secret plans"))
    post(server, b'{"messages": "secret plans"}')
    until(lambda: len(lines) == 2)
    assert "3 tokens in, 2 out (stop)" in " ".join(lines)
    assert "secret" not in " ".join(lines)
