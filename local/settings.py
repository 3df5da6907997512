"""The user's settings for the local engine, read from environment variables."""

import http.client
import json
import os
import re
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
        """The address without `/v1`, which the engine appends itself."""
        return self.url.rstrip("/").removesuffix("/v1")

    def require_reachable(self) -> None:
        """Raise SettingsError if the server doesn't answer or doesn't have the model.

        Without this check, only a failed run would show it.
        """
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # like the engine: no proxy
        try:
            with opener.open(f"{self.base}/v1/models", timeout=PROBE_SECONDS) as answer:
                known = _model_names(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                if error.code in {401, 403}:
                    raise SettingsError(
                        f"The model server at {self.url} asks for a key, which the local engine can't send. Use a "
                        "server that needs no key, for example Ollama."
                    ) from error
            return  # a server that does not list its models is accepted unchecked
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SettingsError(
                f"No model server answers at {self.url}. Start it (for Ollama: ollama serve), or unset MODEL_URL "
                "and MODEL to get canned answers."
            ) from error
        if known and not known & {self.name, f"{self.name}:latest"}:
            raise SettingsError(
                f"The model server at {self.url} has no model {self.name!r}; it has {', '.join(sorted(known))}. "
                f"Choose one of these with MODEL=…, or install {self.name!r} (for Ollama: ollama pull {self.name})."
            )


def _model_names(body: bytes) -> set[str]:
    try:
        return {str(model["id"]) for model in json.loads(body)["data"]}
    except (ValueError, TypeError, KeyError):
        return set()


@dataclass(frozen=True, kw_only=True)
class Settings:
    port: int | None = None
    """None: the port of the running engine, else 4566."""
    model: Model | None = None
    """None: the engine gives canned answers."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read `PIPELINE_PORT`, `PIPELINE_MODEL_URL`, `PIPELINE_MODEL`; empty means unset. Raises SettingsError."""
        variables = os.environ if environment is None else environment
        return cls(
            port=_port(variables.get("PIPELINE_PORT", "").strip()),
            model=_model(
                variables.get("PIPELINE_MODEL_URL", "").strip().rstrip("/"),
                variables.get("PIPELINE_MODEL", "").strip(),
            ),
        )


def _port(text: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch("[0-9]{4,5}", text) or not 1024 <= int(text) <= 65535:
        raise SettingsError(
            f"The port {text[:20]!r} can't be used. Choose a number from 1024 to 65535: PORT=4567 make run"
        )
    return int(text)


def _model(url: str, name: str) -> Model | None:
    if not url and not name:
        return None
    if not url or not name:
        missing, present = ("MODEL", "MODEL_URL") if url else ("MODEL_URL", "MODEL")
        raise SettingsError(
            f"{present} is set but {missing} is not. Set both: "
            "MODEL_URL=http://127.0.0.1:11434/v1 MODEL=llama3.2 make run"
        )
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(
            f"MODEL_URL {url!r} is not an HTTP address. Set it like this: MODEL_URL=http://127.0.0.1:11434/v1"
        )
    return Model(url=url, name=name)
