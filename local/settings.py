"""What a user can choose for the local engine, by environment variable."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from local.errors import SettingsError

DEFAULT_PORT = 4566


@dataclass(frozen=True, kw_only=True)
class Model:
    """An OpenAI-compatible server that answers in Bedrock's place, e.g. Ollama's `http://127.0.0.1:11434/v1`."""

    url: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`port` None: the port of the engine that is up, else 4566. `model` None: the engine's canned answer."""

    port: int | None = None
    model: Model | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Reads `PIPELINE_PORT`, `PIPELINE_MODEL_URL` and `PIPELINE_MODEL`. Raises SettingsError."""
        variables = os.environ if environment is None else environment
        return cls(port=_port(variables.get("PIPELINE_PORT")), model=_model(variables))


def _port(text: str | None) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or not 1024 <= int(text) <= 65535:
        raise SettingsError(f"{text!r} is no port to use. Choose one from 1024 to 65535: PORT=4567 make run")
    return int(text)


def _model(variables: Mapping[str, str]) -> Model | None:
    url, name = variables.get("PIPELINE_MODEL_URL"), variables.get("PIPELINE_MODEL")
    if not url and not name:
        return None
    if not url or not name:
        raise SettingsError(
            "A model server needs both its address and the model's name: "
            "make run MODEL_URL=http://127.0.0.1:11434/v1 MODEL=llama3.2"
        )
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise SettingsError(
            f"{url!r} is no address of a model server. It looks like http://127.0.0.1:11434/v1"
        )
    return Model(url=url.rstrip("/"), name=name)
