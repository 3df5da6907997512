"""The files that a browser loads beside the pages: a fixed list, each under an address with its content's hash."""

import gzip
import hashlib
from functools import cache
from pathlib import Path

from msgspec import Struct
from starlette.responses import Response

from console.security.gate import STATIC
from console.security.headers import FOREVER
from local.paths import ROOT

OWN = Path(__file__).parent / "static"
HTMX = ROOT / "node_modules" / "htmx.org" / "dist"
SCRIPT, STYLE = "text/javascript; charset=utf-8", "text/css; charset=utf-8"

FILES = {
    "console.css": (OWN / "console.css", STYLE),
    "console.js": (OWN / "console.js", SCRIPT),
    "htmx.js": (HTMX / "htmx.min.js", SCRIPT),
    "hx-sse.js": (HTMX / "ext" / "hx-sse.min.js", SCRIPT),
    "icon.svg": (OWN / "icon.svg", "image/svg+xml"),
}
"""The files by the names under which they are served. Nothing else of a folder is reachable."""


class Asset(Struct, frozen=True, kw_only=True):
    body: bytes
    packed: bytes
    kind: str
    hash: str


@cache
def asset(name: str) -> Asset:
    path, kind = FILES[name]
    body = path.read_bytes()
    # The name of a source map would make developer tools ask for a file that is not served.
    body = b"\n".join(row for row in body.split(b"\n") if not row.startswith(b"//# sourceMappingURL"))
    digest = hashlib.sha256(body).hexdigest()[:16]
    return Asset(body=body, packed=gzip.compress(body, 9, mtime=0), kind=kind, hash=digest)


def address(name: str) -> str:
    return f"{STATIC}{asset(name).hash}/{name}"


def answer(digest: str, name: str, *, gzipped: bool) -> Response:
    """Return a file by its address; 404 for any other."""
    if name not in FILES or asset(name).hash != digest:
        return Response("There is no such file.", 404, media_type="text/plain")
    file = asset(name)
    headers = {"Content-Type": file.kind, "Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
    if gzipped:
        return Response(file.packed, headers={**headers, "Content-Encoding": "gzip"})
    return Response(file.body, headers=headers)
