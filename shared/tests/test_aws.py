"""A client whose answer may take long keeps its quiet connection alive."""

import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
import urllib3.util.connection

from shared import aws


class Empty(BaseHTTPRequestHandler):
    """Answers every request with an empty object."""

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.mark.parametrize(("read_seconds", "kept_alive"), [(5, False), (895, True)])
def test_a_connection_that_may_be_quiet_for_minutes_is_probed(
    read_seconds, kept_alive, monkeypatch, socket_enabled
):
    """A client that waits for minutes probes its connection before a NAT gateway forgets it; another does not."""
    probed: list[tuple[bool, bool]] = []
    connect = urllib3.util.connection.create_connection

    def noted(*arguments, **options):
        made = connect(*arguments, **options)
        names = [option for level, option, _ in aws.PROBES if level == socket.IPPROTO_TCP]
        every = {made.getsockopt(socket.IPPROTO_TCP, name) for name in names}
        alive = made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        probed.append((bool(alive), every == {aws.QUIET_SECONDS}))
        return made

    monkeypatch.setattr(urllib3.util.connection, "create_connection", noted)
    for name, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    with HTTPServer(("127.0.0.1", 0), Empty) as server:
        Thread(target=server.handle_request).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        aws.client.__wrapped__("sqs", read_seconds=read_seconds, tries=1).list_queues()
    assert probed == [(kept_alive, kept_alive)]
