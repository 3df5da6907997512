"""The border to AWS: what goes over the wire."""

from typing import Any

import pytest
from botocore import awsrequest

from shared import aws

HEAD = b"POST / HTTP/1.1\r\n"


class Socket:
    """Keeps what is sent, call by call; answers `answers` to whoever reads."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.broken = False

    def sendall(self, data: bytes) -> None:
        self.sent.append(data)
        if self.broken:
            raise BrokenPipeError

    def close(self) -> None:
        pass

    def settimeout(self, _seconds: float | None) -> None:
        pass


def connected(pool: Any = awsrequest.AWSHTTPConnectionPool) -> tuple[Any, Socket]:
    connection, socket = pool.ConnectionCls("localhost", 1), Socket()
    connection.sock = socket
    return connection, socket


@pytest.mark.parametrize("pool", [awsrequest.AWSHTTPConnectionPool, awsrequest.AWSHTTPSConnectionPool])
def test_a_request_is_sent_at_once(pool: Any) -> None:
    """Head and body of a request leave in one call, complete and in order, on both kinds of connection."""
    connection, socket = connected(pool)
    connection.request("POST", "/", b'{"a": 1}', {"Content-Length": "8", "X-A": "b"})
    (sent,) = socket.sent
    assert sent.startswith(HEAD)
    assert sent.endswith(b'\r\n\r\n{"a": 1}')
    assert b"X-A: b\r\n" in sent


@pytest.mark.parametrize("body", [b"", None, [b"ab", b"cd"]])
def test_other_bodies_are_sent_as_ever(body: Any) -> None:
    """No body, an empty one and one in pieces arrive whole."""
    connection, socket = connected()
    connection.request("POST", "/", body, {"Content-Length": "4" if body else "0"})
    assert b"".join(socket.sent).endswith(b"\r\n\r\n" + b"".join(body or []))


def test_a_broken_connection_is_told() -> None:
    """A connection that breaks while the request is sent raises, and sends the next request whole."""
    connection, socket = connected()
    socket.broken = True
    with pytest.raises(BrokenPipeError):
        connection.request("POST", "/", b"a", {"Content-Length": "1"})
    connection.close()
    connection.sock = after = Socket()
    connection.request("POST", "/", b"bc", {"Content-Length": "2"})
    assert [sent[-6:] for sent in after.sent] == [b"\r\n\r\nbc"]


def test_clients_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients that functions ask for send their requests so."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    manager = aws.session().create_client("sqs")._endpoint.http_session._manager
    for scheme in ("http", "https"):
        assert issubclass(manager.pool_classes_by_scheme[scheme].ConnectionCls, aws._SentAtOnce)
