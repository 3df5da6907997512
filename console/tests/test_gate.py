"""Who is let in, and what is refused, on every route."""

import pytest

from console import assets
from console.routes import ROUTES, Route
from console.security.headers import POLICY
from console.security.rules import BODY_BYTES
from console.tests.asking import FORM, OURS, PAGE, PORT, Console, call, console_of, path_of

HOST = f"127.0.0.1:{PORT}"
FOREIGN_HOSTS = (
    "evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", f"127.0.0.1:{PORT}.", "",
    f"localhost.evil.example:{PORT}", f"0.0.0.0:{PORT}", f"[::]:{PORT}", f"127.1:{PORT}",
)  # fmt: skip
SENDERS = {
    "another site's picture": ("cross-site", "no-cors", "image"),
    "another site's script": ("cross-site", "cors", "empty"),
    "another site's frame": ("cross-site", "navigate", "iframe"),
    "another port's page": ("same-site", "navigate", "document"),
    "another port's script": ("same-site", "cors", "empty"),
    "our own page in a frame": ("same-origin", "navigate", "iframe"),
    "a form of nobody": ("none", "no-cors", "empty"),
    "garbage": ("yes", "please", "now"),
}


@pytest.fixture
def console() -> Console:
    """Return a console whose environment is not reachable: what the gate does needs none."""
    return console_of(None)


PATHS = [*(path_of(route) for route in ROUTES), assets.address("console.css"), "/open", "/nothing"]


def fetch(sender: str) -> dict[str, str]:
    return dict(zip(("sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest"), SENDERS[sender], strict=True))


@pytest.mark.parametrize("path", PATHS)
def test_a_rebound_name_reaches_nothing(console: Console, path: str):
    """A page whose name leads to this machine is refused on every path and method, before anything is looked at."""
    for host in FOREIGN_HOSTS:
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
            answer = console.ask(method, path, headers={**PAGE, "host": host})
            assert answer.status == 421, (host, method)
            assert console.desk.access.csrf not in answer.text


@pytest.mark.parametrize("sender", SENDERS)
def test_nothing_is_shown_to_another_site(console: Console, sender: str):
    """Whatever another site, another port or a frame asks for is refused, with the operator's cookie or without."""
    for path in PATHS:
        for method in ("GET", "POST"):
            answer = console.ask(method, path, headers={**fetch(sender), "origin": "http://evil.example"})
            assert answer.status == 403, (path, method)


def test_a_header_that_is_sent_twice_is_refused(console: Console):
    """A request with two Host headers, of which another reader might take the other one, is refused."""
    headers = [("host", HOST), ("host", "evil.example"), *PAGE.items()]
    assert call(console.app, "GET", "/runs", headers).status == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "X"])
def test_other_methods_do_not_exist(console: Console, method: str):
    """Only GET, HEAD and POST exist: nothing depends on a list of methods that change something."""
    assert console.ask(method, "/runs", headers=PAGE).status == 405


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.kind in ("read", "stream")], ids=lambda route: route.name
)
def test_pages_need_the_cookie(console: Console, route: Route):
    """A browser that has not opened the link sees no page, but how to get a link."""
    console.cookies.clear()
    answer = console.get(path_of(route))
    assert (answer.status, "pipeline console" in answer.text) == (401, True)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_reading_changes_nothing(console: Console, route: Route):
    """A route that changes something does not answer GET, and one that reads does not answer POST."""
    if route.kind in ("read", "stream"):
        assert console.post(path_of(route)).status == 404
    else:
        assert console.get(path_of(route)).status == 404


def test_a_link_opens_the_console_once(console: Console):
    """A link sets a cookie that scripts, other sites and other consoles don't get, and is spent."""
    access = console.desk.access
    link = f"/open?t={access.new_link()}"
    console.cookies.clear()
    first = console.get(link, sec_fetch_site="none")
    assert (first.status, first.headers["location"]) == (303, "/")
    cookie = first.headers["set-cookie"]
    assert cookie.startswith(f"pipeline-console-{PORT}=")
    assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/"))
    assert link.partition("=")[2] not in cookie
    assert console.get(link, sec_fetch_site="none").status == 401


def test_a_browser_that_loads_ahead_spends_no_link(console: Console):
    """A link that the browser loads before it is followed still opens the console."""
    console.cookies.clear()
    link = f"/open?t={console.desk.access.new_link()}"
    assert console.get(link, sec_fetch_site="none", sec_purpose="prefetch").status == 401
    assert console.get(link, sec_fetch_site="none").status == 303


@pytest.mark.parametrize(
    "there", ["//evil.example", "http://evil.example", "/\\evil.example", "/a\r\nX: y", "runs"]
)
def test_a_link_leads_into_the_console_only(console: Console, there: str):
    """Opening a link never sends the browser to another site."""
    from urllib.parse import quote  # noqa: PLC0415

    answer = console.get(f"/open?t={console.desk.access.new_link()}&to={quote(there)}", sec_fetch_site="none")
    assert answer.headers["location"] == "/"


def test_a_link_may_lead_to_a_page(console: Console):
    """A link can open the console on one of its pages."""
    answer = console.get(f"/open?t={console.desk.access.new_link()}&to=/runs/p-1", sec_fetch_site="none")
    assert answer.headers["location"] == "/runs/p-1"


def test_a_link_in_a_ticket_is_followed_without_data(console: Console):
    """A navigation from another site gets a page without data, which loads the address again from here."""
    answer = console.get("/runs/p-1", sec_fetch_site="cross-site")
    assert answer.status == 200
    assert b"http-equiv=refresh" in answer.body
    assert b"p-1" not in answer.body


def test_programs_need_the_secret_of_the_file(console: Console):
    """A program, which sends no fetch headers, is answered with the file's secret only, never by the cookie."""
    assert console.ask("GET", "/events").status == 401
    secret = {"authorization": f"Bearer {console.desk.access.control}"}
    assert console.ask("GET", "/events", headers=secret).status == 200
    link = console.ask("POST", "/link", headers={**secret, "content-type": FORM})
    assert link.status == 200
    assert b"/open?t=" in link.body
    assert console.post("/link").status == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": f"http://localhost:{PORT + 1}"}, 403),
        ({"sec_fetch_site": "none"}, 403),
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "multipart/form-data; boundary=x"}, 415),
        ({"content_type": ""}, 415),
        ({"content_encoding": "gzip"}, 415),
        ({"content_length": "99999999999"}, 413),
        ({"content_length": "²"}, 413),
    ],
)
def test_a_write_is_a_form_of_ours(console: Console, headers: dict[str, str], status: int):
    """A POST is refused unless our own page sent it, as a form or as JSON."""
    assert console.post("/preferences", {"theme": "dark"}, **headers).status == status


def test_a_write_carries_the_forms_value(console: Console):
    """A POST without this process's own value is refused; JSON carries it in a header."""
    assert console.post("/preferences", {"csrf": "guess"}).status == 403
    given = {**PAGE, "origin": OURS, "content-type": "application/json"}
    assert console.ask("POST", "/preferences", headers=given, body=b"{}").status == 403
    given["x-csrf"] = console.desk.access.csrf
    assert console.ask("POST", "/preferences", headers=given, body=b"{}").status == 303


def test_a_large_body_is_refused_however_it_is_sent(console: Console):
    """A body beyond the limit is refused, also if its length was not told."""
    assert console.post("/preferences", {"x": "y" * BODY_BYTES}).status == 413


def test_a_body_that_is_no_form_is_refused(console: Console):
    """A form that is not UTF-8 or has thousands of fields is refused, not guessed at."""
    given = {**PAGE, "origin": OURS, "content-type": FORM, "x-csrf": console.desk.access.csrf}
    assert console.ask("POST", "/preferences", headers=given, body=b"a=%ff").status == 403
    assert console.ask("POST", "/preferences", headers=given, body=b"a&" * 500).status == 403


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_tells_the_browser_its_limits(console: Console, path: str):
    """Every answer has the policy and the other headers, the refusals and the unknown pages, too."""
    for cookies in (console.cookies, {}):
        answer = Console(console.app, console.desk, cookies).get(path)
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers
        stored = "immutable" if answer.status == 200 and path.startswith("/static/") else "no-store"
        assert stored in answer.headers["cache-control"]


def test_only_listed_files_are_served(console: Console):
    """No path below /static leads out of the list of files."""
    digest = assets.asset("console.css").hash
    for name in ("../app.py", "..%2fapp.py", "console.css/../x", "/etc/passwd", "htmx.esm.js"):
        assert console.get(f"/static/{digest}/{name}").status == 404
    assert console.get(f"/static/0000/{'console.css'}").status == 404


def test_no_websocket_is_opened(console: Console):
    """A websocket, which no rule for origins holds back in a browser, is closed before it opens."""
    import asyncio  # noqa: PLC0415

    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(console.app({"type": "websocket", "headers": []}, None, send))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_an_environment_on_aws_is_locked(nowhere):
    """What changes an environment on AWS is locked until its name is typed; --read-only never unlocks."""
    console = console_of(nowhere, "prod")
    assert not console.desk.lock.is_open
    assert console.post("/lock", {"name": "dev"}).status == 403
    assert not console.desk.lock.is_open
    assert console.post("/lock", {"name": "prod"}).status == 303
    assert console.desk.lock.is_open
    console.post("/lock", {"close": "1"})
    assert not console.desk.lock.is_open
    closed = console_of(nowhere, "prod", read_only=True)
    assert closed.post("/lock", {"name": "prod"}).status == 403
    assert not closed.desk.lock.is_open
