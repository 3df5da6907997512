"""What a user can choose for the local engine, by environment variable."""

from collections.abc import Mapping
from dataclasses import dataclass

DEFAULT_PORT = 4566


@dataclass(frozen=True, kw_only=True)
class Model:
    """An OpenAI-compatible server that answers in Bedrock's place, e.g. Ollama's `http://127.0.0.1:11434/v1`."""

    url: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    port: int = DEFAULT_PORT
    model: Model | None = None
    """None: the engine's canned answer."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Reads `PIPELINE_PORT`, `PIPELINE_MODEL_URL` and `PIPELINE_MODEL`. Raises SettingsError."""
        raise NotImplementedError
