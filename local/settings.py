"""What a user can choose for the local engine, by environment variable."""

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from local.errors import SettingsError

DEFAULT_PORT = 4566
PROBE_SECONDS = 3


@dataclass(frozen=True, kw_only=True)
class Model:
    """An OpenAI-compatible server that answers in Bedrock's place, e.g. Ollama's `http://127.0.0.1:11434/v1`."""

    url: str
    name: str

    @property
    def base(self) -> str:
        """The address without `/v1`, which the engine appends by itself."""
        return self.url.rstrip("/").removesuffix("/v1")

    def require_reachable(self) -> None:
        """Raises SettingsError if the server doesn't answer or doesn't have the model.

        The engine would say so only when it is asked, by a failed pipeline.
        """
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({})
        )  # the engine has no proxy either
        try:
            with opener.open(f"{self.base}/v1/models", timeout=PROBE_SECONDS) as answer:
                known = _model_names(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                if error.code in {401, 403}:
                    raise SettingsError(
                        f"The model server at {self.url} asks for a key. The local engine can't send one: use a "
                        "server without, e.g. Ollama."
                    ) from error
            return  # it lists no models; whether it has this one shows when it is asked
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SettingsError(
                f"Nothing answers at {self.url}. Start the model server (for Ollama: ollama serve), or leave "
                "MODEL_URL and MODEL out for canned answers."
            ) from error
        if known and not known & {self.name, f"{self.name}:latest"}:
            raise SettingsError(
                f"The model server at {self.url} has no model {self.name!r}; it has {', '.join(sorted(known))}. Name "
                f"one of these with MODEL=, or fetch it (for Ollama: ollama pull {self.name})."
            )


def _model_names(body: bytes) -> set[str]:
    try:
        return {str(model["id"]) for model in json.loads(body)["data"]}
    except (ValueError, TypeError, KeyError):
        return set()


@dataclass(frozen=True, kw_only=True)
class Settings:
    port: int | None = None
    """None: the port in use, else 4566."""
    model: Model | None = None
    """None: the engine's canned answer."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Reads `PIPELINE_PORT`, `PIPELINE_MODEL_URL` and `PIPELINE_MODEL`; empty is unset. Raises SettingsError."""
        given = os.environ if environment is None else environment
        return cls(
            port=_port(given.get("PIPELINE_PORT", "").strip()),
            model=_model(
                given.get("PIPELINE_MODEL_URL", "").strip().rstrip("/"),
                given.get("PIPELINE_MODEL", "").strip(),
            ),
        )


def _port(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or not 1024 <= int(text) <= 65535:
        raise SettingsError(
            f"The port {text!r} can't be used. Choose one from 1024 to 65535: PORT=4567 make run"
        )
    return int(text)


def _model(url: str, name: str) -> Model | None:
    if not url and not name:
        return None
    if not url or not name:
        missing, given = ("MODEL", "MODEL_URL") if url else ("MODEL_URL", "MODEL")
        raise SettingsError(
            f"{given} is set but {missing} is not. Give both: "
            "MODEL_URL=http://127.0.0.1:11434/v1 MODEL=llama3.2 make run"
        )
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SettingsError(f"MODEL_URL {url!r} is no address. Example: MODEL_URL=http://127.0.0.1:11434/v1")
    return Model(url=url, name=name)
