"""The rules for a request, in the order in which they are applied (pure).

Every request is refused unless a rule admits it: there is no list of dangerous methods or paths. In the browser's
eyes, a page whose rebound name leads here is of this console's origin, so only the Host header gives it away.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Literal
from urllib.parse import parse_qsl

from msgspec import Struct

BODY_BYTES = 1_000_000
TEXT_BYTES = BODY_BYTES - 10_000
"""The longest text of a form, as it is encoded: the rest is for its other fields."""
FIELDS = 100
METHODS = ("GET", "HEAD", "POST")
NAMES = ("127.0.0.1", "localhost", "[::1]")
"""Names that no public DNS server can make lead here."""
ONCE = (b"host", b"origin", b"cookie", b"content-type", b"content-length", b"authorization", b"x-csrf")
"""Headers that may occur once: of two values, another reader might take the other one."""
FRAMES = ("iframe", "frame", "object", "embed", "fencedframe")
FORM, JSON = "application/x-www-form-urlencoded", "application/json"

Headers = Sequence[tuple[bytes, bytes]]
From = Literal["page", "typed", "linked", "program", "stranger"]
"""Where a request comes from: our own page, the address bar, a link on another site, no browser, anywhere else."""


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a request is refused, for the person who sees the page."""

    status: int
    title: str
    text: str


def header(headers: Headers, name: str) -> str:
    """Return a header's value; empty if there is none."""
    wanted = name.encode()
    return next((value.decode("latin-1") for key, value in headers if key == wanted), "")


def wrong_host(headers: Headers, port: int) -> Refusal | None:
    """Refuse a request that is not addressed to this console by name and port."""
    keys = [key for key, _ in headers]
    if any(keys.count(name) > 1 for name in ONCE):
        return Refusal(status=HTTPStatus.BAD_REQUEST, title="Refused", text="A header was sent twice.")
    if header(headers, "host") in {f"{name}:{port}" for name in NAMES}:
        return None
    return Refusal(
        status=HTTPStatus.MISDIRECTED_REQUEST,
        title="Refused",
        text=f"This console answers at http://127.0.0.1:{port} only.",
    )


def source(headers: Headers, method: str) -> From:
    """Say where a request comes from, by the headers that browsers add and pages can't change."""
    site, mode, target = (header(headers, f"sec-fetch-{name}") for name in ("site", "mode", "dest"))
    if not any(key.startswith(b"sec-fetch-") for key, _ in headers):
        return "program"
    if site == "same-origin" and target not in FRAMES:
        return "page"
    if mode == "navigate" and target == "document" and method == "GET":
        return {"none": "typed", "cross-site": "linked"}.get(site, "stranger")  # type: ignore[return-value]
    return "stranger"


def foreign(sender: From) -> Refusal | None:
    """Refuse a request of another site's page."""
    if sender != "stranger":
        return None
    return Refusal(
        status=HTTPStatus.FORBIDDEN,
        title="Refused",
        text="Another site asked for this page. Type the address, or open it from the console itself.",
    )


def wrong_method(method: str) -> Refusal | None:
    if method in METHODS:
        return None
    return Refusal(
        status=HTTPStatus.METHOD_NOT_ALLOWED,
        title="Refused",
        text="The console reads with GET, writes with POST.",
    )


def wrong_write(headers: Headers, sender: From, port: int) -> Refusal | None:
    """Refuse a POST that no form of ours and no program can have sent; its CSRF value is checked with its body."""
    kind, _, parameters = header(headers, "content-type").lower().partition(";")
    coded = header(headers, "content-encoding")
    if kind.strip() not in (FORM, JSON) or parameters.strip() not in ("", "charset=utf-8") or coded:
        return Refusal(
            status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            title="Refused",
            text=f"Send {FORM} or {JSON}, in UTF-8.",
        )
    length = header(headers, "content-length")
    if length and (not length.isascii() or not length.isdecimal() or int(length) > BODY_BYTES):
        return too_large()
    if sender == "program":
        return None  # it has shown a secret that no page can send
    if sender != "page" or header(headers, "origin") not in {f"http://{name}:{port}" for name in NAMES}:
        return Refusal(
            status=HTTPStatus.FORBIDDEN,
            title="Refused",
            text="Only the console's own pages may change anything.",
        )
    return None


def too_large() -> Refusal:
    return Refusal(
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        title="Too large",
        text=f"A request may have {BODY_BYTES:,} bytes. Submit a file with `pipeline submit --file`.",
    )


def no_session(port: int) -> Refusal:
    return Refusal(
        status=HTTPStatus.UNAUTHORIZED,
        title="This browser has not opened the console yet",
        text=f"Run `pipeline console --port {port}` in a terminal: it prints a link that opens it, once.",
    )


def forged() -> Refusal:
    return Refusal(
        status=HTTPStatus.FORBIDDEN,
        title="This form is of another console",
        text="The console was restarted since the page was loaded. Load the page again, then repeat.",
    )


def fields(body: bytes) -> dict[str, str] | None:
    """Return the fields of a form; None if they can't be read. Of a name that occurs twice the first counts."""
    try:
        pairs = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS, errors="strict"
        )
    except (ValueError, UnicodeError):
        return None
    return dict(reversed(pairs))
