"""Health: what is deployed, the doctor, and whether this checkout can read what is in flight."""

from typing import Any

from starlette.responses import Response

from console.live.feed import Look
from console.pages.reading import live_address, shown, state_of
from console.views import Ask
from operations.deployment.functions import Deployed, read_functions


def page(ask: Ask) -> Response:
    return _page(ask, "doctor", "Health", ("doctor", "--live"))


def flight(ask: Ask) -> Response:
    return _page(ask, "in-flight", "Health: in flight", ("deploy-check",))


def functions(ask: Ask) -> Look[list[Deployed]]:
    """Return what is deployed of each function, read once for all who look at the same time."""
    return ask.desk.feeds.feed("functions", lambda: read_functions(ask.target)).latest()


def _page(ask: Ask, name: str, title: str, command: tuple[str, ...]) -> Response:
    seen = functions(ask)
    known = [] if seen.error else seen.value or []
    state = state_of(ask, name)
    return ask.page(
        "health.html",
        title=title,
        command=command,
        json={"functions": seen.value, name: state.value, "read_at": state.read_at, "phase": state.phase},
        current="health",
        live=live_address(name, state),
        functions=known,
        trouble=seen.error,
        deploy=_deploy(ask, known),
        **shown(name, state),
    )


def _deploy(ask: Ask, known: list[Deployed]) -> dict[str, Any]:
    """Return the command that deploys each service, to be copied: the console deploys nothing."""
    return {one.service: ask.desk.command("deploy", "--service", one.service) for one in known}
