"""Asks model servers: whether one answers and has a model, what the small one does, whether Ollama runs here."""

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from local.errors import SettingsError
from local.settings import Model

PROBE_SECONDS = 3
OLLAMA = "http://127.0.0.1:11434"
OLLAMA_SECONDS = 0.5
HEALTH_SECONDS = 2.0


def require_reachable(model: Model, key: str | None = None) -> None:
    """Raise SettingsError if the server doesn't answer, refuses the key, or doesn't have the model.

    Without this check, only a failed run would show it.
    """
    try:
        known = _model_names(_get(f"{model.base}/v1/models", PROBE_SECONDS, key))
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 401 or (error.code == 403 and not key):
                raise SettingsError(_refused(model, key, error.code)) from error
        return  # a server that does not list its models, or not for this key, is accepted unchecked
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SettingsError(
            f"No model server answers at {model.url}. Start it (for Ollama: ollama serve), or unset MODEL_URL "
            "and MODEL to use the small model of this machine."
        ) from error
    if known and not known & {model.name, f"{model.name}:latest"}:
        raise SettingsError(
            f"The model server at {model.url} has no model {model.name!r}; it has {', '.join(sorted(known))}. "
            f"Choose one of these with MODEL=…, or install {model.name!r} (for Ollama: ollama pull {model.name})."
        )


def _refused(model: Model, key: str | None, status: int) -> str:
    if key:
        return (
            f"The model server at {model.url} refuses the key (HTTP {status}). Check MODEL_KEY, or the file that "
            "MODEL_KEY_FILE names, and that the key may use this server."
        )
    return (
        f"The model server at {model.url} asks for a key. Put the key into the environment variable MODEL_KEY, or "
        "into a file that MODEL_KEY_FILE names."
    )


def health(model: Model) -> dict[str, Any] | None:
    """Return what the small model's server says of itself; None if nothing listens at its address.

    A server that is just being started says nothing yet: the result is empty.
    """
    try:
        body = json.loads(_get(f"{model.base}/health", HEALTH_SECONDS))
    except ConnectionRefusedError:
        return None
    except urllib.error.URLError as error:
        return None if isinstance(error.reason, ConnectionRefusedError) else {}
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    return body if isinstance(body, dict) else {}


def ollama_models() -> tuple[str, ...] | None:
    """Return the names of the models of the Ollama on this machine; None if it does not run."""
    try:
        names = _model_names(_get(f"{OLLAMA}/v1/models", OLLAMA_SECONDS))
    except (OSError, http.client.HTTPException, ValueError):
        return None
    return tuple(sorted(name for name in names if "embed" not in name))


def _get(address: str, seconds: float, key: str | None = None) -> bytes:
    """Return the body at an address, which is asked without a proxy, as the engine asks it."""
    request = urllib.request.Request(address)  # noqa: S310 -- an HTTP address: the settings are checked
    if key:
        request.add_unredirected_header("Authorization", f"Bearer {key}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=seconds) as answer:
        return bytes(answer.read())


def _model_names(body: bytes) -> set[str]:
    try:
        return {str(model["id"]) for model in json.loads(body)["data"]}
    except (ValueError, TypeError, KeyError):
        return set()
