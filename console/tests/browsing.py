"""What the tests in a real browser share: the browser, its tabs, and a console on a real port.

An error on the browser's console and a violation of the policy fail any test, unless it has caused them on purpose.
"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from console.serving import listen
from console.tests import chromium
from console.tests.asking import Known
from local.installing import BROWSER

IN_A_BROWSER = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(
        chromium.options() is None, reason="no Chromium: install one, or name it: CHROME=/path/to/chrome"
    ),
]
ODD = "[onerror],[onload],[onclick],[onmouseover],[style],[hx-get],main script,main img,main iframe"
AXE = BROWSER / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    pytest.importorskip("playwright", reason="`make test` installs what drives a browser")
    with chromium.chromium() as running:
        yield running


class Served:
    """A console on a real port."""

    def __init__(self, target: Any, state: Path) -> None:
        from console.app import console_app  # noqa: PLC0415
        from console.desk import Desk  # noqa: PLC0415
        from console.security.access import Access  # noqa: PLC0415
        from console.security.lock import Lock  # noqa: PLC0415

        self._socket = listen(0)
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.access = Access(self.port)
        lock = Lock("local", is_local=True, read_only=False)
        self.desk = Desk(
            environment=Known(target), access=self.access, lock=lock, port=self.port, state=state
        )
        app = console_app(self.desk)
        config = uvicorn.Config(app, http="httptools", ws="none", lifespan="off", log_level="error")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]})
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    @property
    def link(self) -> str:
        return f"{self.url}/open?t={self.access.new_link()}&to=/events"


class Tab:
    """A page of a new browser profile that keeps what went wrong in it."""

    def __init__(self, context: Any) -> None:
        self.page = context.new_page()
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", self._opened)
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(message.text)

    def _opened(self, dialog: Any) -> None:
        self.wrong.append(dialog.message)
        dialog.dismiss()


@pytest.fixture
def tab(browser: Any) -> Iterator[Callable[..., Tab]]:
    """Yield a function that opens tabs. Whatever went wrong in one of them fails the test."""
    contexts, tabs = [], []

    def opened(**profile: Any) -> Tab:
        contexts.append(browser.new_context(**profile))
        tabs.append(Tab(contexts[-1]))
        return tabs[-1]

    yield opened
    wrong = [text for one in tabs for text in one.wrong]
    for context in contexts:
        context.close()
    assert wrong == []


def checked(one: Tab) -> None:
    """Assert that everybody can read the page in both themes, and that no message has become a part of it."""
    one.page.evaluate(AXE.read_text("utf-8"))
    for scheme, options in (("light", "{}"), ("dark", "{runOnly: ['color-contrast']}")):
        one.page.emulate_media(color_scheme=scheme)
        found = one.page.evaluate(
            f"axe.run({options}).then(result => result.violations.map(one => [one.id, one.nodes[0].html]))"
        )
        assert found == [], (one.page.url, scheme)
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 400, one.page.url
    assert one.page.evaluate("window.pwned") is None, one.page.url
    assert one.page.locator(ODD).count() == 0, one.page.url
