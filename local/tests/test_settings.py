"""Reading the engine's settings from environment variables, and refusing wrong ones."""

from pathlib import Path

import pytest

from local.errors import SettingsError
from local.servers import require_reachable
from local.settings import SMALL, Model, Settings
from local.tests import fakes

OLLAMA = "http://127.0.0.1:11434/v1"


def test_defaults() -> None:
    """Without variables, or with the empty ones that `make` sets, the engine chooses its port and the small model."""
    assert Settings.from_environment({}) == Settings(port=None, model=SMALL)
    assert Settings.from_environment({"PIPELINE_PORT": "", "PIPELINE_MODEL": " "}) == Settings(model=SMALL)


def test_canned() -> None:
    """`MODEL=canned` alone asks for canned answers; with a server it is the name of the server's model."""
    assert Settings.from_environment({"PIPELINE_MODEL": "canned"}) == Settings(model=None)
    served = Settings.from_environment({"PIPELINE_MODEL": "canned", "PIPELINE_MODEL_URL": OLLAMA})
    assert served.model == Model(url=OLLAMA, name="canned")


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
        require_reachable(known)
        with pytest.raises(SettingsError):
            require_reachable(Model(url=known.url, name="another"))
    with fakes.server({}) as port:
        require_reachable(Model(url=f"http://127.0.0.1:{port}", name="any"))


def test_unknown_model() -> None:
    """When the server lacks the model, the error lists the models it has."""
    with (
        fakes.server({"/v1/models": {"data": [{"id": "qwen3"}]}}) as port,
        pytest.raises(SettingsError, match="it has qwen3"),
    ):
        require_reachable(Model(url=f"http://127.0.0.1:{port}", name="llama3.2"))


def test_model_server_with_key() -> None:
    """A server that asks for a key says how to give one; one that refuses the key says so without the key."""
    with fakes.server({"/v1/models": {}}, status=401) as port:
        model = Model(url=f"http://127.0.0.1:{port}", name="m")
        with pytest.raises(SettingsError, match=r"asks for a key.*MODEL_KEY"):
            require_reachable(model)
        with pytest.raises(SettingsError, match="refuses the key") as refused:
            require_reachable(model, "sk-secret")
    assert "sk-secret" not in str(refused.value)


def test_a_key_that_may_not_list_models() -> None:
    """A key with which the server forbids to list its models is accepted, as it may still ask; no key is not."""
    with fakes.server({"/v1/models": {}}, status=403) as port:
        model = Model(url=f"http://127.0.0.1:{port}", name="m")
        require_reachable(model, "sk-secret")
        with pytest.raises(SettingsError, match="asks for a key"):
            require_reachable(model)


HOSTED = {"PIPELINE_MODEL_URL": "https://models.example/v1", "PIPELINE_MODEL": "m"}


@pytest.mark.parametrize("variable", ["MODEL_KEY", "PIPELINE_MODEL_KEY"])
def test_a_key_from_the_environment(variable: str) -> None:
    """A key in the environment is taken, and is not shown with the settings."""
    settings = Settings.from_environment({**HOSTED, variable: " sk-secret\n"})
    assert settings.key == "sk-secret"
    assert "sk-secret" not in repr(settings)


def test_a_key_from_a_file(tmp_path: Path) -> None:
    """A key in a file is taken without its line end."""
    (tmp_path / "key").write_text("sk-secret\n")
    assert Settings.from_environment({**HOSTED, "MODEL_KEY_FILE": str(tmp_path / "key")}).key == "sk-secret"


def test_a_key_without_a_server_goes_nowhere() -> None:
    """A key in the environment is ignored if no model server is named."""
    assert Settings.from_environment({"MODEL_KEY": "sk-secret"}) == Settings(model=SMALL)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"MODEL_KEY": "sk secret"}, "MODEL_KEY holds no key"),
        ({"MODEL_KEY": "sk-\nsecret"}, "one line"),
        ({"MODEL_KEY": "sk-sécret"}, "visible ASCII"),
        ({"MODEL_KEY_FILE": "/nonexistent/key"}, "can't be read: No such file"),
        ({"MODEL_KEY": "sk-secret", "PIPELINE_MODEL_URL": "http://models.example/v1"}, "unencrypted"),
    ],
)
def test_a_key_that_can_not_be_used(variables: dict[str, str], message: str) -> None:
    """A key that no header can carry, that can't be read or would be sent in the clear is refused unquoted."""
    with pytest.raises(SettingsError, match=message) as refused:
        Settings.from_environment({**HOSTED, **variables})
    assert "secret" not in str(refused.value)


def test_a_key_stays_on_this_machine() -> None:
    """A server on this machine may be asked with a key over plain HTTP."""
    variables = {**HOSTED, "PIPELINE_MODEL_URL": OLLAMA, "MODEL_KEY": "sk-secret"}
    assert Settings.from_environment(variables).key == "sk-secret"
