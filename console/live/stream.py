"""Streams of a feed to a browser, as server-sent events. Each message is a whole state, never a difference."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from console.live.feed import Feed, Feeds, Look

CHECK_SECONDS = 0.2
"""How often a stream looks whether its feed has news: that costs nobody anything."""
FULL = '<p class="notice" data-live="paused">Too many pages are live at once: this one is paused.</p>'
ALIVE = b"event: alive\ndata: .\n\n"
"""Says that the state is known to be the same: the page's age starts again."""

DONE = b"event: done\ndata: .\n\n"
"""Says that nothing will change any more: the page closes its stream, as its `hx-sse:close` says."""

T = TypeVar("T")


def streamed(
    feeds: Feeds,
    feed: Feed[T],
    draw: Callable[[Look[T]], str],
    *,
    ended: Callable[[Look[T]], bool] = lambda _: False,
) -> StreamingResponse:
    """Return an answer that shows each look of a feed, drawn as HTML, until it has `ended` or the browser leaves."""
    return StreamingResponse(_messages(feeds, feed, draw, ended), media_type="text/event-stream")


async def _messages(
    feeds: Feeds, feed: Feed[T], draw: Callable[[Look[T]], str], ended: Callable[[Look[T]], bool]
) -> AsyncIterator[bytes]:
    with feeds.stream() as fits:
        if not fits:
            yield message(FULL)
            return
        with feed.watched():
            number, shown = 0, ""
            while not feeds.stopping:
                look = feed.seen()
                if look is None or look.number == number:
                    await asyncio.sleep(CHECK_SECONDS)
                    continue
                number = look.number
                text = await run_in_threadpool(draw, look)
                yield ALIVE if text == shown else message(text)
                shown = text
                if ended(look):
                    yield DONE
                    return


def message(text: str) -> bytes:
    """Return a text as one message, whatever line ends it has."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return ("".join(f"data: {line}\n" for line in lines) + "\n").encode("utf-8", "replace")
