"""An engine of one's own for tests: never the user's, never its port, never its state."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.engine import Engine, free_port, is_free
from local.paths import STATE
from local.settings import Model, Settings
from local.state import StateFolder
from operations.progress import silent

PATIENCE_SECONDS = 600


@contextmanager
def own_engine(state: Path = STATE / "test", *, model: Model | None = None) -> Iterator[Engine]:
    """An engine that is not started yet, and is stopped at the end whatever happened. Deploy to it with `up`.

    It keeps its port from one test run to the next if that is free: the synthesised app, which holds the address, is
    then reused. A second test run with the same `state` waits for the first.
    """
    folder = StateFolder(state)
    with folder.lock("test", silent, patience_seconds=PATIENCE_SECONDS):
        kept = folder.path / "port.json"
        last = folder.read(kept).get("port")
        engine = Engine(state=folder.path, settings=Settings())
        engine.stop()  # of a test run that was killed
        port = last if isinstance(last, int) and is_free(last) else free_port()
        folder.write(kept, {"port": port})
        engine = Engine(state=folder.path, settings=Settings(port=port, model=model))
        try:
            yield engine
        finally:
            engine.stop()
