"""The file by which `pipeline console` finds a console that runs already. Only its owner can read it."""

import http.client
import json
import os
import time
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from local.paths import STATE

HOST = "127.0.0.1"
SECONDS = 10.0
"""Bound of the wait for an answer: a console on a busy machine must not be taken for none."""
STOPS_SECONDS = 30.0


class Announcement(Struct, frozen=True, kw_only=True):
    """A running console. `control` is the secret with which a program asks it for a link."""

    pid: int
    port: int
    control: str
    read_only: bool

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


def path_of(env: str) -> Path:
    return STATE / f"console-{env}.json"


def announce(env: str, announcement: Announcement) -> None:
    """Write the file at once, readable for its owner only from the beginning."""
    path = path_of(env)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.part")
    draft.unlink(missing_ok=True)
    with os.fdopen(
        os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8"
    ) as file:
        json.dump(asdict(announcement), file)
    draft.replace(path)


def withdraw(env: str, announcement: Announcement) -> None:
    """Delete the file, unless another console has replaced it."""
    if read(env) == announcement:
        path_of(env).unlink(missing_ok=True)


def read(env: str) -> Announcement | None:
    """Return what the file says; None if there is none, or none that can be read."""
    try:
        fields = json.loads(path_of(env).read_text("utf-8"))
        return Announcement(
            pid=int(fields["pid"]),
            port=int(fields["port"]),
            control=str(fields["control"]),
            read_only=bool(fields["read_only"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def running(env: str) -> tuple[Announcement, str] | None:
    """Return the console that runs for an environment, and the path of a new link to it; None if none answers."""
    announcement = read(env)
    if announcement is None or not 0 < announcement.port < 65_536:
        return None
    answer = _ask(announcement, "/link")
    path = answer.get("path") if answer else None
    return (announcement, path) if isinstance(path, str) and path.startswith("/open?t=") else None


def stop(env: str) -> list[str] | None:
    """Stop the console that runs for an environment; return what it was carrying out, None if there was no console.

    It is gone when this returns.
    """
    announcement = read(env)
    if announcement is None or not 0 < announcement.port < 65_536:
        return None
    if (answer := _ask(announcement, "/stop")) is None:
        return None
    until = time.monotonic() + STOPS_SECONDS
    while path_of(env).exists() and time.monotonic() < until:
        time.sleep(0.05)
    return [str(one) for one in answer.get("cut") or ()]


def _ask(announcement: Announcement, path: str) -> dict[str, Any] | None:
    """Post to a console as a program; None if it does not answer, or does not know the secret."""
    connection = http.client.HTTPConnection(HOST, announcement.port, timeout=SECONDS)
    headers = {
        "Authorization": f"Bearer {announcement.control}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    try:
        connection.request("POST", path, body="", headers=headers)
        response = connection.getresponse()
        body = response.read(100_000)
        answer = json.loads(body) if response.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else None
