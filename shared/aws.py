"""AWS clients on one botocore session, and the translation of botocore's errors into the project's.

Functions use botocore, the core of boto3, directly: importing boto3 itself lengthens a cold start by a third and
brings resources and S3 transfers that no function needs.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from gzip import open as unzipped
from typing import Any

import botocore
import botocore.session
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader

from shared.errors import PermanentError, TransientError, is_transient

USER_AGENT = f"Botocore/{botocore.__version__} app/ai-pipeline"

QUIET_SECONDS = 60
"""For how long a connection may be quiet without being kept alive. NAT gateways and load balancers forget one after
350 seconds, in which a model may still be at work, and the answer would then never arrive.
"""
PROBES = [
    (socket.IPPROTO_TCP, getattr(socket, name), QUIET_SECONDS)
    for name in ("TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_KEEPINTVL")
    if hasattr(socket, name)
]
"""The socket options with which a quiet connection is probed every `QUIET_SECONDS`; macOS's name is the second."""

CLIENT_TRIES = 3
"""Requests that botocore makes for one call before the call counts as failed."""


ENDPOINTS = os.path.join(os.path.dirname(__file__), "endpoints.json")  # noqa: PTH118, PTH120 -- pathlib takes longer
"""The part of botocore's map of endpoints that a function needs; only bundles have it (`infra/bundling.py`)."""
_ALL_ENDPOINTS = os.path.join(Loader.BUILTIN_DATA_PATH, "endpoints")  # noqa: PTH118


class _Files:
    """Reads botocore's data as botocore does, in a third of the time: into plain dictionaries."""

    def exists(self, path: str) -> bool:
        """Tell whether there is a data file `path`, which is given without its ending."""
        return os.path.isfile(f"{path}.json") or os.path.isfile(f"{path}.json.gz")  # noqa: PTH113

    def load_file(self, path: str) -> Any:
        """Return the content of a data file, or None if there is no such file."""
        names = [ENDPOINTS] if path == _ALL_ENDPOINTS else []
        for name in (*names, f"{path}.json", f"{path}.json.gz"):
            if os.path.isfile(name):  # noqa: PTH113
                with (unzipped if name.endswith(".gz") else open)(name, "rb") as file:
                    return msgspec.json.decode(file.read())
        return None


@cache
def _data() -> Loader:
    return Loader(file_loader=_Files())


@cache
def session() -> Any:
    made = botocore.session.get_session()
    made.register_component("data_loader", _data())
    return made


@cache
def client(
    service: str, *, connect_seconds: float = 2, read_seconds: float = 5, tries: int = CLIENT_TRIES
) -> Any:
    """Return a botocore client whose timeouts end well before the function's; equal arguments share one client.

    botocore's own parameter check is switched off, as requests are built from typed values. A fixed user agent
    saves a tenth of each call's CPU: botocore would compose a new one for every request.
    """
    made = session().create_client(
        service,
        config=Config(
            connect_timeout=connect_seconds,
            read_timeout=read_seconds,
            tcp_keepalive=read_seconds > QUIET_SECONDS,
            parameter_validation=False,
            user_agent=USER_AGENT,
            retries={"total_max_attempts": tries, "mode": "standard"},
        ),
    )
    if read_seconds > QUIET_SECONDS:
        # botocore turns keep-alive on, but Linux would send the first probe after two hours.
        made._endpoint.http_session._socket_options.extend(PROBES)
    return made


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn botocore's errors into TransientError or PermanentError.

    The new error has only the operation, code and HTTP status: the AWS service's own text may quote the request.
    """
    try:
        yield
    except ClientError as error:
        code = error_code(error)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        text = f"{error.operation_name} answered {code} (HTTP {status})"
        raise (TransientError if is_transient(code, status) else PermanentError)(text) from error
    except BotoCoreError as error:
        raise TransientError(f"no answer from AWS: {type(error).__name__}") from error
