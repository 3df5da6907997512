"""The table of the console's pages: its menu, its routes, and the addresses of its links are made of it."""

from typing import Literal
from urllib.parse import quote, urlencode

from msgspec import Struct

Kind = Literal["read", "stream", "own", "write"]
"""Reads; reads again and again; changes only what this console shows, e.g. its theme; changes the deployment."""


class Route(Struct, frozen=True, kw_only=True):
    """One route. `view` is a module and function of `console.pages`. What changes something is posted to."""

    name: str
    path: str
    view: str
    kind: Kind = "read"


class Entry(Struct, frozen=True, kw_only=True):
    """One entry of the menu. `key` follows `g`."""

    route: str
    title: str
    key: str


ROUTES = (
    Route(name="now", path="/", view="now:page"),
    Route(name="live-now", path="/live/now", view="now:live", kind="stream"),
    Route(name="live-run", path="/live/runs/{pipeline_id}", view="run:live", kind="stream"),
    Route(name="runs", path="/runs", view="runs:page"),
    Route(name="live-runs", path="/live/runs", view="runs:live", kind="stream"),
    Route(name="runs-ticked", path="/runs-ticked", view="plans:make_of_runs", kind="own"),
    Route(name="run", path="/runs/{pipeline_id}", view="run:page"),
    Route(name="raw", path="/runs/{pipeline_id}/raw", view="run:raw"),
    Route(name="latest", path="/latest", view="run:latest"),
    Route(name="compare", path="/compare", view="compare:page"),
    Route(name="ask", path="/ask", view="ask:page"),
    Route(name="ask-send", path="/ask/send", view="ask:send", kind="write"),
    Route(name="many", path="/ask/many", view="many:page"),
    Route(name="batch-make", path="/ask/many/make", view="many:make", kind="own"),
    Route(name="batch", path="/ask/many/{number}", view="many:batch"),
    Route(name="live-batch", path="/live/many/{number}", view="many:live", kind="stream"),
    Route(name="batch-run", path="/ask/many/{number}/run", view="many:run", kind="write"),
    Route(name="batch-stop", path="/ask/many/{number}/stop", view="many:stop", kind="own"),
    Route(name="batch-results", path="/ask/many/{number}/results", view="many:results"),
    Route(name="publish", path="/ask/event", view="publish:page"),
    Route(name="publish-example", path="/ask/event/example", view="publish:example", kind="own"),
    Route(name="publish-check", path="/ask/event/check", view="publish:check", kind="own"),
    Route(name="publish-send", path="/ask/event/send", view="publish:send", kind="write"),
    Route(name="asked", path="/asked/{pipeline_id}", view="ask:asked"),
    Route(name="live-asked", path="/live/asked/{pipeline_id}", view="ask:live", kind="stream"),
    Route(name="parked", path="/parked", view="parked:page"),
    Route(name="live-parked", path="/live/parked", view="parked:live", kind="stream"),
    Route(name="parked-read", path="/parked-reading", view="parked:read", kind="own"),
    Route(name="parked-export", path="/parked/export", view="parked:export"),
    Route(name="archived", path="/archived", view="archived:page"),
    Route(name="archived-message", path="/archived/{message_id}", view="archived:message"),
    Route(name="archived-raw", path="/archived/{message_id}/raw", view="archived:raw"),
    Route(name="message", path="/parked/{message_id}", view="message:page"),
    Route(name="message-raw", path="/parked/{message_id}/raw", view="message:raw"),
    Route(name="message-check", path="/parked/{message_id}/check", view="message:check", kind="own"),
    Route(name="plans", path="/plans", view="plans:listed"),
    Route(name="plan-make", path="/plans/make", view="plans:make", kind="own"),
    Route(name="plan", path="/plans/{number}", view="plans:page"),
    Route(name="live-plan", path="/live/plans/{number}", view="plans:live", kind="stream"),
    Route(name="plan-run", path="/plans/{number}/run", view="plans:run", kind="write"),
    Route(name="plan-stop", path="/plans/{number}/stop", view="plans:stop", kind="own"),
    Route(name="approvals", path="/approvals", view="approvals:page"),
    Route(name="approval", path="/approvals/{pipeline_id}", view="approvals:item"),
    Route(
        name="approval-decide", path="/approvals/{pipeline_id}/decide", view="approvals:decide", kind="write"
    ),
    Route(name="costs", path="/costs", view="costs:page"),
    Route(name="costs-runs", path="/costs/runs", view="costs:runs"),
    Route(name="costs-sheet", path="/costs/sheet", view="costs:sheet"),
    Route(name="budget", path="/costs/budget", view="costs:order", kind="write"),
    Route(name="events", path="/events", view="events:page"),
    Route(name="event", path="/events/{name}/v{version}", view="events:event"),
    Route(name="contract", path="/contracts/{file}", view="events:download"),
    Route(name="health", path="/health", view="health:page"),
    Route(name="in-flight", path="/health/in-flight", view="health:flight"),
    Route(name="activity", path="/activity", view="activity:page"),
    Route(name="live-activity", path="/live/activity", view="activity:live", kind="stream"),
    Route(name="read", path="/read/{subject}", view="reading:begin", kind="own"),
    Route(name="stop-read", path="/read/{subject}/stop", view="reading:stop", kind="own"),
    Route(name="live-read", path="/live/read/{subject}", view="reading:live", kind="stream"),
    Route(name="find", path="/find", view="find:page"),
    Route(name="preferences", path="/preferences", view="own:preferences", kind="own"),
    Route(name="lock", path="/lock", view="own:lock", kind="own"),
    Route(name="link", path="/link", view="own:link", kind="own"),
    Route(name="stop", path="/stop", view="own:stop", kind="own"),
)
BY_NAME = {route.name: route for route in ROUTES}

MENU = (
    Entry(route="now", title="Now", key="n"),
    Entry(route="runs", title="Runs", key="r"),
    Entry(route="parked", title="Parked", key="p"),
    Entry(route="plans", title="Plans", key="l"),
    Entry(route="approvals", title="Approvals", key="o"),
    Entry(route="ask", title="Ask", key="a"),
    Entry(route="costs", title="Costs", key="c"),
    Entry(route="events", title="Events", key="e"),
    Entry(route="health", title="Health", key="h"),
    Entry(route="activity", title="Activity", key="v"),
)


def link(name: str, /, **values: object) -> str:
    """Return the address of a route. Values that its path does not name become its query, unless they are empty."""
    route = BY_NAME[name]
    path, query = route.path, {}
    for key, value in values.items():
        if f"{{{key}}}" in path:
            path = path.replace(f"{{{key}}}", quote(str(value), safe=""))
        elif value not in (None, "", False):
            query[key] = str(value)
    return f"{path}?{urlencode(query)}" if query else path
