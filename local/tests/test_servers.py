"""What is asked of model servers: Ollama's models, and the small model's health."""

import pytest

from local import servers
from local.engine import free_port
from local.settings import SMALL
from local.tests import fakes


def test_ollama(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ollama's models are listed without those that only embed; nothing is listed if it does not run."""
    models = [{"id": name} for name in ("qwen3", "nomic-embed-text:latest", "llama3.2:latest")]
    with fakes.server({"/v1/models": {"data": models}}) as port:
        monkeypatch.setattr(servers, "OLLAMA", f"http://127.0.0.1:{port}")
        assert servers.ollama_models() == ("llama3.2:latest", "qwen3")
    with fakes.server({"/v1/models": {"data": None}}) as port:
        monkeypatch.setattr(servers, "OLLAMA", f"http://127.0.0.1:{port}")
        assert servers.ollama_models() == ()
    monkeypatch.setattr(servers, "OLLAMA", f"http://127.0.0.1:{free_port()}")
    assert servers.ollama_models() is None


def test_health() -> None:
    """A server that answers anything but an object says nothing; None means that there is no server."""
    with fakes.server({"/health": {"state": "ready"}}) as port:
        assert servers.health(SMALL.at(port)) == {"state": "ready"}
    with fakes.server({"/health": ["ready"]}) as port:
        assert servers.health(SMALL.at(port)) == {}
    with fakes.server({}) as port:
        assert servers.health(SMALL.at(port)) == {}
    assert servers.health(SMALL.at(free_port())) is None
