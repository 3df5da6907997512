"""Reading the engine's settings from environment variables, and refusing wrong ones."""

import pytest

from local.errors import SettingsError
from local.settings import Model, Settings
from local.tests import fakes

OLLAMA = "http://127.0.0.1:11434/v1"


def test_defaults() -> None:
    """Without variables, or with the empty ones that `make` sets, the engine chooses port and model."""
    assert Settings.from_environment({}) == Settings(port=None, model=None)
    assert Settings.from_environment({"PIPELINE_PORT": "", "PIPELINE_MODEL": " "}) == Settings()


def test_reads() -> None:
    """Port and model are taken from their variables."""
    variables = {"PIPELINE_PORT": "4567", "PIPELINE_MODEL_URL": f"{OLLAMA}/", "PIPELINE_MODEL": "llama3.2"}
    assert Settings.from_environment(variables) == Settings(
        port=4567, model=Model(url=OLLAMA, name="llama3.2")
    )


@pytest.mark.parametrize("port", ["http", "80", "65536", "-1", "4566.0"])
def test_no_port(port: str) -> None:
    """A value that is not a usable port is refused, and the error gives an example."""
    with pytest.raises(SettingsError, match="PORT=4567"):
        Settings.from_environment({"PIPELINE_PORT": port})


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"PIPELINE_MODEL": "llama3.2"}, "MODEL is set but MODEL_URL is not"),
        ({"PIPELINE_MODEL_URL": OLLAMA}, "MODEL_URL is set but MODEL is not"),
        ({"PIPELINE_MODEL_URL": "localhost:11434", "PIPELINE_MODEL": "m"}, "not an HTTP address"),
    ],
)
def test_no_model(variables: dict[str, str], message: str) -> None:
    """A model without a usable address or without a name is refused."""
    with pytest.raises(SettingsError, match=message):
        Settings.from_environment(variables)


@pytest.mark.parametrize("url", ["http://host:1", "http://host:1/", "http://host:1/v1", "http://host:1/v1/"])
def test_base(url: str) -> None:
    """A model server's address may end in /v1 or not."""
    assert Model(url=url, name="m").base == "http://host:1"


def test_reachable_model() -> None:
    """A server that lists the model (with or without Ollama's tag), or lists no models at all, is accepted."""
    with fakes.server({"/v1/models": {"data": [{"id": "llama3.2:latest"}]}}) as port:
        known = Model(url=f"http://127.0.0.1:{port}/v1", name="llama3.2")
        known.require_reachable()
        with pytest.raises(SettingsError):
            Model(url=known.url, name="another").require_reachable()
    with fakes.server({}) as port:
        Model(url=f"http://127.0.0.1:{port}", name="any").require_reachable()


def test_unknown_model() -> None:
    """When the server lacks the model, the error lists the models it has."""
    with (
        fakes.server({"/v1/models": {"data": [{"id": "qwen3"}]}}) as port,
        pytest.raises(SettingsError, match="it has qwen3"),
    ):
        Model(url=f"http://127.0.0.1:{port}", name="llama3.2").require_reachable()


def test_model_server_with_key() -> None:
    """A server that asks for a key is refused, because the engine sends none."""
    with (
        fakes.server({"/v1/models": {}}, status=401) as port,
        pytest.raises(SettingsError, match="asks for a key"),
    ):
        Model(url=f"http://127.0.0.1:{port}", name="m").require_reachable()
