"""Asking a console in memory, as a browser does, with every header under the test's control."""

import asyncio
import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from console.app import console_app
from console.desk import Desk
from console.environment import Chip, Environment
from console.routes import Route
from console.security.access import Access
from console.security.gate import App
from console.security.lock import Lock
from operations.errors import UnreachableError
from operations.target import Target

PORT = 4580
OURS = f"http://127.0.0.1:{PORT}"
PAGE = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
FORM = "application/x-www-form-urlencoded"
NOWHERE = Path(__file__)
"""A place below which no folder can be made."""


class Known(Environment):
    """An environment whose target is given."""

    def __init__(self, target: Target, env: str = "local") -> None:
        super().__init__(env)
        self._given = target

    def target(self) -> Target:
        return self._given

    def chip(self) -> Chip:
        return Chip(env=self.env, is_local=self.is_local, where="here")


class Down(Known):
    """An environment that is not reachable."""

    def __init__(self) -> None:
        Environment.__init__(self, "local")

    def target(self) -> Target:
        raise UnreachableError("The engine does not run. Start it: pipeline up")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    size: int = 0
    """The bytes that were sent, compressed if they were."""

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Console:
    """A console and one browser that has opened it."""

    app: App
    desk: Desk
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        """Return what a browser gets. Each form of a page can be sent."""
        answer = self.ask("GET", path, headers={**PAGE, **_names(headers)})
        self._can_be_sent(answer)
        return answer

    def watch(self, path: str) -> Answer:
        """Return all messages of a stream that ends."""
        cookies = [("cookie", f"{name}={value}") for name, value in self.cookies.items()]
        answer = call(
            self.app, "GET", path, [("host", f"127.0.0.1:{PORT}"), *cookies, *PAGE.items()], stays=True
        )
        self._can_be_sent(answer)
        return answer

    def _can_be_sent(self, answer: Answer) -> None:
        """Check that each form holds this console's value, without which it is refused."""
        if dict(answer.headers).get("content-type", "").startswith(("text/html", "text/event-stream")):
            values = re.findall(r'name=\\?"csrf\\?" value=\\?"([^"\\]*)', answer.text)
            assert set(values) <= {self.desk.access.csrf}

    def post(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Answer:
        """Post a form of this console's own."""
        body = urlencode({"csrf": self.desk.access.csrf, **(form or {})}).encode()
        given = {**PAGE, "origin": OURS, "content-type": FORM, **_names(headers)}
        return self.ask("POST", path, headers=given, body=body)

    def ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send a request with the browser's cookies. A header that is empty is left out."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        whole = {"host": f"127.0.0.1:{PORT}", "cookie": cookies, **(headers or {})}
        return call(self.app, method, path, [(name, value) for name, value in whole.items() if value], body)


def carry_out(console: Console, address: str, **form: str) -> Answer:
    """Carry a plan out to its end; return its page."""
    assert console.post(f"{address}/run", form).status == 303
    console.desk.jobs.join(int(address.rpartition("/")[2]))
    return console.get(address)


def read(console: Console, name: str) -> None:
    """Press the button of a reading and wait for its end."""
    assert console.post(f"/read/{name}").status == 303
    console.desk.readings.of(f"{name} 0").join()


def console_of(
    target: Target | None, env: str = "local", *, read_only: bool = False, state: Path = NOWHERE
) -> Console:
    """Return a console of a target; of an environment that is not reachable if there is none.

    Without a folder for its `state` it can keep no plans.
    """
    access = Access(PORT)
    desk = Desk(
        environment=Down() if target is None else Known(target, env),
        access=access,
        lock=Lock(env, is_local=env == "local", read_only=read_only),
        port=PORT,
        state=state,
    )
    name, _, rest = access.set_cookie().partition("=")
    return Console(app=console_app(desk), desk=desk, cookies={name: rest.partition(";")[0]})


def call(
    app: App,
    method: str,
    path: str,
    headers: list[tuple[str, str]],
    body: bytes = b"",
    *,
    stays: bool = False,
) -> Answer:
    """Send one request to an ASGI app, with exactly these headers, and return the whole answer.

    A stream is left at once, unless the client `stays`.
    """
    raw, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": raw,
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        "scheme": "http",
        "server": ("127.0.0.1", PORT),
        "client": ("127.0.0.1", 50_000),
        "http_version": "1.1",
        "root_path": "",
    }
    sent: list[Any] = []
    pieces = [body[start : start + 65_536] for start in range(0, len(body), 65_536)] or [b""]

    async def receive() -> Any:
        if pieces:
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}
        return await asyncio.Future() if stays else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        await app(scope, receive, send)

    asyncio.run(run())
    start = sent[0]
    content = b"".join(message.get("body", b"") for message in sent[1:])
    whole = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    size = len(content)
    if whole.get("content-encoding") == "gzip":
        content = gzip.decompress(content)
    return Answer(start["status"], whole, content, size)


def path_of(route: Route) -> str:
    values = {
        "pipeline_id": "p-1",
        "message_id": "m-1",
        "number": "1",
        "subject": "parked",
        "name": "pipeline.requested",
        "version": "1",
        "file": "asyncapi.json",
    }
    return route.path.format(**values)


def _names(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
