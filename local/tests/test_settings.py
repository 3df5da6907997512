"""What the environment may say, and what is said about the rest."""

import pytest

from local.errors import SettingsError
from local.settings import Model, Settings
from local.tests import fakes

OLLAMA = "http://127.0.0.1:11434/v1"


def test_defaults() -> None:
    """Nothing set, or set to nothing as make does it, leaves port and model to the engine."""
    assert Settings.from_environment({}) == Settings(port=None, model=None)
    assert Settings.from_environment({"PIPELINE_PORT": "", "PIPELINE_MODEL": " "}) == Settings()


def test_reads() -> None:
    """Port and model are taken from their variables."""
    given = {"PIPELINE_PORT": "4567", "PIPELINE_MODEL_URL": f"{OLLAMA}/", "PIPELINE_MODEL": "llama3.2"}
    assert Settings.from_environment(given) == Settings(port=4567, model=Model(url=OLLAMA, name="llama3.2"))


@pytest.mark.parametrize("port", ["http", "80", "65536", "-1", "4566.0"])
def test_no_port(port: str) -> None:
    """What is no port for a user is refused with an example."""
    with pytest.raises(SettingsError, match="PORT=4567"):
        Settings.from_environment({"PIPELINE_PORT": port})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"PIPELINE_MODEL": "llama3.2"}, "MODEL is set but MODEL_URL is not"),
        ({"PIPELINE_MODEL_URL": OLLAMA}, "MODEL_URL is set but MODEL is not"),
        ({"PIPELINE_MODEL_URL": "localhost:11434", "PIPELINE_MODEL": "m"}, "no address"),
    ],
)
def test_no_model(given: dict[str, str], said: str) -> None:
    """A model needs an address and a name."""
    with pytest.raises(SettingsError, match=said):
        Settings.from_environment(given)


@pytest.mark.parametrize("url", ["http://host:1", "http://host:1/", "http://host:1/v1", "http://host:1/v1/"])
def test_base(url: str) -> None:
    """The address may end in /v1 or not."""
    assert Model(url=url, name="m").base == "http://host:1"


def test_reachable_model() -> None:
    """A server that has the model, under Ollama's tag too, or lists no models at all, is accepted."""
    with fakes.server({"/v1/models": {"data": [{"id": "llama3.2:latest"}]}}) as port:
        known = Model(url=f"http://127.0.0.1:{port}/v1", name="llama3.2")
        known.require_reachable()
        with pytest.raises(SettingsError):
            Model(url=known.url, name="another").require_reachable()
    with fakes.server({}) as port:
        Model(url=f"http://127.0.0.1:{port}", name="any").require_reachable()


def test_unknown_model() -> None:
    """A model the server does not have is said, with those it has."""
    with (
        fakes.server({"/v1/models": {"data": [{"id": "qwen3"}]}}) as port,
        pytest.raises(SettingsError, match="it has qwen3"),
    ):
        Model(url=f"http://127.0.0.1:{port}", name="llama3.2").require_reachable()


def test_model_server_with_key() -> None:
    """A server that asks for a key can't be used: the engine sends none."""
    with (
        fakes.server({"/v1/models": {}}, status=401) as port,
        pytest.raises(SettingsError, match="asks for a key"),
    ):
        Model(url=f"http://127.0.0.1:{port}", name="m").require_reachable()
