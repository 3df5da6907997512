"""Answers of models as HTML: Markdown without raw HTML and without images, whose addresses would tell who reads."""

from functools import cache
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from console.text import shown
from operations.runs.trail import redacted

MOST_CHARS = 100_000
SCHEMES = ("http", "https", "mailto")


def markdown(text: str) -> Markup:
    """Return a model's answer as HTML of a few harmless elements, with every link's address shown in full."""
    tokens = _parser().parse(shown(redacted(text[:MOST_CHARS])))
    _harmless(tokens)
    return Markup(_parser().renderer.render(tokens, _parser().options, {}))  # noqa: S704 -- the parser escapes


@cache
def _parser() -> MarkdownIt:
    parser = _Parser("commonmark", {"html": False, "linkify": False})
    parser.enable(["table", "strikethrough"])
    parser.disable(["image", "html_block", "html_inline"])
    return parser


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802 -- the library's name
        try:
            return urlsplit(url.strip()).scheme.lower() in SCHEMES
        except ValueError:
            return False


def _harmless(tokens: list[Token]) -> None:
    """Leave no attribute but a link's address, and put that behind the link's text."""
    for token in tokens:
        address = str(token.attrs.get("href") or "") if token.type == "link_open" else ""
        token.attrs = {}
        token.info = ""  # a code block's language would become a class
        if address:
            token.attrs = {"href": address, "rel": "noreferrer noopener nofollow", "target": "_blank"}
        if token.children:
            _harmless(token.children)
            token.children = list(_with_addresses(token.children))


def _with_addresses(tokens: list[Token]) -> Any:
    address = ""
    for token in tokens:
        if token.type == "link_open":
            address = str(token.attrs.get("href") or "")
        yield token
        if token.type == "link_close" and address:
            yield Token("text", "", 0, content=f" ({address})")
