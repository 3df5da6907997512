"""How the engine starts the small model: whether it can run here, with what, and when it is ready."""

import os
import socket
import time
from pathlib import Path
from typing import Any

from local.paths import ROOT
from local.servers import health
from local.settings import Model
from local.small_model import place
from local.small_model.place import LOAD_SECONDS
from local.state import StateFolder
from operations.progress import Progress, step


def obstacle() -> str | None:
    """Return a sentence on why the small model can't run here, and what to do; None if it can."""
    if misfit := place.misfit():
        return f"The small model does not run on this machine: {misfit}. Use a model server of your own (MODEL_URL)."
    if shortage := place.shortage():
        return f"The small model was not started: {shortage}. Free some memory and start again: make stop run"
    if not place.PYTHON.exists() or place.weights() is None:
        return "The small model is not installed in this folder. Install it and start again: make stop run"
    return None


def instructions(state: StateFolder, listener: socket.socket | None) -> dict[str, Any] | None:
    """Return what the engine's process needs to run the small model's server; None without it.

    The server sees nothing of the user's environment, like the engine. Its command line has the folder of the
    engine's temporary files, by which a process that an engine left behind is recognised.
    """
    if listener is None:
        return None
    return {
        "descriptor": listener.fileno(),
        "command": [str(place.PYTHON), "-X", f"ai-pipeline-model={state.tmp}", "-m", "local.small_model"],
        "weights": str(place.weights()),
        "log": str(state.model_log),
        "environment": {
            "PATH": os.defpath,
            "HOME": str(state.path),
            "TMPDIR": str(state.tmp),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(ROOT),
        },
    }


def await_ready(model: Model, log: Path, progress: Progress) -> str | None:
    """Wait until the small model is loaded. Return None, or a sentence on why it can't answer, and what to do."""
    with step(progress, "model", "loading the small model"):
        until = time.monotonic() + LOAD_SECONDS
        while (said := health(model)) is not None and said.get("state") != "ready":
            if time.monotonic() > until:
                return (
                    f"The small model was not loaded within {LOAD_SECONDS:.0f} s; its log is {log}. Start again when "
                    "the machine is less busy: make stop run"
                )
            time.sleep(0.1)
    if said is None:
        return f"The small model can't be loaded; its log {log} says why. Start it again: make stop run"
    return None
