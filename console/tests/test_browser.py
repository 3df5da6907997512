"""The console in a real browser: what other sites can't do, what hostile data can't do, what everybody can use.

An error on the browser's console and a violation of the policy fail any test, unless it has caused them on purpose.
"""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from console.pages import subjects
from console.routes import ROUTES
from console.tests import hostile
from console.tests.asking import path_of
from console.tests.browsing import AXE, IN_A_BROWSER, ODD, Served, Tab, browser, tab
from console.tests.world import Machine, add_run
from operations.dlq.journal import Entry, Journal
from operations.tests.histories import Story
from operations.tests.waiting import hold, switch_on

__all__ = ["browser", "tab"]

pytestmark = IN_A_BROWSER
PAGES = (
    "/",
    "/runs",
    "/runs/p",
    *(f"/runs/p?tab={tab}" for tab in ("data", "events", "cost")),
    "/runs/q",
    "/runs/q?execution=q",
    "/compare?a=p&b=q",
    "/ask",
    "/asked/p",
    "/costs?since=ever",
    "/costs/runs?since=ever&name=2026-11-01",
    "/health",
    "/health/in-flight",
    "/activity",
    "/approvals",
    "/approvals/waits",
    "/archived",
    "/archived/m-archived?run=p-1",
    "/find?q=m-archived",
    "/events",
    "/events/pipeline.requested/v2?with=pipeline.requested.v1",
)


@pytest.fixture
def served(target: Any, machine: Machine, records: Any, tmp_path: Path) -> Iterator[Served]:
    """Yield a console over two runs whose every text is hostile; the second one was restarted."""
    text = " ".join(hostile.STRINGS[:6])
    switch_on(target)
    hold(target, "waits", user_message=text, answer=text)
    add_run(machine, records, "p", "SUCCEEDED", hostile.story(text), **hostile.record(text))
    restart = target.addresses.execution_arn("q-restart-1")
    machine.histories["q-restart-1"] = hostile.story(text).events
    add_run(
        machine, records, "q", "FAILED", hostile.story(text), **hostile.failure(text), execution_arn=restart
    )
    console = Served(target, tmp_path)
    spent = {"nano_usd": 4, "stages": {"chat": 4}, "services": {text: 4}}
    for number in (1, 2):
        ended = f"2026-11-0{number}T10:00:00.000Z"
        add_run(machine, records, f"old-{number}", cost=spent, finished_at=ended)
    Journal(target, text).note(Entry(pipeline_id="p", at=text, who=text, what=text, why=text, outcome=text))
    Journal(target, text).archive(hostile.parked_message(text), text)
    for name, read in (
        ("costs-ever", subjects.SUBJECTS["costs-ever"].read),
        ("audit", subjects.SUBJECTS["audit"].read),
        ("archived", subjects.SUBJECTS["archived"].read),
        ("doctor", lambda *_: hostile.outcomes(text)),
        ("in-flight", lambda *_: hostile.in_flight(text)),
        ("refusals", lambda *_: hostile.refusals(text)),
    ):
        reading = console.desk.readings.of(f"{name} 0")
        reading.begin(partial(read, target))
        reading.join()
    yield console
    console.stop()


@pytest.fixture
def evil(served: Served) -> Iterator[str]:
    """Yield the address of another site, on another port, whose page tries what it can with the console."""
    paths = [path_of(route) for route in ROUTES]
    pictures = "".join(f"<img src='{served.url}{path}'>" for path in paths)
    page = f"""<!doctype html><meta charset=utf-8>{pictures}<iframe src='{served.url}/runs' name=frame></iframe>
        <form id=form method=post action='{served.url}/preferences' target=frame><input name=theme value=dark></form>
        <a id=link href='{served.url}/runs'>ticket</a><script>
        window.done = Promise.allSettled([
          fetch('{served.url}/runs', {{mode: 'no-cors', credentials: 'include'}}),
          fetch('{served.url}/runs', {{credentials: 'include'}}),
          fetch('{served.url}/lock', {{method: 'POST', mode: 'no-cors', credentials: 'include', body: '{{}}'}}),
        ]); document.getElementById('form').submit();</script>"""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_another_port_gets_nothing(served: Served, evil: str, tab: Callable[..., Tab], caplog: Any):
    """A page of another port, with the operator's cookie in the same browser, gets no answer and changes nothing."""
    one = tab()
    one.page.goto(served.link)
    caplog.set_level("INFO", "console.requests")
    one.page.goto(evil)
    one.page.evaluate("window.done")
    one.page.wait_for_load_state("networkidle")
    one.wrong.clear()  # the browser reports each refusal
    answers = [
        record.getMessage().split()[:3] for record in caplog.records if record.name == "console.requests"
    ]
    assert {path_of(route) for route in ROUTES} <= {path for _, path, _ in answers}
    assert {method for method, _, _ in answers} == {"GET", "POST"}
    assert {status for _, _, status in answers} == {"403"}
    assert not [name for name in (cookie["name"] for cookie in one.page.context.cookies()) if "theme" in name]


def test_a_rebound_name_gets_nothing(served: Served, tab: Callable[..., Tab]):
    """A page whose name leads to this machine sees neither a page nor a file of the console."""
    one = tab()
    for path in ("/runs", "/open?t=x", "/static/x/console.css"):
        answer = one.page.goto(f"http://rebound.localhost:{served.port}{path}")
        assert answer.status == 421
    one.wrong.clear()


def test_a_link_in_a_ticket_opens_the_page(served: Served, evil: str, tab: Callable[..., Tab]):
    """A link on another site leads to the page in a browser that has opened the console, on a second load."""
    one = tab()
    one.page.goto(served.link)
    one.page.goto(evil.replace("127.0.0.1", "localhost"))
    one.page.evaluate("window.done")
    one.wrong.clear()
    one.page.click("#link")
    one.page.wait_for_selector("h1")
    assert one.page.inner_text("h1") == "Runs"


def test_hostile_data_does_nothing(served: Served, tab: Callable[..., Tab]):
    """Pages of runs whose every text is hostile run nothing, ask no other server, and break no rule of the policy."""
    one = tab()
    one.page.goto(served.link)
    for path in PAGES:
        one.page.goto(served.url + path)
        assert one.page.evaluate("window.pwned") is None, path
        assert one.page.locator(ODD).count() == 0, path
    assert [url for url in one.asked if not url.startswith((served.url, "data:"))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(served: Served, tab: Callable[..., Tab], scheme: str):
    """The checker of accessibility finds nothing on any page, in both themes; no page is wider than a phone."""
    one = tab(color_scheme=scheme, viewport={"width": 400, "height": 800})
    one.page.goto(served.link)
    for path in PAGES:
        one.page.goto(served.url + path)
        one.page.evaluate(AXE.read_text("utf-8"))
        found = one.page.evaluate(
            "axe.run().then(result => result.violations.map(one => [one.id, one.nodes[0].html]))"
        )
        assert found == [], path
        assert one.page.evaluate("document.documentElement.scrollWidth") <= 400, path


def test_the_keyboard_leads_everywhere(served: Served, tab: Callable[..., Tab]):
    """Keys go to the search, along the rows, into a run and to pages, and compare; none acts while one types."""
    one = tab()
    one.page.goto(served.link)
    one.page.goto(f"{served.url}/runs")
    press = one.page.keyboard.press
    press("/")
    one.page.keyboard.type("jgr?t")
    assert one.page.input_value("#q") == "jgr?t"
    press("Escape")
    press("?")
    assert one.page.locator("#help").is_visible()
    press("Escape")
    press("j")
    press("j")
    press("Enter")
    one.page.wait_for_url("**/runs/q")
    press("g")
    press("r")
    one.page.wait_for_url("**/runs")
    for key in "cjxjxc":  # the first one does nothing: no rows are ticked
        press(key)
    one.page.wait_for_url("**/compare?a=q&b=p")
    press("t")
    one.page.wait_for_selector("#clock:text('UTC')")


def test_the_first_page_is_live_at_once(served: Served, tab: Callable[..., Tab]):
    """A browser that loads the console's files for the first time opens the stream of the page, too."""
    from playwright.sync_api import expect  # noqa: PLC0415 -- only `make test` installs it

    for _ in range(3):
        one = tab()
        one.page.goto(served.link.partition("&")[0])
        expect(one.page.locator("#dot")).to_have_attribute("data-state", "live")


def test_a_run_is_seen_as_it_goes_on(served: Served, machine: Machine, records: Any, tab: Callable[..., Tab]):
    """A run's page follows it by itself: what the reader has opened stays open, and the stream ends with the run."""
    story = Story().done("AnalyzeInput").enter("CallExistingChatbot").ask()
    add_run(machine, records, "going", "RUNNING", story)
    one = tab()
    one.page.goto(served.link)
    one.page.goto(f"{served.url}/runs/going")
    from playwright.sync_api import expect  # noqa: PLC0415 -- only `make test` installs it

    expect(one.page.locator("#dot")).to_have_attribute("data-state", "live")
    expect(one.page.locator("#dot")).to_be_visible()
    one.page.focus("#now .fall a")
    story.fail("Told.Later", "as it happened")
    story.add(
        "ExecutionFailed", executionFailedEventDetails={"error": "Told.Later", "cause": "as it happened"}
    )
    machine.histories["going"] = story.events
    records.advance(
        "going", "FAILED", {"error": "Told.Later", "cause": "as it happened", "stage": "chat"}, first={}
    )
    expect(one.page.locator("#now .headline")).to_contain_text("Told.Later")
    expect(one.page.locator("#dot")).to_have_text("finished")
    assert one.page.evaluate("document.activeElement.textContent") == "analysis"
    assert len([url for url in one.asked if "/live/" in url]) == 1


def test_a_page_of_a_console_that_was_replaced_says_so(served: Served, tab: Callable[..., Tab]):
    """A live page that the console no longer knows asks to be reloaded, and then says how to open the console."""
    from playwright.sync_api import expect  # noqa: PLC0415 -- only `make test` installs it

    one = tab()
    one.page.goto(served.link)
    one.page.goto(f"{served.url}/activity")
    expect(one.page.locator("#dot")).to_have_attribute("data-state", "live")
    one.page.context.clear_cookies()
    served.desk.feeds.stop()
    expect(one.page.locator("#dot")).to_have_text("closed: reload the page", timeout=20_000)
    one.page.reload()
    expect(one.page.locator("h1")).to_have_text("This browser has not opened the console yet")
    assert all("401" in text for text in one.wrong)
    one.wrong.clear()


def test_a_link_to_a_closed_section_opens_it(
    served: Served, machine: Machine, records: Any, tab: Callable[..., Tab]
):
    """A link to a stage's tries opens them, each time and also as an address that was sent to somebody."""
    add_run(machine, records, "r", story=Story().done("AnalyzeInput"))
    one = tab()
    one.page.goto(served.link)
    one.page.goto(f"{served.url}/runs/r")
    opened = "document.getElementById('visit-0').open"
    assert not one.page.evaluate(opened)
    for _ in range(2):
        one.page.click("#now .fall a")
        assert one.page.evaluate(opened)
        one.page.click("#visit-0 summary")
        assert not one.page.evaluate(opened)
    one.page.reload()
    assert one.page.evaluate(opened)


def test_new_runs_wait_and_ticks_stay(
    served: Served, machine: Machine, records: Any, tab: Callable[..., Tab]
):
    """New runs are counted and move no row; ticked rows stay ticked, by mouse or key, and two can be compared."""
    from playwright.sync_api import expect  # noqa: PLC0415 -- only `make test` installs it

    one = tab()
    one.page.goto(served.link)
    one.page.goto(f"{served.url}/runs")
    compare = one.page.locator("#ticked button[value=compare]")
    expect(compare).to_be_disabled()
    one.page.locator("#ticked input[value=p]").check()
    one.page.keyboard.press("j")
    one.page.keyboard.press("j")
    one.page.keyboard.press("x")
    newest = next(iter(machine.executions.values()))
    later = {**newest, "name": "later", "startDate": newest["startDate"] + timedelta(seconds=1)}
    machine.executions = {"later": later, **machine.executions}
    expect(one.page.locator("#now .news")).to_contain_text("1 new")
    expect(one.page.locator("#ticks")).to_have_text("2 ticked")
    assert one.page.locator("[data-row]").count() == 4
    compare.click()
    one.page.wait_for_url("**/compare?a=q&b=p")


def test_what_is_read_on_request_appears(served: Served, tab: Callable[..., Tab]):
    """A press of the button reads; the result appears by itself, on the page that stays, and the stream ends."""
    one = tab()
    one.page.goto(served.link)
    one.page.goto(f"{served.url}/costs?since=24h")
    from playwright.sync_api import expect  # noqa: PLC0415 -- only `make test` installs it

    expect(one.page.locator("#now .headline")).to_have_count(0)
    one.page.click("#now button.main")
    expect(one.page.locator("#now")).to_contain_text("no finished run with meters")
    expect(one.page.locator("#now button")).to_have_text("Read the costs again")
    assert len([url for url in one.asked if "/live/" in url]) <= 1
