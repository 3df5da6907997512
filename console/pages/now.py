"""The first page."""

from starlette.responses import Response

from console.routes import link
from console.views import Ask


def page(ask: Ask) -> Response:
    return ask.redirect(link("runs"))
