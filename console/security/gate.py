"""The gate in front of the console's pages: an ASGI middleware that applies `rules` to every request."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from console.security import rules
from console.security.access import Access
from console.security.headers import ALWAYS, PRIVATE
from console.security.journal import note
from console.security.rules import Refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Page = Callable[[Refusal], bytes]

OPEN = "/open"
STATIC = "/static/"
BODY_SECONDS = 30.0
"""How long a request's body may take to arrive."""
ELSEWHERE = (
    b"<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content=0>"
    b"<title>Pipeline console</title><p>Opening the console \xe2\x80\xa6</p></html>"
)
"""The page behind a link on another site. It holds no data and loads the same address again, now from this origin:
only then does the browser send the cookie."""


class Gate:
    """Answers what the rules refuse, and passes on what they admit, with the fields of a form in the scope."""

    def __init__(self, app: App, *, access: Access, port: int, page: Page) -> None:
        self._app = app
        self._access = access
        self._port = port
        self._page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # the console has no websocket
            await send({"type": "websocket.close", "code": 1008})
            return
        began, status = time.monotonic(), 0

        async def guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_headers(message.get("headers", []))
            await send(message)

        try:
            await self._admit(scope, receive, guarded)
        finally:
            note(scope["method"], scope["path"], status, time.monotonic() - began)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, method = scope["headers"], scope["method"]
        if refusal := rules.wrong_host(headers, self._port):
            await _answer(send, refusal.status, refusal.text.encode(), kind=b"text/plain; charset=utf-8")
            return
        sender = rules.source(headers, method)
        if refusal := rules.wrong_method(method) or rules.foreign(sender):
            await self._refuse(send, refusal)
        elif sender == "linked":
            await _answer(send, HTTPStatus.OK, ELSEWHERE)
        elif scope["path"] == OPEN and method == "GET" and sender != "program":
            await self._open(scope, send)
        elif not self._is_known(headers, sender, scope["path"]):
            await self._refuse(send, rules.no_session(self._port))
        else:
            scope["sender"] = sender
            await self._pass(scope, receive, send)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app; for a POST, with the fields of its form, once they are known to be those of our own form."""
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        headers, sender = scope["headers"], scope["sender"]
        if refusal := rules.wrong_write(headers, sender, self._port):
            await self._refuse(send, refusal)
            return
        body = await _body(receive)
        if body is None:
            await self._refuse(send, rules.too_large())
            return
        is_form = rules.header(headers, "content-type").lower().startswith(rules.FORM)
        form = rules.fields(body) if is_form else {}
        value = rules.header(headers, "x-csrf") or (form or {}).get("csrf", "")
        if form is None or (sender != "program" and not self._access.is_form(value)):
            await self._refuse(send, rules.forged())
            return
        scope["form"] = form
        await self._app(scope, _replayed(body, receive), send)

    def _is_known(self, headers: rules.Headers, sender: str, path: str) -> bool:
        """Return whether the caller may see the path; files without data are for everybody whom the rules admit."""
        if sender == "program":
            return self._access.is_program(rules.header(headers, "authorization"))
        return path.startswith(STATIC) or self._access.has_session(rules.header(headers, "cookie"))

    async def _open(self, scope: Scope, send: Send) -> None:
        """Spend a link and set the cookie. A browser that loads pages ahead must not spend it."""
        if rules.header(scope["headers"], "sec-purpose"):
            await self._refuse(send, rules.no_session(self._port))
            return
        query = parse_qs(scope["query_string"].decode("latin-1"))
        there = local_path(query.get("to", ["/"])[0])
        opened = self._access.spend(query.get("t", [""])[0])
        if not opened and not self._access.has_session(rules.header(scope["headers"], "cookie")):
            await self._refuse(send, rules.no_session(self._port))
            return
        extra = [(b"location", there.encode())]
        if opened:
            extra.append((b"set-cookie", self._access.set_cookie().encode()))
        await _answer(send, HTTPStatus.SEE_OTHER, b"", extra=extra)

    async def _refuse(self, send: Send, refusal: Refusal) -> None:
        await _answer(send, refusal.status, self._page(refusal))


def local_path(text: str) -> str:
    """Return a path of this console; the first page for anything that might lead elsewhere."""
    plain = text.isascii() and text.isprintable() and not set(text) & set('\\"<> ')
    return text if plain and text.startswith("/") and not text.startswith("//") else "/"


def _with_headers(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    names = {name.lower() for name, _ in headers}
    whole = [*headers, *((name.lower().encode(), value.encode()) for name, value in ALWAYS.items())]
    return whole if b"cache-control" in names else [*whole, (b"cache-control", PRIVATE.encode())]


async def _answer(
    send: Send,
    status: int,
    body: bytes,
    *,
    kind: bytes = b"text/html; charset=utf-8",
    extra: list[tuple[bytes, bytes]] | None = None,
) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *(extra or [])]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Receive) -> bytes | None:
    """Return the whole body; None if it is too large, comes too slowly, or the client has gone."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > rules.BODY_BYTES:
                    return None
                if not message.get("more_body"):
                    return b"".join(parts)
    except TimeoutError:
        return None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body again, then whatever follows it."""
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
