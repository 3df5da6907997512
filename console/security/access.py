"""Who may use a console: whoever has opened its link in a browser, and programs that can read its file.

All secrets are of one process and live in memory, so a restarted console asks for its link again.
"""

import hmac
import secrets
import threading
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

SECRET_BYTES = 32
MOST_LINKS = 8
"""Links that were printed and not opened yet; an older one is forgotten."""


class Access:
    """The secrets of one console. Several threads may use it."""

    def __init__(self, port: int) -> None:
        self.cookie = f"pipeline-console-{port}"
        """The cookie's name contains the port, because cookies of 127.0.0.1 are shared by all of its ports."""
        self.csrf = secrets.token_urlsafe(SECRET_BYTES)
        self.control = secrets.token_urlsafe(SECRET_BYTES)
        """The secret in the console's file, with which programs of the same user ask."""
        self._session = secrets.token_urlsafe(SECRET_BYTES)
        self._links: list[str] = []
        self._lock = threading.Lock()

    def new_link(self) -> str:
        """Return a token that opens the console once."""
        token = secrets.token_urlsafe(SECRET_BYTES)
        with self._lock:
            self._links = [*self._links, token][-MOST_LINKS:]
        return token

    def spend(self, token: str) -> bool:
        """Return whether a token opens the console. It never does again."""
        with self._lock:
            known = [link for link in self._links if same(link, token)]
            self._links = [link for link in self._links if link not in known]
        return bool(known)

    def set_cookie(self) -> str:
        """Return the value of Set-Cookie after a link was opened."""
        return f"{self.cookie}={self._session}; HttpOnly; SameSite=Strict; Path=/"

    def has_session(self, cookies: str) -> bool:
        """Return whether a Cookie header is of a browser that has opened a link."""
        return same(cookies_of(cookies).get(self.cookie, ""), self._session)

    def is_program(self, authorization: str) -> bool:
        """Return whether an Authorization header has the secret of the console's file."""
        kind, _, value = authorization.partition(" ")
        return kind.lower() == "bearer" and same(value.strip(), self.control)

    def is_form(self, value: str) -> bool:
        """Return whether a value is that of this console's own forms."""
        return same(value, self.csrf)


def same(one: str, other: str) -> bool:
    """Compare two texts in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def cookies_of(header: str) -> Mapping[str, str]:
    """Return the cookies of a header; none if it can't be read."""
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}
