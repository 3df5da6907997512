"""A separate engine for tests, which never uses the user's engine, its port or its state."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.names import Names
from local.engine import Engine, free_port, is_free
from local.paths import STATE
from local.settings import Model, Settings
from local.state import StateFolder
from operations.progress import silent

PATIENCE_SECONDS = 600
PREFIX = Names("local").prefix


@contextmanager
def own_engine(state: Path = STATE / "test", *, model: Model | None = None) -> Iterator[Engine]:
    """Yield an engine that is not started yet (use `up`), and stop it at the end.

    The engine gets the port of the last test run if that is free: the synthesised app, which contains the address, is
    then reused. A second test run with the same `state` waits for the first one.
    """
    folder = StateFolder(state)
    with folder.lock("test", silent, patience_seconds=PATIENCE_SECONDS):
        port_file = folder.path / "port.json"
        last = folder.read(port_file).get("port")
        engine = Engine(state=folder.path, settings=Settings())
        engine.stop()  # a test run that was killed may have left one
        port = last if isinstance(last, int) and is_free(last) else free_port()
        folder.write(port_file, {"port": port})
        engine = Engine(state=folder.path, settings=Settings(port=port, model=model))
        try:
            yield engine
        finally:
            engine.stop()


@contextmanager
def denied(client: Callable[[str], Any], function: str, *actions: str) -> Iterator[None]:
    """Deny `actions` to a function's role inside the context. `client` returns a service's client."""
    configuration = client("lambda").get_function_configuration(FunctionName=f"{PREFIX}-{function}")
    role = configuration["Role"].rpartition("/")[2]
    statement = {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client("iam").put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=policy)
    try:
        yield
    finally:
        client("iam").delete_role_policy(RoleName=role, PolicyName="denied")
