"""What a view is: a function of one request, which it sees as an `Ask`, run in a thread of its own.

An error of an operation becomes a page that says what happened and what to do.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.clock import Clock, clock
from console.desk import Desk
from console.environment import Chip
from console.frame import Frame, Theme
from console.html import render
from console.routes import Route
from console.security.access import cookies_of
from operations.errors import (
    DeniedError,
    InvalidInputError,
    LoginError,
    NotDeployedError,
    NotFoundError,
    OperationError,
    UnreachableError,
)
from operations.json_text import written
from operations.runs.trail import redacted, without_tokens
from operations.target import Target

THEME, CLOCK, ZONE = "pipeline-console-theme", "pipeline-console-clock", "pipeline-console-zone"
"""Cookies with a reader's choices. They hold no secret, and any text is taken for one of the known values."""
RESTARTED = "The engine was restarted since this console began; what it held before is gone."
STATUSES: tuple[tuple[type[OperationError], HTTPStatus], ...] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (InvalidInputError, HTTPStatus.BAD_REQUEST),
    (DeniedError, HTTPStatus.FORBIDDEN),
    (NotDeployedError, HTTPStatus.SERVICE_UNAVAILABLE),
    (UnreachableError, HTTPStatus.SERVICE_UNAVAILABLE),
)

TITLES: tuple[tuple[type[OperationError], str], ...] = (
    (NotFoundError, "Not found"),
    (InvalidInputError, "That can't be right"),
    (DeniedError, "Not allowed"),
    (NotDeployedError, "Not deployed"),
    (LoginError, "Log in again"),
    (UnreachableError, "Not reachable"),
)


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request, as a view sees it. `query` and `form` hold the first value of each name."""

    desk: Desk
    route: str
    path: str
    here: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    cookies: Mapping[str, str]
    from_program: bool = False

    @property
    def target(self) -> Target:
        return self.desk.environment.target()

    def has(self, path: str) -> bool:
        """Return whether there is an address. Before a page says that there is none, it is looked for anew."""
        if path not in self.target.addresses.values:
            self.target.renew_addresses()
        return path in self.target.addresses.values

    @property
    def wants_json(self) -> bool:
        return self.query.get("format") == "json"

    @property
    def theme(self) -> Theme:
        match self.cookies.get(THEME):
            case "light":
                return "light"
            case "dark":
                return "dark"
        return "auto"

    @cached_property
    def clock(self) -> Clock:
        return clock(self.cookies.get(CLOCK, ""), self.cookies.get(ZONE, ""))

    def page(  # noqa: PLR0913 -- what every page says of itself
        self,
        template: str,
        *,
        title: str,
        command: tuple[str, ...] = (),
        json: Any = None,
        status: int = HTTPStatus.OK,
        current: str = "",
        live: str = "",
        **values: Any,
    ) -> Response:
        """Return a page in its frame; its value as JSON if that is asked for."""
        if self.wants_json and json is not None:
            return as_json(json)
        frame = Frame(
            title=title,
            current=current or self.route,
            here=self.here,
            chip=self._chip(),
            clock=self.clock.name,
            theme=self.theme,
            read_only=self.desk.lock.read_only,
            unlocked_seconds=self.desk.lock.seconds_left,
            command=self.desk.command(*command) if command else "",
            query=self.query.get("q", "") if self.route == "find" else "",
            added=self.desk.environment.added(),
            restart=(self.desk.command("console", "--stop"), self.desk.command("console")),
            live=live,
        )
        return html(self.fragment(template, **values, frame=frame), status)

    def problem(self, status: int, title: str, text: str, *, retry: bool = False) -> Response:
        """Return a page that says what happened and what to do next."""
        if self.wants_json:
            return as_json({"error": title, "message": text}, status)
        # The local engine may come back at any moment, and asking it costs nothing; a form is never sent again.
        waits = retry and self.desk.environment.is_local and status == HTTPStatus.SERVICE_UNAVAILABLE
        waits = waits and not self.form
        return self.page("problem.html", title=title, status=status, text=text, retry=retry, waits=waits)

    def fragment(self, template: str, **values: Any) -> str:
        """Return a part of a page. Its forms send `csrf_value` back."""
        return render(template, {**values, "clock": self.clock, "csrf_value": self.desk.access.csrf})

    def redirect(self, address: str) -> Response:
        """Send the browser to a page of this console."""
        return RedirectResponse(address, HTTPStatus.SEE_OTHER)

    def _chip(self) -> Chip:
        try:
            return self.desk.environment.chip()
        except OperationError:
            return Chip(env=self.desk.environment.env, is_local=self.desk.environment.is_local, where="")


View = Callable[[Ask], Response]


def ask(desk: Desk, request: Request, route: Route | None) -> Ask:
    query = request.url.query
    return Ask(
        desk=desk,
        route=route.name if route else "",
        path=request.url.path,
        here=request.url.path + (f"?{query}" if query else ""),
        params=request.path_params,
        query=dict(reversed(request.query_params.multi_items())),
        form=request.scope.get("form", {}),
        cookies=cookies_of(request.headers.get("cookie", "")),
        from_program=request.scope.get("sender") == "program",
    )


async def answered(desk: Desk, request: Request, view: View, route: Route | None = None) -> Response:
    """Return a view's answer, or a page about what went wrong."""
    asked = ask(desk, request, route)
    if route is not None and route.kind == "write" and (refusal := desk.lock.refusal()):
        return asked.problem(refusal.status, refusal.title, refusal.text)
    return await run_in_threadpool(_guarded, asked, view)


def _guarded(asked: Ask, view: View) -> Response:
    try:
        return view(asked)
    except OperationError as error:
        if isinstance(error, (NotDeployedError, LoginError)):
            asked.desk.environment.forget()
        status = next((code for kind, code in STATUSES if isinstance(error, kind)), HTTPStatus.BAD_GATEWAY)
        text = str(error)
        if isinstance(error, (NotFoundError, NotDeployedError)) and asked.desk.environment.restarts:
            text += f" {RESTARTED}"
        if isinstance(error, LoginError) and not asked.desk.environment.is_local:
            text += f" Then look again; the console takes the new credentials: {asked.desk.environment.login}"
        return asked.problem(status, title_of(error), text, retry=status >= 500)


def broken(asked: Ask) -> Response:
    """Return the page for an error of the console itself."""
    text = "The console itself failed. Its terminal shows the error; the pipeline is not affected."
    return asked.problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong here", text, retry=True)


def title_of(error: OperationError) -> str:
    """Return what kind of error it is, in a few words."""
    return next((title for kind, title in TITLES if isinstance(error, kind)), "Refused")


def html(text: str, status: int = HTTPStatus.OK) -> Response:
    return Response(text.encode("utf-8", "replace"), status, media_type="text/html; charset=utf-8")


def as_json(value: Any, status: int = HTTPStatus.OK) -> Response:
    text = written(without_tokens(msgspec.to_builtins(value)), indent=2)
    return Response(text.encode(), status, media_type="application/json")


def plain(text: str, name: str) -> Response:
    """Return a text that a browser saves and never shows as a page."""
    disposition = f'attachment; filename="{name}"'
    return Response(
        redacted(text).encode("utf-8", "replace"),
        headers={"Content-Type": "text/plain; charset=utf-8", "Content-Disposition": disposition},
    )
