"""The user's settings for the local engine, read from environment variables."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from local.errors import SettingsError
from local.small_model.place import NAME as SMALL_MODEL

DEFAULT_PORT = 4566
CANNED = "canned"
"""The value of MODEL that asks for canned answers."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, kw_only=True)
class Model:
    """An OpenAI-compatible server that answers in Bedrock's place, e.g. Ollama's `http://127.0.0.1:11434/v1`."""

    url: str
    name: str
    small: bool = False
    """Whether it is the small model, whose server the engine runs itself, at an address that each start chooses."""

    @property
    def base(self) -> str:
        """The address without `/v1`, which the engine appends itself."""
        return self.url.rstrip("/").removesuffix("/v1")

    def at(self, port: int) -> "Model":
        """Return the small model with the port of its server."""
        return replace(self, url=f"http://127.0.0.1:{port}/v1")


SMALL = Model(url="", name=SMALL_MODEL, small=True)


@dataclass(frozen=True, kw_only=True)
class Settings:
    port: int | None = None
    """None: the port of the running engine, else 4566."""
    model: Model | None = None
    """None: the engine gives canned answers."""
    key: str | None = field(default=None, repr=False)
    """The model server's key. It is only passed to the engine's standard input, never stored."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the variables of `KEY_VARIABLES` and `PIPELINE_PORT`, `PIPELINE_MODEL_URL`, `PIPELINE_MODEL`.

        Empty means unset. Without a model, the small one answers. Raises SettingsError.
        """
        variables = os.environ if environment is None else environment
        values = {name: value.strip() for name, value in variables.items()}
        model = _model(values.get("PIPELINE_MODEL_URL", "").rstrip("/"), values.get("PIPELINE_MODEL", ""))
        return cls(
            port=_port(values.get("PIPELINE_PORT", "")),
            model=model,
            key=_key(values, model) if model and not model.small else None,
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
        return SMALL
    if not url and name == CANNED:
        return None
    if not url or not name:
        missing, present = ("MODEL", "MODEL_URL") if url else ("MODEL_URL", "MODEL")
        raise SettingsError(
            f"{present} is set but {missing} is not. Set both: "
            f"MODEL_URL=http://127.0.0.1:11434/v1 MODEL=llama3.2 make run. MODEL={CANNED} alone gives canned answers."
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


# --- the key of a model server -------------------------------------------------------------------------------

KEY_VARIABLES = ("PIPELINE_MODEL_KEY", "MODEL_KEY")
KEY_FILE_VARIABLES = ("PIPELINE_MODEL_KEY_FILE", "MODEL_KEY_FILE")
_KEY = re.compile(r"[\x21-\x7e]{1,4096}")


def _key(values: Mapping[str, str], model: Model) -> str | None:
    """Return the key, from a variable or the file that one names. Raises SettingsError, which never quotes it."""
    key, source = _first(values, KEY_VARIABLES)
    if not key:
        file, variable = _first(values, KEY_FILE_VARIABLES)
        if not file:
            return None
        source = f"The file {file} of {variable}"
        try:
            key = Path(file).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise SettingsError(
                f"{source} can't be read: {reason}. Write the key into it, or unset {variable}."
            ) from error
    if not _KEY.fullmatch(key):
        raise SettingsError(
            f"{source} holds no key: a key is one line of visible ASCII characters. Set it to the key alone."
        )
    parts = urlsplit(model.url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise SettingsError(
            f"The key would cross the network unencrypted, to {model.url}. Set MODEL_URL to an https:// address, or "
            "unset MODEL_KEY if the server needs no key."
        )
    return key


def _first(values: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, str]:
    """Return the value of the first variable that is set, and its name."""
    return next(((values[name], name) for name in names if values.get(name)), ("", names[0]))
