"""AWS's clients keep quiet connections alive, and are made from less data in less time."""

import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import urllib3.util.connection
from botocore.loaders import JSONFileLoader, Loader

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


def test_botocores_data_is_read_as_botocore_reads_it():
    """The faster reader finds the same files as botocore's own, zipped or not, with the same content."""
    ours, theirs = aws._Files(), JSONFileLoader()
    root = Path(Loader.BUILTIN_DATA_PATH)
    names = [
        *(f"{root}/{name}" for name in ("endpoints", "partitions", "_retry", "missing")),
        *(f"{root}/{service}" for service in ("missing/service-2", "sqs/2012-11-05/service-2")),
        f"{root}/stepfunctions/2016-11-23/endpoint-rule-set-1",
    ]
    assert [ours.exists(name) for name in names] == [theirs.exists(name) for name in names]
    assert [ours.load_file(name) for name in names] == [theirs.load_file(name) for name in names]


def test_a_bundles_own_map_of_endpoints_is_read_in_place_of_botocores(monkeypatch, tmp_path):
    """Where there is a map of the endpoints that a function needs, it is read; other files stay botocore's."""
    own = tmp_path / "endpoints.json"
    monkeypatch.setattr(aws, "ENDPOINTS", str(own))
    loader = Loader(file_loader=aws._Files())
    whole, path = loader.load_data_with_path("endpoints")
    own.write_text('{"partitions": []}')
    cut, same_path = Loader(file_loader=aws._Files()).load_data_with_path("endpoints")
    assert (len(whole["partitions"]) > 1, cut) == (True, {"partitions": []})
    assert loader.is_builtin_path(same_path)  # otherwise botocore would not use the services' own rules
    assert path == same_path
    assert aws._Files().load_file(str(tmp_path / "endpoints")) == {"partitions": []}
