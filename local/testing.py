"""An engine of one's own for tests: never the user's, never its port, never its state."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.engine import Engine, free_port, is_free
from local.paths import STATE
from local.settings import Settings
from local.state import StateFolder


@contextmanager
def own_engine(state: Path = STATE / "test") -> Iterator[Engine]:
    """An engine that is not started yet, and is stopped at the end whatever happened. Deploy to it with `up`.

    It keeps its port from one test run to the next if that is free: the synthesised app, which holds the address, is
    then reused.
    """
    folder = StateFolder(state)
    folder.path.mkdir(parents=True, exist_ok=True)
    kept = folder.path / "port.json"
    last = folder.read(kept).get("port")
    port = last if isinstance(last, int) and is_free(last) else free_port()
    folder.write(kept, {"port": port})
    engine = Engine(state=folder.path, settings=Settings(port=port))
    engine.stop()
    try:
        yield engine
    finally:
        engine.stop()
