"""The real engine: the ports it opens, what its functions see, and what it leaves behind."""

import io
import json
import socket
import zipfile
from contextlib import suppress
from pathlib import Path

import boto3
import pytest

from local import process
from local.engine import Engine, Running, free_port
from local.paths import ENGINE_PYTHON
from local.settings import Settings

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not ENGINE_PYTHON.exists(), reason="the local engine is not installed: make setup"),
]

FUNCTION = "import os\ndef handler(event, context): return dict(os.environ)"


def listening(pid: int) -> set[str]:
    """Return the addresses on which a process accepts connections, in the hexadecimal form of /proc."""
    sockets = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            sockets.add(str(link.readlink()))
    addresses = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            accepts = fields[3] == "0A" or table.startswith("udp")
            if accepts and f"socket:[{fields[9]}]" in sockets:
                addresses.add(fields[1])
    return addresses


def invoked(running: Running) -> dict[str, str]:
    """Return the environment variables that a function sees; its process stays warm."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", FUNCTION)
    options = running.connection.client_options()
    role = boto3.client("iam", **options).create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    client = boto3.client("lambda", **options)
    client.create_function(
        FunctionName="f", Runtime="python3.14", Role=role["Role"]["Arn"], Handler="index.handler",
        Code={"ZipFile": packed.getvalue()},
    )  # fmt: skip
    client.get_waiter("function_active_v2").wait(FunctionName="f")
    return dict(json.loads(client.invoke(FunctionName="f")["Payload"].read()))


def test_real_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine opens one loopback port, hides the user's variables from functions and leaves no process."""
    monkeypatch.setenv("PIPELINE_TEST_SECRET", "s3cret")
    engine = Engine(state=tmp_path, settings=Settings(port=free_port()))
    running = engine.start()
    try:
        seen = invoked(running)
        if Path("/proc/self/fd").exists():
            loopback = "0100007F"
            assert listening(running.pid) == {f"{loopback}:{running.port:04X}"}
            assert "httptools" in Path(f"/proc/{running.pid}/maps").read_text()
        functions = process.group_members(running.pid, str(tmp_path / "tmp"))
        assert functions
        assert "s3cret" not in seen.values()
        assert seen["HOME"] == str(tmp_path)
    finally:
        assert engine.stop() is True
    assert process.group_members(running.pid) == []
    assert [pid for pid in functions if process.command_line(pid) is not None] == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", running.port)) != 0


def test_signatures_are_checked(tmp_path: Path) -> None:
    """A caller with an unknown access key is refused, as on AWS."""
    engine = Engine(state=tmp_path, settings=Settings(port=free_port()))
    options = engine.start().connection.client_options()
    try:
        stranger = boto3.client("sqs", **{**options, "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE"})
        with pytest.raises(stranger.exceptions.ClientError) as refused:
            stranger.list_queues()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    finally:
        engine.stop()
