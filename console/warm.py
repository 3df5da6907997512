"""What the first pages would wait for, done before anybody asks: templates compiled, clients made, modules loaded."""

import asyncio
import logging
import threading
from collections.abc import Iterable
from typing import Any

from console.desk import Desk
from console.html import templates
from console.pages.events import known_changes
from console.security.gate import App
from operations.errors import OperationError

WAITS_SECONDS = 3.0
"""How long a start waits, e.g. while AWS does not answer. What is left is done in the background."""
FIRST = (
    "base.html", "parts.html", "runs.html", "runs_now.html", "now.html", "now_now.html", "run.html", "run_now.html",
    "run_timeline.html",
)  # fmt: skip
"""The templates of the pages that are opened first, and their parts."""
CLIENTS = ("stepfunctions", "dynamodb", "sqs")
NOWHERE = "/warm-up"
"""A path without a page, whose answer needs nothing of the environment."""

log = logging.getLogger(__name__)


def warm_up(desk: Desk, app: App) -> threading.Thread:
    """Prepare what the first pages need; return when that is done, or has taken too long."""
    thread = threading.Thread(target=_work, args=(desk, app), name="warm-up", daemon=True)
    thread.start()
    thread.join(WAITS_SECONDS)
    return thread


def _work(desk: Desk, app: App) -> None:
    try:
        asyncio.run(_request(desk, app))
        _compile(FIRST)
        try:
            target = desk.environment.target()
            for name in CLIENTS:
                target.client(name)
            target.addresses  # noqa: B018 -- they are read once
        except OperationError:
            pass  # the first page says what is wrong
        _compile(templates().list_templates())
        known_changes()
    except Exception:
        log.exception("the console was not prepared; its first pages take longer")


def _compile(names: Iterable[str]) -> None:
    for name in names:
        templates().get_template(name)


async def _request(desk: Desk, app: App) -> None:
    """Ask the app once: what handles a request is loaded by the first one."""
    headers = {"host": f"127.0.0.1:{desk.port}", "authorization": f"Bearer {desk.access.control}"}
    scope = {
        "type": "http",
        "method": "GET",
        "path": NOWHERE,
        "raw_path": NOWHERE.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "scheme": "http",
        "server": ("127.0.0.1", desk.port),
        "client": ("127.0.0.1", 0),
        "http_version": "1.1",
        "root_path": "",
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Any) -> None:
        pass

    await app(scope, receive, send)
