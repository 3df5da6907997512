"""A headless Chromium for the tests: `$CHROME`, an installed one, or on Linux x64 the one that the set-up unpacks."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.installing import BROWSER

INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
UNPACKED = ("--headless=shell", "--no-sandbox", "--disable-gpu")
FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{fonts}</dir><cachedir>{cache}</cachedir></fontconfig>"""


def options() -> Mapping[str, Any] | None:
    """Return what Playwright needs to start a browser; None if this machine has none."""
    if chrome := os.environ.get("CHROME") or next(filter(None, map(shutil.which, INSTALLED)), None):
        return {"executable_path": chrome, "args": ["--no-sandbox"] if os.geteuid() == 0 else []}
    if MAC.exists():
        return {"executable_path": str(MAC)}
    unpacked = BROWSER / "chromium"
    if sys.platform != "linux" or platform.machine() != "x86_64" or not unpacked.exists():
        return None
    config = BROWSER / "own-fonts.conf"
    config.write_text(FONTS.format(fonts=BROWSER / "fonts", cache=BROWSER / "font-cache"), "utf-8")
    return {
        "executable_path": str(unpacked),
        "args": list(UNPACKED),
        "ignore_default_args": ["--headless"],
        "env": {
            **os.environ,
            "LD_LIBRARY_PATH": str(BROWSER / "lib"),
            "FONTCONFIG_FILE": str(config),
            "HOME": str(BROWSER),
        },
    }


@contextmanager
def chromium() -> Iterator[Any]:
    """Start a browser. Raises ImportError without Playwright, LookupError without a browser."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 -- only `make test` installs it

    chosen = options()
    if chosen is None:
        raise LookupError("There is no Chromium here. Install one, or name it: CHROME=/path/to/chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**chosen)
        try:
            yield browser
        finally:
            browser.close()
