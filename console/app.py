"""The console as an ASGI app: the routes of the table, behind the gate."""

import importlib
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from console import assets
from console.desk import Desk
from console.frame import refused
from console.routes import ROUTES, Route
from console.security.gate import STATIC, App, Gate
from console.views import Ask, View, answered, broken

__all__ = ["console_app"]


def console_app(desk: Desk) -> App:
    """Return the app of one console."""
    app = Starlette(routes=[*(_route(route, desk) for route in ROUTES), _static()])
    app.router.redirect_slashes = False
    for problem, view in ((404, _nothing_here), (405, _nothing_here), (Exception, broken)):
        app.add_exception_handler(problem, _handler(desk, view))
    packed = GZipMiddleware(app, minimum_size=1_000, compresslevel=5)
    return Gate(packed, access=desk.access, port=desk.port, page=lambda refusal: refused(refusal).encode())


def _route(route: Route, desk: Desk) -> StarletteRoute:
    module, name = route.view.split(":")
    view: View = getattr(importlib.import_module(f"console.pages.{module}"), name)
    methods = ["POST"] if route.kind in ("own", "write") else ["GET"]

    async def endpoint(request: Request) -> Response:
        return await answered(desk, request, view, route)

    return StarletteRoute(route.path, endpoint, methods=methods, name=route.name)


def _handler(desk: Desk, view: View) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, _: Exception) -> Response:
        return await answered(desk, request, view)

    return handle


def _static() -> StarletteRoute:
    async def endpoint(request: Request) -> Response:
        gzipped = "gzip" in request.headers.get("accept-encoding", "")
        return assets.answer(**request.path_params, gzipped=gzipped)

    return StarletteRoute(f"{STATIC}{{digest}}/{{name}}", endpoint, methods=["GET"])


def _nothing_here(ask: Ask) -> Response:
    return ask.problem(404, "There is no such page", "The address may be mistyped. The menu lists the pages.")
