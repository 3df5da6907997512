"""Who sends which event to whom, as a drawing: senders at the left, events in the middle, readers at the right."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from console.routes import link
from contracts.catalogue import Version

WIDTH, ROW, BOX = 960, 40, 28
"""The drawing's width, the height of a row and of a box, in the drawing's own units."""
SENDERS, EVENTS, READERS = (0, 170), (330, 300), (790, 170)
"""Where the boxes of each column begin, and how wide they are."""


class Box(Struct, frozen=True, kw_only=True):
    """One party or event; an event has an address."""

    x: int
    y: float
    width: int
    text: str
    address: str = ""


class Edge(Struct, frozen=True, kw_only=True):
    """One line, as the path of an SVG. `text` says in words what it draws."""

    path: str
    text: str


class Graph(Struct, frozen=True, kw_only=True):
    """The drawing. `boxes` are in the order in which they are read."""

    width: int
    height: int
    box: int
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]


def graph(versions: Sequence[Version]) -> Graph:
    """Draw the newest version of each event, and older ones that somebody still reads."""
    drawn = [one for one in versions if one.parties.publishers or one.parties.consumers]
    height = max(len(drawn), 1) * ROW
    places = {one.detail_type: (number + 0.5) * ROW for number, one in enumerate(drawn)}
    senders = _column(drawn, places, height, lambda one: one.parties.publishers)
    readers = _column(drawn, places, height, lambda one: one.parties.consumers)
    edges = []
    for one in drawn:
        y = places[one.detail_type]
        for name in one.parties.publishers:
            path = _path(sum(SENDERS), senders[name], EVENTS[0], y)
            edges.append(Edge(path=path, text=f"{name} sends {one.detail_type}"))
        for name in one.parties.consumers:
            path = _path(sum(EVENTS), y, READERS[0], readers[name])
            edges.append(Edge(path=path, text=f"{name} reads {one.detail_type}"))
    events = [
        _box(
            EVENTS,
            places[one.detail_type],
            one.detail_type,
            link("event", name=one.name, version=one.version),
        )
        for one in drawn
    ]
    boxes = (
        *(_box(SENDERS, y, name) for name, y in senders.items()),
        *events,
        *(_box(READERS, y, name) for name, y in readers.items()),
    )
    return Graph(width=WIDTH, height=height, box=BOX, boxes=boxes, edges=tuple(edges))


def _column(
    drawn: Sequence[Version],
    places: dict[str, float],
    height: int,
    of: Callable[[Version], tuple[str, ...]],
) -> dict[str, float]:
    """Return the place of each party, spread over the height in the order of the events that are theirs."""
    own: dict[str, list[float]] = {}
    for one in drawn:
        for name in of(one):
            own.setdefault(name, []).append(places[one.detail_type])
    order = sorted(own, key=lambda name: (sum(own[name]) / len(own[name]), name))
    step = height / max(len(order), 1)
    return {name: round((number + 0.5) * step, 1) for number, name in enumerate(order)}


def _box(column: tuple[int, int], y: float, text: str, address: str = "") -> Box:
    return Box(x=column[0], y=round(y - BOX / 2, 1), width=column[1], text=text, address=address)


def _path(x1: int, y1: float, x2: int, y2: float) -> str:
    middle = (x1 + x2) / 2
    return f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"
